//! Series and films as Sonarr and Radarr answer them.

use serde_json::{Value, json};

/// Series of the library, and films.
const ROWS: u64 = 40;

/// The answer to a path below `/api/v3`.
pub(super) fn answer(path: &[&str]) -> Option<Value> {
    match path {
        ["system", "status"] => Some(json!({"appName": "Sonarr", "version": "4.0.15.2941", "isProduction": true})),
        ["series"] => Some((1..=ROWS).map(series).collect()),
        ["series", id] => number(id).map(series),
        ["movie"] => Some((1..=ROWS).map(film).collect()),
        ["movie", id] => number(id).map(film),
        ["qualityprofile"] => Some(json!([{"id": 1, "name": "Any"}, {"id": 2, "name": "HD-1080p"}])),
        ["rootfolder"] => Some(json!([{"id": 1, "path": "/media", "freeSpace": 1_000_000_000_000_u64}])),
        ["queue"] => Some(json!({"page": 1, "pageSize": 10, "totalRecords": 0, "records": []})),
        _ => None,
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| (1..=ROWS).contains(number))
}

fn series(id: u64) -> Value {
    json!({"id": id, "title": format!("Series {id}"), "tvdbId": 70_000 + id, "monitored": true, "seasonCount": 1 + id % 5})
}

fn film(id: u64) -> Value {
    json!({"id": id, "title": format!("Film {id}"), "tmdbId": 500 + id, "monitored": true, "hasFile": id.is_multiple_of(2)})
}
