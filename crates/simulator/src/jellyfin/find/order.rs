//! Sorting of a list, and its paging.

use std::cmp::Reverse;

use super::candidates::{CandidatePool, SortedCandidates};
use super::item_query::ItemQuery;
use super::{ListItem, filter};
use crate::catalogue::{CalendarDate, ItemId, ItemRecord, MediaKind, SortKey};
use crate::jellyfin::ident::digest;
use crate::jellyfin::response_context::ResponseContext;

/// Sort direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum SortDirection {
    /// Smallest first.
    #[default]
    Ascending,
    /// Greatest first.
    Descending,
}

impl SortDirection {
    /// The direction with this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "ascending" => Some(Self::Ascending),
            "descending" => Some(Self::Descending),
            _ => None,
        }
    }
}

/// Sort keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SortBy {
    Added,
    Album,
    Artist,
    AgeRating,
    Community,
    Critic,
    Duration,
    Favourite,
    Folder,
    Index,
    LastPlayed,
    Name,
    ParentIndex,
    Place,
    PlayCount,
    Played,
    Premiere,
    Random,
    Series,
    Studio,
    Unplayed,
    Bitrate,
    Year,
}

impl SortBy {
    /// The key with this name; unknown names are dropped, as the server does.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "default" | "sortname" | "name" => Self::Name,
            "datecreated" | "datelastcontentadded" => Self::Added,
            "album" => Self::Album,
            "albumartist" | "artist" => Self::Artist,
            "officialrating" => Self::AgeRating,
            "communityrating" => Self::Community,
            "criticrating" => Self::Critic,
            "runtime" => Self::Duration,
            "isfavoriteorliked" => Self::Favourite,
            "isfolder" => Self::Folder,
            "indexnumber" => Self::Index,
            "dateplayed" | "seriesdateplayed" => Self::LastPlayed,
            "parentindexnumber" => Self::ParentIndex,
            "airedepisodeorder" => Self::Place,
            "playcount" => Self::PlayCount,
            "isplayed" => Self::Played,
            "isunplayed" => Self::Unplayed,
            "premieredate" | "startdate" | "airtime" => Self::Premiere,
            "random" => Self::Random,
            "seriessortname" => Self::Series,
            "studio" => Self::Studio,
            "videobitrate" => Self::Bitrate,
            "productionyear" => Self::Year,
            _ => return None,
        })
    }
}

/// The catalogue's own order of a key, if there is one.
pub(super) fn catalogue_key(by: SortBy) -> Option<SortKey> {
    match by {
        SortBy::Name => Some(SortKey::Title),
        SortBy::Added => Some(SortKey::Added),
        SortBy::Year => Some(SortKey::Year),
        SortBy::Premiere => Some(SortKey::Released),
        SortBy::Duration => Some(SortKey::Duration),
        SortBy::Critic => Some(SortKey::Rating),
        SortBy::Community => Some(SortKey::AudienceRating),
        SortBy::AgeRating => Some(SortKey::ContentRating),
        SortBy::Bitrate => Some(SortKey::Bitrate),
        SortBy::Place => Some(SortKey::Place),
        _ => None,
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum SortKeyValue {
    Number(u64),
    Text(String),
    Place(Vec<(String, u32)>),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum DirectedValue {
    Up(SortKeyValue),
    Down(Reverse<SortKeyValue>),
}

/// The page of `candidates` that `item_query` requests, in its order.
pub(super) fn page(scene: &ResponseContext<'_>, asked: &ItemQuery, mut pool: CandidatePool) -> Vec<ListItem> {
    let limit = asked.limit.unwrap_or(usize::MAX);
    let window = |things: Vec<ListItem>| things.into_iter().skip(asked.start).take(limit).collect();
    if limit == 0 || (asked.sort.is_empty() && (asked.ids.is_some() || asked.parent.is_some() || !asked.recursive)) {
        return window(pool.things);
    }
    if pool.ordered_by.is_none() {
        sort(scene, asked, &mut pool.things);
        return window(pool.things);
    }
    if asked.sort.first().is_some_and(|(_, order)| *order == SortDirection::Descending) {
        pool.things.reverse();
    }
    let end = asked.start.saturating_add(limit).min(pool.things.len());
    let start = asked.start.min(end);
    settle_ties(scene, asked, &mut pool.things, start, end);
    pool.things[start..end].to_vec()
}

/// The page of a whole kind that `item_query` requests: it is cut out including ties of the first key at its ends, then
/// sorted by all keys.
pub(super) fn page_of_sorted(
    scene: &ResponseContext<'_>,
    asked: &ItemQuery,
    whole: &SortedCandidates,
) -> Vec<ListItem> {
    let ids = &whole.ids;
    let (by, order) = asked.sort.first().copied().unwrap_or((SortBy::Name, SortDirection::Ascending));
    let thing = |at: usize| {
        let at = if order == SortDirection::Descending { ids.len() - 1 - at } else { at };
        ListItem::Item(ids[at])
    };
    let end = asked.start.saturating_add(asked.limit.unwrap_or(usize::MAX)).min(ids.len());
    let start = asked.start.min(end);
    if start == end {
        return Vec::new();
    }
    let value = |at: usize| value(scene, by, &Row::new(scene, thing(at)));
    let (low, high) = (value(start), value(end - 1));
    let from = (0..start).rev().take_while(|at| value(*at) == low).last().unwrap_or(start);
    let to = (end..ids.len()).take_while(|at| value(*at) == high).last().map_or(end, |last| last + 1);
    let mut things: Vec<ListItem> = (from..to).map(thing).collect();
    sort(scene, asked, &mut things);
    things[start - from..end - from].to_vec()
}

/// Sorts `start..end` by all keys, extended by ties of the first key.
fn settle_ties(scene: &ResponseContext<'_>, asked: &ItemQuery, things: &mut [ListItem], start: usize, end: usize) {
    if start == end {
        return;
    }
    let first = asked.sort.first().map_or(SortBy::Name, |(by, _)| *by);
    let value = |thing: ListItem| value(scene, first, &Row::new(scene, thing));
    let (low, high) = (value(things[start]), value(things[end - 1]));
    let from = (0..start).rev().take_while(|at| value(things[*at]) == low).last().unwrap_or(start);
    let to = (end..things.len()).take_while(|at| value(things[*at]) == high).last().map_or(end, |last| last + 1);
    sort(scene, asked, &mut things[from..to]);
}

/// Sorts by all keys, equal ones by id.
fn sort(scene: &ResponseContext<'_>, asked: &ItemQuery, things: &mut [ListItem]) {
    let by_name = [(SortBy::Name, SortDirection::Ascending)];
    let keys = if asked.sort.is_empty() { &by_name[..] } else { &asked.sort };
    things.sort_by_cached_key(|thing| {
        let row = Row::new(scene, *thing);
        let values: Vec<DirectedValue> = keys
            .iter()
            .map(|(by, order)| match order {
                SortDirection::Ascending => DirectedValue::Up(value(scene, *by, &row)),
                SortDirection::Descending => DirectedValue::Down(Reverse(value(scene, *by, &row))),
            })
            .collect();
        (values, row.id)
    });
}

/// Sort input of a thing: its record, or the few fields of a folder.
struct Row {
    id: ItemId,
    name: String,
    record: Option<ItemRecord>,
}

impl Row {
    fn new(scene: &ResponseContext<'_>, thing: ListItem) -> Self {
        match thing {
            ListItem::Item(id) => {
                let record = scene.view.record(id);
                let name = record.as_ref().map(|record| record.title_sort.to_lowercase()).unwrap_or_default();
                Self { id, name, record }
            }
            ListItem::Playlist(id) => {
                let name = scene.view.playlist(id).map(|playlist| playlist.title.to_lowercase()).unwrap_or_default();
                Self { id, name, record: None }
            }
            ListItem::Library(library) => Self { id: ItemId(0), name: library.name().to_lowercase(), record: None },
        }
    }
}

fn value(scene: &ResponseContext<'_>, by: SortBy, row: &Row) -> SortKeyValue {
    let text = |text: Option<String>| SortKeyValue::Text(text.unwrap_or_default().to_lowercase());
    let Some(record) = &row.record else { return folder_value(scene, by, row) };
    let number = |number: Option<u64>| SortKeyValue::Number(number.unwrap_or(0));
    match by {
        SortBy::Name => SortKeyValue::Text(row.name.clone()),
        SortBy::Added => SortKeyValue::Number(record.added_at),
        SortBy::Album => {
            text(record.parent.as_ref().filter(|_| record.kind == MediaKind::Track).map(|above| above.title.clone()))
        }
        SortBy::Artist => text(filter::artist(record).map(|above| above.title.clone())),
        SortBy::AgeRating => text(record.content_rating.clone()),
        SortBy::Community => number(record.audience_rating.map(u64::from)),
        SortBy::Critic => number(record.rating.map(u64::from)),
        SortBy::Duration => number(record.duration_ms),
        SortBy::Folder => SortKeyValue::Number(u64::from(record.kind.is_playable())),
        SortBy::Index => number(record.index.map(u64::from)),
        SortBy::ParentIndex => number(filter::parent_index(record).map(u64::from)),
        SortBy::Place => SortKeyValue::Place(sort_position(record)),
        SortBy::Premiere => text(record.released.map(CalendarDate::iso)),
        SortBy::Random => SortKeyValue::Text(digest(&[scene.draw, u64::from(record.id.0)])),
        SortBy::Series => text(Some(filter::series(record).to_owned())),
        SortBy::Studio => text(record.studio.clone()),
        SortBy::Bitrate => number(record.file.as_ref().map(|file| u64::from(file.bitrate))),
        SortBy::Year => number(record.year.map(u64::from)),
        SortBy::Favourite | SortBy::LastPlayed | SortBy::PlayCount | SortBy::Played | SortBy::Unplayed => {
            SortKeyValue::Number(user_value(scene, by, record))
        }
    }
}

/// The value of a playlist or a library: a number where items have one.
fn folder_value(scene: &ResponseContext<'_>, by: SortBy, row: &Row) -> SortKeyValue {
    match by {
        SortBy::Added => SortKeyValue::Number(scene.view.playlist(row.id).map_or(0, |playlist| playlist.added_at)),
        SortBy::Name | SortBy::Place | SortBy::Random => SortKeyValue::Text(row.name.clone()),
        SortBy::Album | SortBy::Artist | SortBy::AgeRating | SortBy::Premiere | SortBy::Series | SortBy::Studio => {
            SortKeyValue::Text(String::new())
        }
        _ => SortKeyValue::Number(0),
    }
}

fn user_value(scene: &ResponseContext<'_>, by: SortBy, record: &ItemRecord) -> u64 {
    let Some(user) = scene.user else { return 0 };
    let watch = scene.view.watch(user, record.id);
    let last = || {
        if record.kind.is_playable() {
            watch.last_viewed_at
        } else {
            scene.view.watched(user, record.id).last_viewed_at
        }
    };
    match by {
        SortBy::Favourite => u64::from(!watch.favourite),
        SortBy::LastPlayed => last().unwrap_or(0),
        SortBy::PlayCount => u64::from(watch.views),
        SortBy::Played => u64::from(!filter::played(scene, record)),
        _ => u64::from(filter::played(scene, record)),
    }
}

fn sort_position(record: &ItemRecord) -> Vec<(String, u32)> {
    [record.grandparent.as_ref(), record.parent.as_ref()]
        .into_iter()
        .flatten()
        .map(|above| (above.title.to_lowercase(), above.index.unwrap_or(0)))
        .chain([(String::new(), record.index.unwrap_or(0))])
        .collect()
}
