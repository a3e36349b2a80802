//! Scans: they begin at once, last a while, and are reported as activities.

use std::sync::Arc;

use http::Method;

use super::done;
use crate::request::{NOT_FOUND, PlexResult, PlexWriteRequest};
use crate::server::PlexServer;
use greenroom_simulator_backend::catalogue::{ItemId, Section};
use greenroom_simulator_backend::serve::SimulatorContext;
use greenroom_simulator_backend::state::{SimulatedActivity, StateChange};
use greenroom_simulator_backend::users::UserId;

/// `/library/sections/1/refresh`, and `all` for every section.
pub(super) fn answer(order: &PlexWriteRequest<'_>, id: &str) -> PlexResult {
    order.owner_only()?;
    let sections = match id {
        "all" => Section::EVERY.to_vec(),
        id => vec![id.parse().ok().and_then(Section::numbered).ok_or(NOT_FOUND)?],
    };
    if order.request.method == Method::DELETE {
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

fn uuid(ground: &SimulatorContext, what: &str, number: u64) -> String {
    ground.state.catalogue().rng().uuid(what, number)
}

fn begin(order: &PlexWriteRequest<'_>, section: Section) {
    let number = order.state().seq() * 16 + u64::from(section.number());
    let activity = SimulatedActivity {
        uuid: uuid(order.context, "scan", number),
        kind: "library.update.section".into(),
        event: "started",
        title: format!("Scanning {}", section.title()),
        subtitle: section.folder().into(),
        progress: 0,
        section: Some(section),
        item: None,
        refreshed: true,
    };
    order.state().write(order.user_id(), |write| {
        write.set_scanning(section, true);
        write.announce(StateChange::Activity(activity.clone()));
    });
    order.server.begin(activity.clone());
    let (server, ground) = (Arc::clone(order.server), Arc::clone(order.context));
    order.context.spawn(async move {
        ground.state.clock().sleep(server.switches.scan_takes).await;
        end(&server, &ground, &activity.uuid, section);
    });
}

fn cancel(order: &PlexWriteRequest<'_>, section: Section) {
    let running = order.server.activities().into_iter().filter(|activity| activity.section == Some(section));
    for activity in running {
        end(order.server, order.context, &activity.uuid, section);
    }
}

/// Ends a scan. The second caller finds nothing to end.
fn end(server: &PlexServer, ground: &SimulatorContext, uuid: &str, section: Section) {
    let Some(activity) = server.end(uuid) else { return };
    let ended = SimulatedActivity { event: "ended", progress: 100, ..activity };
    ground.state.write(UserId::OWNER, |write| {
        write.set_scanning(section, false);
        write.announce(StateChange::Activity(ended));
    });
}

/// Refreshes the metadata of items.
pub(super) fn refresh_items(order: &PlexWriteRequest<'_>, ids: &[ItemId]) {
    order.state().write(order.user_id(), |write| {
        for id in ids {
            let activity = SimulatedActivity {
                uuid: uuid(order.context, "refresh", write.seq() * 1_000 + u64::from(id.0)),
                kind: "library.refresh.items".into(),
                event: "ended",
                title: "Refreshing".into(),
                subtitle: String::new(),
                progress: 100,
                section: None,
                item: Some(*id),
                refreshed: true,
            };
            order.server.replace_images(*id);
            write.edit(*id, |_| {});
            write.announce(StateChange::Activity(activity));
        }
    });
}
