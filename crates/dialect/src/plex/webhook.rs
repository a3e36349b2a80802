//! Invalidations from a Plex webhook. Its payload may be forged or replayed, so it does nothing but
//! invalidate.

use serde_json::{Map, Value};

use crate::plex::invalidation;
use crate::plex::notification::text;
use crate::server_event::PlaybackState;
use crate::tag::{Tag, TagInvalidation};

/// Longest payload in bytes; longer ones are ignored.
const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;

/// Invalidations for the `payload` field of a webhook. They concern everyone, because the gateway cannot map
/// the webhook's account to a token.
pub fn webhook(json: &[u8]) -> Vec<TagInvalidation> {
    if json.len() > MAX_PAYLOAD_BYTES {
        return Vec::new();
    }
    let Ok(Value::Object(payload)) = serde_json::from_slice::<Value>(json) else { return Vec::new() };
    let empty = Map::new();
    let item = payload.get("Metadata").and_then(Value::as_object).unwrap_or(&empty);
    let ids: Vec<String> = text(item, "ratingKey").into_iter().collect();
    let played = |state| match ids.first() {
        Some(id) => invalidation::playback_invalidations(id, state),
        None => invalidation::watched(&[], TagInvalidation::everyone),
    };
    match text(&payload, "event").as_deref().unwrap_or_default() {
        "library.new" => {
            let above = ["parentRatingKey", "grandparentRatingKey"].iter().filter_map(|name| text(item, name));
            let ids: Vec<String> = ids.iter().cloned().chain(above).collect();
            let mut stale = invalidation::announced(&ids);
            stale.extend(invalidation::section_moved(text(item, "librarySectionID").as_deref()));
            stale
        }
        "library.on.deck" => invalidation::everyone([Tag::watch_lists(), Tag::across()]),
        "media.play" | "media.resume" | "playback.started" => played(PlaybackState::Playing),
        "media.pause" => played(PlaybackState::Paused),
        "media.stop" => played(PlaybackState::Stopped),
        "media.scrobble" | "media.rate" => invalidation::watched(&ids, TagInvalidation::everyone),
        "device.new" => invalidation::everyone([Tag::server(), Tag::users()]),
        _ => Vec::new(),
    }
}
