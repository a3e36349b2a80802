//! The activity log: who logged in, what was played and stopped, newest first, old entries forgotten.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::ident::{Ident, Space};
use crate::catalogue::{ItemId, Kind};
use crate::state::State;
use crate::timestamp::written;
use crate::users::UserId;

/// Entries that are kept.
const KEPT: usize = 10_000;
/// Plays of the past the journal begins with.
const PAST_PLAYS: usize = 1_000;

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// Somebody logged in.
    LoggedIn,
    /// Somebody failed to log in.
    FailedLogin,
    /// Somebody began to play something.
    Began(Kind),
    /// Somebody stopped playing something.
    Stopped(Kind),
}

#[derive(Debug, Clone)]
struct Entry {
    id: u64,
    at_ms: u64,
    event: Event,
    name: String,
    user: UserId,
    item: Option<ItemId>,
}

/// The journal.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: Mutex<(u64, VecDeque<Entry>)>,
}

/// What of the journal is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    /// Nothing older.
    pub(crate) since_ms: Option<u64>,
    /// Only entries with or without a user.
    pub(crate) with_user: Option<bool>,
    /// How many newer ones are skipped.
    pub(crate) start: usize,
    /// How many at the most.
    pub(crate) limit: usize,
}

impl Journal {
    /// A journal that begins with the plays of the past.
    pub(crate) fn begun(state: &State) -> Self {
        let journal = Self::default();
        let view = state.view();
        let plays = view.plays();
        for play in &plays[plays.len().saturating_sub(PAST_PLAYS)..] {
            let (Some(kind), Some(title)) = (view.kind(play.item), view.title(play.item)) else { continue };
            let user = view.user(play.user).map_or("", |user| user.name.as_str());
            let name = format!("{user} has finished playing {title}");
            journal.note(play.viewed_at * 1_000, Event::Stopped(kind), &name, play.user, Some(play.item));
        }
        journal
    }

    /// Notes that something happened.
    pub(crate) fn note(&self, at_ms: u64, event: Event, name: &str, user: UserId, item: Option<ItemId>) {
        let mut held = self.entries.lock();
        held.0 += 1;
        let entry = Entry { id: held.0, at_ms, event, name: name.to_owned(), user, item };
        if held.1.len() >= KEPT {
            held.1.pop_front();
        }
        held.1.push_back(entry);
    }

    /// The wanted entries, newest first, and how many there are in all.
    pub(crate) fn read(&self, wanted: Wanted) -> (Vec<Value>, usize) {
        let held = self.entries.lock();
        let fits = |entry: &&Entry| {
            wanted.since_ms.is_none_or(|since| entry.at_ms >= since)
                && wanted.with_user.is_none_or(|with| with == (entry.user.0 != 0))
        };
        let total = held.1.iter().filter(fits).count();
        let page = held.1.iter().rev().filter(fits).skip(wanted.start).take(wanted.limit);
        (page.map(Entry::written).collect(), total)
    }
}

impl Event {
    /// Its name on the wire.
    fn name(self) -> &'static str {
        match self {
            Self::LoggedIn => "AuthenticationSucceeded",
            Self::FailedLogin => "AuthenticationFailed",
            Self::Began(Kind::Track) => "AudioPlayback",
            Self::Began(_) => "VideoPlayback",
            Self::Stopped(Kind::Track) => "AudioPlaybackStopped",
            Self::Stopped(_) => "VideoPlaybackStopped",
        }
    }
}

impl Entry {
    fn written(&self) -> Value {
        let mut row = json!({
            "Id": self.id,
            "Name": self.name,
            "Type": self.event.name(),
            "Date": written(self.at_ms),
            "UserId": if self.user.0 == 0 { "0".repeat(32) } else { Ident::new(Space::User, self.user.0).hex() },
            "Severity": if self.event == Event::FailedLogin { "Error" } else { "Information" },
        });
        if let Some(item) = self.item {
            row["ItemId"] = json!(Ident::new(Space::Item, item.0).hex());
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_comes_first_and_old_ones_are_forgotten() {
        let journal = Journal::default();
        for at in 0..KEPT as u64 + 5 {
            journal.note(at, Event::LoggedIn, "sam is online", UserId(2), None);
        }
        let (rows, total) = journal.read(Wanted { limit: 2, start: 1, ..Wanted::default() });
        assert_eq!(total, KEPT);
        assert_eq!(rows[0]["Id"], KEPT as u64 + 4);
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn a_least_date_cuts_the_journal() {
        let journal = Journal::default();
        journal.note(5, Event::LoggedIn, "sam", UserId(2), None);
        journal.note(9, Event::FailedLogin, "nobody", UserId(0), None);
        let read = |wanted| journal.read(wanted).1;
        assert_eq!(read(Wanted { since_ms: Some(6), ..Wanted::default() }), 1);
        assert_eq!(read(Wanted { with_user: Some(true), ..Wanted::default() }), 1);
    }
}
