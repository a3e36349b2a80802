//! A tool that takes requests for films and shows: every five minutes it asks what was added since it last looked,
//! ten minutes further back to be sure, and looks at each of these.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::evening::Evening;
use super::super::servers::EVENING_BEGINS_AT;
use super::super::visitor::Visitor;
use super::{FILMS, SHOWS, rows};

const OFFSET: Duration = Duration::from_secs(45);
const EVERY: Duration = Duration::from_secs(300);
/// How far it looks back beyond its last look.
const LOOK_BACK_S: u64 = 600;
/// Rows of one page, asked for in headers.
const PAGE: &str = "50";
/// Items it looks at in one scan at the most.
const MAX_ITEMS: usize = 20;

pub(super) async fn play(visitor: &Visitor, evening: &Evening) {
    // The first scan looks back a day.
    let mut since = EVENING_BEGINS_AT - 86_400;
    let mut at = OFFSET;
    let mut moments = visitor.pace.moments((OFFSET, EVERY), (Duration::ZERO, evening.length));
    while moments.next().await {
        scan(visitor, since).await;
        since = EVENING_BEGINS_AT + at.as_secs() - LOOK_BACK_S;
        at += EVERY;
    }
}

async fn scan(visitor: &Visitor, since: u64) {
    visitor.get("/").await;
    visitor.get("/library/sections").await;
    for (section, kind) in [(FILMS, 1), (SHOWS, 4)] {
        let target =
            format!("/library/sections/{section}/all?type={kind}&sort=addedAt%3Adesc&addedAt%3E%3E={since}");
        let window = [("x-plex-container-start", "0".to_owned()), ("x-plex-container-size", PAGE.to_owned())];
        let added = visitor.get_with(&target, &window).await.json();
        // Of episodes it wants the show.
        let wanted: BTreeSet<String> = rows(&added)
            .iter()
            .filter_map(|row| {
                row["grandparentRatingKey"].as_str().or(row["ratingKey"].as_str()).map(str::to_owned)
            })
            .take(MAX_ITEMS)
            .collect();
        for item in wanted {
            visitor.get(&format!("/library/metadata/{item}?includeChildren=1")).await;
        }
    }
}
