//! One track after the other, on a thread that may block: what was decided first, then what is known not to be there,
//! then the index.

use std::sync::Arc;

use greenroom_library::item::{Item, ItemKind};
use greenroom_library::tracks::{Decision, Policy, Verdict};

use super::{Found, Resolved, Shared, Source, Wanted};
use crate::index::{Generation, Library};
use crate::matching::counters::Count;
use crate::matching::item_locator::{Finder, Lazy};
use crate::matching::negative_cache::{Known, Lesser, Question, Searched, index_of};
use crate::matching::pin::{Ruling, RulingKind};
use crate::matching::query::Keys;

/// What a decision is worth now.
enum Standing {
    /// Its item is there, perhaps under another key.
    Holds(Box<Item>),
    /// The server showed it, and no snapshot has it yet; or the server does not show it at the moment.
    Unknown,
    /// It is not in the library any more.
    Gone,
}

/// What is left of a verdict.
struct Allowed {
    decision: Decision,
    found: Vec<Found>,
    /// Whether something was left out that the server does not have at the moment.
    lacks_disowned: bool,
}

/// One library at one generation, asked under one policy.
pub(super) struct Session<'a> {
    pub(super) shared: &'a Shared,
    pub(super) library: &'a Arc<Library>,
    pub(super) generation: &'a Arc<Generation>,
    pub(super) lazy: Arc<Lazy>,
    pub(super) policy: Policy,
}

impl Session<'_> {
    pub(super) fn resolve(&self, wanted: &Wanted) -> Resolved {
        self.shared.tally.note(Count::Asked);
        let keys = Keys::of(&self.library.id, wanted);
        let rulings = self.shared.rulings(&keys);
        let never = rejections(&rulings);
        if let Some(decided) = self.decided(&keys, &rulings, &never) {
            return decided;
        }
        let question = Question::of(&self.library.id, wanted, self.policy);
        if let Some(known) = self.known(&question, wanted) {
            return known;
        }
        self.shared.tally.note(Count::WholeIndex);
        let verdict =
            wanted.with_track(|track| self.generation.snapshot.tracks().resolve(track, self.policy));
        let Allowed { decision, found, lacks_disowned } = self.allowed(wanted, &verdict, &never);
        if decision == Decision::Reject && !lacks_disowned {
            let lesser = |found: &Found| Lesser {
                key: found.item.key.clone(),
                score: found.score,
                reasons: found.reasons.clone(),
            };
            let lesser = found.iter().map(lesser).collect();
            let known = Known { number: self.generation.number, lesser, searched: Searched::No };
            self.shared.misses.remember(question, known);
        } else {
            self.shared.misses.forget(&question);
        }
        Resolved { decision, source: Source::Index, margin: verdict.margin, found, is_searched: false }
    }

    /// What was decided about it, if that still holds.
    fn decided(&self, keys: &Keys, rulings: &[(usize, Ruling)], never: &[&Ruling]) -> Option<Resolved> {
        if let Some(item) = self.pinned(rulings.iter().map(|(_, ruling)| ruling)) {
            return Some(Resolved::decided(Source::Pin, item));
        }
        if self.policy == Policy::IdsOnly {
            return None;
        }
        // Of what was confirmed only the very same question counts: the album or the length may be another.
        let exact = |place: usize| place <= keys.ids.len();
        let confirmed =
            rulings.iter().filter(|(place, ruling)| ruling.kind == RulingKind::Confirmed && exact(*place));
        for (_, ruling) in confirmed {
            // Another version is never taken for granted: the very recording may have come since.
            if !ruling.is_strict {
                continue;
            }
            match self.standing(ruling) {
                Standing::Holds(item) if is_never(never, &item) => {}
                Standing::Holds(item) => {
                    self.shared.tally.note(Count::Confirmed);
                    return Some(Resolved::decided(Source::Confirmed, *item));
                }
                Standing::Unknown => {}
                Standing::Gone => {
                    self.shared.tally.note(Count::Dropped);
                    tracing::info!(
                        library = %self.library.id,
                        key = ruling.item_key,
                        "an item that was confirmed before is gone: it is looked for anew"
                    );
                    self.shared.with_store(|store| store.remove(&[ruling.id]).map(drop));
                }
            }
        }
        None
    }

    /// The item of the first pin that holds.
    pub(super) fn pinned<'r>(&self, rulings: impl Iterator<Item = &'r Ruling>) -> Option<Item> {
        for pin in rulings.filter(|ruling| ruling.kind == RulingKind::Pin) {
            match self.standing(pin) {
                Standing::Holds(item) => {
                    self.shared.tally.note(Count::Pinned);
                    return Some(*item);
                }
                Standing::Unknown | Standing::Gone => {
                    self.shared.tally.note(Count::PinLost);
                    tracing::info!(
                        library = %self.library.id,
                        pin = pin.id,
                        key = pin.item_key,
                        "the item something is pinned to is not in the library at the moment"
                    );
                }
            }
        }
        None
    }

    /// Looks whether the item of a decision is still what it was, and finds it again where it is not.
    fn standing(&self, ruling: &Ruling) -> Standing {
        let snapshot = &self.generation.snapshot;
        let there = snapshot.row_of(&ruling.item_key).and_then(|row| snapshot.item(row));
        if let Some(item) = there.filter(|item| ruling.identity.is_of(item)) {
            return if self.is_disowned(&item) { Standing::Unknown } else { Standing::Holds(Box::new(item)) };
        }
        match self.finder().item_of(snapshot, &ruling.identity) {
            Some(item) if self.is_disowned(&item) => Standing::Unknown,
            Some(item) => {
                self.shared.tally.note(Count::Rekeyed);
                tracing::info!(
                    library = %self.library.id,
                    from = ruling.item_key,
                    to = %item.key,
                    "an item that was decided on has another key now"
                );
                self.shared.with_store(|store| store.rekey(ruling.id, &item.key));
                Standing::Holds(Box::new(item))
            }
            None if ruling.seen_in >= self.generation.number => Standing::Unknown,
            None => Standing::Gone,
        }
    }

    fn finder(&self) -> &Finder {
        self.lazy.of(&self.generation.snapshot)
    }

    pub(super) fn is_disowned(&self, item: &Item) -> bool {
        self.shared.disowned.is(&self.library.id, &item.key, self.generation.number)
    }

    /// What is known of a question, if nothing came that could change it.
    fn known(&self, question: &Question, wanted: &Wanted) -> Option<Resolved> {
        let known = self.shared.misses.of(question)?;
        if known.number != self.generation.number {
            let news = self.shared.misses.news(self.library, known.number, self.generation);
            let tracks = news.tracks.as_ref()?;
            self.shared.tally.note(Count::NewsOnly);
            let verdict = wanted.with_track(|track| tracks.resolve(track, self.policy));
            if !verdict.candidates.is_empty() {
                return None;
            }
            // What the server showed then, the snapshot has by now, or it is gone.
            let searched = match known.searched {
                Searched::InVain => Searched::InVain,
                Searched::No | Searched::Shown(..) => Searched::No,
            };
            let known = Known { number: self.generation.number, searched, lesser: known.lesser.clone() };
            self.shared.misses.remember(question.clone(), known);
        }
        self.shared.tally.note(Count::KnownMiss);
        if let Searched::Shown(decision, shown) = &known.searched
            && known.number == self.generation.number
            && !shown.iter().any(|found| self.is_disowned(&found.item))
        {
            return Some(Resolved::live(*decision, shown.clone()));
        }
        let snapshot = &self.generation.snapshot;
        let found = known.lesser.iter().filter_map(|lesser| {
            let item = snapshot.item(snapshot.row_of(&lesser.key)?)?;
            Some(Found { item, score: lesser.score, reasons: lesser.reasons.clone() })
        });
        let found = found.collect();
        Some(Resolved { source: Source::Miss, found, ..Resolved::nothing() })
    }

    /// A verdict without what may not be: what somebody rejected, and what the server said it does not have. Where
    /// something is left out, the others are judged anew among themselves.
    fn allowed(&self, wanted: &Wanted, verdict: &Verdict, never: &[&Ruling]) -> Allowed {
        let snapshot = &self.generation.snapshot;
        let (mut is_whole, mut lacks_disowned) = (true, false);
        let mut found = Vec::with_capacity(verdict.candidates.len());
        for candidate in &verdict.candidates {
            let row = snapshot.row_of_track(candidate.row);
            let Some(item) = row.and_then(|row| snapshot.item(row)) else { continue };
            let out = if is_never(never, &item) {
                Some(Count::Rejected)
            } else if self.is_disowned(&item) {
                Some(Count::Disowned)
            } else {
                None
            };
            if let Some(why) = out {
                self.shared.tally.note(why);
                is_whole = false;
                lacks_disowned |= why == Count::Disowned;
                continue;
            }
            found.push(Found { item, score: candidate.score, reasons: candidate.reasons.clone() });
        }
        let (decision, found) =
            if is_whole { (verdict.decision, found) } else { judge(wanted, found, self.policy) };
        Allowed { decision, found, lacks_disowned }
    }

    /// Judges what the server showed when it was searched, by the same rules.
    pub(super) fn judge_live(&self, wanted: &Wanted, items: Vec<Item>) -> Resolved {
        let keys = Keys::of(&self.library.id, wanted);
        let rulings = self.shared.rulings(&keys);
        let never = rejections(&rulings);
        let (disowned, others): (Vec<Item>, Vec<Item>) =
            items.into_iter().partition(|item| self.is_disowned(item));
        let may_be = |item: &Item| item.kind == ItemKind::Track && !is_never(&never, item);
        let unjudged = |item: Item| Found { item, score: 0.0, reasons: Vec::new() };
        let found: Vec<Found> = others.into_iter().filter(may_be).map(unjudged).collect();
        let (decision, found) = judge(wanted, found, self.policy);
        let question = Question::of(&self.library.id, wanted, self.policy);
        let searched = match decision {
            // The server may have it again by the next time.
            Decision::Reject if !disowned.is_empty() => Searched::No,
            Decision::Reject => Searched::InVain,
            Decision::Accept => Searched::Shown(decision, found.iter().take(1).cloned().collect()),
            Decision::Review => Searched::Shown(decision, found.clone()),
        };
        // What the index may have missed only because something is disowned is no miss to be remembered.
        if let Some(known) = self.shared.misses.of(&question) {
            let known = Known { number: self.generation.number, searched, ..known };
            self.shared.misses.remember(question, known);
        }
        Resolved::live(decision, found)
    }
}

/// Those of these decisions that say no.
fn rejections(rulings: &[(usize, Ruling)]) -> Vec<&Ruling> {
    rulings.iter().map(|(_, ruling)| ruling).filter(|ruling| ruling.kind == RulingKind::Rejection).collect()
}

fn is_never(never: &[&Ruling], item: &Item) -> bool {
    never.iter().any(|ruling| ruling.identity.is_of(item))
}

/// Which of these few is meant.
fn judge(wanted: &Wanted, few: Vec<Found>, policy: Policy) -> (Decision, Vec<Found>) {
    let items: Vec<Item> = few.into_iter().map(|found| found.item).collect();
    let verdict = wanted.with_track(|track| index_of(&items).resolve(track, policy));
    let found = verdict.candidates.iter().filter_map(|candidate| {
        let item = items.get(candidate.row as usize)?.clone();
        Some(Found { item, score: candidate.score, reasons: candidate.reasons.clone() })
    });
    (verdict.decision, found.collect())
}

/// Whether this very recording is meant, by the rules of the strict policy.
pub(super) fn is_strictly(wanted: &Wanted, item: &Item, generation: Option<&Generation>) -> bool {
    if let Some(snapshot) = generation.map(|generation| &generation.snapshot)
        && let Some(row) = snapshot.row_of(&item.key)
    {
        let verdict = wanted.with_track(|track| snapshot.tracks().resolve(track, Policy::Strict));
        return verdict.accepted().and_then(|track| snapshot.row_of_track(track)) == Some(row);
    }
    let items = std::slice::from_ref(item);
    wanted.with_track(|track| index_of(items).resolve(track, Policy::Strict)).accepted().is_some()
}
