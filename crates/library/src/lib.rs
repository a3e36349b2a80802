//! Library items of a media server: snapshots, matching, playlists. Pure functions over data.
//!
//! This crate never sees a clock, a disk, a network or an async runtime, and no other crate of the project.
//! Modules:
//! - [`item`]: one item of a library, as stored in a snapshot. [`external_id`]: ids valid outside one server.
//! - [`snapshot`]: all items of a library at one moment.
//! - [`default_library`]: chooses the music library when none is named.
//! - [`matching`]: finds the track a playlist row means. [`files`]: finds the item a file belongs to.
//! - `sorted_hashes`: sorted hashes for the indexes of ids and files.
//! - [`row_changes`]: which rows of a snapshot changed since an earlier one.
//! - [`playlist`]: parses playlists from elsewhere in many formats.
//! - [`lineage`]: parents, groups and members of items, learnt from responses.

pub mod default_library;
pub mod external_id;
pub mod files;
pub mod item;
pub mod lineage;
pub mod matching;
pub mod playlist;
pub mod row_changes;
pub mod snapshot;
mod sorted_hashes;
