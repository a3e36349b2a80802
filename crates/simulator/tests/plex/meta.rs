//! The description of a section's filters, sort orders and fields.

use serde_json::Value;

use crate::harness::{PlexFixture, keys};

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map_or(&[], Vec::as_slice)
}

fn texts<'a>(rows: &'a [Value], name: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[name].as_str().unwrap()).collect()
}

/// The description of a kind in a section.
async fn described(server: &PlexFixture, section: u32, kind: &str) -> Value {
    let target =
        format!("/library/sections/{section}/all?includeMeta=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0");
    let meta = server.json(&target).await["Meta"].clone();
    list(&meta, "Type").iter().find(|row| row["type"] == kind).unwrap().clone()
}

#[tokio::test]
async fn fields_are_described_with_their_scope_and_type() {
    let server = PlexFixture::quick().await;
    let films = described(&server, 1, "movie").await;
    let fields = list(&films, "Field");
    let size = fields.iter().find(|field| field["key"] == "mediaSize").unwrap();
    assert_eq!((&size["type"], &size["subType"]), (&"integer".into(), &"fileSize".into()));
    assert!(fields.iter().any(|field| field["key"] == "trash" && field["type"] == "boolean"));
    let tracks = described(&server, 3, "track").await;
    for key in ["track.title", "track.lastSkippedAt", "track.source", "track.mediaBitrate"] {
        assert!(texts(list(&tracks, "Field"), "key").contains(&key), "{key}");
    }
    server.done().await;
}

#[tokio::test]
async fn every_described_filter_has_values_and_every_described_field_filters() {
    let server = PlexFixture::with(|options| options.switches.unknown_filter_refused = true).await;
    for (section, kind) in [(1, "movie"), (2, "show"), (2, "episode"), (3, "artist"), (3, "album"), (3, "track")] {
        let described = described(&server, section, kind).await;
        for key in texts(list(&described, "Filter"), "key") {
            server.json(key).await;
        }
        let listed = described["key"].as_str().unwrap();
        for key in texts(list(&described, "Field"), "key") {
            let target = format!("{listed}&{key}=1&X-Plex-Container-Start=0&X-Plex-Container-Size=1");
            assert_eq!(server.get(&target).status().await, 200, "{target}");
        }
    }
    let all = keys(&server.json("/library/sections/1/all").await);
    assert_eq!(keys(&server.json("/library/sections/1/all?mediaSize>>=1").await), all);
    assert!(keys(&server.json("/library/sections/1/all?trash=1").await).is_empty());
    server.done().await;
}
