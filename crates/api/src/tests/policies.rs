//! TTL overrides and invalidations through the API.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{
    CacheDirective, Entry, Freshness, Key, LoadError, LoadReason, LoadResult, LoadedValue, Loader, Policy, Validity,
    Value, evaluate_freshness,
};
use greenroom_dialect::class::Class;

use super::fixture::{ControlFixture, JSON, LOCAL, TOKEN_HEADERS};
use greenroom_control::explain;
use greenroom_proxy::read::origin_loader::class_tag;
use greenroom_proxy::ttl_overrides::TtlOverride;

const POLICIES: &str = "/api/v1/cache/policies";
const INVALIDATE: &str = "/api/v1/cache/invalidate";

async fn policy(fixture: &ControlFixture, class: &str) -> serde_json::Value {
    let list = fixture.get(POLICIES).await.json();
    let items = list["items"].as_array().expect("a list");
    items.iter().find(|item| item["class"] == class).expect("a policy of every request type").clone()
}

#[tokio::test]
async fn a_ttl_policy_is_shown_overridden_and_reset() {
    let fixture = ControlFixture::new();
    let before = policy(&fixture, "sessions").await;
    assert_eq!((before["fresh_s"].as_u64(), before["changed"].as_bool()), (Some(10), Some(false)));
    let body = r#"{"server":"home","class":"sessions","fresh_s":15,"stale_s":0}"#;
    assert_eq!(fixture.request("PUT", POLICIES, &TOKEN_HEADERS, body).await.status, 200);
    let after = policy(&fixture, "sessions").await;
    assert_eq!((after["fresh_s"].as_u64(), after["stale_s"].as_u64()), (Some(15), Some(0)));
    assert_eq!((after["changed"].as_bool(), after["default"]["fresh_s"].as_u64()), (Some(true), Some(10)));
    assert!(fixture.get(POLICIES).await.json()["items"].as_array().is_some_and(|items| items.len() > 20));

    // Null removes the override of a field; absent fields keep theirs.
    fixture.request("PUT", POLICIES, &TOKEN_HEADERS, r#"{"class":"sessions","fresh_s":null}"#).await;
    let stored = fixture.server().ttl_overrides.get(Class::Sessions);
    assert_eq!(stored, TtlOverride { stale_s: Some(0), ..TtlOverride::default() });
    let store = greenroom_proxy::ttl_overrides::TtlOverrideStore::new(fixture.dir.path());
    assert_eq!(store.read("home"), Ok(vec![(Class::Sessions, stored)]), "it is persisted");
    for (body, code) in [
        ("", "bad-body"),
        ("{}", "what-goes-back"),
        (r#"{"server":"home"}"#, "what-goes-back"),
        (r#"{"all":true,"class":"sessions"}"#, "what-goes-back"),
    ] {
        assert_eq!(fixture.request("DELETE", POLICIES, &TOKEN_HEADERS, body).await.code(), code, "{body}");
        assert_eq!(fixture.server().ttl_overrides.get(Class::Sessions), stored, "{body}: nothing changed");
    }
    assert_eq!(fixture.request("DELETE", POLICIES, &TOKEN_HEADERS, r#"{"class":"sessions"}"#).await.status, 200);
    assert_eq!(policy(&fixture, "sessions").await, before);
    assert_eq!(store.read("home"), Ok(Vec::new()));
}

#[tokio::test]
async fn an_invalid_ttl_override_changes_nothing() {
    let fixture = ControlFixture::new();
    for (body, code) in [
        (r#"{"class":"sessions","fresh_s":31536001}"#, "out-of-bounds"),
        (r#"{"class":"sessions","fresh_s":-1}"#, "bad-body"),
        (r#"{"class":"sessions","fresh_s":1.5}"#, "bad-body"),
        (r#"{"class":"odd","fresh_s":1}"#, "unknown-class"),
        (r#"{"server":"attic","class":"sessions","fresh_s":1}"#, "unknown-server"),
        (r#"{"fresh_s":1}"#, "bad-body"),
        ("", "bad-body"),
    ] {
        assert_eq!(fixture.request("PUT", POLICIES, &TOKEN_HEADERS, body).await.code(), code, "{body}");
    }
    std::fs::remove_file(fixture.dir.path().join("state.db")).expect("removed");
    let rejected = fixture.request("PUT", POLICIES, &TOKEN_HEADERS, r#"{"class":"sessions","fresh_s":15}"#).await;
    assert_eq!((rejected.status.as_u16(), rejected.code().as_str()), (507, "not-kept"));
    assert_eq!(
        fixture.server().ttl_overrides.get(Class::Sessions),
        TtlOverride::default(),
        "an override that cannot be saved has no effect"
    );
    let denied = fixture.request("PUT", POLICIES, &[LOCAL, JSON], r#"{"class":"sessions","fresh_s":1}"#).await;
    assert_eq!(denied.code(), "token-missing");
}

/// Loads the same response each time.
struct FixedLoader;

impl Loader for FixedLoader {
    type Pass = ();

    async fn load(&self, _reason: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        let tags = vec![class_tag(Class::Sections)];
        Ok(LoadResult::Store(LoadedValue { tags, ..LoadedValue::new(Value::new("kept")) }))
    }
}

/// Stores an entry for `/library/sections`. Returns its key and the policy of its request type.
async fn store_entry(fixture: &ControlFixture) -> (Key, Policy) {
    store_entry_with(fixture, "").await
}

/// Like [`store_entry`], with a suffix of the key that names a page or a language of the response.
async fn store_entry_with(fixture: &ControlFixture, suffix: &str) -> (Key, Policy) {
    let server = fixture.server();
    let key_text = explain::cache_keys(server, "/library/sections").expect("a path").remove(0) + suffix;
    let key = Key::new("home", &server.own_partition().expect("a configured token"), &key_text);
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
    server.cache.get_or_load(&key, &policy, CacheDirective::Any, || FixedLoader).await.expect("a loaded response");
    (key, policy)
}

#[tokio::test]
async fn invalidation_by_path_covers_every_page_and_language() {
    let fixture = ControlFixture::new();
    let (key, _) = store_entry_with(&fixture, " start=0 size=100 language=de").await;
    let body = r#"{"path":"/library/sections?includePreferences=1"}"#;
    assert_eq!(fixture.request("POST", INVALIDATE, &TOKEN_HEADERS, body).await.status, 200);
    assert_eq!(fixture.server().cache.diagnose(&key).validity, Validity::Invalidated);
}

#[tokio::test]
async fn entries_are_invalidated_by_path_class_tag_or_all() {
    for body in [
        r#"{"path":"/library/sections?X-Plex-Token=another"}"#,
        r#"{"path":"http://127.0.0.1:9/library/sections"}"#,
        r#"{"class":"sections"}"#,
        r#"{"tag":"class:sections","server":"home"}"#,
        r#"{"all":true}"#,
    ] {
        let fixture = ControlFixture::new();
        let (key, _) = store_entry(&fixture).await;
        assert_eq!(fixture.server().cache.diagnose(&key).validity, Validity::Valid);
        assert_eq!(fixture.request("POST", INVALIDATE, &TOKEN_HEADERS, body).await.status, 200, "{body}");
        let diagnosis = fixture.server().cache.diagnose(&key);
        assert_eq!(diagnosis.validity, Validity::Invalidated, "{body}: invalidated, not purged");
    }
    let fixture = ControlFixture::new();
    let (key, _) = store_entry(&fixture).await;
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
        let response = fixture.request("POST", INVALIDATE, &TOKEN_HEADERS, body).await;
        let code_sent = if response.status == 200 { String::new() } else { response.code() };
        assert_eq!(code_sent, code, "{body}");
    }
    assert_eq!(fixture.server().cache.diagnose(&key).validity, Validity::Valid, "other entries stay valid");
}

#[tokio::test(start_paused = true)]
async fn a_shorter_ttl_applies_to_cached_entries() {
    let fixture = ControlFixture::new();
    let (key, _) = store_entry(&fixture).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    fixture.request("PUT", POLICIES, &TOKEN_HEADERS, r#"{"class":"sections","fresh_s":4,"stale_s":0}"#).await;
    let server = fixture.server();
    let lifetime = server.lifetime(Class::Sections, Class::Sections.lifetime(server.origin.settings.kind));
    let (_, before) = store_entry(&ControlFixture::new()).await;
    let shortened = Policy {
        fresh: Duration::from_secs(lifetime.fresh_s.into()),
        stale: Duration::from_secs(lifetime.stale_s.into()),
        ..before
    };
    let entry = server.cache.diagnose(&key).entry.expect("a cache entry");
    let freshness = |policy: &Policy| evaluate_freshness(&entry, policy, server.origin.clock.now(), Validity::Valid);
    assert!(matches!(freshness(&before), Freshness::Fresh { .. }));
    assert_eq!(freshness(&shortened), Freshness::Expired);
}
