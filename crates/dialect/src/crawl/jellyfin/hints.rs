//! Change hints from Jellyfin's socket frames.

use serde::Deserialize;

use crate::crawl::ChangeHint;
use crate::jellyfin::guid;

#[derive(Deserialize)]
#[serde(tag = "MessageType", content = "Data")]
enum Message {
    LibraryChanged(Option<Changes>),
    ScheduledTaskEnded(Task),
    RefreshProgress(Refresh),
}

/// Progress of a refresh of an item or a library; servers write the number as a text.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Refresh {
    item_id: String,
    progress: serde_json::Value,
}

impl Refresh {
    fn is_running(&self) -> bool {
        let progress = self.progress.as_f64().or_else(|| self.progress.as_str()?.parse().ok());
        progress.is_some_and(|percent: f64| percent < 100.0)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Changes {
    items_added: Vec<String>,
    items_removed: Vec<String>,
    items_updated: Vec<String>,
    collection_folders: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Task {
    key: Option<String>,
}

pub(in crate::crawl) fn hints(frame: &[u8]) -> Vec<ChangeHint> {
    match serde_json::from_slice(frame) {
        Ok(Message::LibraryChanged(changes)) => changed(&changes.unwrap_or_default()),
        Ok(Message::ScheduledTaskEnded(task)) if task.key.as_deref() == Some(crate::jellyfin::SCAN_TASK) => {
            vec![ChangeHint::ScanEnded { shelf: None }]
        }
        Ok(Message::RefreshProgress(refresh)) if refresh.is_running() => {
            vec![ChangeHint::ScanStarted { shelf: Some(guid::normalize(&refresh.item_id).into_owned()) }]
        }
        _ => Vec::new(),
    }
}

/// Change hints of a frame. It does not assign items to libraries, so their library is certain only if exactly one
/// changed. A frame that names no item and no library may concern any.
fn changed(changes: &Changes) -> Vec<ChangeHint> {
    let shelves: Vec<String> = changes.collection_folders.iter().map(|id| guid::normalize(id).into_owned()).collect();
    let shelf = match &shelves[..] {
        [only] => Some(only.clone()),
        _ => None,
    };
    let key = |id: &String| guid::normalize(id).into_owned();
    let removed = changes.items_removed.iter().map(|id| ChangeHint::Removed { shelf: shelf.clone(), key: key(id) });
    let moved = changes.items_added.iter().chain(&changes.items_updated);
    let moved = moved.map(|id| ChangeHint::Changed { shelf: shelf.clone(), key: key(id) });
    let items: Vec<ChangeHint> = removed.chain(moved).collect();
    if items.is_empty() && shelves.is_empty() {
        return vec![ChangeHint::AnythingChanged];
    }
    if items.is_empty() {
        return shelves.into_iter().map(|shelf| ChangeHint::LibraryChanged { shelf }).collect();
    }
    items
}
