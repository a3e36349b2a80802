//! `/Items/{id}/PlaybackInfo`: how an item can be played.

use http::Method;
use serde_json::json;

use super::Outcome;
use crate::jellyfin::ask::Ask;
use crate::jellyfin::dto;
use crate::jellyfin::ident::digest;
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::scene::item_of;

/// Always as it is: nothing is transcoded here. Every answer opens a playback of its own.
pub(super) fn info(ask: &Ask<'_>, id: &str) -> Outcome {
    if !matches!(ask.method, Method::GET | Method::POST) {
        return Err(Refusal::WrongMethod);
    }
    let user = ask.user()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let record = item_of(Ask::id(id)?).and_then(|item| scene.record(item)).ok_or(Refusal::NotFound)?;
    let session = digest(&[u64::from(record.id.0), ask.now_ms, ask.ground.ledger.total()]);
    Ok(Reply::json(json!({"MediaSources": dto::sources(&record), "PlaySessionId": session})))
}
