//! A film on Plex: the player reports its position every ten seconds. It is paused once and stopped before the end.

use std::time::Duration;

use super::super::app_client::AppClient;
use super::super::workload::Workload;
use super::{FILMS, rows};

const REPORT: Duration = Duration::from_secs(10);
/// Position of the film in the list.
const CHOSEN: u32 = 3;

pub(super) async fn play(visitor: &AppClient, evening: &Workload) {
    visitor.clock.sleep_until(evening.at(10)).await;
    let target =
        format!("/library/sections/{FILMS}/all?type=1&X-Plex-Container-Start={CHOSEN}&X-Plex-Container-Size=1");
    let found = visitor.get(&target).await.json();
    let Some(film) = rows(&found).into_iter().next() else { return };
    let Some(key) = film["ratingKey"].as_str().map(str::to_owned) else { return };
    visitor.get(&format!("/library/metadata/{key}?includeMarkers=1&includeChapters=1")).await;
    let film = Film { key, length: Duration::from_millis(film["duration"].as_u64().unwrap_or(0)) };
    let mut position = Duration::ZERO;
    let mut at = evening.at(10);
    while at < evening.at(70) {
        visitor.clock.sleep_until(at).await;
        let paused = at >= evening.at(40) && at < evening.at(45);
        film.report(visitor, if paused { "paused" } else { "playing" }, position).await;
        position += if paused { Duration::ZERO } else { REPORT };
        at += REPORT;
    }
    film.report(visitor, "stopped", position).await;
}

struct Film {
    key: String,
    length: Duration,
}

impl Film {
    async fn report(&self, visitor: &AppClient, state: &str, position: Duration) {
        let Self { key, length } = self;
        let target = format!(
            "/:/timeline?ratingKey={key}&key=%2Flibrary%2Fmetadata%2F{key}&state={state}&time={}&duration={}&hasMDE=1",
            position.as_millis(),
            length.as_millis()
        );
        visitor.get_with(&target, &[("x-plex-session-identifier", "demo-session".to_owned())]).await;
    }
}
