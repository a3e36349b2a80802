//! The frames of notifications, one for each thing that happened.

use serde_json::{Value, json};

use super::kind;
use super::server::LIBRARY;
use super::switches::Switches;
use crate::catalogue::{ItemId, Section};
use crate::state::{Activity, Cause, Change, Moved, Session};
use crate::users::User;

/// A frame before it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    /// Its type, which is also the name of the event.
    pub(super) kind: &'static str,
    /// The name of its list.
    pub(super) list: &'static str,
    /// What is in the list.
    pub(super) rows: Vec<Value>,
}

/// States of an item on its way into the library.
const CREATED: u32 = 0;
const PROCESSED: u32 = 5;
const DELETED: u32 = 9;

impl Frame {
    fn one(kind: &'static str, list: &'static str, row: Value) -> Self {
        Self { kind, list, rows: vec![row] }
    }

    /// The text the socket sends.
    pub(super) fn enveloped(&self) -> String {
        json!({ "NotificationContainer": { "type": self.kind, "size": self.rows.len(), self.list: self.rows } })
            .to_string()
    }
}

/// What `user` is told of a change.
pub(super) fn of(change: &Change, user: &User, switches: &Switches) -> Vec<Frame> {
    match change {
        Change::Added(moved) if user.sees(moved.section) => {
            vec![timeline(moved, CREATED, "created"), timeline(moved, PROCESSED, "")]
        }
        Change::Edited(moved) if user.sees(moved.section) => vec![timeline(moved, PROCESSED, "")],
        Change::Deleted(moved) if user.sees(moved.section) => vec![timeline(moved, DELETED, "deleted")],
        Change::Playlist { owner, playlist, title, deleted, .. } if *owner == user.id => {
            let state = if *deleted { DELETED } else { PROCESSED };
            vec![playlist_entry(*playlist, title, state)]
        }
        Change::Playing { session, user: player, item, progress, offset_ms, client }
            if user.admin || *player == user.id =>
        {
            vec![playing(session, *item, progress.word(), *offset_ms, client)]
        }
        Change::Watched { user: watcher, item, cause }
            if switches.scrobble_announced
                && (user.admin || *watcher == user.id)
                && *cause != Cause::Progress =>
        {
            vec![watched(*item)]
        }
        Change::Activity(done) if user.admin => vec![activity(done)],
        Change::Scanned(section) if user.admin => vec![scanned(*section)],
        Change::Server if user.admin => {
            vec![Frame::one("preference", "Setting", json!({ "id": "FriendlyName", "group": "general" }))]
        }
        _ => Vec::new(),
    }
}

fn timeline(moved: &Moved, state: u32, metadata_state: &str) -> Frame {
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
    Frame::one("timeline", "TimelineEntry", row)
}

fn playlist_entry(playlist: ItemId, title: &str, state: u32) -> Frame {
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
    Frame::one("timeline", "TimelineEntry", row)
}

fn watched(item: ItemId) -> Frame {
    let row = json!({ "identifier": LIBRARY, "itemID": item.0, "title": "", "state": PROCESSED });
    Frame::one("timeline", "TimelineEntry", row)
}

fn playing(session: &str, item: ItemId, state: &str, offset_ms: u64, client: &str) -> Frame {
    Frame::one(
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

/// What is told of a session every second.
pub(super) fn playing_now(session: &Session) -> Frame {
    playing(&session.key, session.item, session.progress.word(), session.offset_ms, &session.device.client)
}

fn activity(done: &Activity) -> Frame {
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
    Frame::one("activity", "ActivityNotification", row)
}

fn scanned(section: Section) -> Frame {
    Frame::one(
        "status",
        "StatusNotification",
        json!({
            "title": "Library scan complete",
            "description": format!("{} was looked through", section.title()),
            "notificationName": "LIBRARY_UPDATE",
        }),
    )
}
