//! System suspend: entries, grants and timers age while the machine sleeps, although no clock of the process ran.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_cache::{Clock, SuspendDetector};
use greenroom_dialect::class::Class;
use greenroom_dialect::credential::{Credential, Secret};
use serde_json::Value;

use crate::fixture::waiting::{until, until_async};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture};
use crate::outages::{SwitchableServer, gateway, json};

const NIGHT_MS: u64 = 8 * 3_600_000;

/// A gateway, and the counter of suspended time.
async fn stage(moody: &SwitchableServer) -> (GatewayFixture, Arc<AtomicU64>) {
    let slept_ms = Arc::new(AtomicU64::new(0));
    let slept = Arc::clone(&slept_ms);
    let witness = SuspendDetector::counting(move || slept.load(Ordering::Relaxed));
    let url = format!("http://{}", moody.server.address);
    let script = GatewayConfigBuilder::new().server("home", "plex", &url, "");
    (script.start_at(Clock::system().with_suspend_detector(witness)).await, slept_ms)
}

/// The machine sleeps overnight, and wakes.
async fn sleep(stage: &GatewayFixture, slept_ms: &AtomicU64) {
    slept_ms.fetch_add(NIGHT_MS, Ordering::Relaxed);
    until(|| stage.process.clock.last_leap() > Timestamp::UNIX_EPOCH).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_night_nothing_is_fresh_and_grants_are_renewed() {
    let moody = SwitchableServer::start().await;
    let (stage, slept_ms) = stage(&moody).await;
    let (anna, home) = (json(&stage, "anna"), gateway(&stage, 0));
    let credential = Credential { token: Some(Secret::new("anna")), ..Credential::default() };
    let is_proven = || {
        let anna = home.identities.lookup(&credential).expect("she is known");
        anna.is_accepted(Class::Sections, home.origin.clock.now(), home.origin.settings.auth_ttl)
    };
    anna.get("/library/sections").await;
    let hit = anna.get("/library/sections").await;
    assert!(hit.was_hit());
    assert!(is_proven());
    let asked = moody.server.count("GET", "/library/sections");
    sleep(&stage, &slept_ms).await;
    assert!(!is_proven());
    let after = anna.get("/library/sections").await;
    assert!(!after.was_hit(), "{}", after.header("cache-status"));
    assert_eq!(moody.server.count("GET", "/library/sections"), asked + 1, "this very request asked for her");
    assert!(is_proven());
    stage.stop().await;
    moody.server.stop();
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fell_due_in_the_night_is_made_up_for_once() {
    let moody = SwitchableServer::start().await;
    let (stage, slept_ms) = stage(&moody).await;
    let control = stage.control();
    let ended = async |outcome: &str| {
        let mut job = Value::Null;
        until_async(async || {
            let jobs = control.get("/api/v1/jobs").await.json();
            let mut jobs = jobs["jobs"].as_array().expect("a list").iter();
            job = jobs.find(|job| job["id"] == "dashboard").expect("it is there").clone();
            job["state"] == "idle" && job["last"]["outcome"] == outcome
        })
        .await;
        let at_ms = |value: &Value| value.as_u64().expect("a time");
        (at_ms(&job["last"]["ended_ms"]), at_ms(&job["next_ms"]))
    };
    let (before_ms, _) = ended("done").await;
    sleep(&stage, &slept_ms).await;
    let (after_ms, next_ms) = ended("caught-up").await;
    assert!(after_ms >= before_ms + NIGHT_MS);
    assert_eq!(next_ms, after_ms + 60_000, "hundreds were missed, and one is made up for");
    stage.stop().await;
    moody.server.stop();
}
