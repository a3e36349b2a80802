//! Overrides on disk: restarts, backups, the limit.

use super::*;

#[tokio::test]
async fn decisions_outlive_the_process_and_hold_no_token() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Radiohead", "Creep");
    house.rule(MatchOverrideKind::Pin, &asked, "103").await.expect("kept");
    let again = open(house.folder.path());
    let resolved = again.resolve(&house.library, std::slice::from_ref(&asked), MatchPolicy::Strict).await;
    assert_eq!(resolved[0].source, MatchSource::Pin);
    for entry in std::fs::read_dir(house.folder.path()).expect("it is there").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let has_token = bytes.windows(6).any(|window| window == b"SECRET");
        assert!(!has_token, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn decisions_come_back_with_a_backup() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Radiohead", "Creep");
    house.rule(MatchOverrideKind::Pin, &asked, "103").await.expect("kept");
    let saved = house.folder.path().join("saved.backup");
    backup::save(house.folder.path(), &saved, 1).expect("saved");
    let other = tempfile::tempdir().expect("a folder");
    backup::restore(other.path(), &saved, 2).expect("restored");
    let there = open(other.path());
    let resolved = there.resolve(&house.library, std::slice::from_ref(&asked), MatchPolicy::Strict).await;
    assert_eq!(resolved[0].source, MatchSource::Pin);
}

#[tokio::test]
async fn decisions_are_written_out_and_read_in_elsewhere() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Radiohead", "Creep");
    house.rule(MatchOverrideKind::Pin, &asked, "103").await.expect("kept");
    house.rule(MatchOverrideKind::Rejection, &asked, "102").await.expect("kept");
    let listed = house.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read");
    let lines: Vec<String> = listed
        .iter()
        .map(|ruling| serde_json::to_string(&ExportedMatchOverride::from(ruling)).expect("JSON"))
        .collect();
    let other = MatchingFixture::new(&three());
    let read: Vec<ExportedMatchOverride> =
        lines.iter().map(|line| serde_json::from_str(line).expect("it is one")).collect();
    for _ in 0..2 {
        assert_eq!(other.matching.import_overrides(read.clone()).await, Ok(2), "twice is as once");
    }
    assert_eq!(other.told(&asked).await, "pin 103");
    assert_eq!(other.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read").len(), 2);
    let pins = OverrideFilter { kind: Some(MatchOverrideKind::Pin), ..OverrideFilter::default() };
    assert_eq!(other.matching.list_overrides(pins, 0, 10).await.expect("read").len(), 1);
    let elsewhere = OverrideFilter { library: "home:9".parse().ok(), ..OverrideFilter::default() };
    assert_eq!(other.matching.list_overrides(elsewhere, 0, 10).await.expect("read"), []);
}

#[tokio::test]
async fn beyond_the_bound_the_oldest_confirmed_goes_and_a_pin_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = Arc::new(Library::new("home:3".parse().expect("an id"), "Music", server()));
    let state = StatePersistence::open(folder.path(), &Arc::default());
    let settings =
        greenroom_config::MatchingSettings { max_decisions: 2, ..greenroom_config::MatchingSettings::default() };
    let house = MatchingFixture { library, matching: Matcher::open(folder.path(), state.error(), settings), folder };
    house.publish(&three());
    for item in three() {
        house.matching.confirm(&house.library, &wanted("x", &item.title), &item).await;
    }
    let left = house.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read");
    let keys: Vec<&str> = left.iter().map(|ruling| ruling.item_key.as_str()).collect();
    assert_eq!(keys, ["102", "103"]);
    for title in ["a", "b"] {
        house.rule(MatchOverrideKind::Pin, &wanted("x", title), "101").await.expect("a pin takes its place");
    }
    let full = house.rule(MatchOverrideKind::Pin, &wanted("x", "c"), "101").await;
    assert_eq!(full, Err(OverrideError::NotSaved(OverrideStoreError::Full)));
    let left = house.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read");
    assert!(left.iter().all(|ruling| ruling.kind == MatchOverrideKind::Pin) && left.len() == 2, "{left:?}");
}

#[tokio::test]
async fn a_decision_needs_a_track_and_an_item() {
    let house = MatchingFixture::new(&three());
    assert_eq!(house.rule(MatchOverrideKind::Pin, &TrackQuery::default(), "101").await, Err(OverrideError::EmptyQuery));
    assert_eq!(house.rule(MatchOverrideKind::Pin, &wanted("a", "b"), "999").await, Err(OverrideError::UnknownItem));
    let long = wanted("a", &"b".repeat(100_000));
    assert_eq!(
        house.rule(MatchOverrideKind::Pin, &long, "101").await,
        Err(OverrideError::NotSaved(OverrideStoreError::TooLong))
    );
}

#[tokio::test]
async fn without_a_state_everything_works_but_decisions() {
    let house = MatchingFixture { matching: Matcher::default(), ..MatchingFixture::new(&three()) };
    let asked = wanted("Radiohead", "Creep");
    let item = house.resolve(&asked).await.accepted().expect("found").clone();
    house.matching.confirm(&house.library, &asked, &item).await;
    assert_eq!(house.told(&asked).await, "index 101");
    assert_eq!(house.rule(MatchOverrideKind::Pin, &asked, "101").await, Err(OverrideError::NoStore));
}
