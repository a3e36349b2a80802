//! The rules once more, as simply as possible: one list, always searched from the front.

use proptest::prelude::*;

use crate::scheduler::priority::Priority;
use crate::scheduler::slots::{Admission, CancelReason, HeldSlot, SHARE, SlotLimits, SlotRequest, Slots, WaiterId};
use greenroom_dialect::class::Class;

const CLASSES: [Class; 3] = [Class::Item, Class::Images, Class::Sessions];
const APPS: usize = 3;

/// A request of the model, waiting or granted.
#[derive(Debug, Clone)]
struct ModelRequest {
    claim: SlotRequest,
    ticket: Option<WaiterId>,
}

struct SchedulerModel {
    limits: SlotLimits,
    waiting: Vec<ModelRequest>,
    seated: Vec<ModelRequest>,
    /// All grants: priority and app, in order.
    history: Vec<(Priority, usize)>,
    called: u32,
}

impl SchedulerModel {
    fn fits(&self, claim: SlotRequest) -> bool {
        let seated = |fits: &dyn Fn(&SlotRequest) -> bool| self.seated.iter().filter(|one| fits(&one.claim)).count();
        seated(&|_| true) < self.limits.slots
            && (claim.class.is_none() || seated(&|one| one.class.is_some()) < self.limits.reads)
            && seated(&|one| one.class == claim.class) < self.limits.per_class
    }

    fn last_turn(&self, is: impl Fn(&(Priority, usize)) -> bool) -> Option<usize> {
        self.history.iter().rposition(is)
    }

    fn seat(&mut self, person: ModelRequest) {
        self.history.push((person.claim.rank, person.claim.app));
        self.seated.push(person);
    }

    /// The next one, as a position among the waiting.
    fn next(&self) -> Option<usize> {
        let fitting = self.waiting.iter().enumerate().filter(|(_, one)| self.fits(one.claim));
        let by_age = (self.called + 1).is_multiple_of(SHARE);
        let urgency = |(at, one): &(usize, &ModelRequest)| {
            let SlotRequest { rank, app, .. } = one.claim;
            let of_rank = if by_age { self.last_turn(|turn| turn.0 == rank) } else { None };
            (of_rank, rank, self.last_turn(|turn| *turn == (rank, app)), *at)
        };
        fitting.min_by_key(urgency).map(|(at, _)| at)
    }

    /// The request refused so that `claim` can wait: a position, or `None` for the claim itself.
    fn victim(&self, claim: SlotRequest) -> Option<usize> {
        let ranks = self.waiting.iter().map(|one| one.claim.rank);
        let lowest = ranks.chain([claim.rank]).max().expect("there is one");
        let mut all: Vec<SlotRequest> = self.waiting.iter().map(|one| one.claim).collect();
        all.push(claim);
        let length = |app| all.iter().filter(|one| (one.rank, one.app) == (lowest, app)).count();
        let lowest = all.iter().enumerate().filter(|(_, one)| one.rank == lowest);
        let (at, _) = lowest.max_by_key(|(at, one)| (length(one.app), *at)).expect("there is one");
        (at < self.waiting.len()).then_some(at)
    }
}

/// An event.
#[derive(Debug, Clone, Copy)]
enum Event {
    Enter(SlotRequest),
    Leave(usize),
    Release(usize),
}

fn claims() -> impl Strategy<Value = SlotRequest> {
    let reads = (1..Priority::EVERY.len(), 0..CLASSES.len(), 0..APPS).prop_map(|(rank, class, app)| SlotRequest {
        rank: Priority::EVERY[rank],
        class: Some(CLASSES[class]),
        app,
    });
    let writes = (0..APPS).prop_map(|app| SlotRequest { rank: Priority::Write, class: None, app });
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

/// Model and queue side by side.
struct ModelComparison {
    places: Slots,
    model: SchedulerModel,
    /// Slots of the model's granted requests, in the same order.
    held: Vec<HeldSlot>,
}

impl ModelComparison {
    fn new(limits: SlotLimits) -> Self {
        let model = SchedulerModel { limits, waiting: Vec::new(), seated: Vec::new(), history: Vec::new(), called: 0 };
        Self { places: Slots::new(limits), model, held: Vec::new() }
    }

    fn enter(&mut self, claim: SlotRequest) {
        let model = &mut self.model;
        match self.places.request(claim, 0) {
            Admission::Granted(held) => {
                assert!(model.fits(claim), "{claim:?} had to wait");
                model.seat(ModelRequest { claim, ticket: None });
                self.held.push(held);
            }
            Admission::Waits { ticket, instead_of } => {
                assert!(!model.fits(claim), "{claim:?} could have had a place");
                let is_full = model.waiting.len() == model.limits.max_waiting;
                let victim = is_full.then(|| model.victim(claim).expect("somebody else"));
                let victim = victim.map(|at| model.waiting.remove(at).ticket.expect("he waited"));
                assert_eq!(instead_of, victim);
                model.waiting.push(ModelRequest { claim, ticket: Some(ticket) });
            }
            Admission::Refused => {
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
        self.places.cancel(gone.ticket.expect("he waited"), CancelReason::Dropped, 0);
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
        let SlotLimits { slots: places, reads, per_class, max_waiting } = self.model.limits;
        let seated = &self.model.seated;
        assert!(seated.len() <= places);
        assert!(seated.iter().filter(|one| one.claim.class.is_some()).count() <= reads);
        for class in CLASSES.map(Some).into_iter().chain([None]) {
            assert!(seated.iter().filter(|one| one.claim.class == class).count() <= per_class, "{class:?}");
        }
        assert!(self.model.waiting.len() <= max_waiting);
        assert_eq!(self.model.next(), None, "somebody waits in front of a free place");
        for (rank, tally) in Priority::EVERY.into_iter().zip(self.places.tallies()) {
            let of_rank = |people: &[ModelRequest]| people.iter().filter(|one| one.claim.rank == rank).count();
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
        let mut both = ModelComparison::new(SlotLimits::new(places, max_waiting));
        for event in events {
            match event {
                Event::Enter(claim) => both.enter(claim),
                Event::Leave(which) => both.leave(which),
                Event::Release(which) => both.release(which),
            }
            both.check();
        }
        // In the end every request was granted or cancelled, and no slot is in use.
        while !both.held.is_empty() {
            both.release(0);
            both.check();
        }
        prop_assert!(both.model.waiting.is_empty());
    }
}
