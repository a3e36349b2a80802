//! `/Items/{id}/PlaybackInfo`: ways to play an item.

use http::Method;
use serde_json::json;

use super::RouteResult;
use crate::jellyfin::dto;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::ident::digest;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::item_id_of;

/// Always direct play: nothing is transcoded here. Every response opens a playback of its own.
pub(super) fn info(ask: &JellyfinRequest<'_>, id: &str) -> RouteResult {
    if !matches!(ask.method, Method::GET | Method::POST) {
        return Err(JellyfinError::WrongMethod);
    }
    let user = ask.user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let record =
        item_id_of(JellyfinRequest::id(id)?).and_then(|item| scene.record(item)).ok_or(JellyfinError::NotFound)?;
    let session = digest(&[u64::from(record.id.0), ask.now_ms, ask.context.request_log.total()]);
    Ok(JellyfinResponse::json(json!({"MediaSources": dto::sources(&record), "PlaySessionId": session})))
}
