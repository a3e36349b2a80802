//! What is not there: remembered until something comes, asked of the server within a budget.

use super::*;

#[tokio::test]
async fn what_the_server_does_not_have_is_not_offered_before_the_next_snapshot() {
    let house = House::new(&three());
    let asked = wanted("Radiohead", "Creep");
    let item = house.resolve(&asked).await.accepted().expect("found").clone();
    house.matching.confirm(&house.library, &asked, &item).await;
    house.rule(RulingKind::Pin, &wanted("A", "B"), "101").await.expect("kept");
    house.matching.disown(&house.library, "101").await;
    assert_eq!(house.told(&asked).await, "index -");
    assert_eq!(house.told(&wanted("A", "B")).await, "index -");
    house.publish(&three());
    assert_eq!(house.told(&asked).await, "index 101", "what was confirmed is forgotten");
    assert_eq!(house.told(&wanted("A", "B")).await, "pin 101", "a pin is not");
}

#[tokio::test]
async fn what_was_missed_only_because_it_was_disowned_is_found_again_with_the_next_snapshot() {
    let house = House::new(&three());
    let publish = |changed: &[&str]| {
        let mut builder = SnapshotBuilder::default();
        for item in three() {
            builder.push(item);
        }
        house.library.publish_changed(builder.build(), 2_000, changed);
    };
    publish(&[]);
    let asked = wanted("Radiohead", "Creep");
    house.matching.disown(&house.library, "101").await;
    assert_eq!(house.told(&asked).await, "index -");
    assert_eq!(house.told(&asked).await, "index -", "it is no miss that is remembered");
    // The next snapshot has it as before: nothing came, and nothing changed.
    publish(&[]);
    assert_eq!(house.told(&asked).await, "index 101");
}

#[tokio::test]
async fn what_the_server_showed_for_review_is_remembered_as_that() {
    let house = House::new(&three());
    let asked = wanted("Massive Attack", "Teardrop");
    assert_eq!(house.told(&asked).await, "index -");
    let version = track("201", "Massive Attack", "Teardrop (Live)");
    let judged = house.judge_live(&asked, version).await;
    assert_eq!((judged.decision, judged.source), (Decision::Review, Source::Live));
    let again = house.resolve(&asked).await;
    assert_eq!((again.decision, again.source), (Decision::Review, Source::Live));
    assert_eq!(again.found, judged.found);
}

#[tokio::test]
async fn a_search_that_shows_only_what_is_disowned_is_not_in_vain_for_ever() {
    let house = House::new(&three());
    let asked = wanted("Massive Attack", "Teardrop");
    assert_eq!(house.told(&asked).await, "index -");
    house.matching.disown(&house.library, "201").await;
    let gone = track("201", "Massive Attack", "Teardrop");
    assert_eq!(house.judge_live(&asked, gone).await.decision, Decision::Reject);
    let asked = std::slice::from_ref(&asked);
    let (_, resolved) =
        house.matching.resolve_with(&house.library, asked, Policy::Strict, Live::UpTo(5)).await;
    assert!(resolved[0].is_searched, "it is asked for again");
}

#[tokio::test]
async fn a_miss_is_answered_from_memory_until_something_came() {
    let house = House::new(&three());
    let asked = wanted("Massive Attack", "Teardrop");
    assert_eq!(house.told(&asked).await, "index -");
    assert_eq!(house.told(&asked).await, "miss -");
    assert_eq!((house.count(Count::WholeIndex), house.count(Count::KnownMiss)), (1, 1));
    assert_eq!(house.resolve_as(&asked, Policy::IdsOnly).await.source, Source::Index, "of another policy");
    let mut more = three();
    more.push(track("104", "Massive Attack", "Teardrop"));
    house.publish(&more);
    assert_eq!(house.told(&asked).await, "index 104");
    // What was found and went is asked anew as well.
    house.publish(&three());
    assert_eq!(house.told(&asked).await, "index -");
}

#[tokio::test]
async fn a_miss_is_held_against_what_came_and_nothing_else() {
    let house = House::new(&three());
    let missing = [wanted("Massive Attack", "Teardrop"), wanted("Burial", "Archangel")];
    for asked in &missing {
        assert_eq!(house.told(asked).await, "index -");
    }
    let whole = house.count(Count::WholeIndex);
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
    assert_eq!((house.count(Count::WholeIndex), house.count(Count::NewsOnly)), (whole, 2));
    for asked in &missing {
        assert_eq!(house.told(asked).await, "miss -");
    }
    assert_eq!(house.count(Count::NewsOnly), 2, "once for each generation");
    more.push(track("105", "Massive Attack", "Teardrop"));
    publish(&more, &["105"]);
    assert_eq!(house.told(&missing[0]).await, "index 105");
    assert_eq!(house.told(&missing[1]).await, "miss -");
    assert_eq!((house.count(Count::WholeIndex), house.count(Count::NewsOnly)), (whole + 1, 4));
}

#[tokio::test]
async fn a_decision_ends_what_was_known_not_to_be_there() {
    let house = House::new(&three());
    let asked = wanted("Massive Attack", "Teardrop");
    house.told(&asked).await;
    let pin = house.rule(RulingKind::Pin, &asked, "101").await.expect("kept");
    assert_eq!(house.told(&asked).await, "pin 101");
    house.matching.take_back(vec![pin]).await.expect("taken back");
    assert_eq!(house.told(&asked).await, "index -", "not from memory");
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_is_not_searched() {
    let house = House::new(&three());
    let library = Arc::new(Library::new("home:3".parse().expect("an id"), "Music", server_with("")));
    let house = House { library, ..house };
    house.publish(&three());
    let many: Vec<Wanted> = (0..5).map(|n| wanted("Nobody", &format!("Nothing {n}"))).collect();
    let (generation, resolved) =
        house.matching.resolve_with(&house.library, &many, Policy::Strict, Live::UpTo(2)).await;
    assert!(generation.is_some() && resolved.iter().all(|one| one.decision == Decision::Reject));
    assert_eq!((house.count(Count::LiveAsked), house.count(Count::LiveRefused)), (0, 0), "it was not asked");
    assert!(resolved.iter().all(|one| !one.is_searched), "and so it costs nothing");
    assert_eq!(house.count(Count::LiveFailed), 5);
}

#[tokio::test]
async fn only_what_the_server_was_asked_counts_against_the_budget() {
    let house = House::new(&three());
    let many: Vec<Wanted> = (0..5).map(|n| wanted("Nobody", &format!("Nothing {n}"))).collect();
    let (_, resolved) =
        house.matching.resolve_with(&house.library, &many, Policy::Strict, Live::UpTo(2)).await;
    assert_eq!(resolved.iter().filter(|one| one.is_searched).count(), 2);
    assert_eq!((house.count(Count::LiveAsked), house.count(Count::LiveFailed)), (2, 2), "nobody answers");
    assert_eq!(house.count(Count::LiveRefused), 3);
}
