//! `/System/ActivityLog/Entries`: what happened, newest first.

use serde_json::json;

use super::Outcome;
use crate::jellyfin::ask::Ask;
use crate::jellyfin::journal::Wanted;
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::timestamp;

/// A page of the journal.
pub(super) fn entries(ask: &Ask<'_>) -> Outcome {
    ask.admin()?;
    let since = ask
        .params
        .text("mindate")
        .map(|date| timestamp::read(date).ok_or_else(|| Refusal::invalid("minDate")));
    let start = ask.params.count("startindex")?.unwrap_or(0);
    let wanted = Wanted {
        since_ms: since.transpose()?,
        with_user: ask.params.flag("hasuserid")?,
        start,
        limit: ask.params.count("limit")?.unwrap_or(usize::MAX),
    };
    let (rows, total) = ask.house.journal.read(wanted);
    Ok(Reply::json(json!({"Items": rows, "TotalRecordCount": total, "StartIndex": start})))
}
