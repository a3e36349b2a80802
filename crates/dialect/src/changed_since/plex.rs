//! Plex: every list of a section can be filtered by the time of the last change; sections have a change counter.

use serde_json::{Map, Value};

use super::{ChangeCounter, ChangedItem, ChangedSince, MAX_CHANGED_ITEMS, unusable};
use crate::plex::notification::{each, text};
use crate::response_facts::UnusableResponse;

/// Films, and collections of them.
const FILM_TYPES: &[u8] = &[1, 18];
/// Shows, seasons, episodes, collections.
const SHOW_TYPES: &[u8] = &[2, 3, 4, 18];
/// Artists, albums, tracks, collections.
const MUSIC_TYPES: &[u8] = &[8, 9, 10, 18];
/// Pictures, albums of them, clips.
const PHOTO_TYPES: &[u8] = &[13, 14, 12];

/// The operator is "later than", hence one second less. Items that were never refreshed have no change time, so both
/// fields are queried.
pub(super) fn changed_targets(counter: &ChangeCounter, since_s: u64) -> impl Iterator<Item = String> {
    let (section, after_s) = (counter.section.clone(), since_s.saturating_sub(1));
    let limit = MAX_CHANGED_ITEMS + 1;
    counter.types.iter().map(move |kind| {
        format!(
            "/library/sections/{section}/all?type={kind}&push=1&addedAt%3E%3E={after_s}&or=1&updatedAt%3E%3E={after_s}\
             &pop=1&X-Plex-Container-Start=0&X-Plex-Container-Size={limit}"
        )
    })
}

pub(super) fn changed_since(body: &[u8]) -> Result<ChangedSince, UnusableResponse> {
    let container = container(body)?;
    if !container.contains_key("size") {
        return Err(UnusableResponse::Malformed);
    }
    let section = text(&container, "librarySectionID");
    let rows = each(&container, "Metadata").chain(each(&container, "Directory"));
    let items: Vec<ChangedItem> = rows.filter_map(|row| item(row, section.as_deref())).collect();
    let total = text(&container, "totalSize").or_else(|| text(&container, "size"));
    let total: usize = total.and_then(|total| total.parse().ok()).ok_or(UnusableResponse::Malformed)?;
    let is_complete = total <= MAX_CHANGED_ITEMS && items.len() == total;
    Ok(ChangedSince { items, is_complete })
}

fn item(row: &Map<String, Value>, section: Option<&str>) -> Option<ChangedItem> {
    Some(ChangedItem {
        key: text(row, "ratingKey")?,
        stamp: text(row, "updatedAt").or_else(|| text(row, "addedAt")).unwrap_or_default(),
        kind: text(row, "type").unwrap_or_default(),
        parents: ["parentRatingKey", "grandparentRatingKey"].iter().filter_map(|name| text(row, name)).collect(),
        section: text(row, "librarySectionID").or_else(|| section.map(str::to_owned)),
    })
}

pub(super) fn change_counters(body: &[u8]) -> Result<Vec<ChangeCounter>, UnusableResponse> {
    let container = container(body)?;
    let sections = each(&container, "Directory").filter_map(|section| {
        let value = |name| text(section, name).unwrap_or_default();
        Some(ChangeCounter {
            section: text(section, "key").filter(|key| key.bytes().all(|byte| byte.is_ascii_alphanumeric()))?,
            value: format!("{}/{}", value("contentChangedAt"), value("scannedAt")),
            types: match text(section, "type")?.as_str() {
                "movie" => FILM_TYPES,
                "show" => SHOW_TYPES,
                "artist" => MUSIC_TYPES,
                "photo" => PHOTO_TYPES,
                _ => &[],
            },
        })
    });
    let counters: Vec<ChangeCounter> = sections.collect();
    // A server that is starting lists none.
    if counters.is_empty() && !container.contains_key("size") { Err(UnusableResponse::Malformed) } else { Ok(counters) }
}

fn container(body: &[u8]) -> Result<Map<String, Value>, UnusableResponse> {
    let mut envelope: Map<String, Value> = serde_json::from_slice(body).map_err(|_| unusable(body))?;
    match envelope.remove("MediaContainer") {
        Some(Value::Object(container)) if container.contains_key("startState") => Err(UnusableResponse::Starting),
        Some(Value::Object(container)) => Ok(container),
        _ => Err(UnusableResponse::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTIONS: &str = r#"{"MediaContainer":{"size":3,"allowSync":false,"Directory":[
        {"key":"1","type":"movie","title":"Movies","contentChangedAt":5661,"scannedAt":1700000000,"refreshing":false},
        {"key":"2","type":"show","title":"Shows","contentChangedAt":"17","scannedAt":5},
        {"key":"5","type":"artist","title":"Music","scannedAt":7}]}}"#;

    const CHANGED: &str = r#"{"MediaContainer":{"size":1,"totalSize":1,"offset":0,"librarySectionID":2,"Metadata":[
        {"ratingKey":"91","key":"/library/metadata/91","parentRatingKey":"89","grandparentRatingKey":"22",
         "type":"episode","title":"Pilot","addedAt":1579514000,"updatedAt":1579514245}]}}"#;

    #[test]
    fn each_section_has_a_counter_and_the_types_of_its_items() {
        let counters = change_counters(SECTIONS.as_bytes()).unwrap();
        let values: Vec<(&str, &str)> = counters.iter().map(|one| (&*one.section, &*one.value)).collect();
        assert_eq!(values, [("1", "5661/1700000000"), ("2", "17/5"), ("5", "/7")]);
        assert_eq!(counters[2].types, MUSIC_TYPES);
    }

    #[test]
    fn each_type_of_a_section_is_asked_for() {
        let counters = change_counters(SECTIONS.as_bytes()).unwrap();
        let targets: Vec<String> = changed_targets(&counters[0], 1_700_000_001).collect();
        assert_eq!(
            targets[0],
            "/library/sections/1/all?type=1&push=1&addedAt%3E%3E=1700000000&or=1&updatedAt%3E%3E=1700000000\
             &pop=1&X-Plex-Container-Start=0&X-Plex-Container-Size=201"
        );
        assert_eq!(targets.len(), FILM_TYPES.len());
    }

    #[test]
    fn changed_items_come_with_their_containers_and_their_section() {
        let changed = changed_since(CHANGED.as_bytes()).unwrap();
        assert!(changed.is_complete);
        let item = ChangedItem {
            key: "91".into(),
            stamp: "1579514245".into(),
            kind: "episode".into(),
            parents: vec!["89".into(), "22".into()],
            section: Some("2".into()),
        };
        assert_eq!(changed.items, [item]);
        let none = br#"{"MediaContainer":{"size":0,"totalSize":0,"librarySectionID":2}}"#;
        assert!(changed_since(none).unwrap().is_empty());
    }

    #[test]
    fn more_rows_than_listed_are_incomplete() {
        let body = CHANGED.replace("\"totalSize\":1", "\"totalSize\":900");
        assert!(!changed_since(body.as_bytes()).unwrap().is_complete);
        assert_eq!(
            changed_since(br#"{"MediaContainer":{"startState":"startingPlugins","size":0}}"#),
            Err(UnusableResponse::Starting)
        );
    }
}
