//! Invalidations of playback reports and of changes to user state.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::guid;
use super::write::{ParsedWrite, write};
use crate::classification::{ThrottledInvalidation, Write};
use crate::server_event::PlaybackState;
use crate::tag::{Tag, TagInvalidation};

/// Invalidations for a player's change to `state` on `item`. The player's user is unknown.
pub(crate) fn playback_invalidations(item: &str, state: PlaybackState) -> Vec<TagInvalidation> {
    let item = guid::normalize(item);
    let sessions = TagInvalidation::everyone(Tag::sessions());
    match state {
        PlaybackState::Playing => vec![sessions, TagInvalidation::everyone(Tag::item(&item))],
        PlaybackState::Paused => [vec![sessions], lists(&item, TagInvalidation::everyone)].concat(),
        PlaybackState::Stopped => [vec![sessions], ended(&item, TagInvalidation::everyone)].concat(),
    }
}

/// Whether the body of a write to this path names the item.
pub(super) fn is_report(lowercase: &[&str]) -> bool {
    matches!(lowercase, ["sessions", "playing"] | ["sessions", "playing", "progress" | "stopped"])
}

/// Finds the write if it changes user state.
pub(super) fn find(change: &ParsedWrite<'_>) -> Option<Write> {
    Some(match change.lowercase {
        ["userplayeditems", id] => {
            let mut stale = invalidations_below(id);
            stale.push(TagInvalidation::account(Tag::members(&guid::normalize(id))));
            stale.push(TagInvalidation::account(Tag::history()));
            write("played", stale)
        }
        ["userfavoriteitems", id] => write("favorite", invalidations_of(id)),
        ["useritems", id, "rating"] => write("rating", invalidations_of(id)),
        ["useritems", id, "userdata"] => write("user-data", invalidations_below(id)),
        ["sessions", "playing"] => report("playback-start", change, started),
        ["sessions", "playing", "progress"] => report("progress", change, progressed),
        ["sessions", "playing", "stopped"] => report("playback-stop", change, stopped),
        ["playingitems", id, "progress"] => progressed(&PlayerReport::new(id)),
        ["playingitems", id] if change.deletes => stopped(&PlayerReport::new(id)),
        ["playingitems", id] => started(&PlayerReport::new(id)),
        _ => return None,
    })
}

/// Contents of a player's report.
#[derive(Debug, Default, PartialEq, Eq)]
struct PlayerReport {
    item: Option<String>,
    event: Option<String>,
}

impl PlayerReport {
    fn new(item: &str) -> Self {
        Self { item: Some(guid::normalize(item).into_owned()), event: None }
    }

    /// Parses as much of the body as there is: it may be cut off after a long queue.
    fn read(body: &[u8]) -> Self {
        let mut report = Self::default();
        // Fields found before a syntax error count.
        let _ = serde_json::Deserializer::from_slice(body).deserialize_map(ReportVisitor(&mut report));
        report
    }

    fn item(&self) -> &str {
        self.item.as_deref().unwrap_or_default()
    }
}

fn report(name: &'static str, change: &ParsedWrite<'_>, evaluate: fn(&PlayerReport) -> Write) -> Write {
    let report = PlayerReport::read(change.body);
    if report.item.is_some() {
        return evaluate(&report);
    }
    let mut stale = vec![TagInvalidation::everyone(Tag::sessions()), TagInvalidation::everyone(Tag::history())];
    stale.extend([Tag::watch_lists(), Tag::user_state()].map(TagInvalidation::account));
    write(name, stale)
}

fn started(report: &PlayerReport) -> Write {
    let mut write = moving("playback-start", TagInvalidation::everyone(Tag::sessions()), report);
    // The server's log, which shows administrators all users, records starts and ends.
    write.invalidations.push(TagInvalidation::everyone(Tag::history()));
    write
}

fn progressed(report: &PlayerReport) -> Write {
    let is_pause = report.event.as_deref().is_some_and(|event| event.eq_ignore_ascii_case("pause"));
    if !is_pause {
        return moving("progress", TagInvalidation::account(Tag::sessions()), report);
    }
    let mut stale = vec![TagInvalidation::everyone(Tag::sessions())];
    stale.extend(lists(report.item(), TagInvalidation::account));
    write("pause", stale)
}

fn stopped(report: &PlayerReport) -> Write {
    let mut stale = vec![TagInvalidation::everyone(Tag::sessions())];
    stale.extend(ended(report.item(), TagInvalidation::account));
    write("playback-stop", stale)
}

/// While an item plays, sessions and the item are invalidated at once, the rest once a minute.
fn moving(name: &'static str, sessions: TagInvalidation, report: &PlayerReport) -> Write {
    let item = report.item();
    let later = ThrottledInvalidation { item: item.to_owned(), invalidations: lists(item, TagInvalidation::account) };
    let stale = vec![sessions, TagInvalidation::account(Tag::item(item))];
    Write { throttled: Some(later), ..write(name, stale) }
}

/// User state of one item changed. Some servers show another user's data to the writer, so writes that name
/// another user concern both.
fn invalidations_of(id: &str) -> Vec<TagInvalidation> {
    let mut stale = lists(&guid::normalize(id), TagInvalidation::account);
    stale.push(TagInvalidation::account(Tag::sessions()));
    stale
}

/// The same for an item and its descendants: marking a show as played marks its episodes.
fn invalidations_below(id: &str) -> Vec<TagInvalidation> {
    let mut stale = invalidations_of(id);
    stale.push(TagInvalidation::account(Tag::under(&guid::normalize(id))));
    stale
}

/// The item, its ancestors, and the lists that depend on user state.
fn lists(item: &str, stale: impl Fn(Tag) -> TagInvalidation) -> Vec<TagInvalidation> {
    vec![stale(Tag::item(item)).with_ancestors(), stale(Tag::many_items()), stale(Tag::watch_lists())]
}

fn ended(item: &str, stale: impl Fn(Tag) -> TagInvalidation) -> Vec<TagInvalidation> {
    let mut all = lists(item, &stale);
    all.push(stale(Tag::user_state()));
    all.push(TagInvalidation::everyone(Tag::history()));
    all
}

struct ReportVisitor<'a>(&'a mut PlayerReport);

impl<'de> Visitor<'de> for ReportVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a playback report")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            match name.to_ascii_lowercase().as_str() {
                "itemid" => {
                    let id = map.next_value::<Option<String>>()?;
                    self.0.item = id.filter(|id| !id.is_empty()).map(|id| guid::normalize(&id).into_owned());
                }
                "eventname" => self.0.event = map.next_value::<Option<String>>()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playback_report_is_parsed_as_far_as_possible() {
        let read = |text: &str| PlayerReport::read(text.as_bytes());
        let id = "08ca909f6d1044aa9930be392943948f";
        let found = PlayerReport { item: Some(id.into()), event: Some("pause".into()) };
        assert_eq!(
            read(r#"{"Item":{"ItemId":"no"},"ItemId":"08CA909F-6D10-44AA-9930-BE392943948F","EventName":"pause"}"#),
            found
        );
        assert_eq!(read(&format!(r#"{{"eventName":"pause","itemId":"{id}","NowPlayingQueue":[{{"Id":"x"#)), found);
        for nothing in ["", "[]", "{", "{\"ItemId\":null}", "{\"ItemId\":\"\"}", "{\"ItemId\":3}", "\u{0}"] {
            assert_eq!(read(nothing), PlayerReport::default(), "{nothing:?}");
        }
    }

    #[test]
    fn a_stopped_player_invalidates_the_lists_for_everyone() {
        let stale = playback_invalidations("08CA909F-6D10-44AA-9930-BE392943948F", PlaybackState::Stopped);
        let item = TagInvalidation::everyone(Tag::item("08ca909f6d1044aa9930be392943948f")).with_ancestors();
        assert!(stale.contains(&item));
        for tag in [Tag::watch_lists(), Tag::sessions(), Tag::history(), Tag::user_state()] {
            assert!(stale.contains(&TagInvalidation::everyone(tag)));
        }
        assert!(
            !playback_invalidations("1", PlaybackState::Playing)
                .contains(&TagInvalidation::everyone(Tag::watch_lists()))
        );
    }
}
