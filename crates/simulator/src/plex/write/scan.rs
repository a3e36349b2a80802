//! Scans: they begin at once, last a while, and say so.

use std::sync::Arc;

use http::Method;

use super::done;
use crate::catalogue::{ItemId, Section};
use crate::plex::call::{NOT_FOUND, Order, Outcome};
use crate::plex::server::Server;
use crate::serve::Ground;
use crate::state::{Activity, Change};
use crate::users::UserId;

/// `/library/sections/1/refresh`, and `all` for every section.
pub(super) fn answer(order: &Order<'_>, id: &str) -> Outcome {
    order.owner_only()?;
    let sections = match id {
        "all" => Section::EVERY.to_vec(),
        id => vec![id.parse().ok().and_then(Section::numbered).ok_or(NOT_FOUND)?],
    };
    if order.asked.method == Method::DELETE {
        for section in sections {
            cancel(order, section);
        }
        return done();
    }
    for section in sections {
        begin(order, section);
    }
    done()
}

fn uuid(ground: &Ground, what: &str, number: u64) -> String {
    ground.state.catalogue().chance().uuid(what, number)
}

fn begin(order: &Order<'_>, section: Section) {
    let number = order.state().seq() * 16 + u64::from(section.number());
    let activity = Activity {
        uuid: uuid(order.ground, "scan", number),
        kind: "library.update.section".into(),
        event: "started",
        title: format!("Scanning {}", section.title()),
        subtitle: section.folder().into(),
        progress: 0,
        section: Some(section),
        item: None,
        refreshed: true,
    };
    order.state().write(order.who(), |write| {
        write.scan(section, true);
        write.announce(Change::Activity(activity.clone()));
    });
    order.server.begin(activity.clone());
    let (server, ground) = (Arc::clone(order.server), Arc::clone(order.ground));
    order.ground.spawn(async move {
        ground.state.clock().sleep(server.switches.scan_takes).await;
        end(&server, &ground, &activity.uuid, section);
    });
}

fn cancel(order: &Order<'_>, section: Section) {
    let running = order.server.activities().into_iter().filter(|activity| activity.section == Some(section));
    for activity in running {
        end(order.server, order.ground, &activity.uuid, section);
    }
}

/// The end of a scan. Whoever comes second finds nothing to end.
fn end(server: &Server, ground: &Ground, uuid: &str, section: Section) {
    let Some(activity) = server.end(uuid) else { return };
    let ended = Activity { event: "ended", progress: 100, ..activity };
    ground.state.write(UserId::OWNER, |write| {
        write.scan(section, false);
        write.announce(Change::Activity(ended));
    });
}

/// Fetches the metadata of items anew.
pub(super) fn refresh_items(order: &Order<'_>, ids: &[ItemId]) {
    order.state().write(order.who(), |write| {
        for id in ids {
            let activity = Activity {
                uuid: uuid(order.ground, "refresh", write.seq() * 1_000 + u64::from(id.0)),
                kind: "library.refresh.items".into(),
                event: "ended",
                title: "Refreshing".into(),
                subtitle: String::new(),
                progress: 100,
                section: None,
                item: Some(*id),
                refreshed: true,
            };
            write.edit(*id, |_| {});
            write.announce(Change::Activity(activity));
        }
    });
}
