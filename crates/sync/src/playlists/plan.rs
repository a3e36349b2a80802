//! Plans the next step from a playlist's current content to its target. Pure.
//!
//! Additions come before removals, and nothing is removed until all its target tracks are seen in it. So an
//! interruption never leaves the playlist empty.

use std::collections::{HashMap, HashSet};

/// An entry of a playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentEntry {
    /// The entry's id.
    pub entry: String,
    /// Key of its item.
    pub key: String,
}

/// What one request can do on this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Items added per request.
    pub add: usize,
    /// Entries removed per request.
    pub remove: usize,
    /// Whether one request can set the whole content.
    pub can_set: bool,
}

/// A move of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryMove {
    /// The entry's id.
    pub entry: String,
    /// Id of the entry before it; `None`: to the top.
    pub after: Option<String>,
    /// Its new position, counted from 0.
    pub index: usize,
}

/// The next step, after which the playlist is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanStep {
    /// Nothing: the content is as wanted.
    Done,
    /// Append these items in this order.
    Add(Vec<String>),
    /// Remove these entries.
    Remove(Vec<String>),
    /// Move these entries one by one.
    Arrange(Vec<EntryMove>),
    /// Set the whole content.
    Set,
}

/// The next step from `current` to exactly `wanted`, whose keys are distinct, with as few requests as possible.
pub fn next_step(current: &[CurrentEntry], wanted: &[String], costs: BatchLimits) -> PlanStep {
    if current.iter().map(|held| &held.key).eq(wanted) {
        return PlanStep::Done;
    }
    let renewed = AppendPlan::new(current, wanted);
    let mended = EditPlan::new(current, wanted);
    let (renew, mend) = (renewed.requests(costs), mended.requests(costs));
    if costs.can_set && renew.min(mend) > 1 {
        return PlanStep::Set;
    }
    if mend <= renew { mended.phase(current, wanted) } else { renewed.phase() }
}

/// Whether removals need permission, because most entries would go or few rows matched.
pub fn is_held_back(before: usize, leaving: usize, is_doubtful: bool) -> bool {
    leaving > 0 && (is_doubtful || leaving * 2 > before)
}

/// Number of requests in total.
pub fn requests(current: &[CurrentEntry], wanted: &[String], costs: BatchLimits) -> usize {
    if current.iter().map(|held| &held.key).eq(wanted) {
        return 0;
    }
    let fewest = AppendPlan::new(current, wanted).requests(costs).min(EditPlan::new(current, wanted).requests(costs));
    if costs.can_set { fewest.min(1) } else { fewest }
}

/// First way: keep the prefix that is in order, append the rest and remove the old rest.
struct AppendPlan {
    add: Vec<String>,
    remove: Vec<String>,
}

impl AppendPlan {
    fn new(current: &[CurrentEntry], wanted: &[String]) -> Self {
        let mut kept = 0;
        let mut remove = Vec::new();
        for held in current {
            if wanted.get(kept) == Some(&held.key) {
                kept += 1;
            } else {
                remove.push(held.entry.clone());
            }
        }
        Self { add: wanted[kept..].to_vec(), remove }
    }

    fn requests(&self, costs: BatchLimits) -> usize {
        self.add.len().div_ceil(costs.add.max(1)) + self.remove.len().div_ceil(costs.remove.max(1))
    }

    fn phase(self) -> PlanStep {
        if self.add.is_empty() { PlanStep::Remove(self.remove) } else { PlanStep::Add(self.add) }
    }
}

/// Second way: add what is missing, remove what does not belong, and move what is out of order.
struct EditPlan {
    add: Vec<String>,
    remove: Vec<String>,
    moves: usize,
}

impl EditPlan {
    fn new(current: &[CurrentEntry], wanted: &[String]) -> Self {
        let places: HashMap<&str, usize> = wanted.iter().enumerate().map(|(at, key)| (key.as_str(), at)).collect();
        let mut seen = HashSet::new();
        let (mut order, mut remove) = (Vec::new(), Vec::new());
        for held in current {
            match places.get(held.key.as_str()) {
                Some(at) if seen.insert(*at) => order.push(*at),
                _ => remove.push(held.entry.clone()),
            }
        }
        let missing: Vec<usize> = (0..wanted.len()).filter(|at| !seen.contains(at)).collect();
        let add = missing.iter().map(|at| wanted[*at].clone()).collect();
        order.extend(missing);
        let moves = order.len() - longest_rising(&order).len();
        Self { add, remove, moves }
    }

    fn requests(&self, costs: BatchLimits) -> usize {
        self.add.len().div_ceil(costs.add.max(1)) + self.remove.len().div_ceil(costs.remove.max(1)) + self.moves
    }

    fn phase(self, current: &[CurrentEntry], wanted: &[String]) -> PlanStep {
        if !self.add.is_empty() {
            PlanStep::Add(self.add)
        } else if !self.remove.is_empty() {
            PlanStep::Remove(self.remove)
        } else {
            PlanStep::Arrange(entry_moves(current, wanted))
        }
    }
}

/// The fewest moves that bring the entries into order.
fn entry_moves(current: &[CurrentEntry], wanted: &[String]) -> Vec<EntryMove> {
    let places: HashMap<&str, usize> = wanted.iter().enumerate().map(|(at, key)| (key.as_str(), at)).collect();
    let order: Vec<usize> = current.iter().filter_map(|held| places.get(held.key.as_str()).copied()).collect();
    let stood: HashMap<usize, usize> = order.iter().enumerate().map(|(at, place)| (*place, at)).collect();
    let entries: HashMap<&str, &str> = current.iter().map(|held| (held.key.as_str(), held.entry.as_str())).collect();
    let entry = |place: usize| entries.get(wanted[place].as_str()).map(|entry| (*entry).to_owned()).unwrap_or_default();
    let stay: HashSet<usize> = longest_rising(&order).into_iter().collect();
    let mut unmoved = FenwickTree::with_ones(order.len());
    let mut shifts = Vec::new();
    // Unmoved entries are in order, so all entries moved so far precede the next one, behind the last unmoved one.
    let mut behind = 0;
    for place in 0..wanted.len() {
        let Some(at) = stood.get(&place).copied() else { continue };
        if stay.contains(&place) {
            behind = at + 1;
            continue;
        }
        unmoved.remove(at);
        let index = unmoved.prefix_sum(behind) + shifts.len();
        shifts.push(EntryMove { entry: entry(place), after: place.checked_sub(1).map(entry), index });
    }
    shifts
}

/// Tracks which elements remain and counts those before a position, both in logarithmic time.
struct FenwickTree(Vec<usize>);

impl FenwickTree {
    fn with_ones(length: usize) -> Self {
        // Each node counts as many elements as its lowest bit says.
        Self((0..=length).map(|at| at & at.wrapping_neg()).collect())
    }

    fn remove(&mut self, at: usize) {
        let mut at = at + 1;
        while let Some(count) = self.0.get_mut(at) {
            *count -= 1;
            at += at & at.wrapping_neg();
        }
    }

    fn prefix_sum(&self, end: usize) -> usize {
        let (mut at, mut sum) = (end, 0);
        while at > 0 {
            sum += self.0[at];
            at &= at - 1;
        }
        sum
    }
}

/// The longest increasing subsequence.
fn longest_rising(sequence: &[usize]) -> Vec<usize> {
    // `ends`: for each length the position of the smallest last element; for each position its predecessor.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(sequence.len());
    for (at, value) in sequence.iter().enumerate() {
        let length = ends.partition_point(|end| sequence[*end] < *value);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() { ends.push(at) } else { ends[length] = at }
    }
    let mut rising = Vec::with_capacity(ends.len());
    let mut at = ends.last().copied();
    while let Some(place) = at {
        rising.push(sequence[place]);
        at = before[place];
    }
    rising.reverse();
    rising
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A playlist as a server stores it.
    struct FakePlaylist {
        held: Vec<CurrentEntry>,
        entries: usize,
        requests: usize,
    }

    impl FakePlaylist {
        fn of(keys: &[String]) -> Self {
            let mut list = Self { held: Vec::new(), entries: 0, requests: 0 };
            list.append(keys);
            list
        }

        fn append(&mut self, keys: &[String]) {
            for key in keys {
                self.entries += 1;
                self.held.push(CurrentEntry { entry: format!("e{}", self.entries), key: key.clone() });
            }
        }

        fn keys(&self) -> Vec<String> {
            self.held.iter().map(|held| held.key.clone()).collect()
        }

        fn apply(&mut self, phase: PlanStep, wanted: &[String], costs: BatchLimits) {
            match phase {
                PlanStep::Done => {}
                PlanStep::Add(keys) => {
                    for batch in keys.chunks(costs.add) {
                        self.requests += 1;
                        self.append(batch);
                    }
                }
                PlanStep::Remove(entries) => {
                    for batch in entries.chunks(costs.remove) {
                        self.requests += 1;
                        self.held.retain(|held| !batch.contains(&held.entry));
                        assert!(!self.held.is_empty(), "it is never emptied");
                    }
                }
                PlanStep::Arrange(shifts) => {
                    for shift in shifts {
                        self.requests += 1;
                        let at = self.held.iter().position(|held| held.entry == shift.entry).expect("it is there");
                        let held = self.held.remove(at);
                        let behind = |after: &String| {
                            self.held.iter().position(|held| held.entry == *after).expect("it is there") + 1
                        };
                        assert_eq!(shift.after.as_ref().map_or(0, behind), shift.index);
                        self.held.insert(shift.index, held);
                    }
                }
                PlanStep::Set => {
                    self.requests += 1;
                    self.held.clear();
                    self.append(wanted);
                }
            }
        }
    }

    fn keys(numbers: &[u8]) -> Vec<String> {
        numbers.iter().map(u8::to_string).collect()
    }

    const PLEX: BatchLimits = BatchLimits { add: 3, remove: 1, can_set: false };

    #[test]
    fn one_track_in_the_middle_is_added_and_moved() {
        let list = FakePlaylist::of(&keys(&[1, 2, 3, 4, 5, 6, 7, 8]));
        let wanted = keys(&[1, 2, 9, 3, 4, 5, 6, 7, 8]);
        assert_eq!(next_step(&list.held, &wanted, PLEX), PlanStep::Add(keys(&[9])));
        assert_eq!(requests(&list.held, &wanted, PLEX), 2);
    }

    #[test]
    fn what_is_as_it_should_be_is_left_alone() {
        assert_eq!(next_step(&FakePlaylist::of(&keys(&[1, 2])).held, &keys(&[1, 2]), PLEX), PlanStep::Done);
        assert_eq!(next_step(&[], &[], PLEX), PlanStep::Done);
    }

    #[test]
    fn all_at_once_only_where_that_is_fewer() {
        let costs = BatchLimits { add: 50, remove: 50, can_set: true };
        let list = FakePlaylist::of(&keys(&[1, 2, 3]));
        assert_eq!(next_step(&list.held, &keys(&[1, 2, 3, 4]), costs), PlanStep::Add(keys(&[4])));
        assert_eq!(next_step(&list.held, &keys(&[7, 8, 9]), costs), PlanStep::Set);
    }

    proptest! {
        #[test]
        fn any_playlist_becomes_any_other_without_ever_being_empty(
            before in prop::collection::vec(0_u8..12, 0..14),
            after in prop::collection::hash_set(0_u8..12, 1..12).prop_map(|set| set.into_iter().collect::<Vec<_>>()),
            add in 1_usize..5, remove in 1_usize..5, can_set in any::<bool>(),
        ) {
            let (costs, wanted) = (BatchLimits { add, remove, can_set }, keys(&after));
            let mut list = FakePlaylist::of(&keys(&before));
            list.requests = 0;
            let told = requests(&list.held, &wanted, costs);
            let mut rounds = 0;
            loop {
                let phase = next_step(&list.held, &wanted, costs);
                if phase == PlanStep::Done {
                    break;
                }
                list.apply(phase, &wanted, costs);
                rounds += 1;
                prop_assert!(rounds <= 4, "it comes to an end");
            }
            prop_assert_eq!(list.keys(), wanted.clone());
            prop_assert_eq!(list.requests, told, "and costs what was told before");
        }
    }
}
