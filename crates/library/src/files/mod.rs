//! Which item a file belongs to: verdicts that may say no, also where two programs see the same folder under different
//! roots.
//!
//! | room | is |
//! |---|---|
//! | `path` | what a path says, however it is written |
//! | [`maps`] | rules that turn one program's paths into another's; `around`: and back |
//! | [`index`] | the files of a library, in the order of their endings |
//! | [`find`] | from a path to a verdict |
//!
//! A path is surely an item's file if all of it is equal (through a path map or as it is), or if the end of it, with at
//! least one folder, is the end of this file's path only. A name alone is no proof: `A/scene.mp4` is not
//! `B/scene.mp4`, however large both are.

mod around;
pub mod find;
pub mod index;
pub mod maps;
mod path;
#[cfg(test)]
mod tests;

use unicode_normalization::UnicodeNormalization;

pub use find::{Asked, Candidate, Case, Confidence, Reason, Verdict};
pub use index::{FileIndex, FileIndexBuilder};
pub use maps::{MapError, PathMaps, Rule};

/// The one spelling of a path, whatever system wrote it: its folders and its name, with slashes between. Case counts.
/// `None` if it names nothing, or is longer than any path.
pub fn canonical(path: &str) -> Option<String> {
    let plain = path::plain(path);
    let parts = path::parts(&plain).filter(|parts| !parts.is_empty())?;
    Some(parts.join("/").nfc().collect())
}

/// Whether two paths are the same as they are spelled, whatever system wrote them.
pub fn is_same_path(one: &str, other: &str) -> bool {
    let parts = |path: &str| -> Option<Vec<path::Part>> {
        let plain = path::plain(path);
        let parts = path::parts(&plain).filter(|parts| !parts.is_empty())?;
        Some(parts.into_iter().map(path::Part::of).collect())
    };
    parts(one).is_some_and(|one| parts(other).is_some_and(|other| one == other))
}
