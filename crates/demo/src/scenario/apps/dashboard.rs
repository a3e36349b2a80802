//! A dashboard that is open in three tabs. Each polls its server on its own, as its pages do without a cache:
//! activities every two seconds, sessions every five, the badge beside them every ten, live figures every 30, totals
//! every minute, lists every five.

use std::collections::HashSet;
use std::time::Duration;

use super::super::app_client::AppClient;
use super::{FILMS, MUSIC, SHOWS, rows};

/// Times at which the tabs are opened, because users do not open three at once.
const TABS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(1_700), Duration::from_millis(3_200)];
const BUSY: Duration = Duration::from_secs(2);
const NOW: Duration = Duration::from_secs(5);
const BADGE: Duration = Duration::from_secs(10);
const LIVE: Duration = Duration::from_secs(30);
const TOTALS: Duration = Duration::from_secs(60);
const LISTS: Duration = Duration::from_secs(300);

pub(super) async fn play(visitor: &AppClient, from: Duration, to: Duration) {
    let tabs = TABS.map(|offset| tab(visitor, offset, (from, to)));
    let [one, two, three] = tabs;
    tokio::join!(one, two, three);
}

async fn tab(visitor: &AppClient, offset: Duration, window: (Duration, Duration)) {
    let moments = |every| visitor.clock.ticks((offset, every), window);
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
            // A browser caches images: later in the evening it has all of them.
            let mut shown = (window.0 == Duration::ZERO).then(HashSet::new);
            let mut moments = moments(LISTS);
            while moments.next().await {
                lists(visitor, &mut shown).await;
            }
        },
    );
}

/// Two parts of the page show the sessions: each requests them itself.
async fn happening(visitor: &AppClient) {
    visitor.get("/status/sessions").await;
    visitor.get("/status/sessions").await;
}

async fn live(visitor: &AppClient) {
    totals(visitor).await;
    count(visitor, &format!("/library/sections/{SHOWS}/allLeaves")).await;
}

async fn totals(visitor: &AppClient) {
    visitor.get("/").await;
    visitor.get("/accounts").await;
    visitor.get("/library/sections").await;
    count(visitor, &format!("/library/sections/{FILMS}/all")).await;
    count(visitor, &format!("/library/sections/{SHOWS}/all")).await;
}

/// Total size of a list, from an empty page of it.
async fn count(visitor: &AppClient, path: &str) {
    visitor.get(&format!("{path}?X-Plex-Container-Start=0&X-Plex-Container-Size=0")).await;
}

async fn lists(visitor: &AppClient, shown: &mut Option<HashSet<String>>) {
    visitor
        .get("/status/sessions/history/all?sort=viewedAt%3Adesc&X-Plex-Container-Start=0&X-Plex-Container-Size=100")
        .await;
    for section in [FILMS, SHOWS, MUSIC] {
        let target =
            format!("/library/sections/{section}/recentlyAdded?X-Plex-Container-Start=0&X-Plex-Container-Size=10");
        let recent = visitor.get(&target).await.json();
        for row in rows(&recent) {
            let (Some(picture), Some(shown)) = (row["thumb"].as_str(), shown.as_mut()) else { continue };
            if shown.insert(picture.to_owned()) {
                visitor.get(picture).await;
            }
        }
    }
}
