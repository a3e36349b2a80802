//! Cost of dashboards for the server: one request for a crowd, none for a client after a pause, and during an outage
//! the last good response, marked, with its age.

use std::time::Duration;

use futures_util::future::join_all;
use greenroom_simulator::faults::Fault;
use http::Method;
use serde_json::Value;

use super::DashboardFixture;

const ACTIVITIES: &str = "/api/plex/activities";

#[tokio::test(start_paused = true)]
async fn a_cold_herd_of_fifty_costs_one_request_of_each_kind() {
    let house = DashboardFixture::plex().await;
    house.stage.control().send(Method::POST, "/api/plex/cache/clear", "").await;
    house.server.request_log().reset();
    let dashboard = house.dashboard();
    let answers = join_all((0..50).map(|_| dashboard.get(ACTIVITIES))).await;
    for answer in &answers {
        let said = answer.json();
        assert_eq!((answer.status.as_u16(), &said["error"]), (200, &Value::Bool(false)), "{said}");
        assert_eq!(said["activities"].as_array().expect("a list").len(), 2, "{said}");
    }
    assert_eq!(house.reached("/activities"), 1);
    // The figures load sessions as well, past the cache: the crowd's cost is what its app reached.
    let figures = house.gateway().apps.counters();
    let (_, app) = figures.iter().find(|(name, _)| name == "Tableau").expect("it is an app like any other");
    assert_eq!((app.requests, app.upstream_requests), (100, 2));
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_dashboard_and_the_owners_app_share_what_is_kept() {
    let house = DashboardFixture::plex().await;
    let app = house.stage.client().with("accept", "application/json");
    let app = app.with("x-plex-token", house.server.tokens().owner_a());
    assert_eq!(app.get("/activities").await.status, 200);
    house.server.request_log().reset();
    let said = house.get(ACTIVITIES).await.json();
    assert_eq!(said["error"], false);
    assert_eq!(house.reached("/activities"), 0, "it was asked a moment ago");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_server_is_down_there_is_the_last_good_answer_with_its_age() {
    let house = DashboardFixture::plex().await;
    let good = house.get(ACTIVITIES).await.json();
    let sessions = house.get("/api/plex/sessions").await.json();
    assert_eq!((good["activities"].as_array().map(Vec::len), &sessions["total"]), (Some(2), &Value::from(1)));
    house.server.faults().set(Fault::Down);
    let old = house.until(ACTIVITIES, |answer| answer.json()["cache_age"].as_f64() > Some(60.0)).await.json();
    assert_eq!((&old["error"], &old["stale"], &old["cached"]), (&false.into(), &true.into(), &true.into()), "{old}");
    assert_eq!(old["activities"], good["activities"]);
    assert_ne!(old["timestamp"], Value::Null);
    let old = house.get("/api/plex/sessions").await.json();
    assert_eq!((&old["stale"], &old["total"]), (&true.into(), &1.into()));
    let figures = house.until("/api/v1/dashboard", |answer| answer.json()["sessions"]["stale"] == true).await.json();
    assert_eq!(figures["sessions"]["active"], 1, "what is known stays");
    let warmed = house.stage.control().send(Method::POST, "/api/plex/cache/warm", "").await.json();
    assert_eq!(warmed["success"], false, "nothing was warmed: {warmed}");
    let kept = house.get(ACTIVITIES).await.json();
    assert_eq!(kept["activities"], good["activities"], "and nothing was lost by trying");
    house.server.faults().clear();
    house.until(ACTIVITIES, |answer| answer.json()["stale"] == false).await;
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn data_never_received_is_an_error_and_not_an_empty_success() {
    let house = DashboardFixture::plex().await;
    house.server.faults().set(Fault::Down);
    let said = house.get(ACTIVITIES).await.json();
    assert_eq!(said["error"], true, "{said}");
    assert!(said["message"].is_string() && said["activities"].as_array().is_some_and(Vec::is_empty));
    assert_eq!((&said["cached"], &said["cache_age"]), (&false.into(), &Value::Null));
    assert_eq!(said["unavailable"], serde_json::json!(["home"]));
    let recent = house.get("/api/plex/media/recent").await;
    assert_eq!(recent.status, 503);
    assert!(recent.json()["detail"].is_string());
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_read_after_twenty_idle_seconds_is_served_from_the_warmed_entry() {
    let house = DashboardFixture::plex().await;
    house.get(ACTIVITIES).await;
    let asked = house.gateway().counters.requests.load(std::sync::atomic::Ordering::Relaxed);
    house.clock.sleep(Duration::from_secs(20)).await;
    let by_us = house.gateway().counters.requests.load(std::sync::atomic::Ordering::Relaxed) - asked;
    assert_eq!(by_us, 0, "what we load of our own accord is nobody's question");
    let said = house.get(ACTIVITIES).await.json();
    assert_eq!((&said["cached"], &said["stale"]), (&true.into(), &false.into()), "{said}");
    assert!(said["cache_age"].as_f64() < Some(12.0), "{said}");
    let figures = house.gateway().apps.counters();
    let (_, app) = figures.iter().find(|(name, _)| name == "Tableau").expect("it is an app like any other");
    assert_eq!((app.requests, app.upstream_requests), (4, 2), "only the first question reached the server");
    let stats = house.get("/api/plex/cache/stats").await.json();
    let of = stats["caches"].as_array().expect("a list").iter().find(|row| row["name"] == "plex_activities");
    let of = of.expect("it is listed");
    assert_eq!((&of["hits"], &of["misses"]), (&1.into(), &1.into()), "{of}");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn keys_without_recent_reads_are_not_kept_warm() {
    let house = DashboardFixture::plex().await;
    house.get(ACTIVITIES).await;
    house.clock.sleep(Duration::from_secs(70)).await;
    house.server.request_log().reset();
    house.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(house.reached("/activities"), 0);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jellyfin_alone_is_shown_in_the_same_shapes() {
    let house = DashboardFixture::jellyfin().await;
    let said = house.get("/api/plex/sessions").await.json();
    assert_eq!((&said["error"], &said["total"]), (&false.into(), &1.into()), "{said}");
    assert_eq!(said["sessions"][0]["device"]["name"], "Telly");
    let thumb = said["sessions"][0]["media"]["thumb"].as_str();
    if let Some(link) = thumb {
        let picture = crate::fixture::TestClient::new(house.stage.process.control).get(link).await;
        assert_eq!(picture.status, 200, "{}", picture.text());
    }
    house.end().await;
}
