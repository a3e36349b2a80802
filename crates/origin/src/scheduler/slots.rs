//! Who holds a place, who waits, and who is next. Nothing here waits or knows a clock; time is an argument.
//!
//! The rules, in order:
//!
//! 1. There are so many places. Reads together leave a quarter of them (at least one) to writes; one class of reads,
//!    and all writes together, hold at most half. So no single class that hangs stops the others.
//! 2. Of those who may have a place, the most urgent rank is next; within a rank the app whose last turn is longest
//!    ago; within an app who came first.
//! 3. One turn in [`SHARE`] goes to the rank that has gone longest without one: no rank starves.
//! 4. If too many wait, the newest of the longest line in the least urgent rank is refused.

use std::collections::BTreeMap;

use greenroom_dialect::class::Class;

use crate::scheduler::priority::Rank;

/// One place in so many is kept for writes, at least one.
const WRITES_SHARE: usize = 4;
/// One turn in so many goes to the rank that has gone longest without one.
pub const SHARE: u32 = 8;

/// How many of everything there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests at a time.
    pub places: usize,
    /// Of them, reads.
    pub reads: usize,
    /// Of them, reads of one class; and writes.
    pub per_class: usize,
    /// Requests that may wait.
    pub max_waiting: usize,
}

impl Limits {
    /// The limits that follow from the number of places. With fewer than two, writes could not have one of their own.
    pub fn new(places: usize, max_waiting: usize) -> Self {
        let places = places.max(2);
        let for_writes = (places / WRITES_SHARE).max(1);
        Self { places, reads: places - for_writes, per_class: places / 2, max_waiting }
    }
}

/// What somebody needs a place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// How urgent it is.
    pub rank: Rank,
    /// The class of a read; a write has none.
    pub class: Option<Class>,
    /// Whose it is.
    pub app: usize,
}

/// The number under which somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    number: u64,
    rank: Rank,
    app: usize,
}

/// A place that is held. It has to be given back.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a place that is not given back is lost"]
pub struct Held {
    rank: Rank,
    class: Option<Class>,
}

/// What becomes of a claim.
#[derive(Debug, PartialEq, Eq)]
pub enum Entrance {
    /// There is a place.
    Placed(Held),
    /// There is none yet. If too many waited, somebody else who was less urgent is refused instead.
    Waits {
        /// Under this number.
        ticket: Ticket,
        /// Who has to go.
        instead_of: Option<Ticket>,
    },
    /// There is none, and too many wait.
    Refused,
}

/// Why somebody stops waiting without a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// Nobody wants it any more.
    Gone,
    /// It has waited as long as it may.
    InVain,
}

/// What was counted for one rank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Places held now.
    pub in_flight: usize,
    /// Waiting now.
    pub waiting: usize,
    /// Those that had to wait, and do no longer.
    pub waited: u64,
    /// How long they waited, all together.
    pub waited_ms: u64,
    /// Those refused because too many waited.
    pub refused: u64,
    /// Those that waited as long as they may.
    pub in_vain: u64,
}

/// All places of one server.
#[derive(Debug)]
pub struct Places {
    limits: Limits,
    held: usize,
    held_reads: usize,
    /// By class; the last is for writes.
    held_by_class: [usize; Class::EVERY.len() + 1],
    /// By rank and app. A line that is empty is kept for its last turn: there are only so many apps.
    lines: BTreeMap<(Rank, usize), Line>,
    waiting: usize,
    tickets: u64,
    turns: u64,
    last_turns: [u64; Rank::EVERY.len()],
    /// Turns of those who waited since one was given by rule 3.
    since_share: u32,
    tallies: [Tally; Rank::EVERY.len()],
}

/// Those of one app and rank who wait.
#[derive(Debug, Default)]
struct Line {
    last_turn: u64,
    /// By number, so the first came first.
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    class: Option<Class>,
    since_ms: u64,
}

impl Places {
    /// All of them free.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            held: 0,
            held_reads: 0,
            held_by_class: [0; Class::EVERY.len() + 1],
            lines: BTreeMap::new(),
            waiting: 0,
            tickets: 0,
            turns: 0,
            last_turns: [0; Rank::EVERY.len()],
            since_share: 0,
            tallies: [Tally::default(); Rank::EVERY.len()],
        }
    }

    /// Somebody wants a place. Nobody who waits could have the one he gets at once, or he would have it already.
    pub fn enter(&mut self, claim: Claim, now_ms: u64) -> Entrance {
        if self.has_room_for(claim.class) {
            return Entrance::Placed(self.seat(claim));
        }
        let mut instead_of = None;
        if self.waiting >= self.limits.max_waiting {
            instead_of = self.least_urgent(claim);
            let Some(ticket) = instead_of else {
                self.tallies[claim.rank as usize].refused += 1;
                return Entrance::Refused;
            };
            self.remove(ticket, now_ms);
            self.tallies[ticket.rank as usize].refused += 1;
        }
        self.tickets += 1;
        let ticket = Ticket { number: self.tickets, rank: claim.rank, app: claim.app };
        let line = self.lines.entry((claim.rank, claim.app)).or_default();
        line.waiting.insert(ticket.number, Waiting { class: claim.class, since_ms: now_ms });
        self.waiting += 1;
        self.tallies[claim.rank as usize].waiting += 1;
        Entrance::Waits { ticket, instead_of }
    }

    /// Somebody would like a place that can be spared: nobody waits, and the next read finds another one, of the same
    /// class too. He never waits.
    pub fn enter_to_spare(&mut self, claim: Claim) -> Option<Held> {
        let is_spare = self.waiting == 0
            && self.held + 1 < self.limits.places
            && self.held_reads + 1 < self.limits.reads
            && self.held_by_class[index(claim.class)] + 1 < self.limits.per_class;
        is_spare.then(|| self.seat(claim))
    }

    /// Somebody who waits goes. Whoever was given a place meanwhile has to give it back instead: then this does
    /// nothing.
    pub fn leave(&mut self, ticket: Ticket, why: Leaving, now_ms: u64) {
        if self.remove(ticket, now_ms).is_some() && why == Leaving::InVain {
            self.tallies[ticket.rank as usize].in_vain += 1;
        }
    }

    /// A place is given back, and goes to whoever is next.
    #[expect(clippy::needless_pass_by_value, reason = "a place is given back once, and is gone then")]
    pub fn release(&mut self, held: Held, now_ms: u64) -> Option<(Ticket, Held)> {
        let Held { rank, class } = held;
        self.held -= 1;
        self.held_reads -= usize::from(class.is_some());
        self.held_by_class[index(class)] -= 1;
        self.tallies[rank as usize].in_flight -= 1;
        let (ticket, class) = self.next()?;
        self.since_share = (self.since_share + 1) % SHARE;
        self.remove(ticket, now_ms);
        let held = self.seat(Claim { rank: ticket.rank, class, app: ticket.app });
        Some((ticket, held))
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What was counted, by rank.
    pub fn tallies(&self) -> [Tally; Rank::EVERY.len()] {
        self.tallies
    }

    fn has_room_for(&self, class: Option<Class>) -> bool {
        self.held < self.limits.places
            && (class.is_none() || self.held_reads < self.limits.reads)
            && self.held_by_class[index(class)] < self.limits.per_class
    }

    fn seat(&mut self, claim: Claim) -> Held {
        let Claim { rank, class, app } = claim;
        self.held += 1;
        self.held_reads += usize::from(class.is_some());
        self.held_by_class[index(class)] += 1;
        self.tallies[rank as usize].in_flight += 1;
        self.turns += 1;
        self.last_turns[rank as usize] = self.turns;
        self.lines.entry((rank, app)).or_default().last_turn = self.turns;
        Held { rank, class }
    }

    /// Whose turn it is.
    fn next(&self) -> Option<(Ticket, Option<Class>)> {
        let mut ranks = Rank::EVERY;
        if self.since_share + 1 == SHARE {
            ranks.sort_by_key(|rank| self.last_turns[*rank as usize]);
        }
        ranks.into_iter().find_map(|rank| self.next_of(rank))
    }

    fn next_of(&self, rank: Rank) -> Option<(Ticket, Option<Class>)> {
        let lines = self.lines.range((rank, 0)..=(rank, usize::MAX));
        let firsts = lines.filter_map(|((_, app), line)| {
            let mut waiting = line.waiting.iter();
            let (number, first) = waiting.find(|(_, waiting)| self.has_room_for(waiting.class))?;
            let ticket = Ticket { number: *number, rank, app: *app };
            Some((line.last_turn, ticket, first.class))
        });
        let next = firsts.min_by_key(|(last_turn, ticket, _)| (*last_turn, ticket.number));
        next.map(|(_, ticket, class)| (ticket, class))
    }

    /// Who has to go so that `claim` can wait; nobody but `claim` itself if it is `None`.
    fn least_urgent(&self, claim: Claim) -> Option<Ticket> {
        let own = (claim.rank, claim.app);
        let mut lines = self.lines.iter().filter(|(_, line)| !line.waiting.is_empty());
        let lowest = lines.next_back().map_or(claim.rank, |((rank, _), _)| *rank).max(claim.rank);
        let in_lowest = self.lines.range((lowest, 0)..=(lowest, usize::MAX));
        let newest = in_lowest.filter_map(|(at, line)| {
            let (number, _) = line.waiting.last_key_value()?;
            let is_own = *at == own;
            let number = if is_own { u64::MAX } else { *number };
            Some((line.waiting.len() + usize::from(is_own), number, at.1))
        });
        let alone = (claim.rank == lowest).then_some((1, u64::MAX, claim.app));
        let (_, number, app) = newest.chain(alone).max()?;
        (number != u64::MAX).then_some(Ticket { number, rank: lowest, app })
    }

    fn remove(&mut self, ticket: Ticket, now_ms: u64) -> Option<Waiting> {
        let line = self.lines.get_mut(&(ticket.rank, ticket.app))?;
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
