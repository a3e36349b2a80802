//! `/System/ActivityLog/Entries`: the activity log, newest first or sorted. Its sort keys and directions are repeated
//! parameters, its type is one text.

use serde_json::json;

use super::RouteResult;
use crate::jellyfin::activity_log::{ActivityLogOrder, ActivityLogQuery, SORT_KEYS};
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
        name: ask.params.text("name").map(str::to_lowercase),
        event: ask.params.text("type").map(str::to_lowercase),
        order: order(ask)?,
    };
    let (rows, total) = ask.server.activity_log.read(&wanted);
    Ok(JellyfinResponse::json(json!({"Items": rows, "TotalRecordCount": total, "StartIndex": start})))
}

/// Sort keys in order. A key without a direction of its own takes the first direction given.
fn order(ask: &JellyfinRequest<'_>) -> Result<Vec<ActivityLogOrder>, JellyfinError> {
    let joined_are_one = ask.server.switches.joined_enums_lose;
    let keys = ask.params.repeated("sortby", &SORT_KEYS, joined_are_one)?;
    let directions = ask.params.repeated("sortorder", &["Ascending", "Descending"], joined_are_one)?;
    let descends = |at: usize| directions.get(at).or(directions.first()) == Some(&"Descending");
    Ok(keys.into_iter().enumerate().map(|(at, key)| (key, descends(at))).collect())
}
