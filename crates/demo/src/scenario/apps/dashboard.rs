//! A dashboard that is open in three tabs. Each asks its server on its own, as its pages do without a cache: what
//! the server is busy with every two seconds, who plays what every five, the badge beside it every ten, live figures
//! every 30, totals every minute, lists every five.

use std::collections::HashSet;
use std::time::Duration;

use super::super::visitor::Visitor;
use super::{FILMS, MUSIC, SHOWS, rows};

/// When each tab was opened, after the first: nobody opens three at once.
const TABS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(1_700), Duration::from_millis(3_200)];
const BUSY: Duration = Duration::from_secs(2);
const NOW: Duration = Duration::from_secs(5);
const BADGE: Duration = Duration::from_secs(10);
const LIVE: Duration = Duration::from_secs(30);
const TOTALS: Duration = Duration::from_secs(60);
const LISTS: Duration = Duration::from_secs(300);

pub(super) async fn play(visitor: &Visitor, from: Duration, to: Duration) {
    let tabs = TABS.map(|offset| tab(visitor, offset, (from, to)));
    let [one, two, three] = tabs;
    tokio::join!(one, two, three);
}

async fn tab(visitor: &Visitor, offset: Duration, window: (Duration, Duration)) {
    let moments = |every| visitor.pace.moments((offset, every), window);
    tokio::join!(
        async {
            let mut moments = moments(NOW);
            while moments.next().await {
                happening(visitor).await;
            }
        },
        async {
            let mut moments = moments(BADGE);
            while moments.next().await {
                visitor.get("/status/sessions").await;
            }
        },
        async {
            let mut moments = moments(BUSY);
            while moments.next().await {
                visitor.get("/activities").await;
            }
        },
        async {
            let mut moments = moments(LIVE);
            while moments.next().await {
                live(visitor).await;
            }
        },
        async {
            let mut moments = moments(TOTALS);
            while moments.next().await {
                totals(visitor).await;
            }
        },
        async {
            // A browser keeps the pictures it has shown: later in the evening it has all of them.
            let mut shown = (window.0 == Duration::ZERO).then(HashSet::new);
            let mut moments = moments(LISTS);
            while moments.next().await {
                lists(visitor, &mut shown).await;
            }
        },
    );
}

/// Two parts of the page show who plays what: each asks for itself.
async fn happening(visitor: &Visitor) {
    visitor.get("/status/sessions").await;
    visitor.get("/status/sessions").await;
}

async fn live(visitor: &Visitor) {
    totals(visitor).await;
    count(visitor, &format!("/library/sections/{SHOWS}/allLeaves")).await;
}

async fn totals(visitor: &Visitor) {
    visitor.get("/").await;
    visitor.get("/accounts").await;
    visitor.get("/library/sections").await;
    count(visitor, &format!("/library/sections/{FILMS}/all")).await;
    count(visitor, &format!("/library/sections/{SHOWS}/all")).await;
}

/// How many there are: a page of none, which says how many all would be.
async fn count(visitor: &Visitor, path: &str) {
    visitor.get(&format!("{path}?X-Plex-Container-Start=0&X-Plex-Container-Size=0")).await;
}

async fn lists(visitor: &Visitor, shown: &mut Option<HashSet<String>>) {
    visitor.get("/status/sessions/history/all?sort=viewedAt%3Adesc&X-Plex-Container-Start=0&X-Plex-Container-Size=100").await;
    for section in [FILMS, SHOWS, MUSIC] {
        let target = format!(
            "/library/sections/{section}/recentlyAdded?X-Plex-Container-Start=0&X-Plex-Container-Size=10"
        );
        let recent = visitor.get(&target).await.json();
        for row in rows(&recent) {
            let (Some(picture), Some(shown)) = (row["thumb"].as_str(), shown.as_mut()) else { continue };
            if shown.insert(picture.to_owned()) {
                visitor.get(picture).await;
            }
        }
    }
}
