//! Pins, rejections and confirmed matches: scope and precedence.

use super::*;

#[tokio::test]
async fn a_pin_wins_over_the_index_until_it_is_removed() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Radiohead", "Creep");
    assert_eq!(fixture.resolution(&query).await, "index 101");
    let pin = fixture.set_override(MatchOverrideKind::Pin, &query, "103").await.expect("store the override");
    assert_eq!(fixture.resolution(&query).await, "pin 103");
    let fuller = TrackQuery { album: "Pablo Honey".into(), duration_s: Some(238), ..query.clone() };
    assert_eq!(fixture.resolution(&fuller).await, "pin 103", "a more exact query means the same track");
    assert_eq!(fixture.matching.remove_overrides(vec![pin]).await, Ok(1));
    assert_eq!(fixture.resolution(&query).await, "index 101");
}

#[tokio::test]
async fn a_pin_by_a_source_id_applies_whatever_the_track_is_called() {
    let fixture = MatchingFixture::new(&three_tracks());
    let by_id = TrackQuery { ids: vec![TrackQuery::source_name("row 17")], ..TrackQuery::default() };
    fixture.set_override(MatchOverrideKind::Pin, &by_id, "102").await.expect("store the override");
    let renamed = TrackQuery { ids: by_id.ids.clone(), ..track_query("Anybody", "Anything") };
    assert_eq!(fixture.resolution(&renamed).await, "pin 102");
    assert_eq!(fixture.resolution(&track_query("Anybody", "Anything")).await, "index -");
}

#[tokio::test]
async fn a_rejected_item_is_never_offered_and_the_next_best_is_scored_again() {
    let mut items = three_tracks();
    let mut second = track("104", "Radiohead", "Creep");
    second.files[0].path = "/music/other/Creep.flac".into();
    second.guids.clear();
    items.push(second);
    let fixture = MatchingFixture::new(&items);
    let query = track_query("Radiohead", "Creep");
    let first = fixture.resolve(&query).await.accepted().expect("one of the items is accepted").key.clone();
    fixture.set_override(MatchOverrideKind::Rejection, &query, &first).await.expect("store the override");
    let other = fixture.resolve(&query).await;
    assert_eq!(other.decision, MatchDecision::Accept);
    let second = other.accepted().expect("the other item is accepted").key.clone();
    assert_ne!(second, first);
    fixture.set_override(MatchOverrideKind::Rejection, &query, &second).await.expect("store the override");
    for _ in 0..2 {
        let none = fixture.resolve(&query).await;
        assert_eq!(none.decision, MatchDecision::Reject);
        assert_eq!(none.candidates, [], "not even as a candidate");
    }
}

#[tokio::test]
async fn a_rejection_follows_its_item_to_another_key() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Radiohead", "Creep");
    fixture.set_override(MatchOverrideKind::Rejection, &query, "101").await.expect("store the override");
    let mut rekeyed = three_tracks();
    rekeyed[0].key = "901".into();
    fixture.publish(&rekeyed);
    assert_eq!(fixture.resolution(&query).await, "index -");
}

#[tokio::test]
async fn a_pin_replaces_a_rejection_of_the_same_item_and_vice_versa() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Radiohead", "Creep");
    fixture.set_override(MatchOverrideKind::Rejection, &query, "103").await.expect("store the override");
    fixture.set_override(MatchOverrideKind::Pin, &query, "103").await.expect("store the override");
    assert_eq!(fixture.resolution(&query).await, "pin 103");
    fixture.set_override(MatchOverrideKind::Rejection, &query, "103").await.expect("store the override");
    assert_eq!(fixture.resolution(&query).await, "index 101");
    assert_eq!(fixture.matching.count_overrides().await, Ok(vec![("rejection".to_owned(), 1)]));
}

#[tokio::test]
async fn a_confirmed_match_follows_its_item_to_a_new_key_and_never_applies_to_another_item() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Radiohead", "Creep");
    let item = fixture.resolve(&query).await.accepted().expect("the track is accepted").clone();
    fixture.matching.confirm(&fixture.library, &query, &item).await;
    assert_eq!(fixture.resolution(&query).await, "confirmed 101");
    // The server's database was rebuilt: the old key belongs to another track now.
    let mut rebuilt = three_tracks();
    rebuilt[0].key = "555".into();
    rebuilt[2].key = "101".into();
    fixture.publish(&rebuilt);
    assert_eq!(fixture.resolution(&query).await, "confirmed 555");
    assert_eq!(fixture.count(MatchCounter::Rekeyed), 1);
    assert_eq!(fixture.resolution(&query).await, "confirmed 555");
    assert_eq!(fixture.count(MatchCounter::Rekeyed), 1, "the new key is remembered");
    // Then the track is gone, and its key belongs to another track again.
    let mut without = vec![track("555", "Portishead", "Roads")];
    without.extend(rebuilt.into_iter().skip(1));
    fixture.publish(&without);
    assert_eq!(fixture.resolution(&query).await, "index -");
    assert_eq!(fixture.count(MatchCounter::Dropped), 1);
    assert_eq!(
        fixture.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read the overrides"),
        []
    );
}

#[tokio::test]
async fn a_retagged_track_is_still_confirmed() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Radiohead", "Creep");
    let item = fixture.resolve(&query).await.accepted().expect("the track is accepted").clone();
    fixture.matching.confirm(&fixture.library, &query, &item).await;
    let mut retagged = three_tracks();
    retagged[0].title = "Something else entirely".into();
    fixture.publish(&retagged);
    assert_eq!(fixture.resolution(&query).await, "confirmed 101");
    let longer = TrackQuery { album: "Live".into(), ..query };
    assert_eq!(fixture.resolution(&longer).await, "index -", "another question was never confirmed");
}

#[tokio::test]
async fn a_match_confirmed_by_a_looser_policy_is_not_accepted_by_the_strict_one() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Radiohead", "Creep (Live)");
    let other = three_tracks().remove(2);
    fixture.matching.confirm(&fixture.library, &query, &other).await;
    assert_eq!(fixture.resolution(&query).await, "index -");
    let loose = fixture.resolve_as(&query, MatchPolicy::PreferVersionElseAny).await;
    assert_eq!(
        (loose.source, &*loose.accepted().expect("a version is accepted").key),
        (MatchSource::Index, "101"),
        "looked for anew"
    );
    let ids_only = fixture.resolve_as(&query, MatchPolicy::IdsOnly).await;
    assert_eq!(ids_only.accepted(), None);
}

#[tokio::test]
async fn a_pin_without_its_item_applies_again_when_the_item_returns() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Radiohead", "Creep");
    fixture.set_override(MatchOverrideKind::Pin, &query, "103").await.expect("store the override");
    fixture.publish(&three_tracks()[..2]);
    assert_eq!(fixture.resolution(&query).await, "index 101");
    assert_eq!(fixture.count(MatchCounter::PinLost), 1);
    fixture.publish(&three_tracks());
    assert_eq!(fixture.resolution(&query).await, "pin 103");
}

/// A library that has only "Band 1" when its rows ask for "Band 2"; then it gains what they mean.
fn bands() -> (Vec<Item>, Vec<Item>) {
    let early = vec![track("201", "Kraken", "Signal Fire")];
    let mut late = early.clone();
    let mut right = track("202", "Kraken", "Signal Fire");
    right.parent_title = Some("Lighthouse".into());
    right.guids = vec!["plex://track/right".into()];
    right.files[0].path = "/music/right.flac".into();
    late[0].title = "Signal Fire Remembered".into();
    late.push(right);
    (early, late)
}

#[tokio::test]
async fn a_confirmed_match_is_judged_again_when_the_index_has_gained_what_is_meant() {
    for knows_changes in [false, true] {
        let (early, late) = bands();
        let fixture = MatchingFixture::new(&early);
        let query = track_query("Kraken", "Signal Fire");
        fixture.matching.confirm(&fixture.library, &query, &early[0]).await;
        assert_eq!(fixture.resolution(&query).await, "confirmed 201");
        fixture.publish_changed(&late, if knows_changes { &["202"] } else { &[] }, knows_changes);
        assert_eq!(fixture.resolution(&query).await, "index 202", "changes known: {knows_changes}");
        assert_eq!(fixture.count(MatchCounter::Superseded), 1);
        let kept = fixture.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read the overrides");
        assert_eq!(kept, []);
    }
}

#[tokio::test]
async fn a_confirmed_match_is_not_judged_again_where_nothing_gained_could_be_meant() {
    let fixture = MatchingFixture::new(&three_tracks());
    let query = track_query("Radiohead", "Creep");
    fixture.matching.confirm(&fixture.library, &query, &three_tracks()[0]).await;
    let mut more = three_tracks();
    more.push(track("104", "Portishead", "Roads"));
    fixture.publish_changed(&more, &["104"], true);
    assert_eq!(fixture.resolution(&query).await, "confirmed 101");
    assert_eq!((fixture.count(MatchCounter::JudgedAgain), fixture.count(MatchCounter::WholeIndex)), (0, 0));
    // Where the changes are not known it is judged once, and stands.
    fixture.publish(&more);
    for _ in 0..2 {
        assert_eq!(fixture.resolution(&query).await, "confirmed 101");
        assert_eq!(fixture.count(MatchCounter::JudgedAgain), 1);
    }
}

#[tokio::test]
async fn a_pin_stays_whatever_the_index_gains() {
    let (early, late) = bands();
    let fixture = MatchingFixture::new(&early);
    let query = track_query("Kraken", "Signal Fire");
    fixture.set_override(MatchOverrideKind::Pin, &query, "201").await.expect("store the override");
    fixture.publish_changed(&late, &["202"], true);
    assert_eq!(fixture.resolution(&query).await, "pin 201");
}
