//! A widget on a start page: sessions every five seconds, library sizes every ten minutes. It sends its token in the
//! query and requests XML.

use std::time::Duration;

use super::super::app_client::AppClient;
use super::{FILMS, SHOWS};

const OFFSET: Duration = Duration::from_millis(2_300);
const SESSIONS: Duration = Duration::from_secs(5);
const COUNTS: Duration = Duration::from_secs(600);

pub(super) async fn play(visitor: &AppClient, from: Duration, to: Duration) {
    let token = visitor.token();
    tokio::join!(
        async {
            let mut moments = visitor.clock.ticks((OFFSET, SESSIONS), (from, to));
            while moments.next().await {
                visitor.get(&format!("/status/sessions?X-Plex-Token={token}")).await;
            }
        },
        async {
            let mut moments = visitor.clock.ticks((OFFSET, COUNTS), (from, to));
            while moments.next().await {
                visitor.get(&format!("/library/sections?X-Plex-Token={token}")).await;
                for section in [FILMS, SHOWS] {
                    let page = "X-Plex-Container-Start=0&X-Plex-Container-Size=0";
                    visitor.get(&format!("/library/sections/{section}/all?X-Plex-Token={token}&{page}")).await;
                }
            }
        },
    );
}
