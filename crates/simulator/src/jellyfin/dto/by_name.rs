//! Genres, studios, people and years.

use serde_json::Value;

use super::{FieldSelection, JsonFields, put};

use crate::jellyfin::by_name::ByNameKind;
use crate::jellyfin::response_context::ResponseContext;

/// A named thing.
pub(crate) fn by_name(
    scene: &ResponseContext<'_>,
    naming: ByNameKind,
    name: &str,
    shape: &FieldSelection,
) -> JsonFields {
    let id = naming.id(name);
    let mut fields = JsonFields::new();
    put(&mut fields, "Name", name);
    put(&mut fields, "ServerId", scene.server_id);
    put(&mut fields, "Id", id.hex());
    put(&mut fields, "Type", kind_name(naming));
    put(&mut fields, "MediaType", "Unknown");
    put(&mut fields, "LocationType", if naming == ByNameKind::Person { "Remote" } else { "FileSystem" });
    if scene.switches.channel_id_null {
        fields.insert("ChannelId".into(), Value::Null);
    }
    if shape.has("SortName") {
        put(&mut fields, "SortName", name.to_lowercase());
    }
    if naming == ByNameKind::Person {
        scene.images.describe(&mut fields, id, None, shape);
    } else {
        fields.insert("ImageTags".into(), Value::Object(JsonFields::new()));
        fields.insert("BackdropImageTags".into(), Value::Array(Vec::new()));
        fields.insert("ImageBlurHashes".into(), Value::Object(JsonFields::new()));
    }
    fields
}

fn kind_name(naming: ByNameKind) -> &'static str {
    match naming {
        ByNameKind::Genre => "Genre",
        ByNameKind::Studio => "Studio",
        ByNameKind::Person => "Person",
        ByNameKind::Year => "Year",
    }
}
