//! `/MediaSegments`: intro, recap and outro of films and episodes, made anew by each run of their task.

use http::Method;
use serde_json::{Value, json};

use super::RouteResult;
use crate::catalogue::MediaKind;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::ident::digest;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::item_id_of;
use crate::jellyfin::tasks;
use crate::timestamp::TICKS_PER_MS;

/// Types of segments by their number.
const TYPES: [&str; 6] = ["Unknown", "Commercial", "Preview", "Recap", "Outro", "Intro"];

/// Segments of every item, with begin and end in thousandths of its duration.
const MADE: [(&str, u64, u64); 3] = [("Recap", 0, 20), ("Intro", 20, 50), ("Outro", 950, 1_000)];

/// Everything below `/MediaSegments`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    match (&ask.method, rest) {
        (&Method::GET, [id]) => segments(ask, id),
        _ => Err(JellyfinError::NotFound),
    }
}

/// `GET /MediaSegments/{id}`: the segments of the requested types, all if none is requested.
fn segments(ask: &JellyfinRequest<'_>, id: &str) -> RouteResult {
    let id = JellyfinRequest::id(id)?;
    let wanted = ask.params.repeated("includesegmenttypes", &TYPES, ask.server.switches.joined_enums_lose)?;
    let user = ask.user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let item = item_id_of(id).ok_or(JellyfinError::NotFound)?;
    let record = scene.record(item).ok_or(JellyfinError::NotFound)?;
    let lasts = record
        .duration_ms
        .filter(|_| matches!(record.kind, MediaKind::Film | MediaKind::Episode))
        .map(|ms| ms * TICKS_PER_MS);
    let run = ask.server.tasks.last_end_ms(tasks::SEGMENTS, ask.now_ms).unwrap_or(0);
    let made = MADE.iter().filter(|(kind, ..)| wanted.is_empty() || wanted.contains(kind));
    let row = |(kind, begin, end): &(&str, u64, u64), ticks: u64| {
        json!({
            "Id": digest(&[item.0.into(), *begin, run]),
            "ItemId": id.hex(),
            "Type": kind,
            "StartTicks": ticks * begin / 1_000,
            "EndTicks": ticks * end / 1_000,
        })
    };
    let rows: Vec<Value> = lasts.map(|ticks| made.map(|made| row(made, ticks)).collect()).unwrap_or_default();
    let total = rows.len();
    Ok(JellyfinResponse::json(json!({"Items": rows, "TotalRecordCount": total, "StartIndex": 0})))
}
