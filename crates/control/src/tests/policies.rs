//! TTL overrides and invalidations over the API.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{
    CacheDirective, Entry, Freshness, Key, LoadError, LoadReason, LoadResult, LoadedValue, Loader, Policy, Validity,
    Value, evaluate_freshness,
};
use greenroom_dialect::class::Class;

use super::fixture::{ControlFixture, JSON, LOCAL, WITH};
use crate::explain;
use greenroom_proxy::read::origin_loader::class_tag;
use greenroom_proxy::ttl_overrides::TtlOverride;

const POLICIES: &str = "/api/v1/cache/policies";
const INVALIDATE: &str = "/api/v1/cache/invalidate";

async fn policy(house: &ControlFixture, class: &str) -> serde_json::Value {
    let listed = house.get(POLICIES).await.json();
    let items = listed["items"].as_array().expect("a list");
    items.iter().find(|item| item["class"] == class).expect("every class is there").clone()
}

#[tokio::test]
async fn a_lifetime_is_said_changed_and_taken_back() {
    let house = ControlFixture::new();
    let before = policy(&house, "sessions").await;
    assert_eq!((before["fresh_s"].as_u64(), before["changed"].as_bool()), (Some(10), Some(false)));
    let body = r#"{"server":"home","class":"sessions","fresh_s":15,"stale_s":0}"#;
    assert_eq!(house.ask("PUT", POLICIES, &WITH, body).await.status, 200);
    let after = policy(&house, "sessions").await;
    assert_eq!((after["fresh_s"].as_u64(), after["stale_s"].as_u64()), (Some(15), Some(0)));
    assert_eq!((after["changed"].as_bool(), after["default"]["fresh_s"].as_u64()), (Some(true), Some(10)));
    assert!(house.get(POLICIES).await.json()["items"].as_array().is_some_and(|items| items.len() > 20));

    // Null removes an override; fields that are absent stay.
    house.ask("PUT", POLICIES, &WITH, r#"{"class":"sessions","fresh_s":null}"#).await;
    let said = house.server().ttl_overrides.get(Class::Sessions);
    assert_eq!(said, TtlOverride { stale_s: Some(0), ..TtlOverride::default() });
    let book = greenroom_proxy::ttl_overrides::TtlOverrideStore::new(house.folder.path());
    assert_eq!(book.read("home"), Ok(vec![(Class::Sessions, said)]), "it outlives the process");
    for (body, code) in [
        ("", "bad-body"),
        ("{}", "what-goes-back"),
        (r#"{"server":"home"}"#, "what-goes-back"),
        (r#"{"all":true,"class":"sessions"}"#, "what-goes-back"),
    ] {
        assert_eq!(house.ask("DELETE", POLICIES, &WITH, body).await.code(), code, "{body}");
        assert_eq!(house.server().ttl_overrides.get(Class::Sessions), said, "{body}: nothing has changed");
    }
    assert_eq!(house.ask("DELETE", POLICIES, &WITH, r#"{"class":"sessions"}"#).await.status, 200);
    assert_eq!(policy(&house, "sessions").await, before);
    assert_eq!(book.read("home"), Ok(Vec::new()));
}

#[tokio::test]
async fn a_lifetime_that_makes_no_sense_changes_nothing() {
    let house = ControlFixture::new();
    for (body, code) in [
        (r#"{"class":"sessions","fresh_s":31536001}"#, "out-of-bounds"),
        (r#"{"class":"sessions","fresh_s":-1}"#, "bad-body"),
        (r#"{"class":"sessions","fresh_s":1.5}"#, "bad-body"),
        (r#"{"class":"odd","fresh_s":1}"#, "unknown-class"),
        (r#"{"server":"attic","class":"sessions","fresh_s":1}"#, "unknown-server"),
        (r#"{"fresh_s":1}"#, "bad-body"),
        ("", "bad-body"),
    ] {
        assert_eq!(house.ask("PUT", POLICIES, &WITH, body).await.code(), code, "{body}");
    }
    std::fs::remove_file(house.folder.path().join("state.db")).expect("it is there");
    let refused = house.ask("PUT", POLICIES, &WITH, r#"{"class":"sessions","fresh_s":15}"#).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (507, "not-kept"));
    assert_eq!(
        house.server().ttl_overrides.get(Class::Sessions),
        TtlOverride::default(),
        "what is not kept does not hold"
    );
    let none = house.ask("PUT", POLICIES, &[LOCAL, JSON], r#"{"class":"sessions","fresh_s":1}"#).await;
    assert_eq!(none.code(), "token-missing");
}

/// Loads the same response each time.
struct FixedLoader;

impl Loader for FixedLoader {
    type Pass = ();

    async fn load(&self, _why: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        let tags = vec![class_tag(Class::Sections)];
        Ok(LoadResult::Store(LoadedValue { tags, ..LoadedValue::new(Value::new("kept")) }))
    }
}

/// Stores an entry for a path. Returns its key and the policy of its request type.
async fn store_entry(house: &ControlFixture) -> (Key, Policy) {
    store_entry_with(house, "").await
}

/// Stores an entry for a part of the path's response, with this suffix of the key.
async fn store_entry_with(house: &ControlFixture, part: &str) -> (Key, Policy) {
    let server = house.server();
    let text = explain::cache_keys(server, "/library/sections").expect("a path").remove(0) + part;
    let key = Key::new("home", &server.own_partition().expect("it has a token"), &text);
    let lifetime = server.lifetime(Class::Sections, Class::Sections.lifetime(server.origin.settings.kind));
    let policy = Policy {
        class: Class::Sections.name(),
        fresh: Duration::from_secs(lifetime.fresh_s.into()),
        freshness_bound: None,
        stale: Duration::from_secs(lifetime.stale_s.into()),
        stale_on_error: Duration::from_secs(lifetime.stale_on_error_s.into()),
        refresh_ahead: false,
        warm: false,
        soft_timeout: Duration::from_secs(1),
        hard_timeout: Duration::from_secs(1),
    };
    server.cache.get_or_load(&key, &policy, CacheDirective::Any, || FixedLoader).await.expect("it loads");
    (key, policy)
}

#[tokio::test]
async fn what_is_made_stale_by_path_is_so_in_every_page_and_language() {
    let house = ControlFixture::new();
    let (key, _) = store_entry_with(&house, " start=0 size=100 language=de").await;
    let body = r#"{"path":"/library/sections?includePreferences=1"}"#;
    assert_eq!(house.ask("POST", INVALIDATE, &WITH, body).await.status, 200);
    assert_eq!(house.server().cache.diagnose(&key).validity, Validity::Invalidated);
}

#[tokio::test]
async fn what_is_kept_is_made_stale_by_path_class_tag_or_all_of_it() {
    for body in [
        r#"{"path":"/library/sections?X-Plex-Token=another"}"#,
        r#"{"path":"http://127.0.0.1:9/library/sections"}"#,
        r#"{"class":"sections"}"#,
        r#"{"tag":"class:sections","server":"home"}"#,
        r#"{"all":true}"#,
    ] {
        let house = ControlFixture::new();
        let (key, _) = store_entry(&house).await;
        assert_eq!(house.server().cache.diagnose(&key).validity, Validity::Valid);
        assert_eq!(house.ask("POST", INVALIDATE, &WITH, body).await.status, 200, "{body}");
        let diagnosis = house.server().cache.diagnose(&key);
        assert_eq!(diagnosis.validity, Validity::Invalidated, "{body}: it still stands in if the server is down");
    }
    let house = ControlFixture::new();
    let (key, _) = store_entry(&house).await;
    for (body, code) in [
        ("{}", "what-is-stale"),
        (r#"{"all":true,"class":"sections"}"#, "what-is-stale"),
        (r#"{"class":"odd"}"#, "unknown-class"),
        (r#"{"path":"/video/:/transcode/universal/start.m3u8"}"#, "never-kept"),
        (r#"{"path":"no path"}"#, "no-address"),
        (r#"{"all":true,"server":"attic"}"#, "unknown-server"),
        (r#"{"path":"/library/sections/1/all"}"#, ""),
        (r#"{"class":"sessions"}"#, ""),
    ] {
        let answer = house.ask("POST", INVALIDATE, &WITH, body).await;
        let said = if answer.status == 200 { String::new() } else { answer.code() };
        assert_eq!(said, code, "{body}");
    }
    assert_eq!(house.server().cache.diagnose(&key).validity, Validity::Valid, "of something else");
}

#[tokio::test(start_paused = true)]
async fn a_shorter_lifetime_applies_to_what_is_kept_already() {
    let house = ControlFixture::new();
    let (key, _) = store_entry(&house).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    house.ask("PUT", POLICIES, &WITH, r#"{"class":"sections","fresh_s":4,"stale_s":0}"#).await;
    let server = house.server();
    let lifetime = server.lifetime(Class::Sections, Class::Sections.lifetime(server.origin.settings.kind));
    let (_, before) = store_entry(&ControlFixture::new()).await;
    let now = Policy {
        fresh: Duration::from_secs(lifetime.fresh_s.into()),
        stale: Duration::from_secs(lifetime.stale_s.into()),
        ..before
    };
    let entry = server.cache.diagnose(&key).entry.expect("it is kept");
    let judged = |policy: &Policy| evaluate_freshness(&entry, policy, server.origin.clock.now_ms(), Validity::Valid);
    assert!(matches!(judged(&before), Freshness::Fresh { .. }));
    assert_eq!(judged(&now), Freshness::Expired);
}
