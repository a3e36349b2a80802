//! Invalidations of playback reports and of changes to user state.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::guid;
use super::write::{ParsedWrite, write};
use crate::classification::{ReportedProgress, ThrottledInvalidation, Write};
use crate::server_event::PlaybackState;
use crate::tag::{Tag, TagInvalidation, UserState};

/// Name of the report of a start.
const STARTED: &str = "playback-start";

/// User state that playback changes, and a mark as played or unplayed: it sets the position back.
const PLAYBACK: [UserState; 2] = [UserState::Played, UserState::Position];

/// Invalidations for a player's change to `state` on `item`. The player's user is unknown.
pub(crate) fn playback_invalidations(item: &str, state: PlaybackState) -> Vec<TagInvalidation> {
    let item = guid::normalize(item);
    let sessions = TagInvalidation::everyone(Tag::sessions());
    match state {
        PlaybackState::Playing | PlaybackState::Buffering => {
            vec![sessions, TagInvalidation::everyone(Tag::item(&item))]
        }
        PlaybackState::Paused => [vec![sessions], lists(&item, &PLAYBACK, TagInvalidation::everyone)].concat(),
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
            let id = guid::normalize(id);
            let mut stale = marks_below(&id, &PLAYBACK);
            // Only the user's own view of a set tells which members the mark concerns.
            let set = change.subject.user().map_or_else(|| id.to_string(), |user| format!("{id}@{user}"));
            stale.push(TagInvalidation::account(Tag::members(&set)));
            stale.push(TagInvalidation::account(Tag::history()));
            write("played", stale)
        }
        ["userfavoriteitems", id] => write("favorite", marks(&guid::normalize(id), &[UserState::Favorite])),
        ["useritems", id, "rating"] => write("rating", marks(&guid::normalize(id), &[UserState::Rating])),
        ["useritems", id, "userdata"] => write("user-data", marks_below(&guid::normalize(id), &UserState::EVERY)),
        ["sessions", "playing"] => report(STARTED, change, started),
        ["sessions", "playing", "progress"] => report("progress", change, progressed),
        ["sessions", "playing", "stopped"] => report("playback-stop", change, stopped),
        ["playingitems", id, "progress"] => {
            let position = change.query.get("positionticks").and_then(|ticks| ticks.parse().ok());
            progressed(&PlayerReport { position, ..PlayerReport::new(id) })
        }
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
    /// Position in ticks.
    position: Option<u64>,
}

impl PlayerReport {
    fn new(item: &str) -> Self {
        Self { item: Some(guid::normalize(item).into_owned()), ..Self::default() }
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
    stale.extend([Tag::watch_lists(), Tag::user_state(), Tag::companions()].map(TagInvalidation::account));
    write(name, stale)
}

fn started(report: &PlayerReport) -> Write {
    let mut write = moving(STARTED, TagInvalidation::everyone(Tag::sessions()), report);
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
    stale.extend(lists(report.item(), &PLAYBACK, TagInvalidation::account));
    stale.push(TagInvalidation::account(Tag::companions()));
    write("pause", stale)
}

fn stopped(report: &PlayerReport) -> Write {
    let mut stale = vec![TagInvalidation::everyone(Tag::sessions())];
    stale.extend(ended(report.item(), TagInvalidation::account));
    stale.push(TagInvalidation::account(Tag::companions()));
    write("playback-stop", stale)
}

/// While an item plays, sessions and the item are invalidated at once, the rest once a minute.
fn moving(name: &'static str, sessions: TagInvalidation, report: &PlayerReport) -> Write {
    let item = report.item();
    let mut invalidations = lists(item, &PLAYBACK, TagInvalidation::account);
    invalidations.push(TagInvalidation::account(Tag::companions()));
    let progress = match report.position {
        _ if name == STARTED => ReportedProgress::Started,
        Some(position) => ReportedProgress::At { position, run_time: None },
        None => ReportedProgress::Untold,
    };
    let later = ThrottledInvalidation { item: item.to_owned(), progress, invalidations };
    let stale = vec![sessions, TagInvalidation::account(Tag::item(item)), TagInvalidation::account(Tag::companions())];
    Write { throttled: Some(later), ..write(name, stale) }
}

/// User state of one item changed. Some servers show another user's data to the writer, so writes that name
/// another user concern both.
fn marks(item: &str, states: &[UserState]) -> Vec<TagInvalidation> {
    lists(item, states, TagInvalidation::account)
}

/// The same for an item and its descendants: marking a show as played marks its episodes.
fn marks_below(item: &str, states: &[UserState]) -> Vec<TagInvalidation> {
    let mut stale = marks(item, states);
    stale.push(TagInvalidation::account(Tag::under(item)));
    stale
}

/// The item, and lists that can hold it and are chosen by these fields of user state. What contains the item counts
/// what was played, and nothing else.
pub(super) fn lists(item: &str, states: &[UserState], stale: impl Fn(Tag) -> TagInvalidation) -> Vec<TagInvalidation> {
    let mut all = vec![stale(Tag::item(item))];
    if states.contains(&UserState::Played) {
        all.extend([stale(Tag::counted(item)).with_ancestors(), stale(Tag::counts()).of(item)]);
    }
    all.push(stale(Tag::many_states()).of(item));
    all.extend(states.iter().map(|state| stale(Tag::selected_by(*state)).of(item)));
    all
}

/// Playback ended. Only the item's own state changes, and with it that of its other versions.
fn ended(item: &str, stale: impl Fn(Tag) -> TagInvalidation) -> Vec<TagInvalidation> {
    let mut all = lists(item, &PLAYBACK, &stale);
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
                "positionticks" => self.0.position = map.next_value::<serde_json::Value>()?.as_u64(),
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
        let found = PlayerReport { item: Some(id.into()), event: Some("pause".into()), position: None };
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
        let item = "08ca909f6d1044aa9930be392943948f";
        assert!(stale.contains(&TagInvalidation::everyone(Tag::item(item))));
        assert!(stale.contains(&TagInvalidation::everyone(Tag::counted(item)).with_ancestors()));
        assert!(stale.contains(&TagInvalidation::everyone(Tag::counts()).of(item)));
        for tag in [Tag::sessions(), Tag::history()] {
            assert!(stale.contains(&TagInvalidation::everyone(tag)));
        }
        let played =
            |stale: &[TagInvalidation]| stale.iter().any(|stale| stale.tag == Tag::selected_by(UserState::Played));
        assert!(played(&stale) && !played(&playback_invalidations("1", PlaybackState::Playing)));
    }
}
