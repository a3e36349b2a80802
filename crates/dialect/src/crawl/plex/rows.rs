//! What lists of a Plex say.

use greenroom_library::item::{File, Item, ItemKind};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::crawl::rows::{self, Rows};
use crate::crawl::scalar::{Flag, Number, Several, Text};
use crate::crawl::{Branch, Contents, Page, Read, Shelf, is_key, unfit};
use crate::facts::Unfit;

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
    sections: Several<Section<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Section<'a> {
    #[serde(borrow)]
    key: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    content_changed_at: Text<'a>,
    refreshing: Flag,
}

pub(in crate::crawl) fn shelves(body: &[u8]) -> Result<Vec<Shelf>, Unfit> {
    let envelope: Envelope<Sections<'_>> = serde_json::from_slice(body).map_err(|_| unfit(body))?;
    if envelope.container.start_state.is_some() {
        return Err(Unfit::Starting);
    }
    Ok(envelope.container.sections.0.iter().filter_map(shelf).collect())
}

fn shelf(section: &Section<'_>) -> Option<Shelf> {
    let key = section.key.get().filter(|key| is_key(key))?;
    Some(Shelf {
        key: key.to_owned(),
        title: section.title.get().unwrap_or(key).to_owned(),
        contents: match section.kind.get() {
            Some("artist") => Contents::Music,
            Some("movie") => Contents::Films,
            Some("show") => Contents::Shows,
            _ => Contents::Other,
        },
        stamp: section.content_changed_at.get().map(str::to_owned),
        is_scanning: section.refreshing.0,
    })
}

/// What a list tells beside its rows. Rows come as `Metadata`; some lists have them as `Directory`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    start_state: Option<IgnoredAny>,
    #[serde(default)]
    size: Number,
    #[serde(default)]
    total_size: Number,
    #[serde(default)]
    offset: Number,
    #[serde(rename = "Metadata", borrow, default)]
    rows: Rows<Row<'a>>,
    #[serde(rename = "Directory", borrow, default)]
    directories: Rows<Row<'a>>,
}

pub(in crate::crawl) fn page(kind: Option<ItemKind>, body: &[u8]) -> Result<Page, Unfit> {
    let envelope: Envelope<List<'_>> = serde_json::from_slice(body).map_err(|_| unfit(body))?;
    let list = envelope.container;
    if list.start_state.is_some() {
        return Err(Unfit::Starting);
    }
    // Both numbers missing: this is no list. The size is that of the page, and says nothing of the whole.
    if list.total_size.0.or(list.size.0).is_none() {
        return Err(Unfit::Malformed);
    }
    let mut page = Page { offset: list.offset.0, total: list.total_size.0, ..Page::default() };
    list.rows.add_to(&mut page, kind);
    list.directories.add_to(&mut page, kind);
    Ok(page)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Row<'a> {
    #[serde(borrow)]
    rating_key: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    original_title: Text<'a>,
    #[serde(borrow)]
    parent_rating_key: Text<'a>,
    #[serde(borrow)]
    parent_title: Text<'a>,
    #[serde(borrow)]
    grandparent_rating_key: Text<'a>,
    #[serde(borrow)]
    grandparent_title: Text<'a>,
    index: Number,
    parent_index: Number,
    year: Number,
    parent_year: Number,
    duration: Number,
    added_at: Number,
    updated_at: Number,
    #[serde(borrow)]
    guid: Text<'a>,
    #[serde(rename = "Guid", borrow)]
    guids: Several<Guid<'a>>,
    #[serde(rename = "Media", borrow)]
    media: Several<Media<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Guid<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Media<'a> {
    #[serde(rename = "Part", borrow)]
    parts: Several<Part<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Part<'a> {
    #[serde(borrow)]
    file: Text<'a>,
    size: Number,
}

impl rows::Row for Row<'_> {
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

    fn read(&self) -> Read {
        let Some(key) = self.rating_key.get().filter(|key| is_key(key)) else { return Read::Nothing };
        let branch = |is_direct| Branch { key: key.into(), leaves: ItemKind::Track, is_direct };
        match (self.kind(), self.kind.get()) {
            (Some(kind), _) => self.item(kind, key).map_or(Read::Nothing, |item| Read::Item(Box::new(item))),
            (None, Some("album")) => Read::Branch(branch(true)),
            (None, Some("artist")) => Read::Branch(branch(false)),
            (None, _) => Read::Nothing,
        }
    }
}

impl Row<'_> {
    fn item(&self, kind: ItemKind, key: &str) -> Option<Item> {
        let own = self.guid.get().into_iter();
        let guids = own.chain(self.guids.0.iter().filter_map(|guid| guid.id.get()));
        let parts = self.media.0.iter().flat_map(|media| &media.parts.0);
        let is_track = kind == ItemKind::Track;
        // The title an episode or film has in its own language comes under the name a track's credit has.
        let credit = self
            .original_title
            .get()
            .filter(|credit| is_track && Some(*credit) != self.grandparent_title.get());
        Some(Item {
            parent_key: self.parent_rating_key.kept(),
            parent_title: self.parent_title.kept(),
            grandparent_key: self.grandparent_rating_key.kept(),
            grandparent_title: self.grandparent_title.kept(),
            artists: credit.into_iter().map(Into::into).collect(),
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
    fn file(&self) -> Option<File> {
        Some(File { path: self.file.kept()?, size_bytes: self.size.0 })
    }
}
