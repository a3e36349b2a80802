//! Spot checks: now and then, behind an answer from the cache, the server is asked the same, and the two are compared.
//! When one is due, and what it found, are decided here; asking is the proxy's business.
//!
//! The server is asked in the client's own words first. If it says something else, it is asked in ours: were these to
//! bring what was kept, nothing has changed, and the client's words hold something that the key leaves out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use greenroom_dialect::class::Class;
use http::StatusCode;
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64;

use crate::record::counts::Count;
use crate::record::time_series::MINUTE_MS;
use crate::shadow::comparison::{Comparison, Kept, Real, Rule, compare};

/// What was loaded a moment ago needs no second look.
const LEAST_AGE_MS: u64 = 1_000;

/// What a spot check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// The same bytes.
    Same,
    /// Others, of a class that moves by itself.
    Moved,
    /// Others, because something changed on the server within the age its answers may have.
    Changed,
    /// Others, and nothing explains it.
    Wrong,
    /// Nothing: the server was busy, or did not answer, or the budget was spent.
    Skipped,
}

impl Finding {
    /// Every one.
    pub const EVERY: [Self; 5] = [Self::Same, Self::Moved, Self::Changed, Self::Wrong, Self::Skipped];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Moved => "moved",
            Self::Changed => "changed",
            Self::Wrong => "wrong",
            Self::Skipped => "skipped",
        }
    }

    /// What counts it.
    pub fn count(self) -> Count {
        match self {
            Self::Same => Count::SpotSame,
            Self::Moved => Count::SpotMoved,
            Self::Changed => Count::SpotChanged,
            Self::Wrong => Count::SpotWrong,
            Self::Skipped => Count::SpotSkipped,
        }
    }
}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The status.
    pub status: StatusCode,
    /// All of its body.
    pub body: Bytes,
}

/// Judges what was found. `again` is what the server said in our words; it is asked for only where it matters.
pub fn judge(class: Class, kept: &Bytes, is_in_time: bool, said: &Said, again: Option<&Said>) -> Finding {
    // Where our words bring what was kept and the client's do not, these are another question.
    let is_another_question =
        again.is_some_and(|again| again.status == StatusCode::OK && again.body == *kept);
    let kept = Kept { body: Some(kept.clone()), question: Some(0), is_in_time };
    let question = u64::from(is_another_question);
    let real = Real { status: Some(said.status), body: Some(said.body.clone()), question };
    match compare(class, &kept, &real) {
        Comparison::Same => Finding::Same,
        Comparison::Unread | Comparison::Rescued => Finding::Skipped,
        Comparison::Differs(Rule::Moves) => Finding::Moved,
        Comparison::Differs(Rule::Changed | Rule::RightEnded) => Finding::Changed,
        Comparison::Differs(Rule::Unexplained) => Finding::Wrong,
    }
}

/// Whether a spot check is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It is.
    Now,
    /// It would be, and there were enough in this minute.
    TooMany,
    /// It is not.
    No,
}

/// The spot checks of one server.
#[derive(Debug, Default)]
pub struct Spots {
    one_in: u64,
    per_minute: u64,
    is_enabled: AtomicBool,
    hits: AtomicU64,
    /// The minute, and how many were made in it.
    spent: Mutex<(u64, u64)>,
    found: [AtomicU64; Finding::EVERY.len()],
}

impl Spots {
    /// One hit in so many is checked, and so many in a minute at most. Zero is never.
    pub fn new(one_in: u64, per_minute: u64) -> Self {
        Self { one_in, per_minute, is_enabled: AtomicBool::new(one_in > 0), ..Self::default() }
    }

    /// One hit in so many is checked.
    pub fn one_in(&self) -> u64 {
        self.one_in
    }

    /// Whether any are made.
    pub fn is_enabled(&self) -> bool {
        self.is_enabled.load(Ordering::Relaxed)
    }

    /// Makes some from now on, or none.
    pub fn enable(&self, is_enabled: bool) {
        self.is_enabled.store(is_enabled && self.one_in > 0, Ordering::Relaxed);
    }

    /// Whether the answer that was just given from the cache is to be checked. Who is told so has spent one.
    pub fn due(&self, class: Class, age_ms: u64, now_ms: u64) -> Due {
        if !self.is_enabled() || age_ms < LEAST_AGE_MS || matches!(class, Class::Images | Class::Assets) {
            return Due::No;
        }
        // Scattered, so that an app which asks the same in turn is not always checked at the same place.
        let number = self.hits.fetch_add(1, Ordering::Relaxed);
        if !xxh3_64(&number.to_le_bytes()).is_multiple_of(self.one_in) {
            return Due::No;
        }
        let mut spent = self.spent.lock();
        let minute = now_ms / MINUTE_MS;
        if spent.0 != minute {
            *spent = (minute, 0);
        }
        if spent.1 >= self.per_minute {
            return Due::TooMany;
        }
        spent.1 += 1;
        Due::Now
    }

    /// Counts what was found.
    pub fn note(&self, finding: Finding) {
        self.found[finding as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// What was found since the process began.
    pub fn found(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Finding::EVERY
            .iter()
            .map(|finding| (finding.name(), self.found[*finding as usize].load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &'static str) -> Said {
        Said {
            status: StatusCode::from_u16(status).expect("a status"),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn every_difference_has_a_name() {
        let kept = Bytes::from_static(b"a");
        for (class, is_in_time, first, again, finding) in [
            (Class::Lists, true, said(200, "a"), None, Finding::Same),
            (Class::Lists, true, said(200, "b"), Some(said(200, "b")), Finding::Changed),
            (Class::Lists, true, said(200, "b"), Some(said(200, "c")), Finding::Changed),
            (Class::Lists, true, said(200, "b"), Some(said(200, "a")), Finding::Wrong),
            (Class::Lists, false, said(200, "b"), Some(said(200, "b")), Finding::Wrong),
            (Class::Sessions, true, said(200, "b"), None, Finding::Moved),
            (Class::Sessions, false, said(200, "b"), None, Finding::Wrong),
            (Class::Item, true, said(404, ""), Some(said(404, "")), Finding::Changed),
            (Class::Item, true, said(401, ""), None, Finding::Changed),
            (Class::Lists, true, said(503, "b"), None, Finding::Skipped),
        ] {
            let found = judge(class, &kept, is_in_time, &first, again.as_ref());
            assert_eq!(found, finding, "{class:?} {is_in_time} {first:?} {again:?}");
        }
    }

    #[test]
    fn one_hit_in_so_many_is_due_and_so_many_in_a_minute_at_most() {
        let spots = Spots::new(20, 1_000);
        let due = |spots: &Spots, class, age_ms| {
            (0..10_000).filter(|_| spots.due(class, age_ms, 60_000) == Due::Now).count()
        };
        let many = due(&spots, Class::Lists, 5_000);
        assert!((300..700).contains(&many), "{many} of 10000");
        assert_eq!(due(&spots, Class::Images, 5_000), 0);
        assert_eq!(due(&spots, Class::Lists, 999), 0, "it was loaded a moment ago");
        let few = Spots::new(1, 6);
        assert_eq!(due(&few, Class::Lists, 5_000), 6);
        assert_eq!(few.due(Class::Lists, 5_000, 60_001), Due::TooMany);
        assert_eq!(few.due(Class::Lists, 5_000, 120_000), Due::Now);
        few.enable(false);
        assert_eq!(few.due(Class::Lists, 5_000, 180_000), Due::No);
        let never = Spots::new(0, 6);
        never.enable(true);
        assert_eq!(never.due(Class::Lists, 5_000, 0), Due::No);
    }
}
