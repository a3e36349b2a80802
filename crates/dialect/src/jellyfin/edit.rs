//! Edits whose body names every field: an item's document, a user's configuration. Compared with the document as it was
//! last seen, such a body tells which fields change, and so which lists can.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};

use super::list_fields::{self, EditedField};
use super::write::ParsedWrite;
use super::{groups, guid, library_write};
use crate::classification::{DocumentEdit, EditedDocument};
use crate::sabotage::is_disabled;
use crate::tag::{Tag, TagInvalidation};

/// Names that the server computes and no edit sets.
const COMPUTED: [&str; 16] = [
    "Id",
    "ServerId",
    "Etag",
    "UserData",
    "ImageTags",
    "BackdropImageTags",
    "ImageBlurHashes",
    "MediaSources",
    "MediaStreams",
    "Chapters",
    "Trickplay",
    "PlayAccess",
    "CanDelete",
    "CanDownload",
    "ExternalUrls",
    "DateLastMediaAdded",
];

/// Names of a user's configuration that change no response but those about users.
const APP_SETTINGS: [&str; 4] =
    ["EnableNextEpisodeAutoPlay", "CastReceiverId", "EnableLocalPassword", "DisplayMissingEpisodes"];

/// The name of a user's configuration that decides which episodes are listed.
const MISSING_EPISODES: &str = "DisplayMissingEpisodes";

/// Whether this write's body is compared.
pub(super) fn is_document(lowercase: &[&str]) -> bool {
    matches!(lowercase, ["items", id] if guid::is_guid(id))
        || matches!(lowercase, ["users", "configuration"] | ["users", _, "configuration"])
}

/// The edit, if the whole body is known. It concerns the writer or everyone.
pub(super) fn find(change: &ParsedWrite<'_>) -> Option<DocumentEdit> {
    if change.deletes || change.subject.other().is_some() {
        return None;
    }
    let document = match change.lowercase {
        ["items", id] if guid::is_guid(id) => EditedDocument::Item(guid::normalize(id).into_owned()),
        ["users", "configuration"] => EditedDocument::UserConfiguration(change.subject.user()?.to_owned()),
        ["users", user, "configuration"] if change.subject.is_own(&guid::normalize(user)) => {
            EditedDocument::UserConfiguration(guid::normalize(user).into_owned())
        }
        _ => return None,
    };
    let body: Map<String, Value> = serde_json::from_slice(change.body).ok()?;
    Some(DocumentEdit { document, fields: fields(&body) })
}

/// The fields of a document, with hashes of their values. Empty values are as good as absent.
pub(super) fn fields(document: &Map<String, Value>) -> Vec<(String, u64)> {
    let is_set = |(name, value): &(&String, &Value)| !is_empty(value) && !COMPUTED.contains(&name.as_str());
    document.iter().filter(is_set).map(|(name, value)| (name.clone(), hash(value))).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}

/// Names that differ between two documents.
fn changed<'a>(before: &'a [(String, u64)], after: &'a [(String, u64)]) -> Vec<&'a str> {
    let missing = |from: &'a [(String, u64)], to: &'a [(String, u64)]| {
        from.iter().filter(move |field| !to.contains(field)).map(|(name, _)| name.as_str())
    };
    let mut names: Vec<&str> = missing(before, after).chain(missing(after, before)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The tags that an edit concerns, given the document as it was last seen; `None` if that may be anything.
pub(crate) fn narrowed(edit: &DocumentEdit, before: &[(String, u64)]) -> Option<Vec<TagInvalidation>> {
    let names = changed(before, &edit.fields);
    match &edit.document {
        EditedDocument::Item(id) => item_edit(id, &names),
        EditedDocument::UserConfiguration(_) => configuration_edit(&names),
    }
}

fn item_edit(id: &str, names: &[&str]) -> Option<Vec<TagInvalidation>> {
    let mut stale = library_write::shown(id).to_vec();
    for name in names {
        match list_fields::of_edited(name) {
            EditedField::Listed(field) => stale.push(TagInvalidation::everyone(Tag::listed_by(field)).of(id)),
            EditedField::Shown => {}
            EditedField::Unknown if is_disabled("fields") => {}
            EditedField::Unknown => return None,
        }
    }
    Some(stale)
}

fn configuration_edit(names: &[&str]) -> Option<Vec<TagInvalidation>> {
    let mut stale = vec![TagInvalidation::everyone(Tag::users())];
    if names.iter().any(|name| !APP_SETTINGS.contains(name)) {
        return None;
    }
    if names.contains(&MISSING_EPISODES) {
        for tag in [Tag::libraries(), Tag::branch(), Tag::many_items()] {
            stale.extend(groups::holding(&tag, groups::SHOWS).map(TagInvalidation::account));
        }
    }
    Some(stale)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "08ca909f6d1044aa9930be392943948f";

    fn of(text: &str) -> Vec<(String, u64)> {
        fields(&serde_json::from_str(text).unwrap())
    }

    fn tags(document: EditedDocument, before: &str, after: &str) -> Option<Vec<String>> {
        let stale = narrowed(&DocumentEdit { document, fields: of(after) }, &of(before))?;
        Some(stale.iter().map(|stale| stale.tag.as_str().to_owned()).collect())
    }

    fn of_item(before: &str, after: &str) -> Option<Vec<String>> {
        tags(EditedDocument::Item(ID.into()), before, after)
    }

    #[test]
    fn an_edit_reaches_lists_by_the_fields_that_change() {
        let before = r#"{"Name":"A","Overview":"x","Genres":["G"],"Etag":"1","Tags":[],"People":null}"#;
        let own = of_item(before, r#"{"Name":"A","Overview":"y","Genres":["G"],"Etag":"2"}"#).unwrap();
        assert!(own.contains(&format!("item:{ID}")) && !own.iter().any(|tag| tag.starts_with("listed-by")), "{own:?}");
        let named = of_item(before, r#"{"Name":"B","Overview":"x","Genres":["G"]}"#).unwrap();
        assert!(named.contains(&"listed-by-name".to_owned()), "{named:?}");
        let cleared = of_item(before, r#"{"Name":"A","Overview":"x","Genres":[]}"#).unwrap();
        assert!(cleared.contains(&"listed-by-genres".to_owned()), "{cleared:?}");
    }

    #[test]
    fn an_edit_of_an_unknown_field_or_of_one_that_hides_items_may_reach_anything() {
        for after in [r#"{"Tags":["kids"]}"#, r#"{"OfficialRating":"R"}"#, r#"{"UnheardOf":1}"#] {
            assert_eq!(of_item("{}", after), None, "{after}");
        }
    }

    #[test]
    fn a_configuration_reaches_what_its_changed_settings_decide() {
        let of_user = |before, after| tags(EditedDocument::UserConfiguration("u".into()), before, after);
        assert_eq!(of_user(r#"{"CastReceiverId":"1"}"#, r#"{"CastReceiverId":"2"}"#), Some(vec!["users".into()]));
        let shows = of_user(r#"{"DisplayMissingEpisodes":false}"#, r#"{"DisplayMissingEpisodes":true}"#).unwrap();
        assert!(shows.contains(&"libraries~shows".to_owned()), "{shows:?}");
        assert_eq!(of_user("{}", r#"{"SubtitleMode":"Always"}"#), None);
    }
}
