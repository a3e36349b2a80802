//! What a Jellyfin's frames say about items.

use serde::Deserialize;

use crate::crawl::Hint;
use crate::jellyfin::guid;

#[derive(Deserialize)]
#[serde(tag = "MessageType", content = "Data")]
enum Message {
    LibraryChanged(Changes),
    ScheduledTaskEnded(Task),
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

pub(in crate::crawl) fn hints(frame: &[u8]) -> Vec<Hint> {
    match serde_json::from_slice(frame) {
        Ok(Message::LibraryChanged(changes)) => changed(&changes),
        Ok(Message::ScheduledTaskEnded(task)) if task.key.as_deref() == Some(crate::jellyfin::SCAN_TASK) => {
            vec![Hint::ScanEnded { shelf: None }]
        }
        _ => Vec::new(),
    }
}

/// Items are not told by library: it is certain only where one library alone changed.
fn changed(changes: &Changes) -> Vec<Hint> {
    let shelves: Vec<String> =
        changes.collection_folders.iter().map(|id| guid::normal(id).into_owned()).collect();
    let shelf = match &shelves[..] {
        [only] => Some(only.clone()),
        _ => None,
    };
    let key = |id: &String| guid::normal(id).into_owned();
    let removed = changes.items_removed.iter().map(|id| Hint::Removed { shelf: shelf.clone(), key: key(id) });
    let moved = changes.items_added.iter().chain(&changes.items_updated);
    let moved = moved.map(|id| Hint::Changed { shelf: shelf.clone(), key: key(id) });
    let items: Vec<Hint> = removed.chain(moved).collect();
    if items.is_empty() {
        return shelves.into_iter().map(|shelf| Hint::ShelfChanged { shelf }).collect();
    }
    items
}
