//! Parser for text frames of the server's notification socket.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::write::{all, for_everyone};
use super::{guid, playback};
use crate::server_event::{ServerEvent, SocketSubscription};
use crate::tag::{Tag, TagInvalidation, UserState};

/// Max items in one frame; more count as a change of the whole library.
const MAX_IDS: usize = 200;

/// Max different items of one frame by which lists are narrowed.
const MAX_HOLDERS: usize = 16;

/// Key of the task that scans for changed files.
pub(crate) const SCAN_TASK: &str = "RefreshLibrary";

/// Progress of a finished refresh, in percent.
const DONE: f64 = 100.0;

/// Events in a frame; none if it is foreign or unknown.
pub(crate) fn parse_frame(frame: &[u8]) -> Vec<ServerEvent> {
    let Ok(message) = serde_json::from_slice::<Message<'_>>(frame) else { return Vec::new() };
    let data = message.data.map_or("null", RawValue::get);
    let stale = match &*message.kind {
        "ServerRestarting" | "ServerShuttingDown" => return vec![ServerEvent::Restarting],
        "LibraryChanged" => read::<Option<Changes>>(data).map(|changes| library_changed(&changes.unwrap_or_default())),
        "UserDataChanged" => read(data).as_ref().map(user_data_changed),
        "RefreshProgress" => read(data).as_ref().map(refreshed),
        "Sessions" => Some(vec![TagInvalidation::account(Tag::sessions())]),
        "ScheduledTasksInfo" => Some(vec![TagInvalidation::account(Tag::activities())]),
        "ScheduledTaskEnded" => Some(task_ended(&read(data).unwrap_or_default())),
        "ActivityLogEntry" => Some(vec![TagInvalidation::account(Tag::history())]),
        "UserUpdated" => read::<User>(data).map(|user| user_changed(&user.id)),
        "UserDeleted" => read::<String>(data).map(|id| user_changed(&id)),
        "RestartRequired" | "PackageInstallationCompleted" | "PackageUninstalled" => {
            Some(for_everyone([Tag::server()]))
        }
        _ => None,
    };
    stale.filter(|stale| !stale.is_empty()).map(ServerEvent::Stale).into_iter().collect()
}

/// The subscription a client's frame starts or stops: `SessionsStart` and `SessionsStop` form a pair.
pub(crate) fn parse_subscription(frame: &[u8]) -> Option<SocketSubscription> {
    let message = serde_json::from_slice::<Message<'_>>(frame).ok()?;
    let (name, is_start) = match message.kind.strip_suffix("Start") {
        Some(name) => (name, true),
        None => (message.kind.strip_suffix("Stop")?, false),
    };
    Some(SocketSubscription { name: name.to_owned(), is_start })
}

fn read<T: DeserializeOwned>(data: &str) -> Option<T> {
    serde_json::from_str(data).ok()
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "MessageType", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(rename = "Data", borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Changes {
    folders_added_to: Vec<String>,
    folders_removed_from: Vec<String>,
    items_added: Vec<String>,
    items_removed: Vec<String>,
    items_updated: Vec<String>,
    collection_folders: Vec<String>,
}

/// Items, their ancestors, and lists that can hold them, because added or edited items may now belong to other lists. A
/// change that names nothing may be of anything.
fn library_changed(changes: &Changes) -> Vec<TagInvalidation> {
    let Changes { folders_added_to, folders_removed_from, items_added, items_removed, items_updated, .. } = changes;
    let lists = [folders_added_to, folders_removed_from, items_added, items_removed, items_updated];
    let count = lists.iter().map(|list| list.len()).sum::<usize>() + changes.collection_folders.len();
    if count == 0 {
        return all();
    }
    if count > MAX_IDS {
        let lists = [Tag::libraries(), Tag::many_items(), Tag::watch_lists(), Tag::playlists()];
        let mut stale = for_everyone(lists);
        stale.extend(for_everyone([Tag::playlist_names(), Tag::collections(), Tag::counts()]));
        // Single items carry no tag of their library, but that of user state.
        stale.extend(for_everyone([Tag::branch(), Tag::user_state()]));
        return stale;
    }
    let mut stale = Vec::new();
    // A new item is of an unknown kind, unless the one folder that it was added to holds one kind only.
    let added_to = if let [folder] = &folders_added_to[..] { Some(guid::normalize(folder)) } else { None };
    let mut holders: Vec<Option<Cow<'_, str>>> = Vec::new();
    for item in items_updated {
        let item = guid::normalize(item);
        stale.extend(item_changed(&item));
        stale.push(TagInvalidation::everyone(Tag::listings()).of(&item));
        holders.push(Some(item));
    }
    for item in items_removed {
        let item = guid::normalize(item);
        stale.extend(item_changed(&item));
        stale.push(TagInvalidation::everyone(Tag::image(&item)));
        stale.extend(in_number([Tag::libraries(), Tag::many_items()], Some(&item)));
        holders.push(Some(item));
    }
    for item in items_added {
        let item = guid::normalize(item);
        stale.extend(for_everyone([Tag::item(&item), Tag::about(&item), Tag::belonging(&item)]));
        stale.extend(in_number([Tag::libraries(), Tag::many_items()], added_to.as_deref()));
        holders.push(added_to.clone());
    }
    holders.sort_unstable();
    holders.dedup();
    if holders.len() > MAX_HOLDERS || holders.is_empty() {
        holders = vec![None];
        stale.extend(for_everyone([Tag::libraries(), Tag::many_items()]));
    }
    if !(items_added.is_empty() && items_removed.is_empty()) {
        stale.extend(for_everyone([Tag::counts(), Tag::playlist_names()]));
    }
    for folder in folders_added_to.iter().chain(folders_removed_from) {
        let folder = guid::normalize(folder);
        stale.push(TagInvalidation::everyone(Tag::item(&folder)).with_ancestors());
        stale.extend(for_everyone([Tag::about(&folder), Tag::belonging(&folder), Tag::section(&folder)]));
    }
    // The server names every library for an item that is in none.
    for folder in &changes.collection_folders {
        let folder = guid::normalize(folder);
        stale.push(TagInvalidation::everyone(Tag::item(&folder)));
        for holder in &holders {
            stale.extend(in_number([Tag::section(&folder)], holder.as_deref()));
        }
    }
    stale
}

/// These tags for responses that can hold this item, or the items of this folder; if it is unknown, for all.
fn in_number<const N: usize>(tags: [Tag; N], item: Option<&str>) -> [TagInvalidation; N] {
    tags.map(|tag| TagInvalidation { of_item: item.map(str::to_owned), ..TagInvalidation::everyone(tag) })
}

/// The tags that every change of an item concerns: those of responses that show it or contain it.
fn item_changed(item: &str) -> [TagInvalidation; 5] {
    [
        TagInvalidation::everyone(Tag::belonging(item)),
        TagInvalidation::everyone(Tag::item(item)).with_ancestors(),
        TagInvalidation::everyone(Tag::about(item)),
        // An edit of text is announced as one of images is; an image at a URL with its version is the same for ever.
        TagInvalidation::everyone(Tag::unversioned_image(item)),
        TagInvalidation::everyone(Tag::playlist(item)),
    ]
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserData {
    user_id: String,
    #[serde(default)]
    user_data_list: Vec<UserDatum>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserDatum {
    #[serde(default)]
    item_id: Option<String>,
    /// Folders only: what is left to play in it.
    #[serde(default)]
    unplayed_item_count: Option<i64>,
}

fn user_data_changed(changed: &UserData) -> Vec<TagInvalidation> {
    let user = guid::normalize(&changed.user_id);
    let list = &changed.user_data_list;
    let mut stale = vec![TagInvalidation::user(Tag::history(), &user)];
    if list.is_empty() || list.len() > MAX_IDS || list.iter().any(|datum| datum.item_id.is_none()) {
        let tags = [Tag::watch_lists(), Tag::many_items(), Tag::counts(), Tag::user_state()];
        stale.extend(tags.map(|tag| TagInvalidation::user(tag, &user)));
        return stale;
    }
    // The frame lists each changed item and its folder, whose counts follow. If it lists folders alone, these were
    // marked with all that is in them.
    let is_folder = |datum: &UserDatum| datum.unplayed_item_count.is_some();
    let has_leaves = !list.iter().all(is_folder);
    for datum in list {
        let item = guid::normalize(datum.item_id.as_deref().unwrap_or_default());
        let for_user = |tag| TagInvalidation::user(tag, &user);
        if has_leaves && is_folder(datum) {
            // It may be a changed item itself, but it was not marked with all that is in it.
            stale.extend(playback::lists(&item, &[UserState::Favorite, UserState::Rating], for_user));
            continue;
        }
        stale.extend(playback::lists(&item, &UserState::EVERY, for_user));
        stale.push(TagInvalidation::user(Tag::under(&item), &user));
    }
    stale
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refresh {
    item_id: String,
    progress: String,
}

/// The server reports the progress of a refresh every few percent; only its end changes cached responses.
fn refreshed(refresh: &Refresh) -> Vec<TagInvalidation> {
    if refresh.progress.trim().parse::<f64>().is_ok_and(|percent| percent >= DONE) {
        let item = guid::normalize(&refresh.item_id);
        let mut stale = for_everyone([Tag::image(&item), Tag::images_by_name(), Tag::many_items(), Tag::about(&item)]);
        stale.push(TagInvalidation::everyone(Tag::belonging(&item)));
        stale.push(TagInvalidation::everyone(Tag::item(&item)).with_ancestors());
        return stale;
    }
    Vec::new()
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct TaskResult {
    #[serde(default)]
    key: Option<String>,
}

fn task_ended(result: &TaskResult) -> Vec<TagInvalidation> {
    match result.key.as_deref() {
        Some(SCAN_TASK) => for_everyone([Tag::activities(), Tag::libraries(), Tag::many_items()]),
        Some("TaskExtractMediaSegments") => for_everyone([Tag::activities(), Tag::segments()]),
        _ => for_everyone([Tag::activities()]),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct User {
    id: String,
}

/// A changed user may see other items.
fn user_changed(id: &str) -> Vec<TagInvalidation> {
    vec![TagInvalidation::everyone(Tag::users()), TagInvalidation::user(Tag::all(), &guid::normalize(id))]
}
