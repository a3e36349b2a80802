//! A place that can be spared is one that nobody misses.

use greenroom_dialect::class::Class;

use crate::scheduler::priority::Rank;
use crate::scheduler::slots::{Claim, Entrance, Held, Limits, Places};

fn claim(rank: Rank, class: Class) -> Claim {
    Claim { rank, class: Some(class), app: 1 }
}

fn spared(places: &mut Places, class: Class) -> Option<Held> {
    places.enter_to_spare(claim(Rank::Own, class))
}

#[test]
fn after_it_there_is_another_for_whoever_comes_next_of_the_same_class_too() {
    let mut places = Places::new(Limits::new(8, 100));
    let mut held: Vec<Held> = std::iter::from_fn(|| spared(&mut places, Class::Item)).collect();
    assert_eq!(held.len(), 3, "a class may hold four");
    held.extend(std::iter::from_fn(|| spared(&mut places, Class::Lists)));
    assert_eq!(held.len(), 5, "reads may hold six");
    let entrance = places.enter(claim(Rank::Interactive, Class::Item), 1);
    assert!(matches!(entrance, Entrance::Placed(_)), "{entrance:?}");
}

#[test]
fn none_is_spared_while_anybody_waits() {
    let mut places = Places::new(Limits::new(8, 100));
    for _ in 0..4 {
        assert!(matches!(places.enter(claim(Rank::Widget, Class::Sessions), 1), Entrance::Placed(_)));
    }
    assert!(spared(&mut places, Class::Item).is_some());
    let waits = places.enter(claim(Rank::Widget, Class::Sessions), 1);
    assert!(matches!(waits, Entrance::Waits { .. }), "{waits:?}");
    assert!(spared(&mut places, Class::Item).is_none());
}

#[test]
fn where_there_is_only_one_none_is_spared() {
    assert!(spared(&mut Places::new(Limits::new(2, 100)), Class::Item).is_none());
}
