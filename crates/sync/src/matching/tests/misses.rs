//! Missing tracks: cached until an item is added, searched live within a budget.

use super::*;

#[tokio::test]
async fn what_the_server_does_not_have_is_not_offered_before_the_next_snapshot() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Radiohead", "Creep");
    let item = house.resolve(&asked).await.accepted().expect("found").clone();
    house.matching.confirm(&house.library, &asked, &item).await;
    house.rule(MatchOverrideKind::Pin, &wanted("A", "B"), "101").await.expect("kept");
    house.matching.mark_missing_on_server(&house.library, "101").await;
    assert_eq!(house.told(&asked).await, "index -");
    assert_eq!(house.told(&wanted("A", "B")).await, "index -");
    house.publish(&three());
    assert_eq!(house.told(&asked).await, "index 101", "what was confirmed is forgotten");
    assert_eq!(house.told(&wanted("A", "B")).await, "pin 101", "a pin is not");
}

#[tokio::test]
async fn what_was_missed_only_because_it_was_disowned_is_found_again_with_the_next_snapshot() {
    let house = MatchingFixture::new(&three());
    let publish = |changed: &[&str]| {
        let mut builder = SnapshotBuilder::default();
        for item in three() {
            builder.push(item);
        }
        house.library.publish_changed(builder.build(), 2_000, changed);
    };
    publish(&[]);
    let asked = wanted("Radiohead", "Creep");
    house.matching.mark_missing_on_server(&house.library, "101").await;
    assert_eq!(house.told(&asked).await, "index -");
    assert_eq!(house.told(&asked).await, "index -", "it is no miss that is remembered");
    // The next snapshot has it as before: nothing was added or changed.
    publish(&[]);
    assert_eq!(house.told(&asked).await, "index 101");
}

#[tokio::test]
async fn what_the_server_showed_for_review_is_remembered_as_that() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Massive Attack", "Teardrop");
    assert_eq!(house.told(&asked).await, "index -");
    let version = track("201", "Massive Attack", "Teardrop (Live)");
    let judged = house.judge_live(&asked, version).await;
    assert_eq!((judged.decision, judged.source), (MatchDecision::Review, MatchSource::Live));
    let again = house.resolve(&asked).await;
    assert_eq!((again.decision, again.source), (MatchDecision::Review, MatchSource::Live));
    assert_eq!(again.candidates, judged.candidates);
}

#[tokio::test]
async fn a_search_that_shows_only_what_is_disowned_is_not_in_vain_for_ever() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Massive Attack", "Teardrop");
    assert_eq!(house.told(&asked).await, "index -");
    house.matching.mark_missing_on_server(&house.library, "201").await;
    let gone = track("201", "Massive Attack", "Teardrop");
    assert_eq!(house.judge_live(&asked, gone).await.decision, MatchDecision::Reject);
    let asked = std::slice::from_ref(&asked);
    let (_, resolved) =
        house.matching.resolve_with(&house.library, asked, MatchPolicy::Strict, LiveSearch::UpTo(5)).await;
    assert!(resolved[0].is_searched, "it is asked for again");
}

#[tokio::test]
async fn a_miss_is_answered_from_memory_until_something_came() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Massive Attack", "Teardrop");
    assert_eq!(house.told(&asked).await, "index -");
    assert_eq!(house.told(&asked).await, "miss -");
    assert_eq!((house.count(MatchCounter::WholeIndex), house.count(MatchCounter::KnownMiss)), (1, 1));
    assert_eq!(house.resolve_as(&asked, MatchPolicy::IdsOnly).await.source, MatchSource::Index, "of another policy");
    let mut more = three();
    more.push(track("104", "Massive Attack", "Teardrop"));
    house.publish(&more);
    assert_eq!(house.told(&asked).await, "index 104");
    // Items that were found and removed are searched again as well.
    house.publish(&three());
    assert_eq!(house.told(&asked).await, "index -");
}

#[tokio::test]
async fn a_miss_is_held_against_what_came_and_nothing_else() {
    let house = MatchingFixture::new(&three());
    let missing = [wanted("Massive Attack", "Teardrop"), wanted("Burial", "Archangel")];
    for asked in &missing {
        assert_eq!(house.told(asked).await, "index -");
    }
    let whole = house.count(MatchCounter::WholeIndex);
    let publish = |items: &[Item], changed: &[&str]| {
        let mut builder = SnapshotBuilder::default();
        for item in items {
            builder.push(item.clone());
        }
        house.library.publish_changed(builder.build(), 2_000, changed);
    };
    let mut more = three();
    more.push(track("104", "Autechre", "Gantz Graf"));
    publish(&more, &["104"]);
    for asked in &missing {
        assert_eq!(house.told(asked).await, "miss -");
    }
    assert_eq!((house.count(MatchCounter::WholeIndex), house.count(MatchCounter::DeltaOnly)), (whole, 2));
    for asked in &missing {
        assert_eq!(house.told(asked).await, "miss -");
    }
    assert_eq!(house.count(MatchCounter::DeltaOnly), 2, "once for each generation");
    more.push(track("105", "Massive Attack", "Teardrop"));
    publish(&more, &["105"]);
    assert_eq!(house.told(&missing[0]).await, "index 105");
    assert_eq!(house.told(&missing[1]).await, "miss -");
    assert_eq!((house.count(MatchCounter::WholeIndex), house.count(MatchCounter::DeltaOnly)), (whole + 1, 4));
}

#[tokio::test]
async fn a_decision_ends_what_was_known_not_to_be_there() {
    let house = MatchingFixture::new(&three());
    let asked = wanted("Massive Attack", "Teardrop");
    house.told(&asked).await;
    let pin = house.rule(MatchOverrideKind::Pin, &asked, "101").await.expect("kept");
    assert_eq!(house.told(&asked).await, "pin 101");
    house.matching.remove_overrides(vec![pin]).await.expect("taken back");
    assert_eq!(house.told(&asked).await, "index -", "not from memory");
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_is_not_searched() {
    let house = MatchingFixture::new(&three());
    let library = Arc::new(Library::new("home:3".parse().expect("an id"), "Music", server_with("")));
    let house = MatchingFixture { library, ..house };
    house.publish(&three());
    let many: Vec<TrackQuery> = (0..5).map(|n| wanted("Nobody", &format!("Nothing {n}"))).collect();
    let (generation, resolved) =
        house.matching.resolve_with(&house.library, &many, MatchPolicy::Strict, LiveSearch::UpTo(2)).await;
    assert!(generation.is_some() && resolved.iter().all(|one| one.decision == MatchDecision::Reject));
    assert_eq!(
        (house.count(MatchCounter::LiveAsked), house.count(MatchCounter::LiveRefused)),
        (0, 0),
        "it was not asked"
    );
    assert!(resolved.iter().all(|one| !one.is_searched), "and so it costs nothing");
    assert_eq!(house.count(MatchCounter::LiveFailed), 5);
}

#[tokio::test]
async fn only_what_the_server_was_asked_counts_against_the_budget() {
    let house = MatchingFixture::new(&three());
    let many: Vec<TrackQuery> = (0..5).map(|n| wanted("Nobody", &format!("Nothing {n}"))).collect();
    let (_, resolved) =
        house.matching.resolve_with(&house.library, &many, MatchPolicy::Strict, LiveSearch::UpTo(2)).await;
    assert_eq!(resolved.iter().filter(|one| one.is_searched).count(), 2);
    assert_eq!((house.count(MatchCounter::LiveAsked), house.count(MatchCounter::LiveFailed)), (2, 2), "nobody answers");
    assert_eq!(house.count(MatchCounter::LiveRefused), 3);
}
