//! Items on the wire: one file per kind of thing, all in Pascal case, absent values left out.

mod by_name;
mod field_selection;
mod folder;
mod images;
mod item;
mod media;
mod user_data;

pub(crate) use by_name::by_name;
pub(crate) use field_selection::{FieldSelection, client_fields};
pub(crate) use folder::{library, playlist, root};
pub(crate) use images::{ImageKind, ImageStore, ItemImage};
pub(crate) use item::{brief, item, kind_name, media_type};
pub(crate) use media::{sources, ticks};
pub(crate) use user_data::{of_library as library_user_data, plain as plain_user_data, user_data};

use serde_json::{Map, Value, json};

/// A JSON object under construction.
pub(crate) type JsonFields = Map<String, Value>;

/// Adds `value` as `name`, if there is one.
pub(crate) fn put(fields: &mut JsonFields, name: &str, value: impl Into<Value>) {
    let value = value.into();
    if !value.is_null() {
        fields.insert(name.to_owned(), value);
    }
}

/// A pair of name and id.
pub(crate) fn name_and_id(name: &str, id: super::ident::JellyfinId) -> Value {
    json!({"Name": name, "Id": id.hex()})
}
