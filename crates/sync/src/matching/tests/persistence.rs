//! Overrides on disk: restarts, backups, the limit.

use super::*;
use greenroom_cache::Timestamp;

#[tokio::test]
async fn overrides_survive_a_restart_and_contain_no_token() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Radiohead", "Creep");
    fixture.set_override(MatchOverrideKind::Pin, &query, "103").await.expect("store the override");
    let again = open(fixture.folder.path());
    let resolved = again.resolve(&fixture.library, std::slice::from_ref(&query), MatchPolicy::Strict).await;
    assert_eq!(resolved[0].source, MatchSource::Pin);
    for entry in std::fs::read_dir(fixture.folder.path()).expect("read the folder").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let has_token = bytes.windows(6).any(|window| window == b"SECRET");
        assert!(!has_token, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn overrides_are_restored_from_a_backup() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Radiohead", "Creep");
    fixture.set_override(MatchOverrideKind::Pin, &query, "103").await.expect("store the override");
    let saved = fixture.folder.path().join("saved.backup");
    backup::save(fixture.folder.path(), &saved, Timestamp::from_millis(1)).expect("save the backup");
    let other = tempfile::tempdir().expect("create a temporary folder");
    backup::restore(other.path(), &saved, Timestamp::from_millis(2)).expect("restore the backup");
    let current = open(other.path());
    let resolved = current.resolve(&fixture.library, std::slice::from_ref(&query), MatchPolicy::Strict).await;
    assert_eq!(resolved[0].source, MatchSource::Pin);
}

#[tokio::test]
async fn overrides_can_be_exported_and_imported() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Radiohead", "Creep");
    fixture.set_override(MatchOverrideKind::Pin, &query, "103").await.expect("store the override");
    fixture.set_override(MatchOverrideKind::Rejection, &query, "102").await.expect("store the override");
    let listed = fixture.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read the overrides");
    let lines: Vec<String> = listed
        .iter()
        .map(|match_override| serde_json::to_string(&ExportedMatchOverride::from(match_override)).expect("write JSON"))
        .collect();
    let other = MatchingFixture::new(&three_tracks());
    let read: Vec<ExportedMatchOverride> =
        lines.iter().map(|line| serde_json::from_str(line).expect("parse the override")).collect();
    for _ in 0..2 {
        assert_eq!(other.matching.import_overrides(read.clone()).await, Ok(2), "twice is as once");
    }
    assert_eq!(other.resolution(&query).await, "pin 103");
    assert_eq!(
        other.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read the overrides").len(),
        2
    );
    let pins = OverrideFilter { kind: Some(MatchOverrideKind::Pin), ..OverrideFilter::default() };
    assert_eq!(other.matching.list_overrides(pins, 0, 10).await.expect("read the overrides").len(), 1);
    let elsewhere = OverrideFilter { library: "home:9".parse().ok(), ..OverrideFilter::default() };
    assert_eq!(other.matching.list_overrides(elsewhere, 0, 10).await.expect("read the overrides"), []);
}

#[tokio::test]
async fn beyond_the_limit_the_oldest_confirmed_match_is_evicted_and_a_pin_is_rejected() {
    let folder = tempfile::tempdir().expect("create a temporary folder");
    let library = Arc::new(Library::new("home:3".parse().expect("parse the library id"), "Music", server()));
    let state = StatePersistence::open(folder.path(), &Arc::default());
    let settings =
        greenroom_config::MatchingSettings { max_decisions: 2, ..greenroom_config::MatchingSettings::default() };
    let fixture = MatchingFixture { library, matching: Matcher::open(folder.path(), state.error(), settings), folder };
    fixture.publish(&three_tracks());
    for item in three_tracks() {
        fixture.matching.confirm(&fixture.library, &track_query("x", &item.title), &item).await;
    }
    let left = fixture.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read the overrides");
    let keys: Vec<&str> = left.iter().map(|match_override| match_override.item_key.as_str()).collect();
    assert_eq!(keys, ["102", "103"]);
    for title in ["a", "b"] {
        fixture
            .set_override(MatchOverrideKind::Pin, &track_query("x", title), "101")
            .await
            .expect("a pin takes its place");
    }
    let full = fixture.set_override(MatchOverrideKind::Pin, &track_query("x", "c"), "101").await;
    assert_eq!(full, Err(OverrideError::NotSaved(OverrideStoreError::Full)));
    let left = fixture.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read the overrides");
    assert!(
        left.iter().all(|match_override| match_override.kind == MatchOverrideKind::Pin) && left.len() == 2,
        "{left:?}"
    );
}

#[tokio::test]
async fn an_override_needs_a_track_and_an_item() {
    let fixture = MatchingFixture::new(&three_tracks());
    assert_eq!(
        fixture.set_override(MatchOverrideKind::Pin, &TrackQuery::default(), "101").await,
        Err(OverrideError::EmptyQuery)
    );
    assert_eq!(
        fixture.set_override(MatchOverrideKind::Pin, &track_query("a", "b"), "999").await,
        Err(OverrideError::UnknownItem)
    );
    let long = track_query("a", &"b".repeat(100_000));
    assert_eq!(
        fixture.set_override(MatchOverrideKind::Pin, &long, "101").await,
        Err(OverrideError::NotSaved(OverrideStoreError::TooLong))
    );
}

#[tokio::test]
async fn without_a_state_everything_works_except_overrides() {
    let fixture = MatchingFixture { matching: Matcher::default(), ..MatchingFixture::new(&three_tracks()) };
    let query = track_query("Radiohead", "Creep");
    let item = fixture.resolve(&query).await.accepted().expect("the track is accepted").clone();
    fixture.matching.confirm(&fixture.library, &query, &item).await;
    assert_eq!(fixture.resolution(&query).await, "index 101");
    assert_eq!(fixture.set_override(MatchOverrideKind::Pin, &query, "101").await, Err(OverrideError::NoStore));
}
