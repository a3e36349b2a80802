//! A collector of statistics: who plays what, every second, with an API key in a legacy header.

use std::time::Duration;

use super::super::visitor::Visitor;

const OFFSET: Duration = Duration::from_millis(400);
const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn play(visitor: &Visitor, from: Duration, to: Duration) {
    let mut moments = visitor.pace.moments((OFFSET, EVERY), (from, to));
    while moments.next().await {
        visitor.get("/Sessions").await;
    }
}
