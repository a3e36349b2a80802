//! Parser for text frames of the server's notification socket.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::guid;
use super::write::{all, for_everyone};
use crate::server_event::{ServerEvent, SocketSubscription};
use crate::tag::{Tag, TagInvalidation};

/// Max items in one frame; more count as a change of the whole library.
const MAX_IDS: usize = 200;

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
        "LibraryChanged" => read::<Option<Changes>>(data).map(|changes| library_changed(changes.unwrap_or_default())),
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

/// Items, their ancestors, and lists, because added or edited items may now belong to other lists. A change that names
/// nothing may be of anything.
fn library_changed(changes: Changes) -> Vec<TagInvalidation> {
    let folders = [changes.folders_added_to, changes.folders_removed_from, changes.collection_folders].concat();
    let items_removed = changes.items_removed;
    let items = [&changes.items_added[..], &items_removed, &changes.items_updated].concat();
    if items.is_empty() && folders.is_empty() {
        return all();
    }
    let mut stale = for_everyone([Tag::libraries(), Tag::many_items()]);
    if items.len() + folders.len() > MAX_IDS {
        let lists = [Tag::watch_lists(), Tag::playlists(), Tag::playlist_names(), Tag::collections()];
        stale.extend(for_everyone(lists));
        // Single items carry no tag of their library, but that of user state.
        stale.extend(for_everyone([Tag::branch(), Tag::user_state()]));
        return stale;
    }
    let removed = items_removed.iter().map(|item| TagInvalidation::everyone(Tag::image(&guid::normalize(item))));
    stale.extend(removed);
    for item in &items {
        let item = guid::normalize(item);
        stale.push(TagInvalidation::everyone(Tag::item(&item)).with_ancestors());
        // An edit of text is announced as one of images is; an image at a URL with its version is the same for ever.
        stale.push(TagInvalidation::everyone(Tag::unversioned_image(&item)));
        stale.push(TagInvalidation::everyone(Tag::playlist(&item)));
    }
    for folder in &folders {
        let folder = guid::normalize(folder);
        stale.push(TagInvalidation::everyone(Tag::item(&folder)).with_ancestors());
        stale.push(TagInvalidation::everyone(Tag::section(&folder)));
    }
    stale
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
}

fn user_data_changed(changed: &UserData) -> Vec<TagInvalidation> {
    let user = guid::normalize(&changed.user_id);
    let items: Vec<&str> = changed.user_data_list.iter().filter_map(|user_data| user_data.item_id.as_deref()).collect();
    let tags = [Tag::watch_lists(), Tag::many_items(), Tag::history()];
    let mut stale: Vec<TagInvalidation> = tags.into_iter().map(|tag| TagInvalidation::user(tag, &user)).collect();
    if items.len() > MAX_IDS || items.len() < changed.user_data_list.len() {
        stale.push(TagInvalidation::user(Tag::user_state(), &user));
        return stale;
    }
    // If an item was marked with its descendants, the frame lists only the item and its parent.
    for item in items {
        let item = guid::normalize(item);
        stale.push(TagInvalidation::user(Tag::item(&item), &user).with_ancestors());
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
        let mut stale = for_everyone([Tag::image(&item), Tag::images_by_name(), Tag::many_items()]);
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
