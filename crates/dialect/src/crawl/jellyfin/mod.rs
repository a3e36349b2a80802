//! How a library of a Jellyfin is read.
//!
//! Lists are sorted by the time their items came, so that what is new comes last; the name decides among those that came
//! together.

mod hints;
mod rows;

use std::fmt::Write as _;

use greenroom_library::item::ItemKind;

use super::target::{joined, quoted};
use super::{Branch, Shelf, instant};

pub(super) use hints::hints;
pub(super) use rows::{is_scanning, page, shelves};

/// Where the server tells which of its tasks run.
pub(super) const SCAN_TARGET: &str = "/ScheduledTasks";

/// What is left out of every row.
const LEAN: &str = "enableUserData=false&enableImages=false&imageTypeLimit=0";

pub(super) fn shelves_target(user: Option<&str>) -> String {
    match user {
        Some(user) => format!("/UserViews?userId={}", quoted(user)),
        None => "/Library/MediaFolders".to_owned(),
    }
}

pub(super) fn page_target(
    shelf: &Shelf,
    kind: ItemKind,
    start: u64,
    size: u64,
    user: Option<&str>,
) -> String {
    below(&shelf.key, kind, start, size, user)
}

pub(super) fn changed_target(
    shelf: &Shelf,
    kind: ItemKind,
    since_s: u64,
    start: u64,
    size: u64,
    user: Option<&str>,
) -> String {
    let mut target = below(&shelf.key, kind, start, size, user);
    write!(target, "&minDateLastSaved={}", quoted(&instant::written(since_s)))
        .expect("a String takes everything");
    target
}

pub(super) fn count_target(shelf: &Shelf, kind: ItemKind, user: Option<&str>) -> String {
    let parent = quoted(&shelf.key);
    let which = format!("parentId={parent}&recursive=true&includeItemTypes={}{}", name(kind), there(kind));
    format!("/Items?{which}&{LEAN}&startIndex=0&limit=0{}", of_user(user))
}

pub(super) fn search_target(
    shelf: &Shelf,
    kind: ItemKind,
    title: &str,
    size: u64,
    user: Option<&str>,
) -> String {
    let which = format!("parentId={}&searchTerm={}", quoted(&shelf.key), quoted(title));
    listed(&which, kind, 0, size, user)
}

pub(super) fn items_target(keys: &[&str], user: Option<&str>) -> String {
    format!("/Items?ids={}&fields={}&{LEAN}{}", joined(keys), fields(true), of_user(user))
}

pub(super) fn leaves_target(key: &str, kind: ItemKind, start: u64, size: u64, user: Option<&str>) -> String {
    let leaves = match kind {
        ItemKind::Show | ItemKind::Season => ItemKind::Episode,
        leaf => leaf,
    };
    below(key, leaves, start, size, user)
}

pub(super) fn branch_target(branch: &Branch, start: u64, size: u64, user: Option<&str>) -> String {
    if branch.is_direct {
        return below(&branch.key, branch.leaves, start, size, user);
    }
    // An artist is no folder: what is theirs is found by their name.
    listed(&format!("albumArtistIds={}", quoted(&branch.key)), branch.leaves, start, size, user)
}

fn below(key: &str, kind: ItemKind, start: u64, size: u64, user: Option<&str>) -> String {
    listed(&format!("parentId={}", quoted(key)), kind, start, size, user)
}

fn listed(whose: &str, kind: ItemKind, start: u64, size: u64, user: Option<&str>) -> String {
    let (name, there) = (name(kind), there(kind));
    let (fields, of_user) = (fields(kind != ItemKind::Track), of_user(user));
    let order = "sortBy=DateCreated,SortName&sortOrder=Ascending";
    format!(
        "/Items?{whose}&recursive=true&includeItemTypes={name}{there}&fields={fields}&{LEAN}&{order}\
         &startIndex={start}&limit={size}{of_user}"
    )
}

/// What is asked for beyond what is always told. Sources tell the sizes of files and all of them, but cost the server
/// more than the rest of a row: tracks are found by their path alone.
fn fields(with_sources: bool) -> &'static str {
    if with_sources { "Path,ProviderIds,DateCreated,MediaSources" } else { "Path,ProviderIds,DateCreated" }
}

/// Of shows the server also knows what is not there.
fn there(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Season | ItemKind::Episode => "&isMissing=false",
        ItemKind::Film | ItemKind::Show | ItemKind::Track => "",
    }
}

fn of_user(user: Option<&str>) -> String {
    user.map(|user| format!("&userId={}", quoted(user))).unwrap_or_default()
}

/// The name of a kind.
fn name(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Film => "Movie",
        ItemKind::Show => "Series",
        ItemKind::Season => "Season",
        ItemKind::Episode => "Episode",
        ItemKind::Track => "Audio",
    }
}
