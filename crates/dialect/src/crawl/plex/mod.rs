//! How a library of a Plex is read.
//!
//! A list has to be asked for with a size, or some servers answer less than they have. `sort=id` lists by rating key, and
//! new things have higher ones; a sort by title would move what was read already when something is added or renamed.

mod hints;
mod rows;

use std::fmt::Write as _;

use greenroom_library::item::ItemKind;

use super::Shelf;
use super::target::{joined, quoted};

pub(super) use hints::hints;
pub(super) use rows::{page, shelves};

pub(super) fn shelves_target() -> String {
    "/library/sections".to_owned()
}

pub(super) fn page_target(shelf: &Shelf, kind: ItemKind, start: u64, size: u64) -> String {
    list(shelf, kind, "", start, size)
}

pub(super) fn changed_target(shelf: &Shelf, kind: ItemKind, since_s: u64, start: u64, size: u64) -> String {
    // The operator means later, not as late. What was never refreshed has no time of change, so both are asked for.
    let after_s = since_s.saturating_sub(1);
    let changed = format!("&push=1&addedAt%3E%3E={after_s}&or=1&updatedAt%3E%3E={after_s}&pop=1");
    list(shelf, kind, &changed, start, size)
}

pub(super) fn search_target(shelf: &Shelf, kind: ItemKind, title: &str, size: u64) -> String {
    list(shelf, kind, &format!("&title={}", quoted(title)), 0, size)
}

pub(super) fn items_target(keys: &[&str]) -> String {
    format!("/library/metadata/{}?includeGuids=1&checkFiles=0", joined(keys))
}

/// Below an album or a season are its children; some servers show no leaves of them.
pub(super) fn leaves_target(key: &str, is_direct: bool, start: u64, size: u64) -> String {
    let below = if is_direct { "children" } else { "allLeaves" };
    let mut target = format!("/library/metadata/{}/{below}?includeGuids=1", quoted(key));
    window(&mut target, start, size);
    target
}

fn list(shelf: &Shelf, kind: ItemKind, which: &str, start: u64, size: u64) -> String {
    let number = number(kind);
    let mut target =
        format!("/library/sections/{}/all?type={number}&sort=id&includeGuids=1{which}", quoted(&shelf.key));
    window(&mut target, start, size);
    target
}

fn window(target: &mut String, start: u64, size: u64) {
    write!(target, "&X-Plex-Container-Start={start}&X-Plex-Container-Size={size}")
        .expect("a String takes everything");
}

/// The number of a kind.
fn number(kind: ItemKind) -> u8 {
    match kind {
        ItemKind::Film => 1,
        ItemKind::Show => 2,
        ItemKind::Season => 3,
        ItemKind::Episode => 4,
        ItemKind::Track => 10,
    }
}
