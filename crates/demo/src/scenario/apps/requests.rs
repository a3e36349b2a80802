//! A tool that takes requests for films and shows: every five minutes it lists items added since its last scan, with a
//! margin of ten minutes, and reads each of them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::app_client::AppClient;
use super::super::workload::Workload;
use super::{FILMS, SHOWS, rows};

const OFFSET: Duration = Duration::from_secs(45);
const EVERY: Duration = Duration::from_secs(300);
/// Margin before the last scan, in seconds.
const LOOK_BACK_S: u64 = 600;
/// Rows per page, sent in headers.
const PAGE: &str = "50";
/// Max items read in one scan.
const MAX_ITEMS: usize = 20;

pub(super) async fn play(visitor: &AppClient, evening: &Workload) {
    // The first scan covers a day.
    let mut since = evening.begins_at - 86_400;
    let mut at = OFFSET;
    let mut moments = visitor.clock.ticks((OFFSET, EVERY), (Duration::ZERO, evening.length));
    while moments.next().await {
        scan(visitor, since).await;
        since = evening.begins_at + at.as_secs() - LOOK_BACK_S;
        at += EVERY;
    }
}

async fn scan(visitor: &AppClient, since: u64) {
    visitor.get("/").await;
    visitor.get("/library/sections").await;
    for (section, kind) in [(FILMS, 1), (SHOWS, 4)] {
        let target = format!("/library/sections/{section}/all?type={kind}&sort=addedAt%3Adesc&addedAt%3E%3E={since}");
        let window = [("x-plex-container-start", "0".to_owned()), ("x-plex-container-size", PAGE.to_owned())];
        let added = visitor.get_with(&target, &window).await.json();
        // For episodes it reads the show.
        let wanted: BTreeSet<String> = rows(&added)
            .iter()
            .filter_map(|row| row["grandparentRatingKey"].as_str().or(row["ratingKey"].as_str()).map(str::to_owned))
            .take(MAX_ITEMS)
            .collect();
        for item in wanted {
            visitor.get(&format!("/library/metadata/{item}?includeChildren=1")).await;
        }
    }
}
