//! What Greenroom knows about the items of a media server: pure data in, answers out.
//!
//! This crate never sees a clock, a disk, a network or an async runtime, and no other crate of the project.
//! Rooms:
//! - [`item`]: one thing of a library as the snapshot keeps it. [`guid`]: the names by which others know it.
//! - [`snapshot`]: all of a library at one moment.
//! - [`choice`]: which music library is meant.
//! - [`tracks`]: which track is meant. [`files`]: which item a file belongs to.
//! - `sorted`: many hashes in order, for the indexes of ids and files.
//! - [`playlist`]: playlists from elsewhere, in the formats people have them in.
//! - [`lineage`]: which item lies under which (episode → season → show), learnt from answers that passed by.

pub mod choice;
pub mod files;
pub mod guid;
pub mod item;
pub mod lineage;
pub mod playlist;
pub mod snapshot;
mod sorted;
pub mod tracks;
