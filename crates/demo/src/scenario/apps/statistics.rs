//! A collector of statistics: sessions every second, with an API key in a legacy header.

use std::time::Duration;

use super::super::app_client::AppClient;

const OFFSET: Duration = Duration::from_millis(400);
const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn play(visitor: &AppClient, from: Duration, to: Duration) {
    let mut moments = visitor.clock.ticks((OFFSET, EVERY), (from, to));
    while moments.next().await {
        visitor.get("/Sessions").await;
    }
}
