//! What the payload of a Plex webhook makes stale. It may be forged or replayed, so it only ever makes stale.

use serde_json::{Map, Value};

use crate::plex::notification::text;
use crate::plex::stale;
use crate::signal::Playing;
use crate::tag::{Staling, Tag};

/// A payload longer than this is none.
const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;

/// What the `payload` field of a webhook makes stale. Whose account it tells of is not known to the gateway, so
/// it concerns everybody.
pub fn webhook(json: &[u8]) -> Vec<Staling> {
    if json.len() > MAX_PAYLOAD_BYTES {
        return Vec::new();
    }
    let Ok(Value::Object(payload)) = serde_json::from_slice::<Value>(json) else { return Vec::new() };
    let empty = Map::new();
    let item = payload.get("Metadata").and_then(Value::as_object).unwrap_or(&empty);
    let ids: Vec<String> = text(item, "ratingKey").into_iter().collect();
    let played = |state| match ids.first() {
        Some(id) => stale::playing(id, state),
        None => stale::watched(&[], Staling::everyone),
    };
    match text(&payload, "event").as_deref().unwrap_or_default() {
        "library.new" => {
            let above =
                ["parentRatingKey", "grandparentRatingKey"].iter().filter_map(|name| text(item, name));
            let ids: Vec<String> = ids.iter().cloned().chain(above).collect();
            let mut stale = stale::pictured(&ids);
            stale.extend(stale::section_moved(text(item, "librarySectionID").as_deref()));
            stale
        }
        "library.on.deck" => stale::everyone([Tag::watch_lists(), Tag::across()]),
        "media.play" | "media.resume" | "playback.started" => played(Playing::Playing),
        "media.pause" => played(Playing::Paused),
        "media.stop" => played(Playing::Stopped),
        "media.scrobble" | "media.rate" => stale::watched(&ids, Staling::everyone),
        "device.new" => stale::everyone([Tag::server(), Tag::users()]),
        _ => Vec::new(),
    }
}
