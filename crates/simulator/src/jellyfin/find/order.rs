//! The order of a list, and the page cut out of it.

use std::cmp::Reverse;

use super::asked::Asked;
use super::pool::{Pool, Whole};
use super::{Thing, sieve};
use crate::catalogue::{Day, ItemId, Kind, Record, SortKey};
use crate::jellyfin::ident::digest;
use crate::jellyfin::scene::Scene;

/// A direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// Smallest first.
    #[default]
    Ascending,
    /// Greatest first.
    Descending,
}

impl Order {
    /// The direction with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "ascending" => Some(Self::Ascending),
            "descending" => Some(Self::Descending),
            _ => None,
        }
    }
}

/// What lists can be ordered by.
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
    pub(crate) fn named(name: &str) -> Option<Self> {
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

/// The catalogue's own order of a key, where it has one.
pub(super) fn of_catalogue(by: SortBy) -> Option<SortKey> {
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
enum Value {
    Number(u64),
    Text(String),
    Place(Vec<(String, u32)>),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Directed {
    Up(Value),
    Down(Reverse<Value>),
}

/// The page of `pool` that `asked` wants, in its order.
pub(super) fn page(scene: &Scene<'_>, asked: &Asked, mut pool: Pool) -> Vec<Thing> {
    let limit = asked.limit.unwrap_or(usize::MAX);
    let window = |things: Vec<Thing>| things.into_iter().skip(asked.start).take(limit).collect();
    if limit == 0
        || (asked.sort.is_empty() && (asked.ids.is_some() || asked.parent.is_some() || !asked.recursive))
    {
        return window(pool.things);
    }
    if pool.ordered_by.is_none() {
        sort(scene, asked, &mut pool.things);
        return window(pool.things);
    }
    if asked.sort.first().is_some_and(|(_, order)| *order == Order::Descending) {
        pool.things.reverse();
    }
    let end = asked.start.saturating_add(limit).min(pool.things.len());
    let start = asked.start.min(end);
    settle_ties(scene, asked, &mut pool.things, start, end);
    pool.things[start..end].to_vec()
}

/// The page of a whole kind that `asked` wants: it is cut out as far as the first key ties at its ends, then ordered by
/// all keys.
pub(super) fn page_of_whole(scene: &Scene<'_>, asked: &Asked, whole: &Whole) -> Vec<Thing> {
    let ids = &whole.ids;
    let (by, order) = asked.sort.first().copied().unwrap_or((SortBy::Name, Order::Ascending));
    let thing = |at: usize| {
        let at = if order == Order::Descending { ids.len() - 1 - at } else { at };
        Thing::Item(ids[at])
    };
    let end = asked.start.saturating_add(asked.limit.unwrap_or(usize::MAX)).min(ids.len());
    let start = asked.start.min(end);
    if start == end {
        return Vec::new();
    }
    let value = |at: usize| value(scene, by, &Row::of(scene, thing(at)));
    let (low, high) = (value(start), value(end - 1));
    let from = (0..start).rev().take_while(|at| value(*at) == low).last().unwrap_or(start);
    let to = (end..ids.len()).take_while(|at| value(*at) == high).last().map_or(end, |last| last + 1);
    let mut things: Vec<Thing> = (from..to).map(thing).collect();
    sort(scene, asked, &mut things);
    things[start - from..end - from].to_vec()
}

/// Within `start..end` and as far around it as the first key ties, orders by all keys.
fn settle_ties(scene: &Scene<'_>, asked: &Asked, things: &mut [Thing], start: usize, end: usize) {
    if start == end {
        return;
    }
    let first = asked.sort.first().map_or(SortBy::Name, |(by, _)| *by);
    let value = |thing: Thing| value(scene, first, &Row::of(scene, thing));
    let (low, high) = (value(things[start]), value(things[end - 1]));
    let from = (0..start).rev().take_while(|at| value(things[*at]) == low).last().unwrap_or(start);
    let to =
        (end..things.len()).take_while(|at| value(things[*at]) == high).last().map_or(end, |last| last + 1);
    sort(scene, asked, &mut things[from..to]);
}

/// Orders by all keys, equal ones by id.
fn sort(scene: &Scene<'_>, asked: &Asked, things: &mut [Thing]) {
    let by_name = [(SortBy::Name, Order::Ascending)];
    let keys = if asked.sort.is_empty() { &by_name[..] } else { &asked.sort };
    things.sort_by_cached_key(|thing| {
        let row = Row::of(scene, *thing);
        let values: Vec<Directed> = keys
            .iter()
            .map(|(by, order)| match order {
                Order::Ascending => Directed::Up(value(scene, *by, &row)),
                Order::Descending => Directed::Down(Reverse(value(scene, *by, &row))),
            })
            .collect();
        (values, row.id)
    });
}

/// What a thing is ordered by: its record, or the little a folder has.
struct Row {
    id: ItemId,
    name: String,
    record: Option<Record>,
}

impl Row {
    fn of(scene: &Scene<'_>, thing: Thing) -> Self {
        match thing {
            Thing::Item(id) => {
                let record = scene.view.record(id);
                let name = record.as_ref().map(|record| record.title_sort.to_lowercase()).unwrap_or_default();
                Self { id, name, record }
            }
            Thing::Playlist(id) => {
                let name =
                    scene.view.playlist(id).map(|playlist| playlist.title.to_lowercase()).unwrap_or_default();
                Self { id, name, record: None }
            }
            Thing::Library(library) => {
                Self { id: ItemId(0), name: library.name().to_lowercase(), record: None }
            }
        }
    }
}

fn value(scene: &Scene<'_>, by: SortBy, row: &Row) -> Value {
    let text = |text: Option<String>| Value::Text(text.unwrap_or_default().to_lowercase());
    let Some(record) = &row.record else { return Value::Text(row.name.clone()) };
    let number = |number: Option<u64>| Value::Number(number.unwrap_or(0));
    match by {
        SortBy::Name => Value::Text(row.name.clone()),
        SortBy::Added => Value::Number(record.added_at),
        SortBy::Album => text(
            record.parent.as_ref().filter(|_| record.kind == Kind::Track).map(|above| above.title.clone()),
        ),
        SortBy::Artist => text(sieve::artist(record).map(|above| above.title.clone())),
        SortBy::AgeRating => text(record.content_rating.clone()),
        SortBy::Community => number(record.audience_rating.map(u64::from)),
        SortBy::Critic => number(record.rating.map(u64::from)),
        SortBy::Duration => number(record.duration_ms),
        SortBy::Folder => Value::Number(u64::from(record.kind.plays())),
        SortBy::Index => number(record.index.map(u64::from)),
        SortBy::ParentIndex => number(sieve::parent_index(record).map(u64::from)),
        SortBy::Place => Value::Place(place(record)),
        SortBy::Premiere => text(record.released.map(Day::iso)),
        SortBy::Random => Value::Text(digest(&[scene.view.seq(), scene.moment_ms, u64::from(record.id.0)])),
        SortBy::Series => text(Some(sieve::series(record).to_owned())),
        SortBy::Studio => text(record.studio.clone()),
        SortBy::Bitrate => number(record.file.as_ref().map(|file| u64::from(file.bitrate))),
        SortBy::Year => number(record.year.map(u64::from)),
        SortBy::Favourite | SortBy::LastPlayed | SortBy::PlayCount | SortBy::Played | SortBy::Unplayed => {
            Value::Number(of_user(scene, by, record))
        }
    }
}

fn of_user(scene: &Scene<'_>, by: SortBy, record: &Record) -> u64 {
    let Some(user) = scene.user else { return 0 };
    let watch = scene.view.watch(user, record.id);
    let last = || {
        if record.kind.plays() {
            watch.last_viewed_at
        } else {
            scene.view.watched(user, record.id).last_viewed_at
        }
    };
    match by {
        SortBy::Favourite => u64::from(!watch.favourite),
        SortBy::LastPlayed => last().unwrap_or(0),
        SortBy::PlayCount => u64::from(watch.views),
        SortBy::Played => u64::from(!sieve::played(scene, record)),
        _ => u64::from(sieve::played(scene, record)),
    }
}

fn place(record: &Record) -> Vec<(String, u32)> {
    [record.grandparent.as_ref(), record.parent.as_ref()]
        .into_iter()
        .flatten()
        .map(|above| (above.title.to_lowercase(), above.index.unwrap_or(0)))
        .chain([(String::new(), record.index.unwrap_or(0))])
        .collect()
}
