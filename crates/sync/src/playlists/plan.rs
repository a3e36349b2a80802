//! How a playlist becomes what it should be: the next phase, decided from what is in it. Pure.
//!
//! What is added is added before anything leaves, and nothing leaves while something that belongs there is not seen to
//! be there. So a playlist is never emptied on the way, wherever it stops.

use std::collections::{HashMap, HashSet};

/// A place in a playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The id of the place.
    pub entry: String,
    /// The item.
    pub key: String,
}

/// What requests can do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Costs {
    /// Items that one request adds.
    pub add: usize,
    /// Entries that one request takes out.
    pub remove: usize,
    /// One request can say all that is to be in it.
    pub can_set: bool,
}

/// An entry that goes elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Which.
    pub entry: String,
    /// Behind which; `None`: to the top.
    pub after: Option<String>,
    /// Where it is then, counted from 0.
    pub index: usize,
}

/// What is to be done next; then the playlist is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It is as it should be.
    Done,
    /// These items go to the end, in this order.
    Add(Vec<String>),
    /// These entries leave.
    Remove(Vec<String>),
    /// These entries move, one after the other.
    Arrange(Vec<Shift>),
    /// All is said at once.
    Set,
}

/// What is next on the way from `current` to exactly `wanted`, whose keys differ from each other, with as few requests
/// as possible.
pub fn next(current: &[Held], wanted: &[String], costs: Costs) -> Phase {
    if current.iter().map(|held| &held.key).eq(wanted) {
        return Phase::Done;
    }
    let renewed = Renewed::of(current, wanted);
    let mended = Mended::of(current, wanted);
    let (renew, mend) = (renewed.requests(costs), mended.requests(costs));
    if costs.can_set && renew.min(mend) > 1 {
        return Phase::Set;
    }
    if mend <= renew { mended.phase(current, wanted) } else { renewed.phase() }
}

/// Whether nothing is to leave before somebody says that this is meant: most of it would, or few rows were found.
pub fn is_held_back(before: usize, leaving: usize, is_doubtful: bool) -> bool {
    leaving > 0 && (is_doubtful || leaving * 2 > before)
}

/// How many requests it takes in all.
pub fn requests(current: &[Held], wanted: &[String], costs: Costs) -> usize {
    if current.iter().map(|held| &held.key).eq(wanted) {
        return 0;
    }
    let fewest =
        Renewed::of(current, wanted).requests(costs).min(Mended::of(current, wanted).requests(costs));
    if costs.can_set { fewest.min(1) } else { fewest }
}

/// One way: what is in order at the beginning stays, the rest is added anew and the old rest leaves.
struct Renewed {
    add: Vec<String>,
    remove: Vec<String>,
}

impl Renewed {
    fn of(current: &[Held], wanted: &[String]) -> Self {
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

    fn requests(&self, costs: Costs) -> usize {
        self.add.len().div_ceil(costs.add.max(1)) + self.remove.len().div_ceil(costs.remove.max(1))
    }

    fn phase(self) -> Phase {
        if self.add.is_empty() { Phase::Remove(self.remove) } else { Phase::Add(self.add) }
    }
}

/// The other way: what is missing is added, what does not belong leaves, and what stands wrong moves.
struct Mended {
    add: Vec<String>,
    remove: Vec<String>,
    moves: usize,
}

impl Mended {
    fn of(current: &[Held], wanted: &[String]) -> Self {
        let places: HashMap<&str, usize> =
            wanted.iter().enumerate().map(|(at, key)| (key.as_str(), at)).collect();
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

    fn requests(&self, costs: Costs) -> usize {
        self.add.len().div_ceil(costs.add.max(1))
            + self.remove.len().div_ceil(costs.remove.max(1))
            + self.moves
    }

    fn phase(self, current: &[Held], wanted: &[String]) -> Phase {
        if !self.add.is_empty() {
            Phase::Add(self.add)
        } else if !self.remove.is_empty() {
            Phase::Remove(self.remove)
        } else {
            Phase::Arrange(shifts(current, wanted))
        }
    }
}

/// The moves that bring entries into order; as few as possible.
fn shifts(current: &[Held], wanted: &[String]) -> Vec<Shift> {
    let places: HashMap<&str, usize> =
        wanted.iter().enumerate().map(|(at, key)| (key.as_str(), at)).collect();
    let order: Vec<usize> =
        current.iter().filter_map(|held| places.get(held.key.as_str()).copied()).collect();
    let stood: HashMap<usize, usize> = order.iter().enumerate().map(|(at, place)| (*place, at)).collect();
    let entries: HashMap<&str, &str> =
        current.iter().map(|held| (held.key.as_str(), held.entry.as_str())).collect();
    let entry = |place: usize| {
        entries.get(wanted[place].as_str()).map(|entry| (*entry).to_owned()).unwrap_or_default()
    };
    let stay: HashSet<usize> = longest_rising(&order).into_iter().collect();
    let mut unmoved = Counted::ones(order.len());
    let mut shifts = Vec::new();
    // What stays rises, so all that has moved so far stands before the next one, behind the last one that stays.
    let mut behind = 0;
    for place in 0..wanted.len() {
        let Some(at) = stood.get(&place).copied() else { continue };
        if stay.contains(&place) {
            behind = at + 1;
            continue;
        }
        unmoved.take(at);
        let index = unmoved.before(behind) + shifts.len();
        shifts.push(Shift { entry: entry(place), after: place.checked_sub(1).map(entry), index });
    }
    shifts
}

/// Which of so many things are still there, and how many of the first ones are, both in logarithmic time.
struct Counted(Vec<usize>);

impl Counted {
    fn ones(length: usize) -> Self {
        // Each place counts as many as its lowest bit says.
        Self((0..=length).map(|at| at & at.wrapping_neg()).collect())
    }

    fn take(&mut self, at: usize) {
        let mut at = at + 1;
        while let Some(count) = self.0.get_mut(at) {
            *count -= 1;
            at += at & at.wrapping_neg();
        }
    }

    fn before(&self, end: usize) -> usize {
        let (mut at, mut sum) = (end, 0);
        while at > 0 {
            sum += self.0[at];
            at &= at - 1;
        }
        sum
    }
}

/// The longest part of a sequence that rises, gaps allowed.
fn longest_rising(sequence: &[usize]) -> Vec<usize> {
    // For each length the place of the smallest last one, and for each place the one before it.
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

    /// A playlist as a server keeps it.
    struct List {
        held: Vec<Held>,
        entries: usize,
        requests: usize,
    }

    impl List {
        fn of(keys: &[String]) -> Self {
            let mut list = Self { held: Vec::new(), entries: 0, requests: 0 };
            list.append(keys);
            list
        }

        fn append(&mut self, keys: &[String]) {
            for key in keys {
                self.entries += 1;
                self.held.push(Held { entry: format!("e{}", self.entries), key: key.clone() });
            }
        }

        fn keys(&self) -> Vec<String> {
            self.held.iter().map(|held| held.key.clone()).collect()
        }

        fn apply(&mut self, phase: Phase, wanted: &[String], costs: Costs) {
            match phase {
                Phase::Done => {}
                Phase::Add(keys) => {
                    for batch in keys.chunks(costs.add) {
                        self.requests += 1;
                        self.append(batch);
                    }
                }
                Phase::Remove(entries) => {
                    for batch in entries.chunks(costs.remove) {
                        self.requests += 1;
                        self.held.retain(|held| !batch.contains(&held.entry));
                        assert!(!self.held.is_empty(), "it is never emptied");
                    }
                }
                Phase::Arrange(shifts) => {
                    for shift in shifts {
                        self.requests += 1;
                        let at =
                            self.held.iter().position(|held| held.entry == shift.entry).expect("it is there");
                        let held = self.held.remove(at);
                        let behind = |after: &String| {
                            self.held.iter().position(|held| held.entry == *after).expect("it is there") + 1
                        };
                        assert_eq!(shift.after.as_ref().map_or(0, behind), shift.index);
                        self.held.insert(shift.index, held);
                    }
                }
                Phase::Set => {
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

    const PLEX: Costs = Costs { add: 3, remove: 1, can_set: false };

    #[test]
    fn one_track_in_the_middle_is_added_and_moved() {
        let list = List::of(&keys(&[1, 2, 3, 4, 5, 6, 7, 8]));
        let wanted = keys(&[1, 2, 9, 3, 4, 5, 6, 7, 8]);
        assert_eq!(next(&list.held, &wanted, PLEX), Phase::Add(keys(&[9])));
        assert_eq!(requests(&list.held, &wanted, PLEX), 2);
    }

    #[test]
    fn what_is_as_it_should_be_is_left_alone() {
        assert_eq!(next(&List::of(&keys(&[1, 2])).held, &keys(&[1, 2]), PLEX), Phase::Done);
        assert_eq!(next(&[], &[], PLEX), Phase::Done);
    }

    #[test]
    fn all_at_once_only_where_that_is_fewer() {
        let costs = Costs { add: 50, remove: 50, can_set: true };
        let list = List::of(&keys(&[1, 2, 3]));
        assert_eq!(next(&list.held, &keys(&[1, 2, 3, 4]), costs), Phase::Add(keys(&[4])));
        assert_eq!(next(&list.held, &keys(&[7, 8, 9]), costs), Phase::Set);
    }

    proptest! {
        #[test]
        fn any_playlist_becomes_any_other_without_ever_being_empty(
            before in prop::collection::vec(0_u8..12, 0..14),
            after in prop::collection::hash_set(0_u8..12, 1..12).prop_map(|set| set.into_iter().collect::<Vec<_>>()),
            add in 1_usize..5, remove in 1_usize..5, can_set in any::<bool>(),
        ) {
            let (costs, wanted) = (Costs { add, remove, can_set }, keys(&after));
            let mut list = List::of(&keys(&before));
            list.requests = 0;
            let told = requests(&list.held, &wanted, costs);
            let mut rounds = 0;
            loop {
                let phase = next(&list.held, &wanted, costs);
                if phase == Phase::Done {
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
