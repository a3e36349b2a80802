//! Missing tracks: cached until an item is added, searched live within a budget.

use super::*;
use greenroom_cache::Timestamp;

#[tokio::test]
async fn an_item_missing_on_the_server_is_not_offered_before_the_next_snapshot() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Radiohead", "Creep");
    let item = fixture.resolve(&query).await.accepted().expect("the track is accepted").clone();
    fixture.matching.confirm(&fixture.library, &query, &item).await;
    fixture.set_override(MatchOverrideKind::Pin, &track_query("A", "B"), "101").await.expect("store the override");
    fixture.matching.mark_missing_on_server(&fixture.library, "101").await;
    assert_eq!(fixture.resolution(&query).await, "index -");
    assert_eq!(fixture.resolution(&track_query("A", "B")).await, "index -");
    fixture.publish(&three_tracks());
    assert_eq!(fixture.resolution(&query).await, "index 101", "what was confirmed is forgotten");
    assert_eq!(fixture.resolution(&track_query("A", "B")).await, "pin 101", "a pin is not");
}

#[tokio::test]
async fn a_track_missed_only_because_its_item_was_missing_is_found_in_the_next_snapshot() {
    let fixture = MatchingFixture::new(&three_tracks());
    let publish = |changed: &[&str]| {
        let mut builder = SnapshotBuilder::default();
        for item in three_tracks() {
            builder.push(item);
        }
        fixture.library.publish_changed(builder.build(), Timestamp::from_millis(2_000), changed);
    };
    publish(&[]);
    let query = track_query("Radiohead", "Creep");
    fixture.matching.mark_missing_on_server(&fixture.library, "101").await;
    assert_eq!(fixture.resolution(&query).await, "index -");
    assert_eq!(fixture.resolution(&query).await, "index -", "it is no miss that is remembered");
    // The next snapshot has it as before: nothing was added or changed.
    publish(&[]);
    assert_eq!(fixture.resolution(&query).await, "index 101");
}

#[tokio::test]
async fn a_live_result_for_review_is_cached_as_such() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Massive Attack", "Teardrop");
    assert_eq!(fixture.resolution(&query).await, "index -");
    let version = track("201", "Massive Attack", "Teardrop (Live)");
    let judged = fixture.judge_live(&query, version).await;
    assert_eq!((judged.decision, judged.source), (MatchDecision::Review, MatchSource::Live));
    let again = fixture.resolve(&query).await;
    assert_eq!((again.decision, again.source), (MatchDecision::Review, MatchSource::Live));
    assert_eq!(again.candidates, judged.candidates);
}

#[tokio::test]
async fn a_search_that_finds_only_missing_items_is_repeated() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Massive Attack", "Teardrop");
    assert_eq!(fixture.resolution(&query).await, "index -");
    fixture.matching.mark_missing_on_server(&fixture.library, "201").await;
    let removed = track("201", "Massive Attack", "Teardrop");
    assert_eq!(fixture.judge_live(&query, removed).await.decision, MatchDecision::Reject);
    let query = std::slice::from_ref(&query);
    let (_, resolved) =
        fixture.matching.resolve_with(&fixture.library, query, MatchPolicy::Strict, LiveSearch::UpTo(5)).await;
    assert!(resolved[0].is_searched, "the server is searched again");
}

#[tokio::test]
async fn a_miss_is_answered_from_the_negative_cache_until_items_are_added() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Massive Attack", "Teardrop");
    assert_eq!(fixture.resolution(&query).await, "index -");
    assert_eq!(fixture.resolution(&query).await, "miss -");
    assert_eq!((fixture.count(MatchCounter::WholeIndex), fixture.count(MatchCounter::KnownMiss)), (1, 1));
    assert_eq!(fixture.resolve_as(&query, MatchPolicy::IdsOnly).await.source, MatchSource::Index, "of another policy");
    let mut more = three_tracks();
    more.push(track("104", "Massive Attack", "Teardrop"));
    fixture.publish(&more);
    assert_eq!(fixture.resolution(&query).await, "index 104");
    // Items that were found and removed are searched again as well.
    fixture.publish(&three_tracks());
    assert_eq!(fixture.resolution(&query).await, "index -");
}

#[tokio::test]
async fn a_miss_is_matched_against_added_items_only() {
    let fixture = MatchingFixture::new(&three_tracks());
    let missing = [track_query("Massive Attack", "Teardrop"), track_query("Burial", "Archangel")];
    for query in &missing {
        assert_eq!(fixture.resolution(query).await, "index -");
    }
    let whole = fixture.count(MatchCounter::WholeIndex);
    let publish = |items: &[Item], changed: &[&str]| {
        let mut builder = SnapshotBuilder::default();
        for item in items {
            builder.push(item.clone());
        }
        fixture.library.publish_changed(builder.build(), Timestamp::from_millis(2_000), changed);
    };
    let mut more = three_tracks();
    more.push(track("104", "Autechre", "Gantz Graf"));
    publish(&more, &["104"]);
    for query in &missing {
        assert_eq!(fixture.resolution(query).await, "miss -");
    }
    assert_eq!((fixture.count(MatchCounter::WholeIndex), fixture.count(MatchCounter::DeltaOnly)), (whole, 2));
    for query in &missing {
        assert_eq!(fixture.resolution(query).await, "miss -");
    }
    assert_eq!(fixture.count(MatchCounter::DeltaOnly), 2, "once for each generation");
    more.push(track("105", "Massive Attack", "Teardrop"));
    publish(&more, &["105"]);
    assert_eq!(fixture.resolution(&missing[0]).await, "index 105");
    assert_eq!(fixture.resolution(&missing[1]).await, "miss -");
    assert_eq!((fixture.count(MatchCounter::WholeIndex), fixture.count(MatchCounter::DeltaOnly)), (whole + 1, 4));
}

#[tokio::test]
async fn an_override_clears_a_cached_miss() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Massive Attack", "Teardrop");
    fixture.resolution(&query).await;
    let pin = fixture.set_override(MatchOverrideKind::Pin, &query, "101").await.expect("store the override");
    assert_eq!(fixture.resolution(&query).await, "pin 101");
    fixture.matching.remove_overrides(vec![pin]).await.expect("remove the pin");
    assert_eq!(fixture.resolution(&query).await, "index -", "not from memory");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_not_searched() {
    let fixture = MatchingFixture::new(&three_tracks());
    let library = Arc::new(Library::new("home:3".parse().expect("parse the library id"), "Music", server_with("")));
    let fixture = MatchingFixture { library, ..fixture };
    fixture.publish(&three_tracks());
    let many: Vec<TrackQuery> = (0..5).map(|n| track_query("Nobody", &format!("Nothing {n}"))).collect();
    let (generation, resolved) =
        fixture.matching.resolve_with(&fixture.library, &many, MatchPolicy::Strict, LiveSearch::UpTo(2)).await;
    assert!(generation.is_some() && resolved.iter().all(|one| one.decision == MatchDecision::Reject));
    assert_eq!(
        (fixture.count(MatchCounter::LiveAsked), fixture.count(MatchCounter::LiveRefused)),
        (0, 0),
        "it was not asked"
    );
    assert!(resolved.iter().all(|one| !one.is_searched), "and it costs no budget");
    assert_eq!(fixture.count(MatchCounter::LiveFailed), 5);
}

#[tokio::test]
async fn only_requests_to_the_server_count_against_the_budget() {
    let fixture = MatchingFixture::new(&three_tracks());
    let many: Vec<TrackQuery> = (0..5).map(|n| track_query("Nobody", &format!("Nothing {n}"))).collect();
    let (_, resolved) =
        fixture.matching.resolve_with(&fixture.library, &many, MatchPolicy::Strict, LiveSearch::UpTo(2)).await;
    assert_eq!(resolved.iter().filter(|one| one.is_searched).count(), 2);
    assert_eq!(
        (fixture.count(MatchCounter::LiveAsked), fixture.count(MatchCounter::LiveFailed)),
        (2, 2),
        "the server does not answer"
    );
    assert_eq!(fixture.count(MatchCounter::LiveRefused), 3);
}
