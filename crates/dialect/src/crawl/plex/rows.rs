//! Rows of Plex's lists.

use greenroom_library::item::{Item, ItemKind, MediaFile};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::crawl::lenient::{LenientBool, LenientString, LenientU64, OneOrMany};
use crate::crawl::rows::{self, CrawlRows};
use crate::crawl::{CrawlPage, ItemContainer, LibraryContents, LibraryInfo, RowResult, is_key, unusable};
use crate::response_facts::UnusableResponse;

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(rename = "MediaContainer")]
    container: T,
}

#[derive(Deserialize)]
struct Sections<'a> {
    #[serde(rename = "startState")]
    start_state: Option<IgnoredAny>,
    #[serde(rename = "Directory", borrow, default)]
    sections: OneOrMany<Section<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Section<'a> {
    #[serde(borrow)]
    key: LenientString<'a>,
    #[serde(borrow)]
    title: LenientString<'a>,
    #[serde(rename = "type", borrow)]
    kind: LenientString<'a>,
    #[serde(borrow)]
    content_changed_at: LenientString<'a>,
    refreshing: LenientBool,
}

pub(in crate::crawl) fn libraries(body: &[u8]) -> Result<Vec<LibraryInfo>, UnusableResponse> {
    let response: Envelope<Sections<'_>> = serde_json::from_slice(body).map_err(|_| unusable(body))?;
    if response.container.start_state.is_some() {
        return Err(UnusableResponse::Starting);
    }
    Ok(response.container.sections.0.iter().filter_map(library_info).collect())
}

fn library_info(section: &Section<'_>) -> Option<LibraryInfo> {
    let key = section.key.get().filter(|key| is_key(key))?;
    Some(LibraryInfo {
        key: key.to_owned(),
        title: section.title.get().unwrap_or(key).to_owned(),
        contents: match section.kind.get() {
            Some("artist") => LibraryContents::Music,
            Some("movie") => LibraryContents::Films,
            Some("show") => LibraryContents::Shows,
            _ => LibraryContents::Other,
        },
        stamp: section.content_changed_at.get().map(str::to_owned),
        is_scanning: section.refreshing.0,
    })
}

/// A list's fields beside its rows. Rows come as `Metadata`; some lists have them as `Directory`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    start_state: Option<IgnoredAny>,
    #[serde(default)]
    size: LenientU64,
    #[serde(default)]
    total_size: LenientU64,
    #[serde(default)]
    offset: LenientU64,
    #[serde(rename = "Metadata", borrow, default)]
    rows: CrawlRows<Row<'a>>,
    #[serde(rename = "Directory", borrow, default)]
    directories: CrawlRows<Row<'a>>,
}

pub(in crate::crawl) fn page(kind: Option<ItemKind>, body: &[u8]) -> Result<CrawlPage, UnusableResponse> {
    let response: Envelope<List<'_>> = serde_json::from_slice(body).map_err(|_| unusable(body))?;
    let list = response.container;
    if list.start_state.is_some() {
        return Err(UnusableResponse::Starting);
    }
    // Both numbers missing: this is no list. The size is that of the page and says nothing about the whole.
    if list.total_size.0.or(list.size.0).is_none() {
        return Err(UnusableResponse::Malformed);
    }
    let mut page = CrawlPage { offset: list.offset.0, total: list.total_size.0, ..CrawlPage::default() };
    list.rows.add_to(&mut page, kind);
    list.directories.add_to(&mut page, kind);
    Ok(page)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Row<'a> {
    #[serde(borrow)]
    rating_key: LenientString<'a>,
    #[serde(rename = "type", borrow)]
    kind: LenientString<'a>,
    #[serde(borrow)]
    title: LenientString<'a>,
    #[serde(borrow)]
    original_title: LenientString<'a>,
    #[serde(borrow)]
    parent_rating_key: LenientString<'a>,
    #[serde(borrow)]
    parent_title: LenientString<'a>,
    #[serde(borrow)]
    grandparent_rating_key: LenientString<'a>,
    #[serde(borrow)]
    grandparent_title: LenientString<'a>,
    index: LenientU64,
    parent_index: LenientU64,
    year: LenientU64,
    parent_year: LenientU64,
    duration: LenientU64,
    added_at: LenientU64,
    updated_at: LenientU64,
    #[serde(borrow)]
    guid: LenientString<'a>,
    #[serde(rename = "Guid", borrow)]
    guids: OneOrMany<Guid<'a>>,
    #[serde(rename = "Media", borrow)]
    media: OneOrMany<Media<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Guid<'a> {
    #[serde(borrow)]
    id: LenientString<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Media<'a> {
    #[serde(rename = "Part", borrow)]
    parts: OneOrMany<Part<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Part<'a> {
    #[serde(borrow)]
    file: LenientString<'a>,
    size: LenientU64,
}

impl rows::CrawlRow for Row<'_> {
    fn kind(&self) -> Option<ItemKind> {
        match self.kind.get()? {
            "movie" => Some(ItemKind::Film),
            "show" => Some(ItemKind::Show),
            "season" => Some(ItemKind::Season),
            "episode" => Some(ItemKind::Episode),
            "track" => Some(ItemKind::Track),
            _ => None,
        }
    }

    fn read(&self) -> RowResult {
        let Some(key) = self.rating_key.get().filter(|key| is_key(key)) else { return RowResult::Nothing };
        let container = |is_direct| ItemContainer { key: key.into(), leaves: ItemKind::Track, is_direct };
        match (self.kind(), self.kind.get()) {
            (Some(kind), _) => self.item(kind, key).map_or(RowResult::Nothing, |item| RowResult::Item(Box::new(item))),
            (None, Some("album")) => RowResult::Container(container(true)),
            (None, Some("artist")) => RowResult::Container(container(false)),
            (None, _) => RowResult::Nothing,
        }
    }
}

impl Row<'_> {
    fn item(&self, kind: ItemKind, key: &str) -> Option<Item> {
        let own = self.guid.get().into_iter();
        let guids = own.chain(self.guids.0.iter().filter_map(|guid| guid.id.get()));
        let parts = self.media.0.iter().flat_map(|media| &media.parts.0);
        let is_track = kind == ItemKind::Track;
        // The original title of an episode or film comes in the field that holds a track's artist credit.
        let artist =
            self.original_title.get().filter(|artist| is_track && Some(*artist) != self.grandparent_title.get());
        Some(Item {
            parent_key: self.parent_rating_key.to_boxed(),
            parent_title: self.parent_title.to_boxed(),
            grandparent_key: self.grandparent_rating_key.to_boxed(),
            grandparent_title: self.grandparent_title.to_boxed(),
            artists: artist.into_iter().map(Into::into).collect(),
            index: self.index.fitting(),
            parent_index: self.parent_index.fitting(),
            year: self.year.fitting().or_else(|| self.parent_year.fitting().filter(|_| is_track)),
            duration_ms: self.duration.fitting(),
            guids: guids.map(Into::into).collect(),
            files: parts.filter_map(Part::file).collect(),
            added_at_s: self.added_at.0,
            updated_at_s: self.updated_at.0,
            ..Item::new(kind, key, self.title.get()?)
        })
    }
}

impl Part<'_> {
    fn file(&self) -> Option<MediaFile> {
        Some(MediaFile { path: self.file.to_boxed()?, size_bytes: self.size.0 })
    }
}
