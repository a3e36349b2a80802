//! Fields by which items can be filtered.

use crate::request::PlexReadRequest;
use crate::rows::{media, tag};
use greenroom_simulator_backend::catalogue::{CalendarDate, ItemId, ItemRecord, MediaKind};
use greenroom_simulator_backend::timestamp;

/// A field by which items can be filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterField {
    /// A text, searched for substrings.
    Text(&'static str),
    /// One of a few texts, compared whole.
    Exact(&'static str),
    /// Tags, by number or text.
    Tag(&'static str),
    /// A number.
    Number(&'static str),
    /// A time in seconds since 1970.
    Time(&'static str),
    /// A boolean.
    Flag(&'static str),
}

const TEXTS: [&str; 6] = ["title", "titleSort", "studio", "summary", "file", "originalTitle"];
const EXACT: [&str; 9] = [
    "contentRating",
    "resolution",
    "guid",
    "audioLanguage",
    "subtitleLanguage",
    "network",
    "format",
    "subformat",
    "source",
];
const TAGS: [&str; 10] =
    ["genre", "country", "director", "writer", "actor", "collection", "label", "producer", "mood", "style"];
const NUMBERS: [&str; 16] = [
    "year",
    "decade",
    "viewCount",
    "viewOffset",
    "duration",
    "index",
    "id",
    "rating",
    "audienceRating",
    "userRating",
    "unviewedLeafCount",
    "ratingCount",
    "bitrate",
    "mediaBitrate",
    "mediaSize",
    "skipCount",
];
const TIMES: [&str; 6] =
    ["addedAt", "updatedAt", "lastViewedAt", "lastRatedAt", "lastSkippedAt", "originallyAvailableAt"];
const FLAGS: [&str; 8] =
    ["unwatched", "unwatchedLeaves", "inProgress", "unmatched", "duplicate", "hdr", "dovi", "trash"];

impl FilterField {
    /// The field with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let found = |list: &[&'static str]| list.iter().copied().find(|known| *known == name);
        found(&TEXTS)
            .map(Self::Text)
            .or_else(|| found(&EXACT).map(Self::Exact))
            .or_else(|| found(&TAGS).map(Self::Tag))
            .or_else(|| found(&NUMBERS).map(Self::Number))
            .or_else(|| found(&TIMES).map(Self::Time))
            .or_else(|| found(&FLAGS).map(Self::Flag))
    }

    /// Type of the field, in the words of the server's own description of it.
    pub(crate) fn type_word(self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Exact("resolution") => "resolution",
            Self::Exact("audioLanguage") => "audioLanguage",
            Self::Exact("subtitleLanguage") => "subtitleLanguage",
            Self::Exact(_) | Self::Tag(_) => "tag",
            Self::Number(_) => "integer",
            Self::Time(_) => "date",
            Self::Flag(_) => "boolean",
        }
    }
}

/// The texts of a text or exact field.
pub(super) fn texts(record: &ItemRecord, name: &str) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    match name {
        "title" => one(&record.title),
        "titleSort" => one(&record.title_sort),
        "summary" => one(&record.summary),
        "studio" | "network" => record.studio.iter().cloned().collect(),
        "file" => record.file.iter().map(|file| file.path.clone()).collect(),
        "contentRating" => record.content_rating.iter().cloned().collect(),
        "resolution" => {
            let video = record.file.as_ref().and_then(|file| file.video);
            video.map(|video| media::resolution(video).to_owned()).into_iter().collect()
        }
        "audioLanguage" => record.file.iter().map(|_| "en".to_owned()).collect(),
        "guid" => {
            let own = format!("plex://{}/{}", crate::kind::word(record.kind), record.guid);
            let elsewhere = record.external.iter().map(|external| format!("{}://{}", external.source, external.id));
            std::iter::once(own).chain(elsewhere).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a record has a tag, given by number or text.
pub(super) fn has_tag(call: &PlexReadRequest<'_>, record: &ItemRecord, name: &str, wanted: &str) -> bool {
    let own = tag::texts(record, name);
    let fits = |text: &str| text.eq_ignore_ascii_case(wanted) || tag::id(name, text).to_string() == wanted;
    if own.into_iter().any(fits) {
        return true;
    }
    // A collection of the catalogue is known by its number or title, and its members do not name it.
    name == "collection" && in_collection(call, record.id, wanted)
}

fn in_collection(call: &PlexReadRequest<'_>, member: ItemId, wanted: &str) -> bool {
    let collections = call.view.list(MediaKind::Collection, greenroom_simulator_backend::catalogue::SortKey::Added);
    collections.iter().any(|collection| {
        let named = collection.to_string() == wanted
            || call.view.title(*collection).is_some_and(|title| title.eq_ignore_ascii_case(wanted));
        named && call.view.children(*collection).contains(&member)
    })
}

/// The number of a number or time field, if the record has one.
pub(super) fn number(call: &PlexReadRequest<'_>, record: &ItemRecord, name: &str) -> Option<f64> {
    let watch = call.view.watch(call.user.id, record.id);
    let below = || call.view.watched(call.user.id, record.id);
    let whole = |number: u64| number as f64;
    let tenths = |value: u16| f64::from(value) / 10.0;
    match name {
        "id" => Some(f64::from(record.id.0)),
        "year" => record.year.map(f64::from),
        "decade" => record.year.map(|year| f64::from(year / 10 * 10)),
        "duration" => record.duration_ms.map(whole),
        "index" => record.index.map(f64::from),
        "rating" => record.rating.map(tenths),
        "audienceRating" => record.audience_rating.map(tenths),
        "userRating" => watch.rating.map(tenths),
        "viewCount" if record.kind.is_playable() => Some(f64::from(watch.views)),
        "viewCount" => Some(f64::from(below().views)),
        "viewOffset" => Some(whole(watch.offset_ms)),
        "unviewedLeafCount" => Some(f64::from(below().leaves - below().viewed)),
        "ratingCount" => Some(f64::from(record.id.0 % 100_000)),
        "bitrate" | "mediaBitrate" => record.file.as_ref().map(|file| f64::from(file.bitrate)),
        "mediaSize" => record.file.as_ref().map(|file| whole(file.bytes)),
        "skipCount" => record.kind.is_playable().then_some(0.0),
        "addedAt" => Some(whole(record.added_at)),
        "updatedAt" => Some(whole(record.updated_at)),
        "lastViewedAt" if record.kind.is_playable() => watch.last_viewed_at.map(whole),
        "lastViewedAt" => below().last_viewed_at.map(whole),
        "lastRatedAt" => watch.rated_at.map(whole),
        "originallyAvailableAt" => record.released.map(|day| whole(seconds(day))),
        _ => None,
    }
}

/// Value of a boolean field.
pub(super) fn flag(call: &PlexReadRequest<'_>, record: &ItemRecord, name: &str) -> bool {
    match name {
        "unwatched" | "unwatchedLeaves" if record.kind.is_playable() => {
            !call.view.watch(call.user.id, record.id).played()
        }
        "unwatched" | "unwatchedLeaves" => {
            let below = call.view.watched(call.user.id, record.id);
            below.viewed < below.leaves
        }
        "inProgress" => {
            call.view.leaves(record.id).iter().any(|leaf| call.view.watch(call.user.id, *leaf).offset_ms > 0)
        }
        "hdr" => record.file.as_ref().and_then(|file| file.video).is_some_and(|video| video.codec == "hevc"),
        _ => false,
    }
}

/// Midnight at the start of a day, in seconds since 1970. Days before 1970 count as 1970.
pub(super) fn seconds(day: CalendarDate) -> u64 {
    timestamp::read_day_s(&day.iso()).unwrap_or(0)
}

/// A time as clients write it: seconds since 1970, a day, or a time ago such as `-30d`.
pub(super) fn moment(text: &str, now_s: u64) -> Option<u64> {
    if let Some(ago) = text.strip_prefix('-') {
        let digits = ago.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &ago[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            "mon" => 30 * 86_400,
            "y" => 365 * 86_400,
            _ => return None,
        };
        return Some(now_s.saturating_sub(digits.parse::<u64>().ok()?.saturating_mul(unit)));
    }
    text.parse().ok().or_else(|| timestamp::read_day_s(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_all_their_forms() {
        assert_eq!(moment("1500", 0), Some(1_500));
        assert_eq!(moment("1970-01-02", 0), Some(86_400));
        assert_eq!(moment("2024-02-29", 0), Some(1_709_164_800));
        assert_eq!(moment("-2d", 1_000_000), Some(1_000_000 - 172_800));
        assert_eq!(moment("-3mon", 100_000_000), Some(100_000_000 - 90 * 86_400));
        assert_eq!(moment("soon", 0), None);
        assert_eq!(moment("-5x", 0), None);
    }

    #[test]
    fn no_name_belongs_to_two_kinds_of_fields() {
        let all: Vec<&str> = [&TEXTS[..], &EXACT[..], &TAGS[..], &NUMBERS[..], &TIMES[..], &FLAGS[..]].concat();
        let distinct: std::collections::HashSet<&&str> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
