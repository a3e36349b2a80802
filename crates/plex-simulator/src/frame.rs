//! Notification frames, one per event.

use serde_json::{Value, json};

use super::kind;
use super::server::LIBRARY;
use super::switches::PlexSwitches;
use greenroom_simulator_backend::catalogue::{ItemId, Section};
use greenroom_simulator_backend::state::{
    ItemChange, PlaylistChangeCause, SimulatedActivity, SimulatedSession, StateChange, WatchChangeCause,
};
use greenroom_simulator_backend::users::SimulatedUser;

/// A frame before encoding.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NotificationFrame {
    /// Its type, which is also the name of the event.
    pub(super) kind: &'static str,
    /// The name of its list.
    pub(super) list: &'static str,
    /// Elements of the list.
    pub(super) rows: Vec<Value>,
}

/// States of an item that is being added to the library.
const CREATED: u32 = 0;
const PROCESSED: u32 = 5;
const DELETED: u32 = 9;

impl NotificationFrame {
    fn one(kind: &'static str, list: &'static str, row: Value) -> Self {
        Self { kind, list, rows: vec![row] }
    }

    /// The frame with its envelope, for the socket.
    pub(super) fn enveloped(&self) -> String {
        json!({ "NotificationContainer": { "type": self.kind, "size": self.rows.len(), self.list: self.rows } })
            .to_string()
    }
}

/// Notifications of a change for `user`.
pub(super) fn frames_for(
    change: &StateChange,
    user: &SimulatedUser,
    switches: &PlexSwitches,
) -> Vec<NotificationFrame> {
    match change {
        StateChange::Added(moved) if user.sees(moved.section) => {
            vec![timeline(moved, CREATED, "created"), timeline(moved, PROCESSED, "")]
        }
        StateChange::Edited(moved) if user.sees(moved.section) => vec![timeline(moved, PROCESSED, "")],
        StateChange::Deleted(moved) if user.sees(moved.section) => vec![timeline(moved, DELETED, "deleted")],
        StateChange::Playlist { owner, playlist, title, cause, .. } if *owner == user.id => {
            let state = if *cause == PlaylistChangeCause::Deleted { DELETED } else { PROCESSED };
            vec![playlist_entry(*playlist, title, state)]
        }
        StateChange::Playing { session, user: player, item, progress, offset_ms, client }
            if user.admin || *player == user.id =>
        {
            vec![playing(session, *item, progress.word(), *offset_ms, client)]
        }
        StateChange::Watched { user: watcher, item, cause }
            if switches.scrobble_announced
                && (user.admin || *watcher == user.id)
                && *cause != WatchChangeCause::Progress =>
        {
            vec![watched(*item)]
        }
        StateChange::Activity(done) if user.admin => vec![activity(done)],
        StateChange::Scanned(section) if user.admin => vec![scanned(*section)],
        StateChange::Server if user.admin => {
            vec![NotificationFrame::one("preference", "Setting", json!({ "id": "FriendlyName", "group": "general" }))]
        }
        _ => Vec::new(),
    }
}

fn timeline(moved: &ItemChange, state: u32, metadata_state: &str) -> NotificationFrame {
    let root = moved.grandparent.or(moved.parent).unwrap_or(moved.item);
    let mut row = json!({
        "identifier": LIBRARY,
        "sectionID": moved.section.number(),
        "itemID": moved.item.0,
        "parentItemID": moved.parent.map_or(-1, |id| i64::from(id.0)),
        "rootItemID": root.0,
        "type": kind::number(moved.kind),
        "title": moved.title,
        "state": state,
        "updatedAt": moved.at,
    });
    if !metadata_state.is_empty() {
        row["metadataState"] = metadata_state.into();
    }
    NotificationFrame::one("timeline", "TimelineEntry", row)
}

fn playlist_entry(playlist: ItemId, title: &str, state: u32) -> NotificationFrame {
    let mut row = json!({
        "identifier": LIBRARY,
        "sectionID": -1,
        "itemID": playlist.0,
        "type": kind::PLAYLIST,
        "title": title,
        "state": state,
    });
    if state == DELETED {
        row["metadataState"] = "deleted".into();
    }
    NotificationFrame::one("timeline", "TimelineEntry", row)
}

fn watched(item: ItemId) -> NotificationFrame {
    let row = json!({ "identifier": LIBRARY, "itemID": item.0, "title": "", "state": PROCESSED });
    NotificationFrame::one("timeline", "TimelineEntry", row)
}

fn playing(session: &str, item: ItemId, state: &str, offset_ms: u64, client: &str) -> NotificationFrame {
    NotificationFrame::one(
        "playing",
        "PlaySessionStateNotification",
        json!({
            "sessionKey": session,
            "clientIdentifier": client,
            "guid": "",
            "ratingKey": item.to_string(),
            "url": "",
            "key": format!("/library/metadata/{item}"),
            "viewOffset": offset_ms,
            "playQueueItemID": 1,
            "playQueueID": 1,
            "state": state,
        }),
    )
}

/// Notification of a session, sent every second.
pub(super) fn playing_now(session: &SimulatedSession) -> NotificationFrame {
    playing(&session.key, session.item, session.progress.word(), session.offset_ms, &session.device.client)
}

fn activity(done: &SimulatedActivity) -> NotificationFrame {
    let mut row = json!({
        "event": done.event,
        "uuid": done.uuid,
        "Activity": {
            "uuid": done.uuid,
            "type": done.kind,
            "cancellable": false,
            "userID": 1,
            "title": done.title,
            "subtitle": done.subtitle,
            "progress": done.progress,
        },
    });
    if let Some(section) = done.section {
        row["Activity"]["Context"] = json!({ "librarySectionID": section.number().to_string() });
    }
    if let Some(item) = done.item {
        row["Activity"]["Context"] = json!({
            "key": format!("/library/metadata/{item}"),
            "accessible": true,
            "exists": true,
            "refreshed": done.refreshed,
            "analyzed": false,
        });
    }
    NotificationFrame::one("activity", "ActivityNotification", row)
}

fn scanned(section: Section) -> NotificationFrame {
    NotificationFrame::one(
        "status",
        "StatusNotification",
        json!({
            "title": "Library scan complete",
            "description": format!("{} was looked through", section.title()),
            "notificationName": "LIBRARY_UPDATE",
        }),
    )
}
