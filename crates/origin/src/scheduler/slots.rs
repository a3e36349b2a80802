//! Holders of slots, waiters, and their order. Nothing here waits or has a clock; time is an argument.
//!
//! The rules, in order:
//!
//! 1. The number of slots is limited. All reads together leave a quarter of them (at least one) to writes; one request
//!    type, all writes together, and all uncached requests together hold at most half. So no single request type that
//!    hangs stops the others. Strangers leave one of the slots for reads to everyone else, and one of those of each
//!    type, unless it has only one.
//! 2. Of the eligible waiters, the most urgent priority is next; within a priority the app whose last grant is longest
//!    ago; within an app the oldest request.
//! 3. One grant in [`SHARE`] goes to the priority that has gone longest without one, so none starves.
//! 4. If too many wait, the newest request of the longest app queue in the least urgent priority is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use greenroom_dialect::class::Class;

use crate::scheduler::priority::Priority;

/// Writes keep this fraction (1/n) of the slots, at least one.
const WRITE_SLOT_DIVISOR: usize = 4;
/// One grant in this many goes to the priority that has gone longest without one.
pub const SHARE: u32 = 8;

/// Limits of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotLimits {
    /// Concurrent requests.
    pub slots: usize,
    /// Of them, reads.
    pub reads: usize,
    /// Of them, requests of one [`SlotKind`].
    pub per_kind: usize,
    /// Of them, requests of strangers.
    pub strangers: usize,
    /// A stranger gets a slot only while fewer than this are in use for its [`SlotKind`].
    pub strangers_per_kind: usize,
    /// Max waiting requests.
    pub max_waiting: usize,
}

impl SlotLimits {
    /// Limits for this number of slots. With fewer than two, writes could not have one of their own.
    pub fn new(slots: usize, max_waiting: usize) -> Self {
        let slots = slots.max(2);
        let write_slots = (slots / WRITE_SLOT_DIVISOR).max(1);
        let reads = slots - write_slots;
        let per_kind = slots / 2;
        let (strangers, strangers_per_kind) = ((reads - 1).max(1), (per_kind - 1).max(1));
        Self { slots, reads, per_kind, strangers, strangers_per_kind, max_waiting }
    }
}

/// Kind of a request, for the limits of rule 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotKind {
    /// A read of this request type.
    Read(Class),
    /// A request whose response is never cached: an unknown path, a log-in, a playback decision.
    Uncached,
    /// A write.
    Write,
}

impl SlotKind {
    /// Number of kinds.
    const COUNT: usize = Class::EVERY.len() + 2;

    /// Its position in an array of [`Self::COUNT`].
    fn index(self) -> usize {
        match self {
            Self::Read(class) => class as usize,
            Self::Uncached => Class::EVERY.len(),
            Self::Write => Class::EVERY.len() + 1,
        }
    }

    /// Whether it leaves the slots for writes alone.
    fn is_read(self) -> bool {
        self != Self::Write
    }
}

/// A request for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRequest {
    /// Its priority.
    pub priority: Priority,
    /// Its kind.
    pub kind: SlotKind,
    /// Number of its app.
    pub app: usize,
}

/// Id of a waiting request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId {
    number: u64,
    priority: Priority,
    app: usize,
}

/// A slot in use. It must be released.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a slot that is not released is lost"]
pub struct HeldSlot {
    priority: Priority,
    kind: SlotKind,
}

/// Result of a request for a slot.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It has a slot.
    Granted(HeldSlot),
    /// It waits. If too many waited, another less urgent request is refused instead.
    Waits {
        /// Its id.
        waiter_id: WaiterId,
        /// The request refused instead.
        displaced: Option<WaiterId>,
    },
    /// It is refused because too many wait.
    Refused,
}

/// Reason why a request stops waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelReason {
    /// Its caller is gone.
    Dropped,
    /// It timed out.
    TimedOut,
}

/// Counters of one priority.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PriorityCounters {
    /// Slots in use now.
    pub in_flight: usize,
    /// Waiting now.
    pub waiting: usize,
    /// Requests that had to wait and no longer do.
    pub waited: u64,
    /// Their total wait.
    pub wait_time: Duration,
    /// Requests refused because too many waited.
    pub refused: u64,
    /// Requests that timed out while waiting.
    pub timed_out: u64,
}

/// All slots of one server.
#[derive(Debug)]
pub struct Slots {
    limits: SlotLimits,
    held: usize,
    held_reads: usize,
    held_by_kind: [usize; SlotKind::COUNT],
    /// By priority and app. An empty queue stays for the time of its last grant: the number of apps is limited.
    queues: BTreeMap<(Priority, usize), AppQueue>,
    waiting: usize,
    waiter_ids: u64,
    grants: u64,
    last_grants: [u64; Priority::EVERY.len()],
    /// Grants to waiters since the last one by rule 3.
    grants_since_share: u32,
    counters: [PriorityCounters; Priority::EVERY.len()],
}

/// Waiting requests of one app and priority.
#[derive(Debug, Default)]
struct AppQueue {
    last_grant: u64,
    /// By id, so the oldest is first.
    waiting: BTreeMap<u64, WaitingRequest>,
}

#[derive(Debug, Clone, Copy)]
struct WaitingRequest {
    kind: SlotKind,
    since: Duration,
}

impl Slots {
    /// All slots free.
    pub fn new(limits: SlotLimits) -> Self {
        Self {
            limits,
            held: 0,
            held_reads: 0,
            held_by_kind: [0; SlotKind::COUNT],
            queues: BTreeMap::new(),
            waiting: 0,
            waiter_ids: 0,
            grants: 0,
            last_grants: [0; Priority::EVERY.len()],
            grants_since_share: 0,
            counters: [PriorityCounters::default(); Priority::EVERY.len()],
        }
    }

    /// Requests a slot. If one is free for it, no waiter could use it, or that waiter would have it already.
    pub fn request(&mut self, request: SlotRequest, now: Duration) -> Admission {
        if self.has_room_for(request.priority, request.kind) {
            return Admission::Granted(self.occupy(request));
        }
        let mut displaced = None;
        if self.waiting >= self.limits.max_waiting {
            displaced = self.least_urgent(request);
            let Some(waiter_id) = displaced else {
                self.counters[request.priority as usize].refused += 1;
                return Admission::Refused;
            };
            self.remove(waiter_id, now);
            self.counters[waiter_id.priority as usize].refused += 1;
        }
        self.waiter_ids += 1;
        let waiter_id = WaiterId { number: self.waiter_ids, priority: request.priority, app: request.app };
        let queue = self.queues.entry((request.priority, request.app)).or_default();
        queue.waiting.insert(waiter_id.number, WaitingRequest { kind: request.kind, since: now });
        self.waiting += 1;
        self.counters[request.priority as usize].waiting += 1;
        Admission::Waits { waiter_id, displaced }
    }

    /// Requests a spare slot: granted only if nothing waits and the next read, also of the same type, finds another
    /// one. Never waits.
    pub fn try_request_spare(&mut self, request: SlotRequest) -> Option<HeldSlot> {
        let is_spare = self.waiting == 0
            && self.held + 1 < self.limits.slots
            && self.held_reads + 1 < self.limits.reads
            && self.held_by_kind[request.kind.index()] + 1 < self.limits.per_kind;
        is_spare.then(|| self.occupy(request))
    }

    /// Cancels a waiting request. If it was granted a slot meanwhile, the caller must release that instead: then this
    /// does nothing.
    pub fn cancel(&mut self, waiter_id: WaiterId, reason: CancelReason, now: Duration) {
        if self.remove(waiter_id, now).is_some() && reason == CancelReason::TimedOut {
            self.counters[waiter_id.priority as usize].timed_out += 1;
        }
    }

    /// Releases a slot, and grants it to the next waiter. The caller then calls [`Self::grant_next`] until there is none:
    /// a slot may make room both for one more of its kind and for one more stranger.
    #[expect(clippy::needless_pass_by_value, reason = "a slot is released once and consumed by that")]
    pub fn release(&mut self, slot: HeldSlot, now: Duration) -> Option<(WaiterId, HeldSlot)> {
        let HeldSlot { priority, kind } = slot;
        self.held -= 1;
        self.held_reads -= usize::from(kind.is_read());
        self.held_by_kind[kind.index()] -= 1;
        self.counters[priority as usize].in_flight -= 1;
        self.grant_next(now)
    }

    /// Grants a free slot to the next waiter.
    pub fn grant_next(&mut self, now: Duration) -> Option<(WaiterId, HeldSlot)> {
        let (waiter_id, kind) = self.next()?;
        self.grants_since_share = (self.grants_since_share + 1) % SHARE;
        self.remove(waiter_id, now);
        let slot = self.occupy(SlotRequest { priority: waiter_id.priority, kind, app: waiter_id.app });
        Some((waiter_id, slot))
    }

    /// The limits.
    pub fn limits(&self) -> SlotLimits {
        self.limits
    }

    /// Counters by priority.
    pub fn counters(&self) -> [PriorityCounters; Priority::EVERY.len()] {
        self.counters
    }

    fn has_room_for(&self, priority: Priority, kind: SlotKind) -> bool {
        self.held < self.limits.slots
            && (!kind.is_read() || self.held_reads < self.limits.reads)
            && self.held_by_kind[kind.index()] < self.limits.per_kind
            && (priority != Priority::Stranger || self.has_room_for_stranger(kind))
    }

    fn has_room_for_stranger(&self, kind: SlotKind) -> bool {
        self.counters[Priority::Stranger as usize].in_flight < self.limits.strangers
            && self.held_by_kind[kind.index()] < self.limits.strangers_per_kind
    }

    fn occupy(&mut self, request: SlotRequest) -> HeldSlot {
        let SlotRequest { priority, kind, app } = request;
        self.held += 1;
        self.held_reads += usize::from(kind.is_read());
        self.held_by_kind[kind.index()] += 1;
        self.counters[priority as usize].in_flight += 1;
        self.grants += 1;
        self.last_grants[priority as usize] = self.grants;
        self.queues.entry((priority, app)).or_default().last_grant = self.grants;
        HeldSlot { priority, kind }
    }

    /// The next waiter.
    fn next(&self) -> Option<(WaiterId, SlotKind)> {
        let mut ranks = Priority::EVERY;
        if self.grants_since_share + 1 == SHARE {
            ranks.sort_by_key(|priority| self.last_grants[*priority as usize]);
        }
        ranks.into_iter().find_map(|priority| self.next_of(priority))
    }

    fn next_of(&self, priority: Priority) -> Option<(WaiterId, SlotKind)> {
        let queues = self.queues.range((priority, 0)..=(priority, usize::MAX));
        let candidates = queues.filter_map(|((_, app), queue)| {
            let mut waiting = queue.waiting.iter();
            let (number, first) = waiting.find(|(_, waiting)| self.has_room_for(priority, waiting.kind))?;
            let waiter_id = WaiterId { number: *number, priority, app: *app };
            Some((queue.last_grant, waiter_id, first.kind))
        });
        let next = candidates.min_by_key(|(last_grant, waiter_id, _)| (*last_grant, waiter_id.number));
        next.map(|(_, waiter_id, kind)| (waiter_id, kind))
    }

    /// The waiter to refuse so that `request` can wait; `None` if `request` itself is refused.
    fn least_urgent(&self, request: SlotRequest) -> Option<WaiterId> {
        let own_queue = (request.priority, request.app);
        let mut queues = self.queues.iter().filter(|(_, queue)| !queue.waiting.is_empty());
        let lowest = queues.next_back().map_or(request.priority, |((priority, _), _)| *priority).max(request.priority);
        let queues = self.queues.range((lowest, 0)..=(lowest, usize::MAX));
        let newest = queues.filter_map(|(at, queue)| {
            let (number, _) = queue.waiting.last_key_value()?;
            let is_own = *at == own_queue;
            let number = if is_own { u64::MAX } else { *number };
            Some((queue.waiting.len() + usize::from(is_own), number, at.1))
        });
        let newcomer = (request.priority == lowest).then_some((1, u64::MAX, request.app));
        let (_, number, app) = newest.chain(newcomer).max()?;
        (number != u64::MAX).then_some(WaiterId { number, priority: lowest, app })
    }

    fn remove(&mut self, waiter_id: WaiterId, now: Duration) -> Option<WaitingRequest> {
        let queue = self.queues.get_mut(&(waiter_id.priority, waiter_id.app))?;
        let waiting = queue.waiting.remove(&waiter_id.number)?;
        self.waiting -= 1;
        let counters = &mut self.counters[waiter_id.priority as usize];
        counters.waiting -= 1;
        counters.waited += 1;
        counters.wait_time += now.saturating_sub(waiting.since);
        Some(waiting)
    }
}
