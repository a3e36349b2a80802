//! What is told, when, and together with what. Pure: time is an argument.
//!
//! The first fact opens a window; what comes within it is told together. Of each subject (a server, a library, a token,
//! the disk) only the newest fact is told, and only if it stands otherwise than was told last: so nobody is told twice,
//! and what went and came back within the window is one line. A subject that turns again and again is said to be
//! unsteady once, then kept silent about until it has kept still for a while. Beyond so many messages in ten minutes
//! everything waits, and is told as one when a message is free again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use greenroom_config::Event;
use greenroom_origin::fact::{Fact, Standing, Subject};

/// The span in which messages are counted.
pub const SPAN_MS: u64 = 600_000;
/// A subject that turns more often than this within the span is unsteady.
pub const MAX_TURNS: usize = 4;
/// An unsteady subject is told of again when it has kept still for so long.
pub const CALM_MS: u64 = 300_000;
/// Lines of one message; the others are counted.
pub const MAX_LINES: usize = 10;
/// Subjects that are followed. There is one for each server, token and library.
pub const MAX_SUBJECTS: usize = 2_000;

/// What one target wants.
#[derive(Debug, Clone)]
pub struct Wants {
    /// Of what it is told.
    pub events: BTreeSet<Event>,
    /// How long the first fact waits for others.
    pub window_ms: u64,
    /// Messages in any ten minutes.
    pub max_messages: usize,
}

/// One thing that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What happened last.
    pub fact: Fact,
    /// When.
    pub at_ms: u64,
    /// Whether it happens again and again, so that nothing is told of it for a while.
    pub is_unsteady: bool,
}

/// What is told at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// One for each subject, the oldest first.
    pub lines: Vec<Line>,
    /// Facts beyond these.
    pub more: u64,
}

/// How one subject stands, and what was told of it.
#[derive(Debug, Default)]
struct Matter {
    /// How it stands.
    noted: Option<Standing>,
    /// How it stood when it was told last.
    told: Option<Standing>,
    /// What is not told yet, since when.
    waiting: Option<(Fact, u64)>,
    /// When it turned lately.
    turns_ms: VecDeque<u64>,
    /// While it is unsteady: when it is calm, if it does not turn before.
    calm_at_ms: Option<u64>,
    /// That it is unsteady is still to be told.
    is_to_be_called_unsteady: bool,
}

/// What waits for one target.
#[derive(Debug)]
pub struct Grouping {
    wants: Wants,
    matters: BTreeMap<Subject, Matter>,
    /// When the first fact of the window came.
    opened_ms: Option<u64>,
    /// When the newest messages were sent.
    sent_ms: VecDeque<u64>,
    /// Facts that nothing was told of since the last message.
    untold: u64,
}

impl Matter {
    fn turned(&mut self, now_ms: u64) {
        while self.turns_ms.front().is_some_and(|at_ms| at_ms.saturating_add(SPAN_MS) <= now_ms) {
            self.turns_ms.pop_front();
        }
        self.turns_ms.push_back(now_ms);
        if self.turns_ms.len() > MAX_TURNS {
            self.turns_ms.pop_front();
            if self.calm_at_ms.is_none() {
                self.is_to_be_called_unsteady = true;
            }
            self.calm_at_ms = Some(now_ms.saturating_add(CALM_MS));
        } else if let Some(calm_at_ms) = &mut self.calm_at_ms {
            *calm_at_ms = now_ms.saturating_add(CALM_MS);
        }
    }

    /// Whether something is to be told now.
    fn is_ripe(&self, now_ms: u64) -> bool {
        let is_calm = self.calm_at_ms.is_none_or(|calm_at_ms| calm_at_ms <= now_ms);
        self.waiting.is_some() && (is_calm || self.is_to_be_called_unsteady)
    }

    /// What is told of it now.
    fn take(&mut self, now_ms: u64) -> Option<Line> {
        if !self.is_ripe(now_ms) {
            return None;
        }
        let is_unsteady = std::mem::take(&mut self.is_to_be_called_unsteady);
        let was_unsteady = self.calm_at_ms.is_some_and(|calm_at_ms| calm_at_ms <= now_ms);
        if was_unsteady {
            self.calm_at_ms = None;
            self.turns_ms.clear();
        }
        let (fact, at_ms) = self.waiting.take()?;
        let before = std::mem::replace(&mut self.told, self.noted);
        let is_recovery = fact.event().is_some_and(Event::is_recovery);
        // What went and came back meanwhile is worth a line, unless it was called unsteady and is what it was.
        let is_news = before != Some(fact.standing()) || is_recovery && !was_unsteady;
        (is_news || is_unsteady).then_some(Line { fact, at_ms, is_unsteady })
    }
}

impl Grouping {
    /// Nothing is known yet.
    pub fn new(wants: Wants) -> Self {
        let (matters, sent_ms) = (BTreeMap::new(), VecDeque::new());
        Self { wants, matters, opened_ms: None, sent_ms, untold: 0 }
    }

    /// Something happened.
    pub fn note(&mut self, fact: Fact, now_ms: u64) {
        let subject = fact.subject();
        if self.matters.len() >= MAX_SUBJECTS && !self.matters.contains_key(&subject) {
            self.untold += 1;
            return;
        }
        let matter = self.matters.entry(subject).or_default();
        let standing = fact.standing();
        if matter.noted == Some(standing) {
            return;
        }
        matter.noted = Some(standing);
        if !fact.event().is_some_and(|event| self.wants.events.contains(&event)) {
            if matter.waiting.is_none() {
                matter.told = Some(standing);
            }
            return;
        }
        matter.turned(now_ms);
        if matter.waiting.replace((fact, now_ms)).is_some() {
            self.untold += 1;
        }
        self.opened_ms.get_or_insert(now_ms);
    }

    /// When there is something to tell, as far as is known now.
    pub fn due_ms(&self) -> Option<u64> {
        let opened_ms = self.opened_ms?;
        let ripe_ms = |matter: &Matter| {
            matter.waiting.as_ref()?;
            let calm_at_ms = matter.calm_at_ms.filter(|_| !matter.is_to_be_called_unsteady);
            Some(calm_at_ms.unwrap_or(0))
        };
        let ripe_ms = self.matters.values().filter_map(ripe_ms).min()?;
        Some(ripe_ms.max(opened_ms.saturating_add(self.wants.window_ms)).max(self.free_at_ms()))
    }

    /// What is to be told now.
    pub fn take(&mut self, now_ms: u64) -> Option<Digest> {
        if self.due_ms().is_none_or(|due_ms| due_ms > now_ms) {
            return None;
        }
        self.collect(now_ms)
    }

    /// What is to be told now or later, because there is no later.
    pub fn take_all(&mut self, now_ms: u64) -> Option<Digest> {
        self.opened_ms?;
        for matter in self.matters.values_mut() {
            matter.calm_at_ms = matter.calm_at_ms.map(|calm_at_ms| calm_at_ms.min(now_ms));
        }
        self.collect(now_ms)
    }

    fn collect(&mut self, now_ms: u64) -> Option<Digest> {
        let mut lines: Vec<Line> =
            self.matters.values_mut().filter_map(|matter| matter.take(now_ms)).collect();
        let is_waiting = self.matters.values().any(|matter| matter.waiting.is_some());
        self.opened_ms = is_waiting.then_some(now_ms);
        if lines.is_empty() {
            return None;
        }
        lines.sort_by_key(|line| line.at_ms);
        let beyond = lines.len().saturating_sub(MAX_LINES);
        lines.truncate(MAX_LINES);
        let more = std::mem::take(&mut self.untold) + beyond as u64;
        self.sent_ms.push_back(now_ms);
        while self.sent_ms.len() > self.wants.max_messages {
            self.sent_ms.pop_front();
        }
        Some(Digest { lines, more })
    }

    /// When the next message may be sent.
    fn free_at_ms(&self) -> u64 {
        if self.sent_ms.len() < self.wants.max_messages {
            return 0;
        }
        self.sent_ms.front().map_or(0, |at_ms| at_ms.saturating_add(SPAN_MS))
    }
}
