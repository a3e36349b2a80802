//! Finds the item a file belongs to, even if two programs see the same folder under different roots. A lookup
//! may find nothing.
//!
//! | module | content |
//! |---|---|
//! | `path` | parses paths of any system |
//! | [`path_map`] | rules that map one program's paths to another's; `reverse_rule`: their inverses |
//! | [`index`] | the files of a library, sorted by path from the end |
//! | `patch` | the index of the next snapshot out of the last |
//! | [`lookup`] | matches a path to an item |
//!
//! A path certainly belongs to an item if the whole path is equal (with or without a path map), or if a
//! suffix of it, with at least one folder, is a suffix of this file's path only. A name alone is no proof:
//! `A/scene.mp4` is not `B/scene.mp4`, however large both are.

pub mod index;
pub mod lookup;
mod patch;
mod path;
pub mod path_map;
mod reverse_rule;
#[cfg(test)]
mod tests;

use unicode_normalization::UnicodeNormalization;

pub use index::{FileIndex, FileIndexBuilder};
pub use lookup::{CaseSensitivity, FileCandidate, FileMatchConfidence, FileMatchReason, FileMatchResult, FileQuery};
pub use path_map::{PathMapError, PathMaps, PathRule};

/// The canonical form of a path from any system: its folders and its name, separated by slashes.
/// Case-sensitive. `None` if it is empty or too long.
pub fn canonical(path: &str) -> Option<String> {
    let plain = path::plain(path);
    let parts = path::parts(&plain).filter(|parts| !parts.is_empty())?;
    Some(parts.join("/").nfc().collect())
}

/// Whether two paths from any system are the same, case-sensitively.
pub fn is_same_path(one: &str, other: &str) -> bool {
    let parts = |path: &str| -> Option<Vec<path::PathPart>> {
        let plain = path::plain(path);
        let parts = path::parts(&plain).filter(|parts| !parts.is_empty())?;
        Some(parts.into_iter().map(path::PathPart::new).collect())
    };
    parts(one).is_some_and(|one| parts(other).is_some_and(|other| one == other))
}
