//! Rows of Jellyfin's lists.

use std::collections::BTreeMap;

use greenroom_library::item::{Item, ItemKind, MediaFile};
use serde::Deserialize;

use crate::crawl::lenient::{LenientString, LenientU64, OneOrMany};
use crate::crawl::rows::{self, CrawlRows};
use crate::crawl::{CrawlPage, ItemContainer, LibraryContents, LibraryInfo, RowResult, is_key, timestamp, unusable};
use crate::jellyfin::guid;
use crate::response_facts::UnusableResponse;

/// A tick is 0.1 µs.
const TICKS_PER_MS: u64 = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Views<'a> {
    #[serde(borrow)]
    items: Vec<View<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct View<'a> {
    #[serde(borrow)]
    id: LenientString<'a>,
    #[serde(borrow)]
    name: LenientString<'a>,
    #[serde(borrow)]
    collection_type: LenientString<'a>,
    #[serde(borrow)]
    etag: LenientString<'a>,
}

pub(in crate::crawl) fn libraries(body: &[u8]) -> Result<Vec<LibraryInfo>, UnusableResponse> {
    let views: Views<'_> = serde_json::from_slice(body).map_err(|_| unusable(body))?;
    Ok(views.items.iter().filter_map(library_info).collect())
}

fn library_info(view: &View<'_>) -> Option<LibraryInfo> {
    let key = guid::normalize(view.id.get().filter(|key| is_key(key))?).into_owned();
    Some(LibraryInfo {
        title: view.name.get().unwrap_or(&key).to_owned(),
        contents: match view.collection_type.get() {
            Some("music") => LibraryContents::Music,
            Some("movies") => LibraryContents::Films,
            Some("tvshows") => LibraryContents::Shows,
            _ => LibraryContents::Other,
        },
        stamp: view.etag.get().map(str::to_owned),
        is_scanning: false,
        key,
    })
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Task<'a> {
    #[serde(borrow)]
    key: LenientString<'a>,
    #[serde(borrow)]
    state: LenientString<'a>,
}

pub(in crate::crawl) fn is_scanning(body: &[u8]) -> Result<bool, UnusableResponse> {
    let tasks: Vec<Task<'_>> = serde_json::from_slice(body).map_err(|_| unusable(body))?;
    let scans = |task: &Task<'_>| {
        task.key.get() == Some(crate::jellyfin::SCAN_TASK) && matches!(task.state.get(), Some("Running" | "Cancelling"))
    };
    Ok(tasks.iter().any(scans))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Folder<'a> {
    #[serde(borrow)]
    item_id: LenientString<'a>,
    refresh_progress: Option<f64>,
}

pub(in crate::crawl) fn scanned_libraries(body: &[u8]) -> Result<Vec<String>, UnusableResponse> {
    let folders: Vec<Folder<'_>> = serde_json::from_slice(body).map_err(|_| unusable(body))?;
    let scanned = folders.iter().filter(|folder| folder.refresh_progress.is_some());
    Ok(scanned.filter_map(|folder| Some(guid::normalize(folder.item_id.get()?).into_owned())).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List<'a> {
    #[serde(borrow)]
    items: CrawlRows<Row<'a>>,
    #[serde(default)]
    total_record_count: LenientU64,
    #[serde(default)]
    start_index: LenientU64,
}

pub(in crate::crawl) fn page(kind: Option<ItemKind>, body: &[u8]) -> Result<CrawlPage, UnusableResponse> {
    let list: List<'_> = serde_json::from_slice(body).map_err(|_| unusable(body))?;
    let mut page = CrawlPage { offset: list.start_index.0, total: list.total_record_count.0, ..CrawlPage::default() };
    list.items.add_to(&mut page, kind);
    Ok(page)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Row<'a> {
    #[serde(borrow)]
    id: LenientString<'a>,
    #[serde(rename = "Type", borrow)]
    kind: LenientString<'a>,
    #[serde(borrow)]
    name: LenientString<'a>,
    #[serde(borrow)]
    location_type: LenientString<'a>,
    #[serde(borrow)]
    album_id: LenientString<'a>,
    #[serde(borrow)]
    album: LenientString<'a>,
    #[serde(borrow)]
    album_artist: LenientString<'a>,
    #[serde(borrow)]
    album_artists: OneOrMany<ArtistRef<'a>>,
    #[serde(borrow)]
    artists: OneOrMany<LenientString<'a>>,
    #[serde(borrow)]
    season_id: LenientString<'a>,
    #[serde(borrow)]
    season_name: LenientString<'a>,
    #[serde(borrow)]
    series_id: LenientString<'a>,
    #[serde(borrow)]
    series_name: LenientString<'a>,
    index_number: LenientU64,
    parent_index_number: LenientU64,
    production_year: LenientU64,
    run_time_ticks: LenientU64,
    #[serde(borrow)]
    date_created: LenientString<'a>,
    #[serde(borrow)]
    path: LenientString<'a>,
    #[serde(borrow)]
    provider_ids: Option<BTreeMap<LenientString<'a>, LenientString<'a>>>,
    #[serde(borrow)]
    media_sources: OneOrMany<MediaSource<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ArtistRef<'a> {
    #[serde(borrow)]
    id: LenientString<'a>,
    #[serde(borrow)]
    name: LenientString<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct MediaSource<'a> {
    #[serde(borrow)]
    path: LenientString<'a>,
    size: LenientU64,
}

/// Key and title.
type ParentRef = (Option<Box<str>>, Option<Box<str>>);

impl rows::CrawlRow for Row<'_> {
    fn kind(&self) -> Option<ItemKind> {
        match self.kind.get()? {
            "Movie" => Some(ItemKind::Film),
            "Series" => Some(ItemKind::Show),
            "Season" => Some(ItemKind::Season),
            "Episode" => Some(ItemKind::Episode),
            "Audio" => Some(ItemKind::Track),
            _ => None,
        }
    }

    fn read(&self) -> RowResult {
        let Some(key) = self.id.get().filter(|key| is_key(key)) else { return RowResult::Nothing };
        let key = guid::normalize(key);
        // Some servers list missing episodes for users who want to see them.
        let is_missing = self.kind() == Some(ItemKind::Episode) && self.location_type.get() == Some("Virtual");
        let container = |is_direct| ItemContainer { key: (*key).into(), leaves: ItemKind::Track, is_direct };
        match (self.kind(), self.kind.get()) {
            _ if is_missing => RowResult::Nothing,
            (Some(kind), _) => self.item(kind, &key).map_or(RowResult::Nothing, |item| RowResult::Item(Box::new(item))),
            (None, Some("MusicAlbum")) => RowResult::Container(container(true)),
            (None, Some("MusicArtist")) => RowResult::Container(container(false)),
            (None, _) => RowResult::Nothing,
        }
    }
}

impl Row<'_> {
    fn item(&self, kind: ItemKind, key: &str) -> Option<Item> {
        let [parent, grandparent] = self.parents(kind);
        Some(Item {
            parent_key: parent.0,
            parent_title: parent.1,
            grandparent_key: grandparent.0,
            grandparent_title: grandparent.1,
            artists: self.credit(kind),
            index: self.index_number.fitting(),
            parent_index: self.parent_index_number.fitting(),
            year: self.production_year.fitting(),
            duration_ms: self.run_time_ticks.0.and_then(|ticks| u32::try_from(ticks / TICKS_PER_MS).ok()),
            guids: self.guids(kind),
            files: self.files(kind),
            added_at_s: self.date_created.get().and_then(timestamp::parse),
            ..Item::new(kind, key, self.name.get()?)
        })
    }

    /// Parent and grandparent.
    fn parents(&self, kind: ItemKind) -> [ParentRef; 2] {
        let key = |id: &LenientString<'_>| id.get().map(|id| guid::normalize(id).as_ref().into());
        match kind {
            ItemKind::Film | ItemKind::Show => Default::default(),
            ItemKind::Season => [(key(&self.series_id), self.series_name.to_boxed()), (None, None)],
            ItemKind::Episode => [
                (key(&self.season_id), self.season_name.to_boxed()),
                (key(&self.series_id), self.series_name.to_boxed()),
            ],
            ItemKind::Track => {
                let first = self.album_artists.0.first();
                let title = self.album_artist.to_boxed().or_else(|| first?.name.to_boxed());
                [(key(&self.album_id), self.album.to_boxed()), (first.and_then(|first| key(&first.id)), title)]
            }
        }
    }

    fn credit(&self, kind: ItemKind) -> Vec<Box<str>> {
        let names = self.artists.0.iter().filter_map(LenientString::to_boxed);
        let names: Vec<Box<str>> = names.filter(|_| kind == ItemKind::Track).collect();
        if matches!(&names[..], [one] if Some(&**one) == self.album_artist.get()) { Vec::new() } else { names }
    }

    fn guids(&self, kind: ItemKind) -> Vec<Box<str>> {
        let ids = self.provider_ids.iter().flatten();
        ids.filter_map(|(source, id)| Some(format!("{}://{}", scheme(kind, source.get()?)?, id.get()?).into()))
            .collect()
    }

    fn files(&self, kind: ItemKind) -> Vec<MediaFile> {
        if matches!(kind, ItemKind::Show | ItemKind::Season) {
            return Vec::new();
        }
        let sources = self.media_sources.0.iter();
        let mut files: Vec<MediaFile> = sources
            .filter_map(|source| Some(MediaFile { path: source.path.to_boxed()?, size_bytes: source.size.0 }))
            .collect();
        if files.is_empty() {
            files.extend(self.path.to_boxed().map(|path| MediaFile { path, size_bytes: None }));
        }
        files
    }
}

/// Scheme of the ids a provider gives, if they identify this very item: a track also comes with the ids of
/// its album and artists.
fn scheme(kind: ItemKind, source: &str) -> Option<&'static str> {
    let is_track = kind == ItemKind::Track;
    match source.to_ascii_lowercase().as_str() {
        "imdb" => Some("imdb"),
        "tmdb" => Some("tmdb"),
        "tvdb" => Some("tvdb"),
        "tvmaze" => Some("tvmaze"),
        "anidb" => Some("anidb"),
        "musicbrainztrack" | "musicbrainzrecording" if is_track => Some("mbid"),
        "isrc" if is_track => Some("isrc"),
        _ => None,
    }
}
