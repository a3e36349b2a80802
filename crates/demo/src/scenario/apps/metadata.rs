//! A metadata manager: twice in the evening it pages through all films, reads some of them in detail and edits those.
//! It requests XML, and pages with headers, as the Python library does that such tools are built on.

use std::time::Duration;

use super::super::app_client::AppClient;
use super::super::workload::Workload;
use super::{FILMS, encoded};

const PAGE: usize = 100;
/// Films read in detail and edited in one run.
const LOOKED_AT: usize = 40;
const EDITED: usize = 25;
/// Max pages, whatever the server says.
const MAX_PAGES: usize = 1_000;
/// Pause between two edits, so that the server can do other work.
const BETWEEN_EDITS: Duration = Duration::from_millis(100);

/// Query with which that library reloads an item.
const CLOSELY: &str = "checkFiles=0&includeAllConcerts=0&includeBandwidths=1&includeChapters=1&includeChildren=0\
&includeConcerts=0&includeExtras=0&includeFields=thumbBlurHash%2CartBlurHash&includeGeolocation=1&includeLoudnessRamps=1\
&includeMarkers=1&includeOnDeck=0&includePopularLeaves=0&includePreferences=0&includeRelated=0&includeRelatedCount=0\
&includeReviews=0&includeStations=0";

pub(super) async fn play(visitor: &AppClient, evening: &Workload) {
    for (run, percent) in evening.metadata_runs.into_iter().enumerate() {
        visitor.clock.sleep_until(evening.at(percent)).await;
        once(visitor, run).await;
    }
}

async fn once(visitor: &AppClient, run: usize) {
    visitor.get("/").await;
    visitor.get("/library").await;
    visitor.get("/library/sections").await;
    let films = page_through(visitor).await;
    // Every run chooses other films, spread over the library.
    let chosen: Vec<&String> =
        films.iter().skip(run * 3).step_by((films.len() / LOOKED_AT).max(1)).take(LOOKED_AT).collect();
    for film in &chosen {
        visitor.get(&format!("/library/metadata/{film}?{CLOSELY}")).await;
    }
    for film in chosen.iter().take(EDITED) {
        let summary = encoded(&format!("Edited in run {run}."));
        let edit = format!("type=1&id={film}&summary.value={summary}&summary.locked=1");
        visitor.put(&format!("/library/sections/{FILMS}/all?{edit}")).await;
        visitor.clock.sleep(BETWEEN_EDITS).await;
    }
}

/// Keys of all films.
async fn page_through(visitor: &AppClient) -> Vec<String> {
    let mut films = Vec::new();
    for page in 0..MAX_PAGES {
        let window =
            [("x-plex-container-start", (page * PAGE).to_string()), ("x-plex-container-size", PAGE.to_string())];
        let reply = visitor.get_with(&format!("/library/sections/{FILMS}/all?includeGuids=1&type=1"), &window).await;
        let found = keys(&reply.text());
        let is_last = found.len() < PAGE;
        films.extend(found);
        if is_last {
            break;
        }
    }
    films
}

/// Keys of the items in an XML list, each once, in their order.
fn keys(xml: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for item in xml.split("<Video ").skip(1) {
        let head = item.split('>').next().unwrap_or("");
        let key = head.split(" ratingKey=\"").nth(1).or_else(|| head.strip_prefix("ratingKey=\""));
        if let Some(key) = key.and_then(|rest| rest.split('"').next()) {
            found.push(key.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_wherever_the_attribute_stands() {
        let xml = r#"<MediaContainer size="2"><Video ratingKey="7" title="a"><Media id="1"/></Video><Video title="b" ratingKey="9"/></MediaContainer>"#;
        assert_eq!(keys(xml), ["7", "9"]);
    }

    #[test]
    fn the_key_of_a_parent_is_not_an_items_own() {
        assert_eq!(keys(r#"<Video parentRatingKey="3" title="c" />"#), Vec::<String>::new());
    }
}
