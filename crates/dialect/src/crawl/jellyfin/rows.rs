//! What lists of a Jellyfin say.

use std::collections::BTreeMap;

use greenroom_library::item::{File, Item, ItemKind};
use serde::Deserialize;

use crate::crawl::rows::{self, Rows};
use crate::crawl::scalar::{Number, Several, Text};
use crate::crawl::{Branch, Contents, Page, Read, Shelf, instant, is_key, unfit};
use crate::facts::Unfit;
use crate::jellyfin::guid;

/// A tick is a tenth of a microsecond.
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
    id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    collection_type: Text<'a>,
    #[serde(borrow)]
    etag: Text<'a>,
}

pub(in crate::crawl) fn shelves(body: &[u8]) -> Result<Vec<Shelf>, Unfit> {
    let views: Views<'_> = serde_json::from_slice(body).map_err(|_| unfit(body))?;
    Ok(views.items.iter().filter_map(shelf).collect())
}

fn shelf(view: &View<'_>) -> Option<Shelf> {
    let key = guid::normal(view.id.get().filter(|key| is_key(key))?).into_owned();
    Some(Shelf {
        title: view.name.get().unwrap_or(&key).to_owned(),
        contents: match view.collection_type.get() {
            Some("music") => Contents::Music,
            Some("movies") => Contents::Films,
            Some("tvshows") => Contents::Shows,
            _ => Contents::Other,
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
    key: Text<'a>,
    #[serde(borrow)]
    state: Text<'a>,
}

pub(in crate::crawl) fn is_scanning(body: &[u8]) -> Result<bool, Unfit> {
    let tasks: Vec<Task<'_>> = serde_json::from_slice(body).map_err(|_| unfit(body))?;
    let scans = |task: &Task<'_>| {
        task.key.get() == Some(crate::jellyfin::SCAN_TASK)
            && matches!(task.state.get(), Some("Running" | "Cancelling"))
    };
    Ok(tasks.iter().any(scans))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List<'a> {
    #[serde(borrow)]
    items: Rows<Row<'a>>,
    #[serde(default)]
    total_record_count: Number,
    #[serde(default)]
    start_index: Number,
}

pub(in crate::crawl) fn page(kind: Option<ItemKind>, body: &[u8]) -> Result<Page, Unfit> {
    let list: List<'_> = serde_json::from_slice(body).map_err(|_| unfit(body))?;
    let mut page = Page { offset: list.start_index.0, total: list.total_record_count.0, ..Page::default() };
    list.items.add_to(&mut page, kind);
    Ok(page)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Row<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(rename = "Type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    location_type: Text<'a>,
    #[serde(borrow)]
    album_id: Text<'a>,
    #[serde(borrow)]
    album: Text<'a>,
    #[serde(borrow)]
    album_artist: Text<'a>,
    #[serde(borrow)]
    album_artists: Several<Named<'a>>,
    #[serde(borrow)]
    artists: Several<Text<'a>>,
    #[serde(borrow)]
    season_id: Text<'a>,
    #[serde(borrow)]
    season_name: Text<'a>,
    #[serde(borrow)]
    series_id: Text<'a>,
    #[serde(borrow)]
    series_name: Text<'a>,
    index_number: Number,
    parent_index_number: Number,
    production_year: Number,
    run_time_ticks: Number,
    #[serde(borrow)]
    date_created: Text<'a>,
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(borrow)]
    provider_ids: Option<BTreeMap<Text<'a>, Text<'a>>>,
    #[serde(borrow)]
    media_sources: Several<Source<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Named<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Source<'a> {
    #[serde(borrow)]
    path: Text<'a>,
    size: Number,
}

/// Key and title.
type Above = (Option<Box<str>>, Option<Box<str>>);

impl rows::Row for Row<'_> {
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

    fn read(&self) -> Read {
        let Some(key) = self.id.get().filter(|key| is_key(key)) else { return Read::Nothing };
        let key = guid::normal(key);
        // Episodes that are known to exist and are not there are listed for who wants to see what is missing.
        let is_missing =
            self.kind() == Some(ItemKind::Episode) && self.location_type.get() == Some("Virtual");
        let branch = |is_direct| Branch { key: (*key).into(), leaves: ItemKind::Track, is_direct };
        match (self.kind(), self.kind.get()) {
            _ if is_missing => Read::Nothing,
            (Some(kind), _) => self.item(kind, &key).map_or(Read::Nothing, |item| Read::Item(Box::new(item))),
            (None, Some("MusicAlbum")) => Read::Branch(branch(true)),
            (None, Some("MusicArtist")) => Read::Branch(branch(false)),
            (None, _) => Read::Nothing,
        }
    }
}

impl Row<'_> {
    fn item(&self, kind: ItemKind, key: &str) -> Option<Item> {
        let [parent, grandparent] = self.above(kind);
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
            added_at_s: self.date_created.get().and_then(instant::read),
            ..Item::new(kind, key, self.name.get()?)
        })
    }

    /// What is above, and what is above that.
    fn above(&self, kind: ItemKind) -> [Above; 2] {
        let key = |id: &Text<'_>| id.get().map(|id| guid::normal(id).as_ref().into());
        match kind {
            ItemKind::Film | ItemKind::Show => Default::default(),
            ItemKind::Season => [(key(&self.series_id), self.series_name.kept()), (None, None)],
            ItemKind::Episode => [
                (key(&self.season_id), self.season_name.kept()),
                (key(&self.series_id), self.series_name.kept()),
            ],
            ItemKind::Track => {
                let first = self.album_artists.0.first();
                let title = self.album_artist.kept().or_else(|| first?.name.kept());
                [(key(&self.album_id), self.album.kept()), (first.and_then(|first| key(&first.id)), title)]
            }
        }
    }

    fn credit(&self, kind: ItemKind) -> Vec<Box<str>> {
        let names = self.artists.0.iter().filter_map(Text::kept);
        let names: Vec<Box<str>> = names.filter(|_| kind == ItemKind::Track).collect();
        if matches!(&names[..], [one] if Some(&**one) == self.album_artist.get()) {
            Vec::new()
        } else {
            names
        }
    }

    fn guids(&self, kind: ItemKind) -> Vec<Box<str>> {
        let ids = self.provider_ids.iter().flatten();
        ids.filter_map(|(source, id)| {
            Some(format!("{}://{}", scheme(kind, source.get()?)?, id.get()?).into())
        })
        .collect()
    }

    fn files(&self, kind: ItemKind) -> Vec<File> {
        if matches!(kind, ItemKind::Show | ItemKind::Season) {
            return Vec::new();
        }
        let sources = self.media_sources.0.iter();
        let mut files: Vec<File> = sources
            .filter_map(|source| Some(File { path: source.path.kept()?, size_bytes: source.size.0 }))
            .collect();
        if files.is_empty() {
            files.extend(self.path.kept().map(|path| File { path, size_bytes: None }));
        }
        files
    }
}

/// The scheme of what a source gives ids of, if they name this very thing: a track is sent with the ids of its album and
/// artists as well.
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
