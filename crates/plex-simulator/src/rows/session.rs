//! Sessions as rows: item, user and player.

use super::item::{self, RowDetail};
use crate::node::Node;
use crate::request::PlexReadRequest;
use greenroom_simulator_backend::state::{PlayerState, SimulatedSession};

/// A session as a row, if its item still exists.
pub(crate) fn row(call: &PlexReadRequest<'_>, session: &SimulatedSession) -> Option<Node> {
    let record = call.view.record(session.item)?;
    let user = call.view.user(session.user)?;
    let device = &session.device;
    let mut node = item::row(call, &record, RowDetail { detail: true, ..RowDetail::DETAIL });
    node.fields.retain(|(name, _)| *name != "viewOffset");
    let state = if session.progress == PlayerState::Buffering { "buffering" } else { session.progress.word() };
    let address = if device.address.is_empty() { "127.0.0.1" } else { &device.address };
    Some(
        node.set("sessionKey", &session.key)
            .set("viewOffset", session.offset_ms)
            .with(
                Node::single("User")
                    .set("id", user.id.to_string())
                    .set("thumb", format!("/accounts/{}/thumb", user.id))
                    .set("title", &user.name),
            )
            .with(
                Node::single("Player")
                    .set("address", address.to_owned())
                    .set("device", &device.name)
                    .set("machineIdentifier", &device.client)
                    .set("model", "simulated")
                    .set("platform", &device.platform)
                    .set("platformVersion", "1.0")
                    .set("product", &device.product)
                    .set("profile", "Generic")
                    .set("remotePublicAddress", address.to_owned())
                    .set("state", state)
                    .set("title", &device.name)
                    .set("version", &device.version)
                    .set("local", true)
                    .set("relayed", false)
                    .set("secure", false)
                    .set("userID", user.id.0),
            )
            .with(
                Node::single("Session")
                    .set("id", &session.id)
                    .set("bandwidth", record.file.as_ref().map_or(0, |file| file.bitrate))
                    .set("location", "lan"),
            ),
    )
}
