//! Parser for frames of Plex's notification socket and for the data of events of its event stream.
//!
//! The socket wraps entries in a `NotificationContainer`; the event stream does not, and sends one object
//! where the socket sends a list. So a frame is parsed by the names of its members, not by its type.

use serde_json::{Map, Value};

use crate::plex::invalidation;
use crate::plex::params::item_ids;
use crate::server_event::{PlaybackState, ServerEvent};
use crate::tag::{Tag, TagInvalidation};

/// Longest frame in bytes that is parsed; a longer one invalidates everything.
const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// Max entries of one frame; more invalidate everything.
const MAX_EVENTS: usize = 512;

/// Max invalidations of one frame; more invalidate everything.
const MAX_INVALIDATIONS: usize = 4096;

/// Prefix of entries about the programme guide, whose ids collide with those of the library.
const GUIDE: &str = "tv.plex.";

pub(super) fn parse(frame: &[u8]) -> Vec<ServerEvent> {
    if frame.len() > MAX_FRAME_BYTES {
        return vec![ServerEvent::Stale(invalidation::all())];
    }
    let Ok(Value::Object(frame)) = serde_json::from_slice::<Value>(frame) else { return Vec::new() };
    let container = match frame.get("NotificationContainer") {
        Some(Value::Object(container)) => container,
        _ => &frame,
    };
    let mut signals = Vec::new();
    let mut stale = Vec::new();
    for entry in each(container, "PlaySessionStateNotification") {
        signals.extend(playback(entry));
    }
    if container.values().any(|list| list.as_array().is_some_and(|list| list.len() > MAX_EVENTS)) {
        return vec![ServerEvent::Stale(invalidation::all())];
    }
    each(container, "TimelineEntry").for_each(|entry| stale.extend(timeline(entry)));
    each(container, "ActivityNotification").for_each(|entry| stale.extend(activity(entry)));
    each(container, "StatusNotification").for_each(|entry| stale.extend(status(entry)));
    stale.extend(by_kind(container));
    unique(&mut stale);
    if stale.len() > MAX_INVALIDATIONS {
        return vec![ServerEvent::Stale(invalidation::all())];
    }
    if !stale.is_empty() {
        signals.push(ServerEvent::Stale(stale));
    }
    signals
}

/// The objects in a member, which may be one or a list.
pub(crate) fn each<'a>(container: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    let list = match container.get(name) {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    list.iter().filter_map(Value::as_object)
}

/// A member as text, whether it was sent as text or as a number.
pub(crate) fn text(entry: &Map<String, Value>, name: &str) -> Option<String> {
    match entry.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn playback(entry: &Map<String, Value>) -> Option<ServerEvent> {
    let state = match text(entry, "state")?.as_str() {
        "playing" => PlaybackState::Playing,
        "buffering" => PlaybackState::Buffering,
        "paused" => PlaybackState::Paused,
        _ => PlaybackState::Stopped,
    };
    let item = text(entry, "ratingKey").or_else(|| item_ids(&text(entry, "key")?).pop()).unwrap_or_default();
    let session = text(entry, "sessionKey").or_else(|| text(entry, "clientIdentifier")).unwrap_or_default();
    let position_ms = text(entry, "viewOffset").and_then(|position| position.parse().ok());
    Some(ServerEvent::Playback { session, item, state, position_ms })
}

fn timeline(entry: &Map<String, Value>) -> Vec<TagInvalidation> {
    let kind = text(entry, "type").unwrap_or_default();
    let is_guide = text(entry, "identifier").is_some_and(|identifier| identifier.starts_with(GUIDE));
    let section = text(entry, "sectionID").filter(|id| is_positive(id));
    let settled = text(entry, "state").is_some_and(|state| matches!(state.as_str(), "0" | "5" | "9"));
    if is_guide || kind == "-1" {
        return Vec::new();
    }
    let ids: Vec<String> =
        ["itemID", "parentItemID", "rootItemID"].iter().filter_map(|name| text(entry, name)).collect();
    let ids: Vec<String> = ids.into_iter().filter(|id| is_positive(id)).collect();
    if kind == "15" {
        return invalidation::playlist(ids.first().map(String::as_str));
    }
    if !settled && !is_deleted(entry) {
        return Vec::new();
    }
    let mut stale = invalidation::section_moved(section.as_deref());
    if !ids.is_empty() {
        stale.extend(invalidation::announced(&ids));
    }
    if is_deleted(entry) || text(entry, "state").as_deref() == Some("9") {
        stale.extend(ids.first().map(|item| TagInvalidation::everyone(Tag::image(item))));
    }
    stale
}

pub(crate) fn is_deleted(entry: &Map<String, Value>) -> bool {
    entry.get("metadataState").and_then(Value::as_str) == Some("deleted")
}

pub(crate) fn is_positive(id: &str) -> bool {
    id.parse::<u64>().is_ok_and(|id| id > 0)
}

fn activity(entry: &Map<String, Value>) -> Vec<TagInvalidation> {
    let event = text(entry, "event").unwrap_or_default();
    let empty = Map::new();
    let what = entry.get("Activity").and_then(Value::as_object).unwrap_or(&empty);
    let context = what.get("Context").and_then(Value::as_object).unwrap_or(&empty);
    // Browsing triggers refreshes of items, which mostly find no change.
    if matches!(context.get("refreshed"), Some(Value::Bool(false))) {
        return Vec::new();
    }
    // Progress comes many times a second and affects only responses with a shorter lifetime anyway.
    if event != "started" && event != "ended" {
        return Vec::new();
    }
    let mut stale = invalidation::everyone([Tag::activities()]);
    let kind = text(what, "type").unwrap_or_default();
    let section = text(context, "librarySectionID").filter(|id| is_positive(id));
    match kind.as_str() {
        "library.update.section" if event == "ended" => {
            stale.extend(invalidation::section_moved(section.as_deref()));
        }
        "library.update.section" => stale.push(TagInvalidation::everyone(Tag::sections())),
        "library.refresh.items" | "library.update.item.metadata" if event == "ended" => {
            let ids = text(context, "key").map(|key| item_ids(&key)).unwrap_or_default();
            // A refresh may replace the images; an update is also that of an edit.
            let is_refresh = kind == "library.refresh.items";
            stale.extend(if is_refresh { invalidation::pictured(&ids) } else { invalidation::announced(&ids) });
            match section {
                Some(section) if !ids.is_empty() => stale.extend(invalidation::section_moved(Some(&section))),
                _ => stale.extend(invalidation::edited(&ids)),
            }
        }
        _ if kind.starts_with("media.generate") && event == "ended" => {
            let ids = text(context, "key").map(|key| item_ids(&key)).unwrap_or_default();
            if !ids.is_empty() {
                stale.extend(invalidation::pictured(&ids));
            }
        }
        _ => {}
    }
    stale
}

fn status(entry: &Map<String, Value>) -> Vec<TagInvalidation> {
    match text(entry, "notificationName").as_deref() {
        Some("LIBRARY_UPDATE") => invalidation::section_moved(None),
        _ => Vec::new(),
    }
}

/// Entries identified by their type, or by the one member present without it.
fn by_kind(container: &Map<String, Value>) -> Vec<TagInvalidation> {
    let kind = container.get("type").and_then(Value::as_str).unwrap_or("");
    let has = |name: &str| container.contains_key(name);
    match kind {
        "transcodeSession.start" | "transcodeSession.end" | "transcode.end" => {
            invalidation::everyone([Tag::sessions()])
        }
        // Sent once a second for each session; session lists live no longer than that anyway.
        "transcodeSession.update" => Vec::new(),
        "preference" | "update.statechange" | "device" | "account" | "reachability" => invalidation::server(),
        "provider.content.change" => invalidation::everyone([Tag::watch_lists()]),
        _ if has("TranscodeSession") => invalidation::everyone([Tag::sessions()]),
        _ if has("Setting") || has("AutoUpdateNotification") => invalidation::server(),
        _ => Vec::new(),
    }
}

fn unique(stale: &mut Vec<TagInvalidation>) {
    let mut seen = std::collections::HashSet::new();
    stale.retain(|staling| seen.insert(staling.clone()));
}
