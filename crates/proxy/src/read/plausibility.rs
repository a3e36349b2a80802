//! Compares a loaded list with the stored one, for the shrink guard.

use greenroom_cache::{Entry, Partition};
use greenroom_dialect::classification::Read;
use greenroom_dialect::response_facts::ResponseFacts;

use crate::response;
use crate::server::Server;
use greenroom_origin::shrink_guard::{self, ShrinkDecision, is_halved};

/// Whether a list is so much shorter than before that the server may not be settled yet. Without a usable stored list
/// there is nothing to protect.
pub(super) fn is_suspiciously_short(
    server: &Server,
    partition: &Partition,
    read: &Read,
    facts: &ResponseFacts,
    old: Option<&Entry>,
) -> bool {
    let Some(total) = facts.total else { return false };
    let (guard, now_ms) = (&server.shrink_guard, server.origin.clock.now());
    let is_settled = guard.is_settled(server.origin.breaker.last_restart_sign_ms(), now_ms);
    let (suspect, remembered_rows) = (guard.suspect(partition, &read.key), guard.earlier_rows(partition, &read.key));
    if is_settled && suspect.is_none() {
        if remembered_rows.is_some() {
            guard.forget(partition, &read.key);
        }
        return false;
    }
    let usable = old.filter(|old| now_ms < old.deadlines().error_until_ms);
    let stored_rows = usable.and_then(|old| count_rows(server, read, old));
    let earlier_rows = stored_rows.map_or(0, |stored| stored.max(remembered_rows.unwrap_or(0)));
    if shrink_guard::decide(earlier_rows, total, is_settled, suspect, now_ms) == ShrinkDecision::Reject {
        guard.record(partition, &read.key, total, now_ms);
        return true;
    }
    // A list that was confirmed, or that did not shrink, is what the next one is compared with.
    if is_settled || total >= earlier_rows || is_halved(earlier_rows, total) {
        guard.forget(partition, &read.key);
    } else {
        guard.record_shorter(partition, &read.key, earlier_rows);
    }
    false
}

/// Number of rows of the stored list.
fn count_rows(server: &Server, read: &Read, entry: &Entry) -> Option<u64> {
    let (_, headers) = response::parse_head(entry.meta());
    server.origin.settings.kind.inspect(read, &headers, entry.body()).ok()?.total
}
