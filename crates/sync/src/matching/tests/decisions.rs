//! Pins, rejections and confirmed matches: scope and precedence.

use super::*;

#[tokio::test]
async fn a_pin_wins_over_the_index_and_is_taken_back() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Radiohead", "Creep");
    assert_eq!(house.told(&asked).await, "index 101");
    let pin = house.rule(MatchOverrideKind::Pin, &asked, "103").await.expect("kept");
    assert_eq!(house.told(&asked).await, "pin 103");
    let fuller = TrackQuery { album: "Pablo Honey".into(), duration_s: Some(238), ..asked.clone() };
    assert_eq!(house.told(&fuller).await, "pin 103", "who says more means the same track");
    assert_eq!(house.matching.remove_overrides(vec![pin]).await, Ok(1));
    assert_eq!(house.told(&asked).await, "index 101");
}

#[tokio::test]
async fn a_pin_by_a_sources_id_holds_whatever_the_track_is_called() {
    let house = MatchingFixture::new(&three());
    let by_id = TrackQuery { ids: vec![TrackQuery::source_name("row 17")], ..TrackQuery::default() };
    house.rule(MatchOverrideKind::Pin, &by_id, "102").await.expect("kept");
    let renamed = TrackQuery { ids: by_id.ids.clone(), ..wanted("Anybody", "Anything") };
    assert_eq!(house.told(&renamed).await, "pin 102");
    assert_eq!(house.told(&wanted("Anybody", "Anything")).await, "index -");
}

#[tokio::test]
async fn what_is_rejected_is_never_offered_and_the_next_best_is_judged_anew() {
    let mut items = three();
    let mut second = track("104", "Radiohead", "Creep");
    second.files[0].path = "/music/other/Creep.flac".into();
    second.guids.clear();
    items.push(second);
    let house = MatchingFixture::new(&items);
    let asked = wanted("Radiohead", "Creep");
    let first = house.resolve(&asked).await.accepted().expect("one of them").key.clone();
    house.rule(MatchOverrideKind::Rejection, &asked, &first).await.expect("kept");
    let other = house.resolve(&asked).await;
    assert_eq!(other.decision, MatchDecision::Accept);
    let second = other.accepted().expect("the other").key.clone();
    assert_ne!(second, first);
    house.rule(MatchOverrideKind::Rejection, &asked, &second).await.expect("kept");
    for _ in 0..2 {
        let none = house.resolve(&asked).await;
        assert_eq!(none.decision, MatchDecision::Reject);
        assert_eq!(none.candidates, [], "not even as a candidate");
    }
}

#[tokio::test]
async fn a_rejection_follows_its_item_to_another_key() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Radiohead", "Creep");
    house.rule(MatchOverrideKind::Rejection, &asked, "101").await.expect("kept");
    let mut rekeyed = three();
    rekeyed[0].key = "901".into();
    house.publish(&rekeyed);
    assert_eq!(house.told(&asked).await, "index -");
}

#[tokio::test]
async fn a_pin_takes_a_rejection_of_the_same_item_away_and_the_other_way_round() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Radiohead", "Creep");
    house.rule(MatchOverrideKind::Rejection, &asked, "103").await.expect("kept");
    house.rule(MatchOverrideKind::Pin, &asked, "103").await.expect("kept");
    assert_eq!(house.told(&asked).await, "pin 103");
    house.rule(MatchOverrideKind::Rejection, &asked, "103").await.expect("kept");
    assert_eq!(house.told(&asked).await, "index 101");
    assert_eq!(house.matching.count_overrides().await, Ok(vec![("rejection".to_owned(), 1)]));
}

#[tokio::test]
async fn what_was_confirmed_follows_the_item_when_keys_change_and_is_never_the_keys_new_owner() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Radiohead", "Creep");
    let item = house.resolve(&asked).await.accepted().expect("found").clone();
    house.matching.confirm(&house.library, &asked, &item).await;
    assert_eq!(house.told(&asked).await, "confirmed 101");
    // The server's database was rebuilt: the old key belongs to another track now.
    let mut rebuilt = three();
    rebuilt[0].key = "555".into();
    rebuilt[2].key = "101".into();
    house.publish(&rebuilt);
    assert_eq!(house.told(&asked).await, "confirmed 555");
    assert_eq!(house.count(MatchCounter::Rekeyed), 1);
    assert_eq!(house.told(&asked).await, "confirmed 555");
    assert_eq!(house.count(MatchCounter::Rekeyed), 1, "the new key is remembered");
    // Then the track is gone, and its key belongs to another track again.
    let mut without = vec![track("555", "Portishead", "Roads")];
    without.extend(rebuilt.into_iter().skip(1));
    house.publish(&without);
    assert_eq!(house.told(&asked).await, "index -");
    assert_eq!(house.count(MatchCounter::Dropped), 1);
    assert_eq!(house.matching.list_overrides(OverrideFilter::default(), 0, 10).await.expect("read"), []);
}

#[tokio::test]
async fn a_retagged_track_is_still_the_one_that_was_confirmed() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Radiohead", "Creep");
    let item = house.resolve(&asked).await.accepted().expect("found").clone();
    house.matching.confirm(&house.library, &asked, &item).await;
    let mut retagged = three();
    retagged[0].title = "Something else entirely".into();
    house.publish(&retagged);
    assert_eq!(house.told(&asked).await, "confirmed 101");
    let longer = TrackQuery { album: "Live".into(), ..asked };
    assert_eq!(house.told(&longer).await, "index -", "another question was never confirmed");
}

#[tokio::test]
async fn what_was_confirmed_by_a_looser_policy_is_not_taken_for_the_recording_itself() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Radiohead", "Creep (Live)");
    let other = three().remove(2);
    house.matching.confirm(&house.library, &asked, &other).await;
    assert_eq!(house.told(&asked).await, "index -");
    let loose = house.resolve_as(&asked, MatchPolicy::PreferVersionElseAny).await;
    assert_eq!(
        (loose.source, &*loose.accepted().expect("a version").key),
        (MatchSource::Index, "101"),
        "looked for anew"
    );
    let ids_only = house.resolve_as(&asked, MatchPolicy::IdsOnly).await;
    assert_eq!(ids_only.accepted(), None);
}

#[tokio::test]
async fn a_pin_whose_item_is_away_waits_for_it() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Radiohead", "Creep");
    house.rule(MatchOverrideKind::Pin, &asked, "103").await.expect("kept");
    house.publish(&three()[..2]);
    assert_eq!(house.told(&asked).await, "index 101");
    assert_eq!(house.count(MatchCounter::PinLost), 1);
    house.publish(&three());
    assert_eq!(house.told(&asked).await, "pin 103");
}
