//! Genres, studios, people and years.

use serde_json::Value;

use super::{Fields, Shape, put};

use crate::jellyfin::named::Naming;
use crate::jellyfin::scene::Scene;

/// A named thing.
pub(crate) fn by_name(scene: &Scene<'_>, naming: Naming, name: &str, shape: &Shape) -> Fields {
    let id = naming.id(name);
    let mut fields = Fields::new();
    put(&mut fields, "Name", name);
    put(&mut fields, "ServerId", scene.server_id);
    put(&mut fields, "Id", id.hex());
    put(&mut fields, "Type", kind_name(naming));
    put(&mut fields, "MediaType", "Unknown");
    put(&mut fields, "LocationType", if naming == Naming::Person { "Remote" } else { "FileSystem" });
    if scene.switches.channel_id_null {
        fields.insert("ChannelId".into(), Value::Null);
    }
    if shape.has("SortName") {
        put(&mut fields, "SortName", name.to_lowercase());
    }
    if naming == Naming::Person {
        scene.art.describe(&mut fields, id, None, shape);
    } else {
        fields.insert("ImageTags".into(), Value::Object(Fields::new()));
        fields.insert("BackdropImageTags".into(), Value::Array(Vec::new()));
        fields.insert("ImageBlurHashes".into(), Value::Object(Fields::new()));
    }
    fields
}

fn kind_name(naming: Naming) -> &'static str {
    match naming {
        Naming::Genre => "Genre",
        Naming::Studio => "Studio",
        Naming::Person => "Person",
        Naming::Year => "Year",
    }
}
