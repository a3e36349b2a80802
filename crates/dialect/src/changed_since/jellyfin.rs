//! Jellyfin: `minDateLastSaved` names edited and new items, playlists and pictures at once; the counts tell deletions.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ChangeCounter, ChangedItem, ChangedSince, MAX_CHANGED_ITEMS, unusable};
use crate::crawl::timestamp;
use crate::jellyfin::guid;
use crate::response_facts::UnusableResponse;

/// One row more than is read, so that a full answer is known to be cut short without a count of all rows.
pub(super) fn changed_target(since_s: u64) -> String {
    let since = timestamp::format(since_s).replace(':', "%3A");
    let limit = MAX_CHANGED_ITEMS + 1;
    format!(
        "/Items?minDateLastSaved={since}&recursive=true&enableUserData=false&enableImages=false\
         &enableTotalRecordCount=false&collapseBoxSetItems=false&fields=ParentId,Etag&limit={limit}"
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    items: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    id: String,
    etag: Option<String>,
    #[serde(rename = "Type")]
    kind: Option<String>,
    parent_id: Option<String>,
    season_id: Option<String>,
    series_id: Option<String>,
    album_id: Option<String>,
}

pub(super) fn changed_since(body: &[u8]) -> Result<ChangedSince, UnusableResponse> {
    let page: Page = serde_json::from_slice(body).map_err(|_| unusable(body))?;
    let is_complete = page.items.len() <= MAX_CHANGED_ITEMS;
    Ok(ChangedSince { items: page.items.into_iter().map(item).collect(), is_complete })
}

fn item(row: Row) -> ChangedItem {
    let mut parents: Vec<String> = Vec::new();
    for id in [row.parent_id, row.season_id, row.album_id, row.series_id].into_iter().flatten() {
        let id = guid::normalize(&id).into_owned();
        if !parents.contains(&id) {
            parents.push(id);
        }
    }
    ChangedItem {
        key: guid::normalize(&row.id).into_owned(),
        stamp: row.etag.unwrap_or_default(),
        kind: row.kind.unwrap_or_default(),
        parents,
        section: None,
    }
}

pub(super) fn change_counters(body: &[u8]) -> Result<Vec<ChangeCounter>, UnusableResponse> {
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_slice(body).map_err(|_| unusable(body))?;
    let counts = fields.iter().filter(|(name, _)| name.ends_with("Count"));
    let value: Vec<String> = counts.filter_map(|(name, count)| Some(format!("{name}={}", count.as_u64()?))).collect();
    if value.is_empty() {
        return Err(UnusableResponse::Malformed);
    }
    Ok(vec![ChangeCounter { section: String::new(), value: value.join(" "), types: &[] }])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows as a server of version 12.0.0 answered them, reduced to what is asked for.
    const CHANGED: &str = r#"{"Items":[
        {"Name":"Episode 1","ServerId":"b8d941500d7542568cf113acb21ae2db","Id":"082bac48cefd6d99a6cd74aff29590c7",
         "Etag":"6e80304f59d1dbc3a6c1f5b093937f0a","ParentId":"addd61e734d84ccaa0461318c2d86c83","Type":"Episode",
         "SeriesId":"7662b0ba25131b33d6498cd79da06444","SeasonId":"addd61e734d84ccaa0461318c2d86c83","ChannelId":null},
        {"Name":"Song","Id":"31588C50-F7FC-365B-ADBE-2B3ECDE71F18","Etag":"8302b4c3ec4ffde1ce94a93a4b48b59d",
         "ParentId":"434f9d2d899ede1d90c23de94b3fa78b","Type":"Audio","AlbumId":"434f9d2d899ede1d90c23de94b3fa78b"}],
        "TotalRecordCount":0,"StartIndex":0}"#;

    #[test]
    fn the_target_asks_for_no_more_than_is_needed() {
        assert_eq!(
            changed_target(1_708_457_201),
            "/Items?minDateLastSaved=2024-02-20T19%3A26%3A41Z&recursive=true&enableUserData=false&enableImages=false\
             &enableTotalRecordCount=false&collapseBoxSetItems=false&fields=ParentId,Etag&limit=201"
        );
    }

    #[test]
    fn changed_items_come_with_their_containers() {
        let changed = changed_since(CHANGED.as_bytes()).unwrap();
        assert!(changed.is_complete);
        assert_eq!(
            changed.items[0],
            ChangedItem {
                key: "082bac48cefd6d99a6cd74aff29590c7".into(),
                stamp: "6e80304f59d1dbc3a6c1f5b093937f0a".into(),
                kind: "Episode".into(),
                parents: vec!["addd61e734d84ccaa0461318c2d86c83".into(), "7662b0ba25131b33d6498cd79da06444".into()],
                section: None,
            }
        );
        assert_eq!(changed.items[1].key, "31588c50f7fc365badbe2b3ecde71f18", "an id has one spelling");
        assert_eq!(changed.items[1].parents, ["434f9d2d899ede1d90c23de94b3fa78b"]);
    }

    #[test]
    fn more_than_a_page_is_incomplete() {
        let page = |rows: usize| format!(r#"{{"Items":[{}]}}"#, vec![r#"{"Id":"a"}"#; rows].join(","));
        assert!(changed_since(page(MAX_CHANGED_ITEMS).as_bytes()).unwrap().is_complete);
        assert!(!changed_since(page(MAX_CHANGED_ITEMS + 1).as_bytes()).unwrap().is_complete);
        assert!(changed_since(page(0).as_bytes()).unwrap().is_empty());
    }

    #[test]
    fn a_deletion_moves_the_counts() {
        let counts = |films: u32| {
            let body = format!(r#"{{"MovieCount":{films},"SeriesCount":2,"EpisodeCount":16,"ItemCount":118}}"#);
            change_counters(body.as_bytes()).unwrap()
        };
        assert_eq!(counts(14), counts(14));
        assert_ne!(counts(14), counts(13));
        let with_others = br#"{"MovieCount":14,"SeriesCount":2,"EpisodeCount":16,"ItemCount":118,"Server":"a"}"#;
        assert_eq!(change_counters(with_others).unwrap(), counts(14), "other fields do not count");
        assert!(counts(14)[0].has_only_grown_since(&counts(13)[0]));
        assert!(!counts(13)[0].has_only_grown_since(&counts(14)[0]));
    }
}
