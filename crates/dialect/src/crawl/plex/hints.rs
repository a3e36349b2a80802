//! What a Plex's notifications say about items.

use serde_json::{Map, Value};

use crate::crawl::Hint;
use crate::plex::notification::{each, is_deleted, is_positive, text};
use crate::plex::params::item_ids;

/// Whose entries are about the library; those of the programme guide use ids of their own.
const LIBRARY: &str = "com.plexapp.plugins.library";

/// The kinds that are kept, or hold what is kept: films, shows, seasons, episodes, artists, albums, tracks.
const KEPT: [&str; 7] = ["1", "2", "3", "4", "8", "9", "10"];

pub(in crate::crawl) fn hints(frame: &[u8]) -> Vec<Hint> {
    let Ok(Value::Object(frame)) = serde_json::from_slice::<Value>(frame) else { return Vec::new() };
    let news = match frame.get("NotificationContainer") {
        Some(Value::Object(news)) => news,
        _ => &frame,
    };
    let entries = each(news, "TimelineEntry").filter_map(timeline);
    let activities = each(news, "ActivityNotification").flat_map(activity);
    let status = each(news, "StatusNotification").filter_map(status);
    entries.chain(activities).chain(status).collect()
}

fn timeline(entry: &Map<String, Value>) -> Option<Hint> {
    if text(entry, "identifier").is_some_and(|whose| whose != LIBRARY) {
        return None;
    }
    let kind = text(entry, "type")?;
    let key = text(entry, "itemID").filter(|id| is_positive(id))?;
    let shelf = text(entry, "sectionID").filter(|id| is_positive(id));
    if !KEPT.contains(&kind.as_str()) {
        return None;
    }
    match text(entry, "state")?.as_str() {
        _ if is_deleted(entry) => Some(Hint::Removed { shelf, key }),
        "9" => Some(Hint::Removed { shelf, key }),
        "0" | "5" => Some(Hint::Changed { shelf, key }),
        _ => None,
    }
}

fn activity(entry: &Map<String, Value>) -> Vec<Hint> {
    let (Some("ended"), Some(what)) =
        (entry.get("event").and_then(Value::as_str), entry.get("Activity").and_then(Value::as_object))
    else {
        return Vec::new();
    };
    let empty = Map::new();
    let context = what.get("Context").and_then(Value::as_object).unwrap_or(&empty);
    let shelf = text(context, "librarySectionID").filter(|id| is_positive(id));
    match text(what, "type").unwrap_or_default().as_str() {
        "library.update.section" => vec![Hint::ScanEnded { shelf }],
        // Browsing makes the server look at items; mostly it finds that nothing changed.
        "library.refresh.items" | "library.update.item.metadata"
            if context.get("refreshed") != Some(&Value::Bool(false)) =>
        {
            let ids = text(context, "key").map(|key| item_ids(&key)).unwrap_or_default();
            ids.into_iter().map(|key| Hint::Changed { shelf: shelf.clone(), key }).collect()
        }
        _ => Vec::new(),
    }
}

fn status(entry: &Map<String, Value>) -> Option<Hint> {
    let name = text(entry, "notificationName")?;
    (name == "LIBRARY_UPDATE").then_some(Hint::ScanEnded { shelf: None })
}
