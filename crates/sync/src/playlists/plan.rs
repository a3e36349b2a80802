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

/// Limits of one request on this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Items a playlist is created with.
    pub create: usize,
    /// Items added per request.
    pub add: usize,
    /// Entries removed per request.
    pub remove: usize,
    /// Whether one request can set the whole content.
    pub can_set: bool,
    /// Whether a new playlist can take the place of this one.
    pub can_swap: bool,
    /// Whether entries must stay as they are, because their tracks cannot be added again: they are only moved.
    pub keeps_entries: bool,
}

impl BatchLimits {
    /// Requests that fill a new playlist with this many items and put it in the place of another: it is created and
    /// filled, the old one is deleted, and the new one gets its name.
    fn swap_requests(self, items: usize) -> usize {
        let rest = items.saturating_sub(self.create.max(1));
        1 + rest.div_ceil(self.add.max(1)) + 2
    }
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
    /// Fill a new playlist and put it in the place of this one.
    Swap,
}

/// Reason for which a replaced playlist still has entries that its source lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = HeldBackReason)]
pub enum HeldBackReason {
    /// Rows of the source could not be read: they may ask for these tracks. Nothing allows it.
    Unreadable,
    /// The server scans its files: tracks that were not found may appear. Nothing allows it.
    Changing,
    /// Most entries would go, or few rows were found; the request may allow it.
    Shrink,
}

/// Facts that decide whether entries may be removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemovalInputs {
    /// Entries of the playlist.
    pub before: usize,
    /// Entries that would go.
    pub leaving: usize,
    /// Rows of the source that could not be read.
    pub unreadable: usize,
    /// Whether the server is scanning.
    pub is_changing: bool,
    /// Whether few rows were found.
    pub is_doubtful: bool,
    /// Whether the request allows the playlist to shrink.
    pub may_shrink: bool,
}

/// The next step from `current` to exactly `wanted`, whose keys are distinct, with as few requests as possible.
pub fn next_step(current: &[CurrentEntry], wanted: &[String], limits: BatchLimits) -> PlanStep {
    if current.iter().map(|existing| &existing.key).eq(wanted) {
        return PlanStep::Done;
    }
    let edit_plan = EditPlan::new(current, wanted);
    if limits.keeps_entries {
        return edit_plan.phase(current, wanted);
    }
    let append_plan = AppendPlan::new(current, wanted);
    let (append_requests, edit_requests) = (append_plan.requests(limits), edit_plan.requests(limits));
    if limits.can_set && append_requests.min(edit_requests) > 1 {
        return PlanStep::Set;
    }
    if limits.can_swap && limits.swap_requests(wanted.len()) < append_requests.min(edit_requests) {
        return PlanStep::Swap;
    }
    if edit_requests <= append_requests { edit_plan.phase(current, wanted) } else { append_plan.phase() }
}

/// Reason for which entries are not removed; `None` if they may be.
pub fn held_back_reason(inputs: RemovalInputs) -> Option<HeldBackReason> {
    match inputs {
        RemovalInputs { leaving: 0, .. } => None,
        RemovalInputs { unreadable: 1.., .. } => Some(HeldBackReason::Unreadable),
        RemovalInputs { is_changing: true, .. } => Some(HeldBackReason::Changing),
        RemovalInputs { may_shrink: true, .. } => None,
        RemovalInputs { is_doubtful: true, .. } => Some(HeldBackReason::Shrink),
        RemovalInputs { before, leaving, .. } => (leaving * 2 > before).then_some(HeldBackReason::Shrink),
    }
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
        for existing in current {
            if wanted.get(kept) == Some(&existing.key) {
                kept += 1;
            } else {
                remove.push(existing.entry.clone());
            }
        }
        Self { add: wanted[kept..].to_vec(), remove }
    }

    fn requests(&self, limits: BatchLimits) -> usize {
        self.add.len().div_ceil(limits.add.max(1)) + self.remove.len().div_ceil(limits.remove.max(1))
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
        let positions: HashMap<&str, usize> = wanted.iter().enumerate().map(|(at, key)| (key.as_str(), at)).collect();
        let mut seen = HashSet::new();
        let (mut order, mut remove) = (Vec::new(), Vec::new());
        for existing in current {
            match positions.get(existing.key.as_str()) {
                Some(at) if seen.insert(*at) => order.push(*at),
                _ => remove.push(existing.entry.clone()),
            }
        }
        let missing: Vec<usize> = (0..wanted.len()).filter(|at| !seen.contains(at)).collect();
        let add = missing.iter().map(|at| wanted[*at].clone()).collect();
        order.extend(missing);
        let moves = order.len() - longest_increasing_subsequence(&order).len();
        Self { add, remove, moves }
    }

    fn requests(&self, limits: BatchLimits) -> usize {
        self.add.len().div_ceil(limits.add.max(1)) + self.remove.len().div_ceil(limits.remove.max(1)) + self.moves
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
    let positions: HashMap<&str, usize> = wanted.iter().enumerate().map(|(at, key)| (key.as_str(), at)).collect();
    let order: Vec<usize> =
        current.iter().filter_map(|existing| positions.get(existing.key.as_str()).copied()).collect();
    let current_index: HashMap<usize, usize> = order.iter().enumerate().map(|(at, position)| (*position, at)).collect();
    let entries: HashMap<&str, &str> =
        current.iter().map(|existing| (existing.key.as_str(), existing.entry.as_str())).collect();
    let entry =
        |position: usize| entries.get(wanted[position].as_str()).map(|entry| (*entry).to_owned()).unwrap_or_default();
    let fixed: HashSet<usize> = longest_increasing_subsequence(&order).into_iter().collect();
    let mut unmoved = FenwickTree::with_ones(order.len());
    let mut moves = Vec::new();
    // Unmoved entries are in order, so all entries moved so far precede the next one, behind the last unmoved one.
    let mut after_index = 0;
    for position in 0..wanted.len() {
        let Some(at) = current_index.get(&position).copied() else { continue };
        if fixed.contains(&position) {
            after_index = at + 1;
            continue;
        }
        unmoved.remove(at);
        let index = unmoved.prefix_sum(after_index) + moves.len();
        moves.push(EntryMove { entry: entry(position), after: position.checked_sub(1).map(entry), index });
    }
    moves
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
fn longest_increasing_subsequence(sequence: &[usize]) -> Vec<usize> {
    // `ends`: for each length the position of the smallest last element; for each position its predecessor.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(sequence.len());
    for (at, value) in sequence.iter().enumerate() {
        let length = ends.partition_point(|end| sequence[*end] < *value);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() { ends.push(at) } else { ends[length] = at }
    }
    let mut increasing = Vec::with_capacity(ends.len());
    let mut at = ends.last().copied();
    while let Some(position) = at {
        increasing.push(sequence[position]);
        at = before[position];
    }
    increasing.reverse();
    increasing
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A playlist as a server stores it.
    struct FakePlaylist {
        existing: Vec<CurrentEntry>,
        entries: usize,
        requests: usize,
    }

    impl FakePlaylist {
        fn of(keys: &[String]) -> Self {
            let mut list = Self { existing: Vec::new(), entries: 0, requests: 0 };
            list.append(keys);
            list
        }

        fn append(&mut self, keys: &[String]) {
            for key in keys {
                self.entries += 1;
                self.existing.push(CurrentEntry { entry: format!("e{}", self.entries), key: key.clone() });
            }
        }

        fn keys(&self) -> Vec<String> {
            self.existing.iter().map(|existing| existing.key.clone()).collect()
        }

        fn apply(&mut self, phase: PlanStep, wanted: &[String], limits: BatchLimits) {
            match phase {
                PlanStep::Done => {}
                PlanStep::Add(keys) => {
                    for batch in keys.chunks(limits.add) {
                        self.requests += 1;
                        self.append(batch);
                    }
                }
                PlanStep::Remove(entries) => {
                    for batch in entries.chunks(limits.remove) {
                        self.requests += 1;
                        self.existing.retain(|existing| !batch.contains(&existing.entry));
                        assert!(!self.existing.is_empty(), "it is never emptied");
                    }
                }
                PlanStep::Arrange(moves) => {
                    for entry_move in moves {
                        self.requests += 1;
                        let at = self
                            .existing
                            .iter()
                            .position(|existing| existing.entry == entry_move.entry)
                            .expect("read the file");
                        let existing = self.existing.remove(at);
                        let after_index = |after: &String| {
                            self.existing.iter().position(|existing| existing.entry == *after).expect("read the file")
                                + 1
                        };
                        assert_eq!(entry_move.after.as_ref().map_or(0, after_index), entry_move.index);
                        self.existing.insert(entry_move.index, existing);
                    }
                }
                PlanStep::Set => {
                    self.requests += 1;
                    self.existing.clear();
                    self.append(wanted);
                }
                PlanStep::Swap => {
                    self.requests += limits.swap_requests(wanted.len());
                    self.existing.clear();
                    self.append(wanted);
                }
            }
        }
    }

    fn keys(numbers: &[u8]) -> Vec<String> {
        numbers.iter().map(u8::to_string).collect()
    }

    const PLEX: BatchLimits =
        BatchLimits { create: 3, add: 3, remove: 1, can_set: false, can_swap: false, keeps_entries: false };

    /// Number of requests in total.
    fn requests(current: &[CurrentEntry], wanted: &[String], limits: BatchLimits) -> usize {
        if current.iter().map(|existing| &existing.key).eq(wanted) {
            return 0;
        }
        let (append, edit) = (AppendPlan::new(current, wanted), EditPlan::new(current, wanted));
        let fewest = append.requests(limits).min(edit.requests(limits));
        let fewest = if limits.can_swap { fewest.min(limits.swap_requests(wanted.len())) } else { fewest };
        if limits.can_set { fewest.min(1) } else { fewest }
    }

    #[test]
    fn a_track_for_the_middle_is_added_and_then_moved() {
        let list = FakePlaylist::of(&keys(&[1, 2, 3, 4, 5, 6, 7, 8]));
        let wanted = keys(&[1, 2, 9, 3, 4, 5, 6, 7, 8]);
        assert_eq!(next_step(&list.existing, &wanted, PLEX), PlanStep::Add(keys(&[9])));
        assert_eq!(requests(&list.existing, &wanted, PLEX), 2);
    }

    #[test]
    fn a_playlist_that_is_right_is_not_changed() {
        assert_eq!(next_step(&FakePlaylist::of(&keys(&[1, 2])).existing, &keys(&[1, 2]), PLEX), PlanStep::Done);
        assert_eq!(next_step(&[], &[], PLEX), PlanStep::Done);
    }

    #[test]
    fn the_whole_content_is_set_only_if_that_needs_fewer_requests() {
        let limits = BatchLimits { create: 50, add: 50, remove: 50, can_set: true, ..PLEX };
        let list = FakePlaylist::of(&keys(&[1, 2, 3]));
        assert_eq!(next_step(&list.existing, &keys(&[1, 2, 3, 4]), limits), PlanStep::Add(keys(&[4])));
        assert_eq!(next_step(&list.existing, &keys(&[7, 8, 9]), limits), PlanStep::Set);
    }

    #[test]
    fn entries_that_cannot_be_added_again_are_moved_where_adding_them_again_needs_fewer_requests() {
        let limits = BatchLimits { create: 50, add: 50, remove: 50, ..PLEX };
        let list = FakePlaylist::of(&keys(&[1, 2, 3, 4]));
        let reversed = keys(&[4, 3, 2, 1]);
        assert_eq!(next_step(&list.existing, &reversed, limits), PlanStep::Add(keys(&[3, 2, 1])));
        let step = next_step(&list.existing, &reversed, BatchLimits { keeps_entries: true, ..limits });
        assert!(matches!(&step, PlanStep::Arrange(moves) if moves.len() == 3), "{step:?}");
    }

    #[test]
    fn a_new_playlist_takes_the_place_only_where_that_needs_fewer_requests() {
        let limits = BatchLimits { create: 20, add: 20, can_swap: true, ..PLEX };
        let list = FakePlaylist::of(&keys(&[1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(next_step(&list.existing, &keys(&[8, 7, 6, 5, 4, 3, 2, 1]), limits), PlanStep::Swap);
        let few = next_step(&list.existing, &keys(&[3, 2, 1, 4, 5, 6, 7, 8]), limits);
        assert!(matches!(&few, PlanStep::Arrange(moves) if moves.len() == 2), "{few:?}");
        let same = next_step(&list.existing, &keys(&[4, 3, 2, 1, 5, 6, 7, 8]), limits);
        assert!(matches!(&same, PlanStep::Arrange(moves) if moves.len() == 3), "{same:?}");
        assert_eq!(next_step(&list.existing, &keys(&[1, 2, 3]), limits), PlanStep::Swap, "removals count as well");
    }

    #[test]
    fn entries_stay_where_a_row_is_unreadable_or_a_scan_runs_whatever_the_request_allows() {
        let inputs = RemovalInputs { before: 10, leaving: 1, may_shrink: true, ..RemovalInputs::default() };
        assert_eq!(held_back_reason(inputs), None);
        for (inputs, wanted) in [
            (RemovalInputs { unreadable: 1, ..inputs }, HeldBackReason::Unreadable),
            (RemovalInputs { is_changing: true, ..inputs }, HeldBackReason::Changing),
            (RemovalInputs { is_doubtful: true, may_shrink: false, ..inputs }, HeldBackReason::Shrink),
            (RemovalInputs { leaving: 6, may_shrink: false, ..inputs }, HeldBackReason::Shrink),
        ] {
            assert_eq!(held_back_reason(inputs), Some(wanted), "{inputs:?}");
            assert_eq!(held_back_reason(RemovalInputs { leaving: 0, ..inputs }), None);
        }
        assert_eq!(held_back_reason(RemovalInputs { leaving: 5, may_shrink: false, ..inputs }), None);
    }

    proptest! {
        #[test]
        fn any_playlist_becomes_any_other_without_ever_being_empty(
            before in prop::collection::vec(0_u8..12, 0..14),
            after in prop::collection::hash_set(0_u8..12, 1..12).prop_map(|set| set.into_iter().collect::<Vec<_>>()),
            (create, add, remove) in (1_usize..5, 1_usize..5, 1_usize..5),
            (can_set, can_swap) in (any::<bool>(), any::<bool>()),
        ) {
            let (limits, wanted) = (BatchLimits { create, add, remove, can_set, can_swap, ..PLEX }, keys(&after));
            let mut list = FakePlaylist::of(&keys(&before));
            list.requests = 0;
            let expected = requests(&list.existing, &wanted, limits);
            let mut rounds = 0;
            loop {
                let phase = next_step(&list.existing, &wanted, limits);
                if phase == PlanStep::Done {
                    break;
                }
                list.apply(phase, &wanted, limits);
                rounds += 1;
                prop_assert!(rounds <= 4, "it comes to an end");
            }
            prop_assert_eq!(list.keys(), wanted.clone());
            prop_assert_eq!(list.requests, expected, "the number of requests was predicted");
        }
    }
}
