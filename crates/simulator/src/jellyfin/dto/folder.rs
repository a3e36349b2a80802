//! Folders outside the catalogue: libraries, playlists, and the root above them.

use serde_json::{Value, json};

use super::user_data::plain;
use super::{FieldSelection, JsonFields, put};
use crate::catalogue::ItemId;
use crate::jellyfin::ident::{IdNamespace, JellyfinId, digest};
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::response_context::ResponseContext;
use crate::state::PlaylistRecord;
use crate::timestamp::{TICKS_PER_MS, written_s};

/// A drawn number of children is at most this.
const DRAWN_COUNTS: u64 = 9;

/// A library, as its view.
pub(crate) fn library(
    scene: &ResponseContext<'_>,
    library: JellyfinLibrary,
    name: &str,
    shape: &FieldSelection,
) -> JsonFields {
    let id = library.id();
    let mut fields = folder(scene, name, &id.hex(), "CollectionFolder");
    put(&mut fields, "CollectionType", library.collection_type());
    let stamp = library.section().map_or(0, |_| scene.view.catalogue().newest_at());
    optional(&mut fields, shape, &id.hex(), stamp);
    if shape.has("ParentId") {
        put(&mut fields, "ParentId", JellyfinId::new(IdNamespace::Root, 1_u64).hex());
    }
    if shape.has("Path") {
        put(&mut fields, "Path", format!("/config/root/default/{}", library.name()));
    }
    if shape.has("ChildCount") {
        let drawn = scene.draw % DRAWN_COUNTS + 1;
        let counted = library.top_count(scene) as u64;
        put(&mut fields, "ChildCount", if scene.switches.random_folder_counts { drawn } else { counted });
    }
    scene.images.describe(&mut fields, id, None, shape);
    if scene.user.is_some() && shape.user_data {
        put(&mut fields, "UserData", untouched(&id.hex()));
    }
    fields
}

/// The folder above all libraries.
pub(crate) fn root(scene: &ResponseContext<'_>, shape: &FieldSelection) -> JsonFields {
    let id = JellyfinId::new(IdNamespace::Root, 1_u64);
    let mut fields = folder(scene, "Media Folders", &id.hex(), "UserRootFolder");
    optional(&mut fields, shape, &id.hex(), 0);
    scene.images.describe(&mut fields, id, None, shape);
    fields
}

/// A playlist.
pub(crate) fn playlist(scene: &ResponseContext<'_>, playlist: &PlaylistRecord, shape: &FieldSelection) -> JsonFields {
    let id = JellyfinId::new(IdNamespace::Item, playlist.id.0);
    let mut fields = folder(scene, &playlist.title, &id.hex(), "Playlist");
    put(&mut fields, "MediaType", if playlist.medium == "video" { "Video" } else { "Audio" });
    let duration = |item: ItemId| scene.view.record(item).and_then(|record| record.duration_ms).unwrap_or(0);
    let length_ms: u64 = playlist.entries.iter().map(|entry| duration(entry.item)).sum();
    put(&mut fields, "RunTimeTicks", length_ms * TICKS_PER_MS);
    put(&mut fields, "ChildCount", playlist.entries.len());
    optional(&mut fields, shape, &id.hex(), playlist.updated_at);
    if shape.has("DateCreated") {
        put(&mut fields, "DateCreated", written_s(playlist.added_at));
    }
    if shape.has("Overview") {
        put(&mut fields, "Overview", playlist.summary.as_str());
    }
    if shape.has("ParentId") {
        put(&mut fields, "ParentId", JellyfinLibrary::Playlists.id().hex());
    }
    if shape.has("CanDelete") {
        put(
            &mut fields,
            "CanDelete",
            scene.user.is_none_or(|user| {
                let is_admin = scene.view.user(user).is_some_and(|user| user.admin);
                is_admin || user == playlist.owner
            }),
        );
    }
    scene.images.describe(&mut fields, id, None, shape);
    if let Some(user) = scene.user.filter(|_| shape.user_data) {
        put(&mut fields, "UserData", plain(scene.view, user, playlist.id));
    }
    fields
}

fn folder(scene: &ResponseContext<'_>, name: &str, id: &str, kind: &str) -> JsonFields {
    let mut fields = JsonFields::new();
    put(&mut fields, "Name", name);
    put(&mut fields, "ServerId", scene.server_id);
    put(&mut fields, "Id", id);
    put(&mut fields, "Type", kind);
    put(&mut fields, "MediaType", "Unknown");
    put(&mut fields, "IsFolder", true);
    put(&mut fields, "LocationType", "FileSystem");
    if scene.switches.channel_id_null {
        fields.insert("ChannelId".into(), Value::Null);
    }
    fields
}

fn optional(fields: &mut JsonFields, shape: &FieldSelection, id: &str, stamp: u64) {
    let name = fields.get("Name").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let mut when = |field: &str, value: Value| {
        if shape.has(field) {
            put(fields, field, value);
        }
    };
    when("SortName", json!(name));
    when("DateCreated", json!(written_s(stamp)));
    when("Etag", json!(digest(&[stamp, id.bytes().map(u64::from).sum()])));
    when("PlayAccess", json!("Full"));
    when("CanDelete", json!(false));
    when("CanDownload", json!(false));
    when("EnableMediaSourceDisplay", json!(true));
    when("Taglines", json!([]));
    when("Genres", json!([]));
    when("Tags", json!([]));
    when("DisplayPreferencesId", json!(digest(&[id.bytes().map(u64::from).sum(), 3])));
}

/// User data of a folder without any state.
fn untouched(id: &str) -> Value {
    json!({
        "PlaybackPositionTicks": 0,
        "PlayCount": 0,
        "IsFavorite": false,
        "Played": false,
        "Key": id,
        "ItemId": id,
    })
}
