//! Targets for crawling a Jellyfin library.
//!
//! Lists are sorted by date added, so that new items come last; the name decides between equal dates.

mod hints;
mod rows;

use std::fmt::Write as _;

use greenroom_library::item::ItemKind;

use super::target::{joined, quoted};
use super::{ItemContainer, LibraryInfo, timestamp};

pub(super) use hints::hints;
pub(super) use rows::{is_scanning, libraries, page, scanned_libraries};

/// Lists the server's tasks and their state.
pub(super) const SCAN_TARGET: &str = "/ScheduledTasks";
/// Target of the library folders, with the progress of their scans.
pub(super) const SCAN_PROGRESS_TARGET: &str = "/Library/VirtualFolders";

/// Parameters that leave unneeded fields out of every row.
const LEAN: &str = "enableUserData=false&enableImages=false&imageTypeLimit=0";

pub(super) fn libraries_target(user: Option<&str>) -> String {
    match user {
        Some(user) => format!("/UserViews?userId={}", quoted(user)),
        None => "/Library/MediaFolders".to_owned(),
    }
}

pub(super) fn page_target(shelf: &LibraryInfo, kind: ItemKind, start: u64, size: u64, user: Option<&str>) -> String {
    below(&shelf.key, kind, start, size, user)
}

pub(super) fn changed_target(
    shelf: &LibraryInfo,
    kind: ItemKind,
    since_s: u64,
    start: u64,
    size: u64,
    user: Option<&str>,
) -> String {
    let mut target = below(&shelf.key, kind, start, size, user);
    write!(target, "&minDateLastSaved={}", quoted(&timestamp::format(since_s)))
        .expect("writing to a String cannot fail");
    target
}

pub(super) fn count_target(shelf: &LibraryInfo, kind: ItemKind, user: Option<&str>) -> String {
    let parent = quoted(&shelf.key);
    let which = format!("parentId={parent}&recursive=true&includeItemTypes={}{}", name(kind), existing_only(kind));
    format!("/Items?{which}&{LEAN}&startIndex=0&limit=0{}", of_user(user))
}

pub(super) fn search_target(shelf: &LibraryInfo, kind: ItemKind, title: &str, size: u64, user: Option<&str>) -> String {
    let which = format!("parentId={}&searchTerm={}", quoted(&shelf.key), quoted(title));
    list_target(&which, kind, 0, size, user)
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

pub(super) fn container_target(container: &ItemContainer, start: u64, size: u64, user: Option<&str>) -> String {
    if container.is_direct {
        return below(&container.key, container.leaves, start, size, user);
    }
    // An artist is no folder: its tracks are found by the artist's id.
    list_target(&format!("albumArtistIds={}", quoted(&container.key)), container.leaves, start, size, user)
}

fn below(key: &str, kind: ItemKind, start: u64, size: u64, user: Option<&str>) -> String {
    list_target(&format!("parentId={}", quoted(key)), kind, start, size, user)
}

fn list_target(scope: &str, kind: ItemKind, start: u64, size: u64, user: Option<&str>) -> String {
    let (name, existing_only) = (name(kind), existing_only(kind));
    let (fields, of_user) = (fields(kind != ItemKind::Track), of_user(user));
    let order = "sortBy=DateCreated,SortName&sortOrder=Ascending";
    format!(
        "/Items?{scope}&recursive=true&includeItemTypes={name}{existing_only}&fields={fields}&{LEAN}&{order}\
         &startIndex={start}&limit={size}{of_user}"
    )
}

/// Fields requested beyond the default ones. Media sources give all files and their sizes, but cost the
/// server more than the rest of a row: tracks are matched by path alone.
fn fields(with_sources: bool) -> &'static str {
    if with_sources { "Path,ProviderIds,DateCreated,MediaSources" } else { "Path,ProviderIds,DateCreated" }
}

/// Excludes missing episodes, which the server lists too.
fn existing_only(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Season | ItemKind::Episode => "&isMissing=false",
        ItemKind::Film | ItemKind::Show | ItemKind::Track => "",
    }
}

fn of_user(user: Option<&str>) -> String {
    user.map(|user| format!("&userId={}", quoted(user))).unwrap_or_default()
}

fn name(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Film => "Movie",
        ItemKind::Show => "Series",
        ItemKind::Season => "Season",
        ItemKind::Episode => "Episode",
        ItemKind::Track => "Audio",
    }
}
