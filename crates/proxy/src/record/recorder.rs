//! What one server was asked, as it happens. One short lock for each request, and no allocation where the minute has
//! seen the like before; everything else is done a minute later, by somebody for whom nobody waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_dialect::class::Class;
use parking_lot::Mutex;

use super::counts::Count;
use super::decision::{Decision, Subject, User, Verdict};
use crate::record::minute_bucket::{Cause, Page};
use crate::record::recent_decisions::{Ring, Told};
use crate::record::reuse_sample::{Recorded, Sample};
use crate::record::time_series::{Point, Points, Step};

/// Minutes that wait to be written. Beyond, the two oldest become one, so that nothing is lost but when exactly it was.
const MAX_CLOSED: usize = 60;
/// How much the newest load counts in the mean: one in so many.
const LOAD_SHARE: u64 = 8;

/// What one server was asked.
#[derive(Debug)]
pub struct Ledger {
    open: Mutex<Open>,
    /// What nobody writes to any more. Held by who reads and who writes down, for as long as it takes.
    waiting: Mutex<Waiting>,
    /// How long loads of each subject take on average, in microseconds; zero before the first.
    load_us: [AtomicU64; Subject::COUNT],
}

#[derive(Debug, Default)]
struct Open {
    page: Page,
    closed: VecDeque<Page>,
    points: Points,
    recent: Ring,
    /// Of the classes of reads of which lifetimes may be tried.
    samples: [Sample; Class::EVERY.len()],
    /// Minutes that were put together because too many waited.
    folded: u64,
}

/// Pages that wait to be written, the oldest first. Who reads them shares them, so that nobody waits for it.
#[derive(Debug, Default)]
struct Waiting {
    pages: VecDeque<Arc<Page>>,
    /// Minutes that were put together because too many waited.
    folded: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            open: Mutex::default(),
            waiting: Mutex::default(),
            load_us: [const { AtomicU64::new(0) }; Subject::COUNT],
        }
    }
}

impl Ledger {
    /// A request was answered.
    pub fn record(&self, decision: Decision) {
        let load_us = self.load_us[decision.subject.place()].load(Ordering::Relaxed);
        let load_ms = (load_us + 500) / 1000;
        let mut open = self.open.lock();
        let cause = Cause { subject: decision.subject, app: &decision.app, user: decision.user };
        let page = open.page_at(decision.at_ms);
        page.change(cause, |counts| counts.note(&decision, load_ms));
        open.point(decision.at_ms, &point_of(&decision, load_ms));
        open.sample(&decision);
        open.recent.push(decision);
    }

    /// A client's request caused one to the server.
    pub fn note_reached(&self, cause: Cause<'_>, now_ms: u64) {
        let mut open = self.open.lock();
        open.page_at(now_ms).change(cause, |counts| counts.add(Count::Reached, 1));
        open.point(now_ms, &Point { reached: 1, ..Point::default() });
    }

    /// So many requests to the server, counted before it was known whose they are, were caused by this user.
    pub fn note_whose_reached(&self, user: User, more: u64, now_ms: u64) {
        if more > 0 {
            self.open.lock().page_at(now_ms).user(user).add(Count::Reached, more);
        }
    }

    /// We asked the server for ourselves.
    pub fn note_own(&self, more: u64, now_ms: u64) {
        if more > 0 {
            let mut open = self.open.lock();
            open.page_at(now_ms).note_own(more);
            open.point(now_ms, &Point { own: more, ..Point::default() });
        }
    }

    /// Something was counted of a subject alone.
    pub fn note(&self, subject: Subject, count: Count, more: u64, now_ms: u64) {
        if more > 0 {
            let mut open = self.open.lock();
            open.page_at(now_ms).subject(subject).add(count, more);
            let is_spot =
                matches!(count, Count::SpotSame | Count::SpotMoved | Count::SpotChanged | Count::SpotWrong);
            let spots_wrong = if count == Count::SpotWrong { more } else { 0 };
            let point = Point { spots: if is_spot { more } else { 0 }, spots_wrong, ..Point::default() };
            open.point(now_ms, &point);
        }
    }

    /// The server answered a load after so long.
    pub fn note_load(&self, subject: Subject, took_us: u64) {
        let mean = &self.load_us[subject.place()];
        let before = mean.load(Ordering::Relaxed);
        let after = if before == 0 { took_us } else { before - before / LOAD_SHARE + took_us / LOAD_SHARE };
        // Two at once may lose one: a mean bears that.
        mean.store(after.max(1), Ordering::Relaxed);
    }

    /// Decisions with a greater number than this, the newest first, as far as they are still there.
    pub fn decisions(&self, after: u64, most: usize, is_meant: impl Fn(&Decision) -> bool) -> Vec<Told> {
        let open = self.open.lock();
        open.recent.after(after).filter(|told| is_meant(&told.decision)).take(most).cloned().collect()
    }

    /// The sum since this moment.
    pub fn sum(&self, since_ms: u64) -> Point {
        self.open.lock().points.sum(since_ms)
    }

    /// What was sampled of a class in the last day.
    pub fn recorded(&self, class: Class, now_ms: u64) -> Recorded {
        self.open.lock().samples[class as usize].recorded(now_ms)
    }

    /// The points of a step since this moment.
    pub fn points(&self, step: Step, since_ms: u64) -> Vec<Point> {
        self.open.lock().points.since(step, since_ms).copied().collect()
    }

    /// What was counted since this was asked last, the oldest minute first.
    pub(crate) fn take_pages(&self) -> Vec<Arc<Page>> {
        let mut waiting = self.waiting.lock();
        self.take_over(&mut waiting);
        waiting.pages.drain(..).collect()
    }

    /// What was counted and is not written yet, the oldest minute first.
    pub(crate) fn pages(&self) -> Vec<Arc<Page>> {
        let mut waiting = self.waiting.lock();
        self.take_over(&mut waiting);
        waiting.pages.iter().cloned().collect()
    }

    /// Pages that could not be written wait on.
    pub(crate) fn give_back(&self, pages: Vec<Arc<Page>>) {
        let mut waiting = self.waiting.lock();
        for page in pages.into_iter().rev() {
            waiting.pages.push_front(page);
        }
        waiting.fold();
    }

    /// Closes the page under way. Whoever records waits for no more than that pages change hands.
    fn take_over(&self, waiting: &mut Waiting) {
        let (closed, page) = {
            let mut open = self.open.lock();
            let minute_ms = open.page.minute_ms;
            let page = std::mem::replace(&mut open.page, Page::new(minute_ms));
            (std::mem::take(&mut open.closed), page)
        };
        for page in closed.into_iter().chain([page]).filter(|page| !page.is_empty()) {
            waiting.push(page);
        }
        waiting.fold();
    }

    /// How often two minutes were put together because too many waited.
    pub fn folded(&self) -> u64 {
        let folded = self.open.lock().folded;
        folded + self.waiting.lock().folded
    }

    /// Puts back what was kept of earlier processes, beneath what was counted since.
    pub(crate) fn restore(&self, mut kept: Points) {
        let mut open = self.open.lock();
        for step in Step::EVERY {
            for point in open.points.since(step, 0) {
                kept.add_to(step, point.at_ms, point);
            }
        }
        open.points = kept;
    }
}

impl Open {
    /// The page of this moment. Time only goes on: what comes late is counted with the newest.
    fn page_at(&mut self, at_ms: u64) -> &mut Page {
        let minute_ms = Step::Minute.floor(at_ms);
        if minute_ms > self.page.minute_ms {
            let page = std::mem::replace(&mut self.page, Page::new(minute_ms));
            if !page.is_empty() {
                self.closed.push_back(page);
                self.fold();
            }
        }
        &mut self.page
    }

    fn point(&mut self, at_ms: u64, more: &Point) {
        self.points.add(at_ms, more);
    }

    /// What was answered by the cache, or could have been, may be played again.
    fn sample(&mut self, decision: &Decision) {
        let (Subject::Read(class), Some(question)) = (decision.subject, decision.question) else { return };
        let is_past = matches!(
            decision.outcome.verdict,
            Verdict::Passed | Verdict::Write | Verdict::Failed | Verdict::Refused
        );
        if decision.subject.ages() && !is_past {
            self.samples[class as usize].note(question, decision.at_ms);
        }
    }

    fn fold(&mut self) {
        while self.closed.len() > MAX_CLOSED {
            self.folded += 1;
            if let (Some(oldest), Some(next)) = (self.closed.pop_front(), self.closed.front_mut()) {
                next.merge(&oldest);
            }
        }
    }
}

impl Waiting {
    /// What is of the same minute is put together: reading does not make more pages of it.
    fn push(&mut self, page: Page) {
        match self.pages.back_mut() {
            Some(newest) if newest.minute_ms == page.minute_ms => Arc::make_mut(newest).merge(&page),
            _ => self.pages.push_back(Arc::new(page)),
        }
    }

    fn fold(&mut self) {
        while self.pages.len() > MAX_CLOSED {
            self.folded += 1;
            if let (Some(oldest), Some(next)) = (self.pages.pop_front(), self.pages.front_mut()) {
                Arc::make_mut(next).merge(&oldest);
            }
        }
    }
}

/// What one answer adds to the points.
fn point_of(decision: &Decision, load_ms: u64) -> Point {
    let outcome = &decision.outcome;
    let kind = Count::of_outcome(outcome);
    let saved = u64::from(outcome.is_saved);
    let age_ms = outcome.age_ms.filter(|_| decision.subject.ages());
    Point {
        asked: 1,
        saved,
        saved_ms: saved * load_ms,
        failed: u64::from(kind == Count::Failed),
        stale: u64::from(kind == Count::Stale),
        judged: u64::from(Count::JUDGED.contains(&kind)),
        oldest_ms: age_ms.unwrap_or(0),
        ..Point::default()
    }
}
