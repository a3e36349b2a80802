//! Change hints from Plex notifications.

use serde_json::{Map, Value};

use crate::crawl::ChangeHint;
use crate::plex::notification::{each, is_deleted, is_positive, text};
use crate::plex::params::item_ids;

/// Identifier of library entries; entries of the programme guide use ids of their own.
const LIBRARY: &str = "com.plexapp.plugins.library";

/// Types of items and containers in the index: films, shows, seasons, episodes, artists, albums, tracks.
const FINISHED_STATES: [&str; 7] = ["1", "2", "3", "4", "8", "9", "10"];

pub(in crate::crawl) fn hints(frame: &[u8]) -> Vec<ChangeHint> {
    let Ok(Value::Object(frame)) = serde_json::from_slice::<Value>(frame) else { return Vec::new() };
    let container = match frame.get("NotificationContainer") {
        Some(Value::Object(container)) => container,
        _ => &frame,
    };
    let entries = each(container, "TimelineEntry").filter_map(timeline);
    let activities = each(container, "ActivityNotification").flat_map(activity);
    let status = each(container, "StatusNotification").filter_map(status);
    entries.chain(activities).chain(status).collect()
}

fn timeline(entry: &Map<String, Value>) -> Option<ChangeHint> {
    if text(entry, "identifier").is_some_and(|identifier| identifier != LIBRARY) {
        return None;
    }
    let kind = text(entry, "type")?;
    let key = text(entry, "itemID").filter(|id| is_positive(id))?;
    let shelf = text(entry, "sectionID").filter(|id| is_positive(id));
    if !FINISHED_STATES.contains(&kind.as_str()) {
        return None;
    }
    match text(entry, "state")?.as_str() {
        _ if is_deleted(entry) => Some(ChangeHint::Removed { shelf, key }),
        "9" => Some(ChangeHint::Removed { shelf, key }),
        "0" | "5" => Some(ChangeHint::Changed { shelf, key }),
        _ => None,
    }
}

fn activity(entry: &Map<String, Value>) -> Vec<ChangeHint> {
    let Some(what) = entry.get("Activity").and_then(Value::as_object) else { return Vec::new() };
    let event = entry.get("event").and_then(Value::as_str).unwrap_or_default();
    let empty = Map::new();
    let context = what.get("Context").and_then(Value::as_object).unwrap_or(&empty);
    let shelf = text(context, "librarySectionID").filter(|id| is_positive(id));
    match text(what, "type").unwrap_or_default().as_str() {
        "library.update.section" if matches!(event, "started" | "updated") => vec![ChangeHint::ScanStarted { shelf }],
        _ if event != "ended" => Vec::new(),
        "library.update.section" => vec![ChangeHint::ScanEnded { shelf }],
        // Browsing triggers refreshes of items, which mostly find no change.
        "library.refresh.items" | "library.update.item.metadata"
            if context.get("refreshed") != Some(&Value::Bool(false)) =>
        {
            let ids = text(context, "key").map(|key| item_ids(&key)).unwrap_or_default();
            ids.into_iter().map(|key| ChangeHint::Changed { shelf: shelf.clone(), key }).collect()
        }
        _ => Vec::new(),
    }
}

fn status(entry: &Map<String, Value>) -> Option<ChangeHint> {
    let name = text(entry, "notificationName")?;
    (name == "LIBRARY_UPDATE").then_some(ChangeHint::ScanEnded { shelf: None })
}
