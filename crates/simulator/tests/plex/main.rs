//! A simulated Plex, seen from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod account;
mod changed_since;
mod edits;
mod faults;
mod forms;
mod harness;
mod images;
mod ledger;
mod meta;
mod notifications;
mod paging;
mod parts;
mod play_queues;
mod playlists;
mod queries;
mod size;
mod switches;
mod time;
mod upheaval;
mod users;
mod watching;
