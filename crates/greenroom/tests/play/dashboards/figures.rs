//! Precomputed figures: correct, and returned without upstream requests.

use futures_util::future::join_all;
use greenroom_simulator::catalogue::{MediaKind, SortKey};
use greenroom_simulator::faults::Fault;
use serde_json::Value;

use super::DashboardFixture;
use crate::fixture::waiting::long_moment;

#[tokio::test(start_paused = true)]
async fn the_figures_match_the_server_and_reading_them_causes_no_request() {
    let house = DashboardFixture::plex().await;
    let is_counted =
        |said: &Value| ["films", "episodes", "tracks"].iter().all(|name| said["libraries"][name].as_u64() > Some(0));
    let said = house.until("/api/v1/dashboard", |answer| is_counted(&answer.json())).await.json();
    let count = |kind| house.server.state().view().list(kind, SortKey::Id).len();
    for (name, kind) in [
        ("films", MediaKind::Film),
        ("shows", MediaKind::Show),
        ("seasons", MediaKind::Season),
        ("episodes", MediaKind::Episode),
        ("artists", MediaKind::Artist),
        ("albums", MediaKind::Album),
        ("tracks", MediaKind::Track),
    ] {
        assert_eq!(said["libraries"][name], count(kind), "{name}: {said}");
    }
    assert_eq!((&said["services"]["total"], &said["services"]["online"]), (&1.into(), &1.into()));
    assert_eq!((&said["servers"][0]["health"], &said["servers"][0]["kind"]), (&"online".into(), &"plex".into()));
    let playing = &said["sessions"]["list"][0];
    assert_eq!((&said["sessions"]["active"], &playing["player"]), (&1.into(), &"Telly".into()));
    let asked = house.gateway().counters.requests.load(std::sync::atomic::Ordering::Relaxed);
    for _ in 0..200 {
        assert_eq!(house.get("/api/v1/dashboard").await.status, 200);
        assert_eq!(house.get("/api/plex/stats/dashboard").await.status, 200);
    }
    assert_eq!(house.gateway().counters.requests.load(std::sync::atomic::Ordering::Relaxed), asked);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_picture_of_what_plays_is_a_link_that_needs_no_token() {
    let house = DashboardFixture::plex().await;
    let is_playing = |said: &Value| said["sessions"]["active"] == 1;
    let said = house.until("/api/v1/dashboard", |answer| is_playing(&answer.json())).await.json();
    let link = said["sessions"]["list"][0]["picture"].as_str().expect("it has one");
    assert!(link.contains("signature=") && !link.contains("Token"), "{link}");
    let asked = house.gateway().counters.requests.load(std::sync::atomic::Ordering::Relaxed);
    let picture = house.get(link).await;
    assert_eq!(picture.status, 200);
    assert!(picture.headers["content-type"].to_str().expect("text").starts_with("image/"));
    let changed = link.replace("viewer=own-page", "viewer=app");
    assert_eq!((changed == link, house.get(&changed).await.status.as_u16()), (false, 403), "it is signed");
    let now = house.gateway().counters.requests.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(now, asked, "whoever looks at the page is no app");
    let seen = house.get("/api/v1/cache/stats").await.json()["dashboard_ms"].as_u64();
    assert!(seen >= said["as_of_ms"].as_u64(), "whoever hears the figures hears when to look again");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_image_of_the_page_is_loaded_once_for_all_readers_and_served_during_an_outage() {
    let house = DashboardFixture::plex().await;
    let is_playing = |said: &Value| said["sessions"]["active"] == 1;
    let said = house.until("/api/v1/dashboard", |answer| is_playing(&answer.json())).await.json();
    let link = said["sessions"]["list"][0]["picture"].as_str().expect("it has one").to_owned();
    let pictures = || house.server.request_log().count(|seen| seen.target.contains("/thumb"));
    assert_eq!(pictures(), 0);
    house.server.faults().set(Fault::Slow(300));
    let page = house.stage.control();
    for answer in join_all((0..20).map(|_| page.get(&link))).await {
        assert_eq!(answer.status.as_u16(), 200);
    }
    assert_eq!(pictures(), 1, "one load is enough for all");
    house.server.faults().set(Fault::Down);
    assert_eq!(house.get(&link).await.status, 200, "it was kept");
    let apps = house.gateway().apps.counters();
    assert!(apps.iter().all(|(_, counted)| counted.upstream_requests == 0), "nobody's request: {apps:?}");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_summary_is_flat_and_short_and_there_while_the_server_is_down() {
    let house = DashboardFixture::plex().await;
    let is_known = |said: &Value| said["films"].as_u64() > Some(0) && said["active_sessions"].as_u64() == Some(1);
    house.until("/api/v1/summary", |answer| is_known(&answer.json())).await;
    house.server.faults().set(Fault::Down);
    let down_ms = house.clock.now_ms();
    let is_noticed = |said: &Value| said["servers_online"] == 0 && said["active_sessions"].is_null();
    let knock = house.dashboard();
    let knocking = async {
        loop {
            knock.get("/api/plex/activities").await;
            knock.get("/api/plex/sessions").await;
            knock.get("/api/plex/media/recent").await;
            long_moment().await;
        }
    };
    let said = tokio::select! {
        never = knocking => never,
        said = house.until("/api/v1/summary", |answer| is_noticed(&answer.json())) => said,
    };
    let said = said.json();
    let fields = said.as_object().expect("an object");
    assert!(fields.len() <= 15, "{fields:?}");
    assert!(fields.values().all(|value| value.is_number() || value.is_null()), "{fields:?}");
    assert!(said["films"].as_u64() > Some(0), "what there is stays: {said}");
    assert!(said["as_of_ms"].as_u64().expect("a moment") <= down_ms, "nothing was heard since: {said}");
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_figures_of_a_server_never_reached_are_null_and_not_zero() {
    let house = DashboardFixture::never_heard().await;
    for path in ["/api/plex/stats", "/api/plex/stats/live", "/api/plex/stats/dashboard"] {
        let answer = house.get(path).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.text());
        assert!(answer.json()["detail"].is_string());
    }
    let summary = house.get("/api/v1/summary").await.json();
    for name in ["active_sessions", "films", "episodes", "tracks", "as_of_ms"] {
        assert_eq!(summary.get(name), Some(&Value::Null), "{name}: {summary}");
    }
    let said = house.get("/api/v1/dashboard").await.json();
    assert_eq!((&said["libraries"], &said["sessions"]["active"]), (&Value::Null, &Value::Null), "{said}");
    assert_eq!((&said["sessions"]["stale"], &said["services"]["total"]), (&true.into(), &1.into()));
    let warmed = house.stage.control().send(http::Method::POST, "/api/plex/cache/warm", "").await.json();
    assert_eq!((&warmed["warmed"], &warmed["unavailable"]), (&serde_json::json!([]), &serde_json::json!(["home"])));
    let stats = house.get("/api/plex/cache/stats").await.json();
    assert!(stats["caches"].as_array().expect("a list").iter().all(|row| row["cached"] == false), "{stats}");
    house.server.faults().clear();
    house.until("/api/plex/stats", |answer| answer.status == 200).await;
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_age_of_counts_is_that_of_the_server_response() {
    let house = DashboardFixture::plex().await;
    house.until("/api/plex/stats/live", |answer| answer.json()["total_movies"].as_u64() > Some(0)).await;
    house.server.faults().set(Fault::Down);
    let is_old = |said: &Value| said["cache_age"].as_f64() > Some(200.0);
    let said = house.until("/api/plex/stats", |answer| is_old(&answer.json())).await.json();
    assert_eq!(said["stale"], true, "{said}");
    let figures = house.get("/api/v1/dashboard").await.json();
    let (heard, computed) = (&figures["libraries"]["as_of_ms"], &figures["as_of_ms"]);
    assert!(heard.as_u64().expect("a moment") <= computed.as_u64().expect("a moment"), "{figures}");
    house.end().await;
}
