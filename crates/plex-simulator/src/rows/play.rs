//! Plays as rows of the history.

use super::item::picture;
use crate::kind;
use crate::node::Node;
use crate::request::PlexReadRequest;
use greenroom_simulator_backend::catalogue::{CalendarDate, ItemRecord};
use greenroom_simulator_backend::state::PlayRecord;

/// A play as a row. If the item was deleted, only its title is left.
pub(crate) fn row(call: &PlexReadRequest<'_>, play: &PlayRecord) -> Node {
    let key = format!("/status/sessions/history/{}", play.id);
    let record = call.view.record(play.item);
    let element = record.as_ref().map_or("Video", |record| kind::element(record.kind));
    let mut node = Node::item(element).set("historyKey", key);
    node = match &record {
        Some(record) => known(node, record),
        None => node.set("title", call.view.title(play.item).unwrap_or_default()).set("type", "movie"),
    };
    node.set("viewedAt", play.viewed_at).set("accountID", play.user.0).set("deviceID", play.device)
}

fn known(node: Node, record: &ItemRecord) -> Node {
    let (parent, grandparent) = (record.parent.as_ref(), record.grandparent.as_ref());
    node.set("key", format!("/library/metadata/{}", record.id))
        .set("ratingKey", record.id.to_string())
        .set("librarySectionID", record.section.number().to_string())
        .maybe("parentKey", parent.map(|above| format!("/library/metadata/{}", above.id)))
        .maybe("grandparentKey", grandparent.map(|above| format!("/library/metadata/{}", above.id)))
        .set("title", &record.title)
        .maybe("parentTitle", parent.map(|above| &above.title))
        .maybe("grandparentTitle", grandparent.map(|above| &above.title))
        .set("type", kind::word(record.kind))
        .set("thumb", picture(record.id, "thumb", record.updated_at))
        .maybe("parentThumb", parent.map(|above| picture(above.id, "thumb", above.updated_at)))
        .maybe("grandparentThumb", grandparent.map(|above| picture(above.id, "thumb", above.updated_at)))
        .maybe("index", record.index)
        .maybe("parentIndex", parent.and_then(|above| above.index))
        .maybe("originallyAvailableAt", record.released.map(CalendarDate::iso))
}
