//! A film on Jellyfin: the player reports its position every ten seconds. It is paused once and stopped before the end.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::app_client::AppClient;
use super::super::workload::Workload;

const REPORT: Duration = Duration::from_secs(10);
/// This server's time units per second.
const TICKS: u128 = 10_000_000;
/// Position of the film in the list.
const CHOSEN: u32 = 5;

pub(super) async fn play(visitor: &AppClient, evening: &Workload) {
    visitor.clock.sleep_until(evening.at(25)).await;
    let me = visitor.get("/Users/Me").await.json();
    let Some(user) = me["Id"].as_str() else { return };
    let target = format!(
        "/Items?userId={user}&includeItemTypes=Movie&recursive=true&sortBy=SortName&startIndex={CHOSEN}&limit=1"
    );
    let found = visitor.get(&target).await.json();
    let Some(film) = found["Items"][0]["Id"].as_str().map(str::to_owned) else { return };
    visitor.get(&format!("/Items/{film}?userId={user}")).await;
    let mut position = Duration::ZERO;
    visitor.post("/Sessions/Playing", &progress_body(&film, position, false)).await;
    let mut at = evening.at(25) + REPORT;
    while at < evening.at(85) {
        visitor.clock.sleep_until(at).await;
        let paused = at >= evening.at(50) && at < evening.at(55);
        position += if paused { Duration::ZERO } else { REPORT };
        visitor.post("/Sessions/Playing/Progress", &progress_body(&film, position, paused)).await;
        at += REPORT;
    }
    visitor.post("/Sessions/Playing/Stopped", &progress_body(&film, position, false)).await;
}

fn progress_body(film: &str, position: Duration, paused: bool) -> Value {
    let ticks = u64::try_from(u128::from(position.as_secs()) * TICKS).unwrap_or(u64::MAX);
    json!({
        "ItemId": film,
        "MediaSourceId": film,
        "PlaySessionId": "demo-session",
        "PlayMethod": "DirectPlay",
        "CanSeek": true,
        "IsPaused": paused,
        "PositionTicks": ticks,
    })
}
