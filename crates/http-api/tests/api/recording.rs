//! Records of requests: route, result, app, user, and what the cache would have saved.

use greenroom_cache::Timestamp;
use greenroom_config::CacheMode;
use greenroom_request_log::{CacheResult, DecisionReason};
use greenroom_state::bypass::Bypass;

use crate::fixture::{Fixture, answer};

const ROUTE: &str = "[[server.route]]\npath = \"/films/*\"\nname = \"films\"\nfresh_s = 600\n";

/// Route, result and reason of every request so far, the oldest first.
fn recorded(fixture: &Fixture) -> Vec<(&'static str, CacheResult, Option<&'static str>)> {
    let mut all = fixture.server.recorder.decisions(0, 100, |_| true);
    all.reverse();
    let row = |decision: &greenroom_request_log::Decision| {
        (decision.category.name(), decision.outcome.result, decision.outcome.reason.map(DecisionReason::name))
    };
    all.iter().map(|numbered| row(&numbered.decision)).collect()
}

#[tokio::test]
async fn each_request_is_recorded_with_its_route_result_and_reason() {
    let fixture = Fixture::new(ROUTE, |request| match request.target.as_str() {
        "/plain" => answer(200, &[("cache-control", "no-store")], "plain"),
        _ => answer(200, &[], "film"),
    })
    .await;
    for target in ["/films/1", "/films/1", "/plain"] {
        fixture.get(target).await;
    }
    fixture.send("POST", "/films/1", &[], "").await;
    fixture.get("/films/1").await;
    fixture.get("/a/../b").await;
    assert_eq!(
        recorded(&fixture),
        [
            ("films", CacheResult::Loaded, Some("absent")),
            ("films", CacheResult::Hit, None),
            ("http", CacheResult::Passed, Some("uncacheable")),
            ("writes", CacheResult::Write, Some("write")),
            ("films", CacheResult::Loaded, Some("invalidated")),
            ("refused", CacheResult::Refused, Some("inadmissible")),
        ]
    );
    let sum = fixture.server.recorder.sum(Timestamp::UNIX_EPOCH);
    assert_eq!((sum.asked, sum.reached, sum.saved, sum.own), (6, 4, 1, 0));
}

#[tokio::test]
async fn an_outage_is_recorded_as_stale_on_error_and_as_failed() {
    let fixture = Fixture::new("", |_| answer(200, &[("cache-control", "max-age=0"), ("etag", "\"1\"")], "x")).await;
    fixture.get("/a").await;
    fixture.script(|_| answer(503, &[], "down"));
    fixture.get("/a").await;
    let results: Vec<CacheResult> = recorded(&fixture).iter().map(|(_, result, _)| *result).collect();
    assert_eq!(results, [CacheResult::Loaded, CacheResult::StaleOnError]);
}

#[tokio::test]
async fn apps_are_named_by_their_user_agent_and_credentials_are_hashed() {
    let fixture = Fixture::new(ROUTE, |_| answer(200, &[], "film")).await;
    fixture.get_with("/films/1", &[("user-agent", "tmdb-client/2.0"), ("authorization", "Bearer geheim-geheim")]).await;
    fixture.get_with("/films/1", &[("user-agent", "geheim-geheim"), ("authorization", "Bearer geheim-geheim")]).await;
    let all = fixture.server.recorder.decisions(0, 100, |_| true);
    let names: Vec<&str> = all.iter().map(|numbered| numbered.decision.app.name.as_str()).collect();
    assert_eq!(names, ["unknown", "tmdb-client"], "an app that calls itself by its credential has no name");
    assert!(all[0].decision.user.is_some() && all[0].decision.user == all[1].decision.user);
    assert_eq!(all[1].decision.app.statistics_name(), "tmdb-client");
}

#[tokio::test]
async fn a_bypass_of_a_route_sends_its_reads_to_the_server_and_no_others() {
    let fixture = Fixture::new(ROUTE, |_| answer(200, &[("cache-control", "max-age=60")], "x")).await;
    let bypass = Bypass { class: Some("films".into()), ..Bypass::default() };
    fixture.server.bypasses.add(&bypass).expect("a bypass");
    for target in ["/films/1", "/films/1", "/other", "/other"] {
        assert_eq!(fixture.get(target).await.status, 200);
    }
    assert_eq!(fixture.seen().len(), 3);
    assert_eq!(recorded(&fixture)[1], ("films", CacheResult::Passed, Some("bypassed")));
    fixture.server.bypasses.add(&Bypass::default()).expect("a bypass");
    assert_eq!(fixture.server.mode(), CacheMode::Bypass);
    fixture.get("/other").await;
    assert_eq!(fixture.seen().len(), 4);
}

#[tokio::test]
async fn observe_mode_asks_the_server_every_time_and_counts_what_the_cache_would_have_answered() {
    let fixture = Fixture::new(ROUTE, |_| answer(200, &[], "one")).await;
    assert!(fixture.server.set_mode(CacheMode::Observe) && !fixture.server.set_mode(CacheMode::Observe));
    fixture.get("/films/1").await;
    fixture.get("/films/1").await;
    fixture.script(|_| answer(200, &[], "two"));
    let changed = fixture.get("/films/1").await;
    assert_eq!((changed.body.as_str(), fixture.seen().len()), ("two", 3));
    fixture.server.set_mode(CacheMode::Cache);
    fixture.get("/films/1").await;
    assert_eq!((fixture.seen().len(), fixture.server.mode()), (3, CacheMode::Cache));
    let observation = fixture.server.observation().expect("the last observation");
    let rows = observation.rows();
    assert_eq!(rows.len(), 1);
    let counts = rows[0].counts;
    assert_eq!((rows[0].route.text(), counts.asked, counts.missed, counts.hits), ("films", 3, 1, 2));
    assert_eq!((counts.compared, counts.differed), (2, 1));
    assert_eq!(recorded(&fixture)[2], ("films", CacheResult::Passed, Some("bypassed")));
}
