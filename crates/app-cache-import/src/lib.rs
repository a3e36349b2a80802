//! Entries of other caches' stores, to be put into a cache for apps: of Kodi's SimpleCache, of diskcache, of Cmdarr and of
//! Stash2Plex.
//!
//! A store is copied and never written, and nothing in it is executed: pickles and what `repr` wrote are read by readers
//! that know plain values and dates, and refuse the rest. Values and keys are written as the Python client writes them,
//! so that it finds them.

pub mod calendar;
pub mod encoding;
pub mod entry_key;
mod json_text;
pub mod literal;
pub mod pickle;
mod pickle_calls;
mod pickle_input;
pub mod report;
pub mod source;
pub mod store;
mod tables;
pub mod unreadable;
pub mod value_arena;
