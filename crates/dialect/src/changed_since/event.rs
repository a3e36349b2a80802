//! Results of a changed-since request, as the events that would have told them.

use serde_json::{Value, json};

use super::{ChangedItem, ChangedSince};
use crate::request::ServerKind;

impl ServerKind {
    /// The frame of the notification socket that announces these items. `is_known` tells whether an item was seen
    /// before; another may be new, and then belongs to lists that do not show it yet.
    pub fn change_event(self, changed: &ChangedSince, is_known: impl Fn(&str) -> bool) -> Vec<u8> {
        let event = match self {
            Self::Plex => {
                let entries: Vec<Value> = changed.items.iter().map(timeline_entry).collect();
                json!({"NotificationContainer": {"type": "timeline", "size": entries.len(), "TimelineEntry": entries}})
            }
            Self::Jellyfin => {
                let new: Vec<&ChangedItem> = changed.items.iter().filter(|item| !is_known(&item.key)).collect();
                let mut folders: Vec<&str> = new.iter().flat_map(|item| &item.parents).map(String::as_str).collect();
                folders.sort_unstable();
                folders.dedup();
                json!({"MessageType": "LibraryChanged", "Data": {
                    "ItemsUpdated": changed.items.iter().map(|item| &item.key).collect::<Vec<_>>(),
                    "ItemsAdded": new.iter().map(|item| &item.key).collect::<Vec<_>>(),
                    "FoldersAddedTo": folders, "FoldersRemovedFrom": [], "ItemsRemoved": [], "CollectionFolders": [],
                }})
            }
        };
        event.to_string().into_bytes()
    }
}

fn timeline_entry(item: &ChangedItem) -> Value {
    let kind = match item.kind.as_str() {
        "movie" => 1,
        "show" => 2,
        "season" => 3,
        "episode" => 4,
        "artist" => 8,
        "album" => 9,
        "track" => 10,
        "clip" => 12,
        "photo" => 13,
        "photoalbum" => 14,
        "collection" => 18,
        _ => 0,
    };
    let mut entry = json!({
        "identifier": "com.plexapp.plugins.library", "type": kind, "state": 5, "itemID": item.key, "title": "",
        "sectionID": item.section.as_deref().unwrap_or("-1"),
    });
    for (name, parent) in ["parentItemID", "rootItemID"].into_iter().zip(&item.parents) {
        entry[name] = json!(parent);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crawl::ChangeHint;
    use crate::server_event::ServerEvent;
    use crate::tag::{Tag, TagInvalidation};

    fn changed(section: Option<&str>) -> ChangedSince {
        let item = ChangedItem {
            key: "91".into(),
            kind: "episode".into(),
            parents: vec!["89".into(), "22".into()],
            section: section.map(str::to_owned),
            ..ChangedItem::default()
        };
        ChangedSince { items: vec![item], is_complete: true }
    }

    #[test]
    fn what_was_found_is_read_like_an_event() {
        for (kind, section) in [(ServerKind::Plex, Some("2")), (ServerKind::Jellyfin, None)] {
            let frame = kind.change_event(&changed(section), |_| true);
            let events = kind.parse_frame(&frame);
            let item = TagInvalidation::everyone(Tag::item("91"));
            let names_item = |event: &ServerEvent| match event {
                ServerEvent::Stale(stale) => stale.iter().any(|one| one.tag == item.tag),
                _ => false,
            };
            assert!(events.iter().any(names_item), "{kind:?} {events:?}");
            let hint = ChangeHint::Changed { shelf: section.map(str::to_owned), key: "91".into() };
            assert_eq!(kind.hints(&frame), [hint], "{kind:?}");
        }
    }

    #[test]
    fn an_item_that_was_never_seen_is_announced_as_a_new_one_too() {
        let frame = ServerKind::Jellyfin.change_event(&changed(None), |_| false);
        let frame: Value = serde_json::from_slice(&frame).unwrap();
        assert_eq!(frame["Data"]["ItemsAdded"], json!(["91"]));
        assert_eq!(frame["Data"]["FoldersAddedTo"], json!(["22", "89"]));
    }
}
