//! The rules once more, as plainly as they can be put: one list, searched from the front every time.

use proptest::prelude::*;

use crate::scheduler::priority::Rank;
use crate::scheduler::slots::{Claim, Entrance, Held, Leaving, Limits, Places, SHARE, Ticket};
use greenroom_dialect::class::Class;

const CLASSES: [Class; 3] = [Class::Item, Class::Images, Class::Sessions];
const APPS: usize = 3;

/// Somebody in the model, waiting or seated.
#[derive(Debug, Clone)]
struct Person {
    claim: Claim,
    ticket: Option<Ticket>,
}

struct Model {
    limits: Limits,
    waiting: Vec<Person>,
    seated: Vec<Person>,
    /// Everybody who was ever seated: rank and app, in order.
    history: Vec<(Rank, usize)>,
    called: u32,
}

impl Model {
    fn fits(&self, claim: Claim) -> bool {
        let seated =
            |fits: &dyn Fn(&Claim) -> bool| self.seated.iter().filter(|one| fits(&one.claim)).count();
        seated(&|_| true) < self.limits.places
            && (claim.class.is_none() || seated(&|one| one.class.is_some()) < self.limits.reads)
            && seated(&|one| one.class == claim.class) < self.limits.per_class
    }

    fn last_turn(&self, is: impl Fn(&(Rank, usize)) -> bool) -> Option<usize> {
        self.history.iter().rposition(is)
    }

    fn seat(&mut self, person: Person) {
        self.history.push((person.claim.rank, person.claim.app));
        self.seated.push(person);
    }

    /// Who is next, as a position among those who wait.
    fn next(&self) -> Option<usize> {
        let fitting = self.waiting.iter().enumerate().filter(|(_, one)| self.fits(one.claim));
        let by_age = (self.called + 1).is_multiple_of(SHARE);
        let urgency = |(at, one): &(usize, &Person)| {
            let Claim { rank, app, .. } = one.claim;
            let of_rank = if by_age { self.last_turn(|turn| turn.0 == rank) } else { None };
            (of_rank, rank, self.last_turn(|turn| *turn == (rank, app)), *at)
        };
        fitting.min_by_key(urgency).map(|(at, _)| at)
    }

    /// Who has to go if `claim` is to wait: a position, or `None` for the claim itself.
    fn victim(&self, claim: Claim) -> Option<usize> {
        let ranks = self.waiting.iter().map(|one| one.claim.rank);
        let lowest = ranks.chain([claim.rank]).max().expect("there is one");
        let mut all: Vec<Claim> = self.waiting.iter().map(|one| one.claim).collect();
        all.push(claim);
        let length = |app| all.iter().filter(|one| (one.rank, one.app) == (lowest, app)).count();
        let lowest = all.iter().enumerate().filter(|(_, one)| one.rank == lowest);
        let (at, _) = lowest.max_by_key(|(at, one)| (length(one.app), *at)).expect("there is one");
        (at < self.waiting.len()).then_some(at)
    }
}

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Event {
    Enter(Claim),
    Leave(usize),
    Release(usize),
}

fn claims() -> impl Strategy<Value = Claim> {
    let reads = (1..Rank::EVERY.len(), 0..CLASSES.len(), 0..APPS).prop_map(|(rank, class, app)| Claim {
        rank: Rank::EVERY[rank],
        class: Some(CLASSES[class]),
        app,
    });
    let writes = (0..APPS).prop_map(|app| Claim { rank: Rank::Write, class: None, app });
    prop_oneof![4 => reads, 1 => writes]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        5 => claims().prop_map(Event::Enter),
        1 => any::<usize>().prop_map(Event::Leave),
        4 => any::<usize>().prop_map(Event::Release),
    ];
    prop::collection::vec(event, 0..200)
}

/// Both, side by side.
struct Both {
    places: Places,
    model: Model,
    /// What the seated of the model hold, in the same order.
    held: Vec<Held>,
}

impl Both {
    fn new(limits: Limits) -> Self {
        let model = Model { limits, waiting: Vec::new(), seated: Vec::new(), history: Vec::new(), called: 0 };
        Self { places: Places::new(limits), model, held: Vec::new() }
    }

    fn enter(&mut self, claim: Claim) {
        let model = &mut self.model;
        match self.places.enter(claim, 0) {
            Entrance::Placed(held) => {
                assert!(model.fits(claim), "{claim:?} had to wait");
                model.seat(Person { claim, ticket: None });
                self.held.push(held);
            }
            Entrance::Waits { ticket, instead_of } => {
                assert!(!model.fits(claim), "{claim:?} could have had a place");
                let is_full = model.waiting.len() == model.limits.max_waiting;
                let victim = is_full.then(|| model.victim(claim).expect("somebody else"));
                let victim = victim.map(|at| model.waiting.remove(at).ticket.expect("he waited"));
                assert_eq!(instead_of, victim);
                model.waiting.push(Person { claim, ticket: Some(ticket) });
            }
            Entrance::Refused => {
                assert!(!model.fits(claim));
                assert_eq!(model.waiting.len(), model.limits.max_waiting);
                assert_eq!(model.victim(claim), None);
            }
        }
    }

    fn leave(&mut self, which: usize) {
        if self.model.waiting.is_empty() {
            return;
        }
        let gone = self.model.waiting.remove(which % self.model.waiting.len());
        self.places.leave(gone.ticket.expect("he waited"), Leaving::Gone, 0);
    }

    fn release(&mut self, which: usize) {
        if self.held.is_empty() {
            return;
        }
        let at = which % self.held.len();
        self.model.seated.remove(at);
        let next = self.places.release(self.held.remove(at), 0);
        let expected = self.model.next().map(|at| self.model.waiting.remove(at));
        assert_eq!(next.as_ref().map(|(ticket, _)| *ticket), expected.as_ref().and_then(|one| one.ticket));
        if let (Some((_, held)), Some(person)) = (next, expected) {
            self.model.called += 1;
            self.held.push(held);
            self.model.seat(person);
        }
    }

    fn check(&self) {
        let Limits { places, reads, per_class, max_waiting } = self.model.limits;
        let seated = &self.model.seated;
        assert!(seated.len() <= places);
        assert!(seated.iter().filter(|one| one.claim.class.is_some()).count() <= reads);
        for class in CLASSES.map(Some).into_iter().chain([None]) {
            assert!(seated.iter().filter(|one| one.claim.class == class).count() <= per_class, "{class:?}");
        }
        assert!(self.model.waiting.len() <= max_waiting);
        assert_eq!(self.model.next(), None, "somebody waits in front of a free place");
        for (rank, tally) in Rank::EVERY.into_iter().zip(self.places.tallies()) {
            let of_rank = |people: &[Person]| people.iter().filter(|one| one.claim.rank == rank).count();
            assert_eq!(tally.in_flight, of_rank(seated));
            assert_eq!(tally.waiting, of_rank(&self.model.waiting));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_naive_model_does(
        places in 2_usize..10,
        max_waiting in 1_usize..20,
        events in events(),
    ) {
        let mut both = Both::new(Limits::new(places, max_waiting));
        for event in events {
            match event {
                Event::Enter(claim) => both.enter(claim),
                Event::Leave(which) => both.leave(which),
                Event::Release(which) => both.release(which),
            }
            both.check();
        }
        // In the end everybody was served or left, and nothing is held.
        while !both.held.is_empty() {
            both.release(0);
            both.check();
        }
        prop_assert!(both.model.waiting.is_empty());
    }
}
