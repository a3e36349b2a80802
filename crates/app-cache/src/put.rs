//! Storing an entry: its conditions, and the decision.

use crate::entry::NewEntry;
use crate::name::EntryKey;

/// Condition of a put on the entry that the store holds under the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PutCondition {
    /// Anything.
    #[default]
    Always,
    /// No fresh entry.
    Absent,
    /// A fresh entry.
    Present,
    /// The fresh entry with this number.
    Matches(u64),
}

/// One entry to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Its key.
    pub key: EntryKey,
    /// The entry.
    pub entry: NewEntry,
    /// Its condition.
    pub condition: PutCondition,
    /// Number of the last write when the work on the value began: the put is fenced if the key was written or
    /// invalidated since.
    pub begun: Option<u64>,
    /// Token of the lease under which the value was loaded. The put ends the lease, and is fenced without it.
    pub lease: Option<u64>,
}

/// Result of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutResult {
    /// Stored, with this number.
    Stored(u64),
    /// The condition does not hold.
    ConditionFailed,
    /// The key was written or invalidated since the load began, or the lease ended.
    Fenced,
    /// The cache is full, and evicts nothing.
    Full,
    /// The entry is larger than the whole cache.
    TooLarge,
}

/// An entry that a put would replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplacedEntry {
    /// Number of its write; 0 if an unfinished invalidation hides it.
    pub(crate) sequence: u64,
    pub(crate) is_fresh: bool,
    pub(crate) weight: u64,
}

/// Inputs of the decision on a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PutInput {
    /// The entry in its place.
    pub(crate) replaced: Option<ReplacedEntry>,
    pub(crate) condition: PutCondition,
    pub(crate) begun: Option<u64>,
    /// Whether the put's lease is held; `None` without a lease.
    pub(crate) holds_lease: Option<bool>,
    /// Whether key or tags were invalidated since the load began.
    pub(crate) is_fenced: bool,
    pub(crate) weight: u64,
}

/// Size of a cache and its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheFill {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) max_entries: u64,
    pub(crate) max_bytes: u64,
    pub(crate) evicts: bool,
}

/// Decision on a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutDecision {
    Store,
    ConditionFailed,
    Fenced,
    Full,
    TooLarge,
}

pub(crate) fn decide_put(input: &PutInput, fill: &CacheFill) -> PutDecision {
    let fresh = input.replaced.filter(|replaced| replaced.is_fresh);
    let holds = match input.condition {
        PutCondition::Always => true,
        PutCondition::Absent => fresh.is_none(),
        PutCondition::Present => fresh.is_some(),
        PutCondition::Matches(sequence) => fresh.is_some_and(|fresh| fresh.sequence == sequence),
    };
    if !holds {
        return PutDecision::ConditionFailed;
    }
    let is_overtaken = |begun| input.replaced.is_some_and(|replaced| replaced.sequence > begun);
    if input.holds_lease == Some(false) || input.is_fenced || input.begun.is_some_and(is_overtaken) {
        return PutDecision::Fenced;
    }
    if input.weight > fill.max_bytes {
        return PutDecision::TooLarge;
    }
    let freed = input.replaced.map_or((0, 0), |replaced| (1, replaced.weight));
    let (entries, bytes) = (fill.entries.saturating_sub(freed.0), fill.bytes.saturating_sub(freed.1));
    let is_full = entries >= fill.max_entries || bytes.saturating_add(input.weight) > fill.max_bytes;
    // Evicting goes on after the put, but a cache may not outgrow it.
    let is_twice_full = entries >= fill.max_entries.saturating_mul(2)
        || bytes.saturating_add(input.weight) > fill.max_bytes.saturating_mul(2);
    if is_twice_full || is_full && !fill.evicts { PutDecision::Full } else { PutDecision::Store }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: PutInput = PutInput {
        replaced: None,
        condition: PutCondition::Always,
        begun: None,
        holds_lease: None,
        is_fenced: false,
        weight: 200,
    };
    const FILL: CacheFill = CacheFill { entries: 0, bytes: 0, max_entries: 2, max_bytes: 1000, evicts: true };
    const FRESH: ReplacedEntry = ReplacedEntry { sequence: 5, is_fresh: true, weight: 200 };

    #[test]
    fn a_condition_is_about_the_fresh_entry() {
        let old = ReplacedEntry { is_fresh: false, ..FRESH };
        for (replaced, condition, holds) in [
            (None, PutCondition::Absent, true),
            (Some(FRESH), PutCondition::Absent, false),
            (Some(old), PutCondition::Absent, true),
            (None, PutCondition::Present, false),
            (Some(FRESH), PutCondition::Present, true),
            (Some(old), PutCondition::Present, false),
            (Some(FRESH), PutCondition::Matches(5), true),
            (Some(FRESH), PutCondition::Matches(4), false),
            (Some(old), PutCondition::Matches(5), false),
            (None, PutCondition::Matches(0), false),
        ] {
            let decision = decide_put(&PutInput { replaced, condition, ..INPUT }, &FILL);
            assert_eq!(decision == PutDecision::Store, holds, "{replaced:?} {condition:?}");
        }
    }

    #[test]
    fn a_load_that_was_overtaken_is_fenced() {
        let decide = |input: PutInput| decide_put(&input, &FILL);
        assert_eq!(decide(PutInput { replaced: Some(FRESH), begun: Some(4), ..INPUT }), PutDecision::Fenced);
        assert_eq!(decide(PutInput { replaced: Some(FRESH), begun: Some(5), ..INPUT }), PutDecision::Store);
        assert_eq!(decide(PutInput { is_fenced: true, ..INPUT }), PutDecision::Fenced);
        assert_eq!(decide(PutInput { holds_lease: Some(false), ..INPUT }), PutDecision::Fenced);
        assert_eq!(decide(PutInput { holds_lease: Some(true), ..INPUT }), PutDecision::Store);
    }

    #[test]
    fn a_full_cache_refuses_only_if_it_evicts_nothing() {
        let full = CacheFill { entries: 2, bytes: 900, evicts: false, ..FILL };
        assert_eq!(decide_put(&INPUT, &full), PutDecision::Full);
        assert_eq!(decide_put(&INPUT, &CacheFill { evicts: true, ..full }), PutDecision::Store);
        assert_eq!(decide_put(&PutInput { replaced: Some(FRESH), ..INPUT }, &full), PutDecision::Store, "in its place");
        let twice = CacheFill { bytes: 1900, evicts: true, ..full };
        assert_eq!(decide_put(&INPUT, &twice), PutDecision::Full, "evicting did not keep up");
        assert_eq!(decide_put(&PutInput { weight: 1001, ..INPUT }, &FILL), PutDecision::TooLarge);
    }
}
