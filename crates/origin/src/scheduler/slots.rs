//! Holders of slots, waiters, and who is next. Nothing here waits or has a clock; time is an argument.
//!
//! The rules, in order:
//!
//! 1. The number of slots is limited. All reads together leave a quarter of them (at least one) to writes; one request
//!    type, and all writes together, hold at most half. So no single request type that hangs stops the others.
//! 2. Of the eligible waiters, the most urgent priority is next; within a priority the app whose last grant is longest
//!    ago; within an app the oldest request.
//! 3. One grant in [`SHARE`] goes to the priority that has gone longest without one, so none starves.
//! 4. If too many wait, the newest request of the longest app queue in the least urgent priority is refused.

use std::collections::BTreeMap;

use greenroom_dialect::class::Class;

use crate::scheduler::priority::Priority;

/// Writes keep this fraction (1/n) of the slots, at least one.
const WRITES_SHARE: usize = 4;
/// One grant in this many goes to the priority that has gone longest without one.
pub const SHARE: u32 = 8;

/// Limits of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotLimits {
    /// Concurrent requests.
    pub slots: usize,
    /// Of them, reads.
    pub reads: usize,
    /// Of them, reads of one request type; and writes.
    pub per_class: usize,
    /// Max waiting requests.
    pub max_waiting: usize,
}

impl SlotLimits {
    /// Limits for this number of slots. With fewer than two, writes could not have one of their own.
    pub fn new(places: usize, max_waiting: usize) -> Self {
        let places = places.max(2);
        let for_writes = (places / WRITES_SHARE).max(1);
        Self { slots: places, reads: places - for_writes, per_class: places / 2, max_waiting }
    }
}

/// A request for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRequest {
    /// Its priority.
    pub rank: Priority,
    /// Request type of a read; `None` for a write.
    pub class: Option<Class>,
    /// Number of its app.
    pub app: usize,
}

/// Id of a waiting request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId {
    number: u64,
    rank: Priority,
    app: usize,
}

/// A slot in use. It must be released.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a place that is not given back is lost"]
pub struct HeldSlot {
    rank: Priority,
    class: Option<Class>,
}

/// Result of a request for a slot.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It has a slot.
    Granted(HeldSlot),
    /// It waits. If too many waited, another less urgent request is refused instead.
    Waits {
        /// Its id.
        ticket: WaiterId,
        /// The request refused instead.
        instead_of: Option<WaiterId>,
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
    /// Their total wait in milliseconds.
    pub waited_ms: u64,
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
    /// By request type; the last is for writes.
    held_by_class: [usize; Class::EVERY.len() + 1],
    /// By priority and app. An empty queue stays for the time of its last grant: the number of apps is limited.
    queues: BTreeMap<(Priority, usize), AppQueue>,
    waiting: usize,
    tickets: u64,
    turns: u64,
    last_turns: [u64; Priority::EVERY.len()],
    /// Grants to waiters since the last one by rule 3.
    since_share: u32,
    tallies: [PriorityCounters; Priority::EVERY.len()],
}

/// Waiting requests of one app and priority.
#[derive(Debug, Default)]
struct AppQueue {
    last_turn: u64,
    /// By id, so the oldest is first.
    waiting: BTreeMap<u64, WaitingRequest>,
}

#[derive(Debug, Clone, Copy)]
struct WaitingRequest {
    class: Option<Class>,
    since_ms: u64,
}

impl Slots {
    /// All slots free.
    pub fn new(limits: SlotLimits) -> Self {
        Self {
            limits,
            held: 0,
            held_reads: 0,
            held_by_class: [0; Class::EVERY.len() + 1],
            queues: BTreeMap::new(),
            waiting: 0,
            tickets: 0,
            turns: 0,
            last_turns: [0; Priority::EVERY.len()],
            since_share: 0,
            tallies: [PriorityCounters::default(); Priority::EVERY.len()],
        }
    }

    /// Requests a slot. If one is free for it, no waiter could use it, or that waiter would have it already.
    pub fn request(&mut self, claim: SlotRequest, now_ms: u64) -> Admission {
        if self.has_room_for(claim.class) {
            return Admission::Granted(self.occupy(claim));
        }
        let mut instead_of = None;
        if self.waiting >= self.limits.max_waiting {
            instead_of = self.least_urgent(claim);
            let Some(ticket) = instead_of else {
                self.tallies[claim.rank as usize].refused += 1;
                return Admission::Refused;
            };
            self.remove(ticket, now_ms);
            self.tallies[ticket.rank as usize].refused += 1;
        }
        self.tickets += 1;
        let ticket = WaiterId { number: self.tickets, rank: claim.rank, app: claim.app };
        let line = self.queues.entry((claim.rank, claim.app)).or_default();
        line.waiting.insert(ticket.number, WaitingRequest { class: claim.class, since_ms: now_ms });
        self.waiting += 1;
        self.tallies[claim.rank as usize].waiting += 1;
        Admission::Waits { ticket, instead_of }
    }

    /// Requests a spare slot: granted only if nothing waits and the next read, also of the same type, finds another
    /// one. Never waits.
    pub fn try_request_spare(&mut self, claim: SlotRequest) -> Option<HeldSlot> {
        let is_spare = self.waiting == 0
            && self.held + 1 < self.limits.slots
            && self.held_reads + 1 < self.limits.reads
            && self.held_by_class[index(claim.class)] + 1 < self.limits.per_class;
        is_spare.then(|| self.occupy(claim))
    }

    /// Cancels a waiting request. If it was granted a slot meanwhile, the caller must release that instead: then this
    /// does nothing.
    pub fn cancel(&mut self, ticket: WaiterId, why: CancelReason, now_ms: u64) {
        if self.remove(ticket, now_ms).is_some() && why == CancelReason::TimedOut {
            self.tallies[ticket.rank as usize].timed_out += 1;
        }
    }

    /// Releases a slot, and grants it to the next waiter.
    #[expect(clippy::needless_pass_by_value, reason = "a place is given back once, and is gone then")]
    pub fn release(&mut self, held: HeldSlot, now_ms: u64) -> Option<(WaiterId, HeldSlot)> {
        let HeldSlot { rank, class } = held;
        self.held -= 1;
        self.held_reads -= usize::from(class.is_some());
        self.held_by_class[index(class)] -= 1;
        self.tallies[rank as usize].in_flight -= 1;
        let (ticket, class) = self.next()?;
        self.since_share = (self.since_share + 1) % SHARE;
        self.remove(ticket, now_ms);
        let held = self.occupy(SlotRequest { rank: ticket.rank, class, app: ticket.app });
        Some((ticket, held))
    }

    /// The limits.
    pub fn limits(&self) -> SlotLimits {
        self.limits
    }

    /// Counters by priority.
    pub fn tallies(&self) -> [PriorityCounters; Priority::EVERY.len()] {
        self.tallies
    }

    fn has_room_for(&self, class: Option<Class>) -> bool {
        self.held < self.limits.slots
            && (class.is_none() || self.held_reads < self.limits.reads)
            && self.held_by_class[index(class)] < self.limits.per_class
    }

    fn occupy(&mut self, claim: SlotRequest) -> HeldSlot {
        let SlotRequest { rank, class, app } = claim;
        self.held += 1;
        self.held_reads += usize::from(class.is_some());
        self.held_by_class[index(class)] += 1;
        self.tallies[rank as usize].in_flight += 1;
        self.turns += 1;
        self.last_turns[rank as usize] = self.turns;
        self.queues.entry((rank, app)).or_default().last_turn = self.turns;
        HeldSlot { rank, class }
    }

    /// The next waiter.
    fn next(&self) -> Option<(WaiterId, Option<Class>)> {
        let mut ranks = Priority::EVERY;
        if self.since_share + 1 == SHARE {
            ranks.sort_by_key(|rank| self.last_turns[*rank as usize]);
        }
        ranks.into_iter().find_map(|rank| self.next_of(rank))
    }

    fn next_of(&self, rank: Priority) -> Option<(WaiterId, Option<Class>)> {
        let lines = self.queues.range((rank, 0)..=(rank, usize::MAX));
        let firsts = lines.filter_map(|((_, app), line)| {
            let mut waiting = line.waiting.iter();
            let (number, first) = waiting.find(|(_, waiting)| self.has_room_for(waiting.class))?;
            let ticket = WaiterId { number: *number, rank, app: *app };
            Some((line.last_turn, ticket, first.class))
        });
        let next = firsts.min_by_key(|(last_turn, ticket, _)| (*last_turn, ticket.number));
        next.map(|(_, ticket, class)| (ticket, class))
    }

    /// The waiter to refuse so that `claim` can wait; `None` if `claim` itself is refused.
    fn least_urgent(&self, claim: SlotRequest) -> Option<WaiterId> {
        let own = (claim.rank, claim.app);
        let mut lines = self.queues.iter().filter(|(_, line)| !line.waiting.is_empty());
        let lowest = lines.next_back().map_or(claim.rank, |((rank, _), _)| *rank).max(claim.rank);
        let in_lowest = self.queues.range((lowest, 0)..=(lowest, usize::MAX));
        let newest = in_lowest.filter_map(|(at, line)| {
            let (number, _) = line.waiting.last_key_value()?;
            let is_own = *at == own;
            let number = if is_own { u64::MAX } else { *number };
            Some((line.waiting.len() + usize::from(is_own), number, at.1))
        });
        let alone = (claim.rank == lowest).then_some((1, u64::MAX, claim.app));
        let (_, number, app) = newest.chain(alone).max()?;
        (number != u64::MAX).then_some(WaiterId { number, rank: lowest, app })
    }

    fn remove(&mut self, ticket: WaiterId, now_ms: u64) -> Option<WaitingRequest> {
        let line = self.queues.get_mut(&(ticket.rank, ticket.app))?;
        let waiting = line.waiting.remove(&ticket.number)?;
        self.waiting -= 1;
        let tally = &mut self.tallies[ticket.rank as usize];
        tally.waiting -= 1;
        tally.waited += 1;
        tally.waited_ms += now_ms.saturating_sub(waiting.since_ms);
        Some(waiting)
    }
}

fn index(class: Option<Class>) -> usize {
    class.map_or(Class::EVERY.len(), |class| class as usize)
}
