//! A widget on a start page: who plays what, every five seconds, and how much there is, every ten minutes. It sends
//! its token in the query and reads XML.

use std::time::Duration;

use super::super::visitor::Visitor;
use super::{FILMS, SHOWS};

const OFFSET: Duration = Duration::from_millis(2_300);
const SESSIONS: Duration = Duration::from_secs(5);
const COUNTS: Duration = Duration::from_secs(600);

pub(super) async fn play(visitor: &Visitor, from: Duration, to: Duration) {
    let token = visitor.token();
    tokio::join!(
        async {
            let mut moments = visitor.pace.moments((OFFSET, SESSIONS), (from, to));
            while moments.next().await {
                visitor.get(&format!("/status/sessions?X-Plex-Token={token}")).await;
            }
        },
        async {
            let mut moments = visitor.pace.moments((OFFSET, COUNTS), (from, to));
            while moments.next().await {
                visitor.get(&format!("/library/sections?X-Plex-Token={token}")).await;
                for section in [FILMS, SHOWS] {
                    let page = "X-Plex-Container-Start=0&X-Plex-Container-Size=0";
                    visitor
                        .get(&format!("/library/sections/{section}/all?X-Plex-Token={token}&{page}"))
                        .await;
                }
            }
        },
    );
}
