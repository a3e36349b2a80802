//! `/ScheduledTasks`.

use http::Method;
use serde_json::Value;

use super::RouteResult;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::server::{cancel_task, run_task};
use crate::jellyfin::tasks::{SCAN, ScheduledTasks};

/// Progress of a scan that is begun and ended by a test, in percent.
pub(super) const HALFWAY: f64 = 50.0;

/// Everything below `/ScheduledTasks`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    ask.admin()?;
    let key = |id: &str| ScheduledTasks::key_of(JellyfinRequest::id(id)?).ok_or(JellyfinError::NotFound);
    match (&ask.method, rest) {
        (&Method::GET, []) => {
            let hidden = ask.params.flag("ishidden")?;
            let mut rows = if hidden == Some(true) { Vec::new() } else { ask.server.tasks.written(ask.now_ms) };
            if ask.context.state.view().is_scanning() {
                for row in rows.iter_mut().filter(|row| row["Key"] == SCAN) {
                    (row["State"], row["CurrentProgressPercentage"]) = ("Running".into(), HALFWAY.into());
                }
            }
            Ok(JellyfinResponse::json(Value::Array(rows)))
        }
        (&Method::GET, [id]) => {
            ask.server.tasks.one(key(id)?, ask.now_ms).map(JellyfinResponse::json).ok_or(JellyfinError::NotFound)
        }
        (&Method::POST, ["running", id]) => {
            run_task(ask.server, ask.context, key(id)?, ask.now_ms);
            Ok(JellyfinResponse::no_content())
        }
        (&Method::DELETE, ["running", id]) => {
            cancel_task(ask.server, ask.context, key(id)?, ask.now_ms);
            Ok(JellyfinResponse::no_content())
        }
        _ => Err(JellyfinError::NotFound),
    }
}
