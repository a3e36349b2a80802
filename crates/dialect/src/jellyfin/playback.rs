//! What playing and marking make stale: what a user did with items.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::guid;
use super::write::{Change, write};
use crate::signal::Playing;
use crate::tag::{Staling, Tag};
use crate::verdict::{Minutely, Write};

/// What a player's change to `state` on `item` makes stale. Whose player it is, is not known.
pub(crate) fn playing(item: &str, state: Playing) -> Vec<Staling> {
    let item = guid::normal(item);
    let sessions = Staling::everyone(Tag::sessions());
    match state {
        Playing::Playing => vec![sessions, Staling::everyone(Tag::item(&item))],
        Playing::Paused => [vec![sessions], lists(&item, Staling::everyone)].concat(),
        Playing::Stopped => [vec![sessions], ended(&item, Staling::everyone)].concat(),
    }
}

/// Whether the item stands in the body of a write to this path.
pub(super) fn is_report(low: &[&str]) -> bool {
    matches!(low, ["sessions", "playing"] | ["sessions", "playing", "progress" | "stopped"])
}

/// What a write about what a user did makes stale, if it is one.
pub(super) fn find(change: &Change<'_>) -> Option<Write> {
    Some(match change.low {
        ["userplayeditems", id] => {
            let mut stale = marked_below(id);
            stale.push(Staling::account(Tag::history()));
            write("played", stale)
        }
        ["userfavoriteitems", id] => write("favorite", marked(id)),
        ["useritems", id, "rating"] => write("rating", marked(id)),
        ["useritems", id, "userdata"] => write("user-data", marked_below(id)),
        ["sessions", "playing"] => report("playback-start", change, started),
        ["sessions", "playing", "progress"] => report("progress", change, progressed),
        ["sessions", "playing", "stopped"] => report("playback-stop", change, stopped),
        ["playingitems", id, "progress"] => progressed(&Report::of(id)),
        ["playingitems", id] if change.deletes => stopped(&Report::of(id)),
        ["playingitems", id] => started(&Report::of(id)),
        _ => return None,
    })
}

/// What a report of a player says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    item: Option<String>,
    event: Option<String>,
}

impl Report {
    fn of(item: &str) -> Self {
        Self { item: Some(guid::normal(item).into_owned()), event: None }
    }

    /// Reads as much of the body as there is: it may be cut off behind a long queue.
    fn read(body: &[u8]) -> Self {
        let mut report = Self::default();
        // What was found before the text breaks off counts.
        let _ = serde_json::Deserializer::from_slice(body).deserialize_map(ReportVisitor(&mut report));
        report
    }

    fn item(&self) -> &str {
        self.item.as_deref().unwrap_or_default()
    }
}

fn report(name: &'static str, change: &Change<'_>, judge: fn(&Report) -> Write) -> Write {
    let report = Report::read(change.body);
    if report.item.is_some() {
        return judge(&report);
    }
    let mut stale = vec![Staling::everyone(Tag::sessions()), Staling::everyone(Tag::history())];
    stale.extend([Tag::watch_lists(), Tag::user_state()].map(Staling::account));
    write(name, stale)
}

fn started(report: &Report) -> Write {
    let mut write = moving("playback-start", Staling::everyone(Tag::sessions()), report);
    // The server's log, in which administrators see everybody's, tells of a beginning and of an end.
    write.stale.push(Staling::everyone(Tag::history()));
    write
}

fn progressed(report: &Report) -> Write {
    let halts = report.event.as_deref().is_some_and(|event| event.eq_ignore_ascii_case("pause"));
    if !halts {
        return moving("progress", Staling::account(Tag::sessions()), report);
    }
    let mut stale = vec![Staling::everyone(Tag::sessions())];
    stale.extend(lists(report.item(), Staling::account));
    write("pause", stale)
}

fn stopped(report: &Report) -> Write {
    let mut stale = vec![Staling::everyone(Tag::sessions())];
    stale.extend(ended(report.item(), Staling::account));
    write("playback-stop", stale)
}

/// While something plays, sessions and the item follow at once, the rest once a minute.
fn moving(name: &'static str, sessions: Staling, report: &Report) -> Write {
    let item = report.item();
    let later = Minutely { item: item.to_owned(), stale: lists(item, Staling::account) };
    let stale = vec![sessions, Staling::account(Tag::item(item))];
    Write { minutely: Some(later), ..write(name, stale) }
}

/// What the user did with one item. Data of another user is written to the caller by some servers: it is stale
/// for both, like all that names another user.
fn marked(id: &str) -> Vec<Staling> {
    let mut stale = lists(&guid::normal(id), Staling::account);
    stale.push(Staling::account(Tag::sessions()));
    stale
}

/// The same, where it goes down: a show is played when its episodes are, so marking it marks them.
fn marked_below(id: &str) -> Vec<Staling> {
    let mut stale = marked(id);
    stale.push(Staling::account(Tag::under(&guid::normal(id))));
    stale
}

/// The item, what lies above it, and the lists that are chosen by what the user did.
fn lists(item: &str, stale: impl Fn(Tag) -> Staling) -> Vec<Staling> {
    vec![stale(Tag::item(item)).and_ancestors(), stale(Tag::many_items()), stale(Tag::watch_lists())]
}

fn ended(item: &str, stale: impl Fn(Tag) -> Staling) -> Vec<Staling> {
    let mut all = lists(item, &stale);
    all.push(stale(Tag::user_state()));
    all.push(Staling::everyone(Tag::history()));
    all
}

struct ReportVisitor<'a>(&'a mut Report);

impl<'de> Visitor<'de> for ReportVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a report of a player")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            match name.to_ascii_lowercase().as_str() {
                "itemid" => {
                    let id = map.next_value::<Option<String>>()?;
                    self.0.item = id.filter(|id| !id.is_empty()).map(|id| guid::normal(&id).into_owned());
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
    fn a_report_is_read_as_far_as_it_goes() {
        let read = |text: &str| Report::read(text.as_bytes());
        let id = "08ca909f6d1044aa9930be392943948f";
        let found = Report { item: Some(id.into()), event: Some("pause".into()) };
        assert_eq!(
            read(
                r#"{"Item":{"ItemId":"no"},"ItemId":"08CA909F-6D10-44AA-9930-BE392943948F","EventName":"pause"}"#
            ),
            found
        );
        assert_eq!(
            read(&format!(r#"{{"eventName":"pause","itemId":"{id}","NowPlayingQueue":[{{"Id":"x"#)),
            found
        );
        for nothing in ["", "[]", "{", "{\"ItemId\":null}", "{\"ItemId\":\"\"}", "{\"ItemId\":3}", "\u{0}"] {
            assert_eq!(read(nothing), Report::default(), "{nothing:?}");
        }
    }

    #[test]
    fn a_stopped_player_makes_the_lists_stale_for_all() {
        let stale = playing("08CA909F-6D10-44AA-9930-BE392943948F", Playing::Stopped);
        let item = Staling::everyone(Tag::item("08ca909f6d1044aa9930be392943948f")).and_ancestors();
        assert!(stale.contains(&item));
        for tag in [Tag::watch_lists(), Tag::sessions(), Tag::history(), Tag::user_state()] {
            assert!(stale.contains(&Staling::everyone(tag)));
        }
        assert!(!playing("1", Playing::Playing).contains(&Staling::everyone(Tag::watch_lists())));
    }
}
