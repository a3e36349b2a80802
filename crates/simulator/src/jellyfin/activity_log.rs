//! Activity log: logins, started and stopped playbacks, newest first; old entries are dropped.

use std::cmp::Ordering;
use std::collections::VecDeque;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::ident::{IdNamespace, JellyfinId};
use crate::catalogue::{ItemId, MediaKind};
use crate::state::SimulatedState;
use crate::timestamp::written;
use crate::users::UserId;

/// Max stored entries.
const KEPT: usize = 10_000;
/// Plays of the history with which the log begins.
const PAST_PLAYS: usize = 1_000;

/// Event in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActivityEvent {
    /// A user logged in.
    LoggedIn,
    /// A login failed.
    FailedLogin,
    /// A playback began.
    Began(MediaKind),
    /// A playback stopped.
    Stopped(MediaKind),
}

#[derive(Debug, Clone)]
struct Entry {
    id: u64,
    at_ms: u64,
    event: ActivityEvent,
    name: String,
    user: UserId,
    item: Option<ItemId>,
}

/// The log.
#[derive(Debug, Default)]
pub(crate) struct ActivityLog {
    entries: Mutex<(u64, VecDeque<Entry>)>,
}

/// A sort key of the log and whether it is descending; the key is one of [`SORT_KEYS`].
pub(crate) type ActivityLogOrder = (&'static str, bool);

/// Sort keys by their number, in the server's spelling. Those without values in this log leave the order alone.
pub(crate) const SORT_KEYS: [&str; 8] =
    ["Name", "Overiew", "ShortOverview", "Type", "Item", "DateCreated", "Username", "LogSeverity"];

/// Query of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct ActivityLogQuery {
    /// Minimum time of an entry, in milliseconds.
    pub(crate) since_ms: Option<u64>,
    /// Only entries with or without a user.
    pub(crate) with_user: Option<bool>,
    /// A part of the name, in lower case.
    pub(crate) name: Option<String>,
    /// A part of the type, in lower case: one text, commas included.
    pub(crate) event: Option<String>,
    /// Sort keys, the most important first; the newest first if there are none.
    pub(crate) order: Vec<ActivityLogOrder>,
    /// Entries to skip.
    pub(crate) start: usize,
    /// Maximum number of entries.
    pub(crate) limit: usize,
}

impl ActivityLog {
    /// A log that begins with the playback history.
    pub(crate) fn with_history(state: &SimulatedState) -> Self {
        let journal = Self::default();
        let view = state.view();
        let plays = view.plays();
        for play in &plays[plays.len().saturating_sub(PAST_PLAYS)..] {
            let (Some(kind), Some(title)) = (view.kind(play.item), view.title(play.item)) else { continue };
            let user = view.user(play.user).map(|user| user.name.clone()).unwrap_or_default();
            let name = format!("{user} has finished playing {title}");
            journal.record(play.viewed_at * 1_000, ActivityEvent::Stopped(kind), &name, play.user, Some(play.item));
        }
        journal
    }

    /// Adds an entry.
    pub(crate) fn record(&self, at_ms: u64, event: ActivityEvent, name: &str, user: UserId, item: Option<ItemId>) {
        let mut held = self.entries.lock();
        held.0 += 1;
        let entry = Entry { id: held.0, at_ms, event, name: name.to_owned(), user, item };
        if held.1.len() >= KEPT {
            held.1.pop_front();
        }
        held.1.push_back(entry);
    }

    /// Matching entries in order, and their total number.
    pub(crate) fn read(&self, wanted: &ActivityLogQuery) -> (Vec<Value>, usize) {
        let held = self.entries.lock();
        let contains = |text: &str, part: &Option<String>| {
            part.as_ref().is_none_or(|part| text.to_lowercase().contains(part.as_str()))
        };
        let fits = |entry: &&Entry| {
            wanted.since_ms.is_none_or(|since| entry.at_ms >= since)
                && wanted.with_user.is_none_or(|with| with == (entry.user.0 != 0))
                && contains(&entry.name, &wanted.name)
                && contains(entry.event.name(), &wanted.event)
        };
        let mut found: Vec<&Entry> = held.1.iter().rev().filter(fits).collect();
        for (key, descending) in wanted.order.iter().rev() {
            found.sort_by(|one, other| {
                let ascending = one.compare(other, key);
                if *descending { ascending.reverse() } else { ascending }
            });
        }
        let total = found.len();
        let page = found.into_iter().skip(wanted.start).take(wanted.limit);
        (page.map(Entry::written).collect(), total)
    }
}

impl ActivityEvent {
    /// Its name on the wire.
    fn name(self) -> &'static str {
        match self {
            Self::LoggedIn => "AuthenticationSucceeded",
            Self::FailedLogin => "AuthenticationFailed",
            Self::Began(MediaKind::Track) => "AudioPlayback",
            Self::Began(_) => "VideoPlayback",
            Self::Stopped(MediaKind::Track) => "AudioPlaybackStopped",
            Self::Stopped(_) => "VideoPlaybackStopped",
        }
    }

    /// Whether its severity is an error.
    fn is_failure(self) -> bool {
        self == Self::FailedLogin
    }
}

impl Entry {
    /// The order of two entries by one of [`SORT_KEYS`].
    fn compare(&self, other: &Self, key: &str) -> Ordering {
        match key {
            "Name" => self.name.cmp(&other.name),
            "Type" => self.event.name().cmp(other.event.name()),
            "DateCreated" => self.at_ms.cmp(&other.at_ms),
            "Username" => self.user.cmp(&other.user),
            "LogSeverity" => self.event.is_failure().cmp(&other.event.is_failure()),
            _ => Ordering::Equal,
        }
    }

    fn written(&self) -> Value {
        let mut row = json!({
            "Id": self.id,
            "Name": self.name,
            "Type": self.event.name(),
            "Date": written(self.at_ms),
            "UserId": if self.user.0 == 0 { "0".repeat(32) } else { JellyfinId::new(IdNamespace::User, self.user.0).hex() },
            "Severity": if self.event.is_failure() { "Error" } else { "Information" },
        });
        if let Some(item) = self.item {
            row["ItemId"] = json!(JellyfinId::new(IdNamespace::Item, item.0).hex());
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_comes_first_and_old_ones_are_forgotten() {
        let journal = ActivityLog::default();
        for at in 0..KEPT as u64 + 5 {
            journal.record(at, ActivityEvent::LoggedIn, "sam is online", UserId(2), None);
        }
        let (rows, total) = journal.read(&ActivityLogQuery { limit: 2, start: 1, ..ActivityLogQuery::default() });
        assert_eq!(total, KEPT);
        assert_eq!(rows[0]["Id"], KEPT as u64 + 4);
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn a_least_date_cuts_the_journal() {
        let journal = ActivityLog::default();
        journal.record(5, ActivityEvent::LoggedIn, "sam", UserId(2), None);
        journal.record(9, ActivityEvent::FailedLogin, "nobody", UserId(0), None);
        let read = |wanted: ActivityLogQuery| journal.read(&wanted).1;
        assert_eq!(read(ActivityLogQuery { since_ms: Some(6), ..ActivityLogQuery::default() }), 1);
        assert_eq!(read(ActivityLogQuery { with_user: Some(true), ..ActivityLogQuery::default() }), 1);
    }
}
