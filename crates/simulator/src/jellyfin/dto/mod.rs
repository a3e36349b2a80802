//! Items as the server writes them: one file per kind of thing, all in Pascal case, absent values left out.

mod art;
mod by_name;
mod folder;
mod item;
mod media;
mod shape;
mod user_data;

pub(crate) use art::{Art, ImageKind, Picture};
pub(crate) use by_name::by_name;
pub(crate) use folder::{library, playlist, root};
pub(crate) use item::{brief, item, kind_name, media_type};
pub(crate) use media::{sources, ticks};
pub(crate) use shape::Shape;
pub(crate) use user_data::{plain as plain_user_data, user_data};

use serde_json::{Map, Value, json};

/// A JSON object in the making.
pub(crate) type Fields = Map<String, Value>;

/// Puts `value` under `name`, unless there is none.
pub(crate) fn put(fields: &mut Fields, name: &str, value: impl Into<Value>) {
    let value = value.into();
    if !value.is_null() {
        fields.insert(name.to_owned(), value);
    }
}

/// A name with the id of what it names.
pub(crate) fn name_and_id(name: &str, id: super::ident::Ident) -> Value {
    json!({"Name": name, "Id": id.hex()})
}
