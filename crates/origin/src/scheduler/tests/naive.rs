//! The rules once more, as simply as possible: one list, always searched from the front.

use proptest::prelude::*;
use std::time::Duration;

use crate::scheduler::priority::Priority;
use crate::scheduler::slots::{
    Admission, CancelReason, HeldSlot, SHARE, SlotKind, SlotLimits, SlotRequest, Slots, WaiterId,
};
use greenroom_dialect::class::Class;

const READS: [SlotKind; 4] =
    [SlotKind::Read(Class::Item), SlotKind::Read(Class::Images), SlotKind::Read(Class::Sessions), SlotKind::Uncached];
const APPS: usize = 3;

/// A request of the model, waiting or granted.
#[derive(Debug, Clone)]
struct ModelRequest {
    request: SlotRequest,
    waiter_id: Option<WaiterId>,
}

struct SchedulerModel {
    limits: SlotLimits,
    waiting: Vec<ModelRequest>,
    in_progress: Vec<ModelRequest>,
    /// All grants: priority and app, in order.
    history: Vec<(Priority, usize)>,
    called: u32,
}

impl SchedulerModel {
    fn fits(&self, request: SlotRequest) -> bool {
        let in_progress =
            |fits: &dyn Fn(&SlotRequest) -> bool| self.in_progress.iter().filter(|one| fits(&one.request)).count();
        in_progress(&|_| true) < self.limits.slots
            && (request.kind == SlotKind::Write || in_progress(&|one| one.kind != SlotKind::Write) < self.limits.reads)
            && in_progress(&|one| one.kind == request.kind) < self.limits.per_kind
            && (request.priority != Priority::Stranger
                || in_progress(&|one| one.priority == Priority::Stranger) < self.limits.strangers
                    && in_progress(&|one| one.kind == request.kind) < self.limits.strangers_per_kind)
    }

    fn last_turn(&self, is: impl Fn(&(Priority, usize)) -> bool) -> Option<usize> {
        self.history.iter().rposition(is)
    }

    fn grant(&mut self, request_state: ModelRequest) {
        self.history.push((request_state.request.priority, request_state.request.app));
        self.in_progress.push(request_state);
    }

    /// The next one, as a position among the waiting.
    fn next(&self) -> Option<usize> {
        let fitting = self.waiting.iter().enumerate().filter(|(_, one)| self.fits(one.request));
        let by_age = (self.called + 1).is_multiple_of(SHARE);
        let urgency = |(at, one): &(usize, &ModelRequest)| {
            let SlotRequest { priority, app, .. } = one.request;
            let of_rank = if by_age { self.last_turn(|turn| turn.0 == priority) } else { None };
            (of_rank, priority, self.last_turn(|turn| *turn == (priority, app)), *at)
        };
        fitting.min_by_key(urgency).map(|(at, _)| at)
    }

    /// The request refused so that `request` can wait: a position, or `None` for the request itself.
    fn victim(&self, request: SlotRequest) -> Option<usize> {
        let ranks = self.waiting.iter().map(|one| one.request.priority);
        let lowest = ranks.chain([request.priority]).max().expect("there is one");
        let mut all: Vec<SlotRequest> = self.waiting.iter().map(|one| one.request).collect();
        all.push(request);
        let length = |app| all.iter().filter(|one| (one.priority, one.app) == (lowest, app)).count();
        let lowest = all.iter().enumerate().filter(|(_, one)| one.priority == lowest);
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
    let reads = (1..Priority::EVERY.len(), 0..READS.len(), 0..APPS).prop_map(|(priority, kind, app)| SlotRequest {
        priority: Priority::EVERY[priority],
        kind: READS[kind],
        app,
    });
    let writes = (0..APPS).prop_map(|app| SlotRequest { priority: Priority::Write, kind: SlotKind::Write, app });
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
    slots: Slots,
    model: SchedulerModel,
    /// Slots of the model's granted requests, in the same order.
    held: Vec<HeldSlot>,
}

impl ModelComparison {
    fn new(limits: SlotLimits) -> Self {
        let model =
            SchedulerModel { limits, waiting: Vec::new(), in_progress: Vec::new(), history: Vec::new(), called: 0 };
        Self { slots: Slots::new(limits), model, held: Vec::new() }
    }

    fn enter(&mut self, request: SlotRequest) {
        let model = &mut self.model;
        match self.slots.request(request, Duration::ZERO) {
            Admission::Granted(slot) => {
                assert!(model.fits(request), "{request:?} had to wait");
                model.grant(ModelRequest { request, waiter_id: None });
                self.held.push(slot);
            }
            Admission::Waits { waiter_id, displaced } => {
                assert!(!model.fits(request), "{request:?} could have had a place");
                let is_full = model.waiting.len() == model.limits.max_waiting;
                let victim = is_full.then(|| model.victim(request).expect("another request"));
                let victim = victim.map(|at| model.waiting.remove(at).waiter_id.expect("he waited"));
                assert_eq!(displaced, victim);
                model.waiting.push(ModelRequest { request, waiter_id: Some(waiter_id) });
            }
            Admission::Refused => {
                assert!(!model.fits(request));
                assert_eq!(model.waiting.len(), model.limits.max_waiting);
                assert_eq!(model.victim(request), None);
            }
        }
    }

    fn leave(&mut self, which: usize) {
        if self.model.waiting.is_empty() {
            return;
        }
        let cancelled = self.model.waiting.remove(which % self.model.waiting.len());
        self.slots.cancel(cancelled.waiter_id.expect("he waited"), CancelReason::Dropped, Duration::ZERO);
    }

    fn release(&mut self, which: usize) {
        if self.held.is_empty() {
            return;
        }
        let at = which % self.held.len();
        self.model.in_progress.remove(at);
        let mut next = self.slots.release(self.held.remove(at), Duration::ZERO);
        loop {
            let expected = self.model.next().map(|at| self.model.waiting.remove(at));
            assert_eq!(next.as_ref().map(|(waiter_id, _)| *waiter_id), expected.as_ref().and_then(|one| one.waiter_id));
            let (Some((_, slot)), Some(request_state)) = (next, expected) else { break };
            self.model.called += 1;
            self.held.push(slot);
            self.model.grant(request_state);
            next = self.slots.grant_next(Duration::ZERO);
        }
    }

    fn check(&self) {
        let SlotLimits { slots, reads, per_kind, strangers, max_waiting, .. } = self.model.limits;
        let in_progress = &self.model.in_progress;
        assert!(in_progress.len() <= slots);
        assert!(in_progress.iter().filter(|one| one.request.kind != SlotKind::Write).count() <= reads);
        let is_stranger = |one: &&ModelRequest| one.request.priority == Priority::Stranger;
        assert!(in_progress.iter().filter(is_stranger).count() <= strangers);
        for kind in READS.into_iter().chain([SlotKind::Write]) {
            assert!(in_progress.iter().filter(|one| one.request.kind == kind).count() <= per_kind, "{kind:?}");
        }
        assert!(self.model.waiting.len() <= max_waiting);
        assert_eq!(self.model.next(), None, "a request waits although a slot is free");
        for (priority, counters) in Priority::EVERY.into_iter().zip(self.slots.counters()) {
            let of_rank =
                |people: &[ModelRequest]| people.iter().filter(|one| one.request.priority == priority).count();
            assert_eq!(counters.in_flight, of_rank(in_progress));
            assert_eq!(counters.waiting, of_rank(&self.model.waiting));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_naive_model_does(
        slots in 2_usize..10,
        max_waiting in 1_usize..20,
        events in events(),
    ) {
        let mut both = ModelComparison::new(SlotLimits::new(slots, max_waiting));
        for event in events {
            match event {
                Event::Enter(request) => both.enter(request),
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
