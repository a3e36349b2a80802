//! What a text frame of the server's notification socket says.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::guid;
use super::write::for_everyone;
use crate::signal::{Signal, Subscription};
use crate::tag::{Staling, Tag};

/// A frame that names more items than this is taken to mean the whole library.
const MAX_IDS: usize = 200;

/// The task that looks for changed files.
pub(crate) const SCAN_TASK: &str = "RefreshLibrary";

/// Where the progress of a refresh ends.
const DONE: f64 = 100.0;

/// What a frame says; nothing, if it is foreign or unknown.
pub(crate) fn frame(frame: &[u8]) -> Vec<Signal> {
    let Ok(message) = serde_json::from_slice::<Message<'_>>(frame) else { return Vec::new() };
    let data = message.data.map_or("null", RawValue::get);
    let stale = match &*message.kind {
        "ServerRestarting" | "ServerShuttingDown" => return vec![Signal::Restarting],
        "LibraryChanged" => read(data).map(library_changed),
        "UserDataChanged" => read(data).as_ref().map(user_data_changed),
        "RefreshProgress" => read(data).as_ref().map(refreshed),
        "Sessions" => Some(vec![Staling::account(Tag::sessions())]),
        "ScheduledTasksInfo" => Some(vec![Staling::account(Tag::activities())]),
        "ScheduledTaskEnded" => Some(task_ended(&read(data).unwrap_or_default())),
        "ActivityLogEntry" => Some(vec![Staling::account(Tag::history())]),
        "UserUpdated" => read::<User>(data).map(|user| user_changed(&user.id)),
        "UserDeleted" => read::<String>(data).map(|id| user_changed(&id)),
        "RestartRequired" | "PackageInstallationCompleted" | "PackageUninstalled" => {
            Some(for_everyone([Tag::server()]))
        }
        _ => None,
    };
    stale.filter(|stale| !stale.is_empty()).map(Signal::Stale).into_iter().collect()
}

/// What a client's frame subscribes to: `SessionsStart` begins what `SessionsStop` ends.
pub(crate) fn subscription(frame: &[u8]) -> Option<Subscription> {
    let message = serde_json::from_slice::<Message<'_>>(frame).ok()?;
    let (name, begins) = match message.kind.strip_suffix("Start") {
        Some(name) => (name, true),
        None => (message.kind.strip_suffix("Stop")?, false),
    };
    Some(Subscription { name: name.to_owned(), begins })
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

/// Items and what lies above them, and the lists: what was added to or edited may belong into others now.
fn library_changed(changes: Changes) -> Vec<Staling> {
    let folders =
        [changes.folders_added_to, changes.folders_removed_from, changes.collection_folders].concat();
    let items = [changes.items_added, changes.items_removed, changes.items_updated].concat();
    if items.is_empty() && folders.is_empty() {
        return Vec::new();
    }
    let mut stale = for_everyone([Tag::libraries(), Tag::many_items()]);
    if items.len() + folders.len() > MAX_IDS {
        stale.extend(for_everyone([Tag::branch(), Tag::watch_lists(), Tag::playlists(), Tag::collections()]));
        return stale;
    }
    for item in &items {
        let item = guid::normal(item);
        stale.push(Staling::everyone(Tag::item(&item)).and_ancestors());
        stale.push(Staling::everyone(Tag::image(&item)));
        stale.push(Staling::everyone(Tag::playlist(&item)));
    }
    for folder in &folders {
        let folder = guid::normal(folder);
        stale.push(Staling::everyone(Tag::item(&folder)).and_ancestors());
        stale.push(Staling::everyone(Tag::section(&folder)));
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

fn user_data_changed(changed: &UserData) -> Vec<Staling> {
    let user = guid::normal(&changed.user_id);
    let items: Vec<&str> =
        changed.user_data_list.iter().filter_map(|datum| datum.item_id.as_deref()).collect();
    let tags = [Tag::watch_lists(), Tag::many_items(), Tag::history()];
    let mut stale: Vec<Staling> = tags.into_iter().map(|tag| Staling::user(tag, &user)).collect();
    if items.len() > MAX_IDS || items.len() < changed.user_data_list.len() {
        stale.push(Staling::user(Tag::user_state(), &user));
        return stale;
    }
    // Of what was marked with all that lies below it, the frame lists but the item and its parent.
    for item in items {
        let item = guid::normal(item);
        stale.push(Staling::user(Tag::item(&item), &user).and_ancestors());
        stale.push(Staling::user(Tag::under(&item), &user));
    }
    stale
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refresh {
    item_id: String,
    progress: String,
}

/// The server tells the progress of a refresh every few percent; only its end changes what is kept.
fn refreshed(refresh: &Refresh) -> Vec<Staling> {
    if refresh.progress.trim().parse::<f64>().is_ok_and(|percent| percent >= DONE) {
        let item = guid::normal(&refresh.item_id);
        let mut stale = for_everyone([Tag::image(&item), Tag::many_items()]);
        stale.push(Staling::everyone(Tag::item(&item)).and_ancestors());
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

fn task_ended(result: &TaskResult) -> Vec<Staling> {
    if result.key.as_deref() == Some(SCAN_TASK) {
        return for_everyone([Tag::activities(), Tag::libraries(), Tag::many_items()]);
    }
    for_everyone([Tag::activities()])
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct User {
    id: String,
}

/// What a user may see may have changed with the user.
fn user_changed(id: &str) -> Vec<Staling> {
    vec![Staling::everyone(Tag::users()), Staling::user(Tag::all(), &guid::normal(id))]
}
