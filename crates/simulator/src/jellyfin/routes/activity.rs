//! `/System/ActivityLog/Entries`: the activity log, newest first.

use serde_json::json;

use super::RouteResult;
use crate::jellyfin::activity_log::ActivityLogQuery;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::timestamp;

/// A page of the log.
pub(super) fn entries(ask: &JellyfinRequest<'_>) -> RouteResult {
    ask.admin()?;
    let since =
        ask.params.text("mindate").map(|date| timestamp::read(date).ok_or_else(|| JellyfinError::invalid("minDate")));
    let start = ask.params.count("startindex")?.unwrap_or(0);
    let wanted = ActivityLogQuery {
        since_ms: since.transpose()?,
        with_user: ask.params.flag("hasuserid")?,
        start,
        limit: ask.params.count("limit")?.unwrap_or(usize::MAX),
    };
    let (rows, total) = ask.server.activity_log.read(wanted);
    Ok(JellyfinResponse::json(json!({"Items": rows, "TotalRecordCount": total, "StartIndex": start})))
}
