//! Targets for crawling a Plex library.
//!
//! A list needs an explicit size, because some servers return incomplete lists otherwise. `sort=id` sorts by
//! rating key, and new items have higher ones; sorting by title would shift rows already read when an item is
//! added or renamed.

mod hints;
mod rows;

use std::fmt::Write as _;

use greenroom_library::item::ItemKind;

use super::LibraryInfo;
use super::target::{joined, quoted};

pub(super) use hints::hints;
pub(super) use rows::{libraries, page};

pub(super) fn libraries_target() -> String {
    "/library/sections".to_owned()
}

pub(super) fn page_target(shelf: &LibraryInfo, kind: ItemKind, start: u64, size: u64) -> String {
    list(shelf, kind, "", start, size)
}

pub(super) fn changed_target(shelf: &LibraryInfo, kind: ItemKind, since_s: u64, start: u64, size: u64) -> String {
    // The operator is "later than", hence one second less. Items that were never refreshed have no change
    // time, so both fields are queried.
    let after_s = since_s.saturating_sub(1);
    let changed = format!("&push=1&addedAt%3E%3E={after_s}&or=1&updatedAt%3E%3E={after_s}&pop=1");
    list(shelf, kind, &changed, start, size)
}

pub(super) fn search_target(shelf: &LibraryInfo, kind: ItemKind, title: &str, size: u64) -> String {
    list(shelf, kind, &format!("&title={}", quoted(title)), 0, size)
}

pub(super) fn items_target(keys: &[&str]) -> String {
    format!("/library/metadata/{}?includeGuids=1&checkFiles=0", joined(keys))
}

/// An album or a season is read by its children, because some servers list no leaves of them.
pub(super) fn leaves_target(key: &str, is_direct: bool, start: u64, size: u64) -> String {
    let children = if is_direct { "children" } else { "allLeaves" };
    let mut target = format!("/library/metadata/{}/{children}?includeGuids=1", quoted(key));
    window(&mut target, start, size);
    target
}

fn list(shelf: &LibraryInfo, kind: ItemKind, which: &str, start: u64, size: u64) -> String {
    let number = number(kind);
    let mut target =
        format!("/library/sections/{}/all?type={number}&sort=id&includeGuids=1{which}", quoted(&shelf.key));
    window(&mut target, start, size);
    target
}

fn window(target: &mut String, start: u64, size: u64) {
    write!(target, "&X-Plex-Container-Start={start}&X-Plex-Container-Size={size}")
        .expect("writing to a String cannot fail");
}

/// Plex's type number of a kind.
fn number(kind: ItemKind) -> u8 {
    match kind {
        ItemKind::Film => 1,
        ItemKind::Show => 2,
        ItemKind::Season => 3,
        ItemKind::Episode => 4,
        ItemKind::Track => 10,
    }
}
