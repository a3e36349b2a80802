//! Sessions and playback history.

use super::listing::list_of_rows;
use super::{container, nothing};
use crate::node::Node;
use crate::request::{FORBIDDEN, NOT_FOUND, PlexReadRequest, PlexResponse, PlexResult};
use crate::response::RowWindow;
use crate::rows::{play, session};
use crate::switches::SharedSessionsPolicy;
use greenroom_simulator_backend::catalogue::{ItemId, MediaKind, Section};
use greenroom_simulator_backend::state::PlayRecord;

pub(super) fn answer(call: &PlexReadRequest<'_>, path: &[&str]) -> PlexResult {
    match path {
        [] => sessions(call),
        ["background"] => {
            call.owner_only()?;
            PlexResponse::tree(container(0))
        }
        ["history", "all"] => history(call),
        ["history", id] => {
            let id: u64 = id.parse().map_err(|_| NOT_FOUND)?;
            let found = call.view.plays().iter().find(|play| play.id == id && may_know(call, play));
            PlexResponse::tree(container(1).with(play::row(call, found.ok_or(NOT_FOUND)?)))
        }
        _ => nothing(),
    }
}

fn sessions(call: &PlexReadRequest<'_>) -> PlexResult {
    if !call.user.admin && call.switches().shared_sessions == SharedSessionsPolicy::Forbidden {
        return Err(FORBIDDEN);
    }
    let rows: Vec<Node> = call
        .view
        .sessions()
        .iter()
        .filter(|session| call.user.admin || session.user == call.user.id)
        .filter_map(|one| session::row(call, one))
        .collect();
    PlexResponse::tree(container(rows.len()).with_all(rows))
}

/// Whether the user may see a play: the owner all, others their own.
fn may_know(call: &PlexReadRequest<'_>, play: &PlayRecord) -> bool {
    call.user.admin || play.user == call.user.id
}

fn history(call: &PlexReadRequest<'_>) -> PlexResult {
    let fits = filter(call);
    let mut plays: Vec<&PlayRecord> =
        call.view.plays().iter().filter(|play| may_know(call, play) && fits(play)).collect();
    // Stored oldest first, which is also the server's order without `sort`.
    if call.params.get("sort").is_some_and(|sort| sort.starts_with("viewedAt") && sort.ends_with(":desc")) {
        plays.reverse();
    }
    if let Some(limit) = call.params.number("limit") {
        plays.truncate(limit);
    }
    let page = call.params.page();
    let total = plays.len();
    let shown = plays.into_iter().skip(page.start).take(page.size.unwrap_or(total));
    let rows: Vec<Node> = shown.map(|one| play::row(call, one)).collect();
    if !page.asked {
        return list_of_rows(call, |node| node, rows);
    }
    let window = RowWindow { start: page.start, total };
    let node = super::listing::windowed(container(rows.len()), Some(window));
    Ok(PlexResponse::Tree(node.with_all(rows), Some(window)))
}

fn filter<'a>(call: &'a PlexReadRequest<'_>) -> impl Fn(&PlayRecord) -> bool + use<'a> {
    let account: Option<u32> = call.params.number("accountID");
    let device: Option<u32> = call.params.number("deviceID");
    let item: Option<u32> = call.params.number("metadataItemID");
    let section: Option<u32> = call.params.number("librarySectionID");
    let since: Option<u64> = call.params.number("viewedAt>");
    let after: Option<u64> = call.params.number("viewedAt>>");
    let until: Option<u64> = call.params.number("viewedAt<");
    let before: Option<u64> = call.params.number("viewedAt<<");
    let in_section = move |play: &PlayRecord, section: u32| {
        call.view.kind(play.item).map(MediaKind::section) == Section::numbered(section)
    };
    let of_item = move |play: &PlayRecord, item: u32| {
        let mut at = Some(play.item);
        while let Some(here) = at {
            if here == ItemId(item) {
                return true;
            }
            at = call.view.parent(here);
        }
        false
    };
    move |play| {
        account.is_none_or(|account| play.user.0 == account)
            && device.is_none_or(|device| play.device == device)
            && since.is_none_or(|since| play.viewed_at >= since)
            && after.is_none_or(|after| play.viewed_at > after)
            && until.is_none_or(|until| play.viewed_at <= until)
            && before.is_none_or(|before| play.viewed_at < before)
            && item.is_none_or(|item| of_item(play, item))
            && section.is_none_or(|section| in_section(play, section))
    }
}
