//! Decides which events are sent, when, and grouped with which others. Pure: time is an argument.
//!
//! The first event opens a window; events within it are sent together. Of each subject (a server, a library, a token,
//! the disk) only the newest event is sent, and only if its state differs from the last one sent: no state is reported
//! twice, and a change that was undone within the window is one line. A subject that changes again and again is
//! reported as flapping once, then suppressed until it has been stable for a while. Beyond the message limit of ten
//! minutes, events wait and are sent as one message when the limit allows.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use greenroom_config::NotificationEvent;
use greenroom_origin::system_event::{EventSubject, EventSubjectState, SystemEvent};

/// The period in which messages are counted.
pub const PERIOD: Duration = Duration::from_secs(600);
/// A subject with more changes than this within the period is flapping.
pub const MAX_CHANGES: usize = 4;
/// A flapping subject is reported again after being stable for this long.
pub const STABLE: Duration = Duration::from_secs(300);
/// Max lines per message; further events are only counted.
pub const MAX_LINES: usize = 10;
/// Max subjects tracked. There is one per server, token and library.
pub const MAX_SUBJECTS: usize = 2_000;

/// Subscription of one target.
#[derive(Debug, Clone)]
pub struct NotificationSubscription {
    /// Subscribed events.
    pub events: BTreeSet<NotificationEvent>,
    /// Time for which the first event waits for others.
    pub window_ms: Duration,
    /// Max messages in any ten minutes.
    pub max_messages: usize,
}

/// One reported event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestLine {
    /// The latest event.
    pub event: SystemEvent,
    /// Time of the event.
    pub at_ms: Timestamp,
    /// True if the subject is flapping, so that it is suppressed for a while.
    pub is_flapping: bool,
}

/// The content of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// One per subject, oldest first.
    pub lines: Vec<DigestLine>,
    /// Number of further events.
    pub omitted: u64,
}

impl Digest {
    /// The events that only this gateway can send, if there are any: the leading gateway sends those about servers.
    #[must_use]
    pub fn for_follower(mut self) -> Option<Self> {
        self.lines.retain(|line| line.event.server().is_none());
        self.omitted = 0;
        (!self.lines.is_empty()).then_some(self)
    }
}

/// State of one subject, and what was reported of it.
#[derive(Debug, Default)]
struct SubjectHistory {
    /// Current state.
    current: Option<EventSubjectState>,
    /// Last reported state.
    reported: Option<EventSubjectState>,
    /// The event not yet reported, and since when.
    waiting: Option<(SystemEvent, u64)>,
    /// Times of recent changes.
    changes_ms: VecDeque<u64>,
    /// While flapping: when it counts as stable unless it changes before.
    stable_at_ms: Option<Timestamp>,
    /// True while the flapping itself is still to be reported.
    is_flapping_unreported: bool,
}

/// Pending events of one target.
#[derive(Debug)]
pub struct DigestBuilder {
    subscription: NotificationSubscription,
    subjects: BTreeMap<EventSubject, SubjectHistory>,
    /// When the first event of the window occurred.
    opened_ms: Option<Timestamp>,
    /// When the latest messages were sent.
    sent_ms: VecDeque<u64>,
    /// Events since the last message that it did not include.
    unreported: u64,
}

impl SubjectHistory {
    fn record_change(&mut self, now_ms: Timestamp) {
        while self.changes_ms.front().is_some_and(|at_ms| at_ms.saturating_add(millis(PERIOD)) <= now_ms.as_millis()) {
            self.changes_ms.pop_front();
        }
        self.changes_ms.push_back(now_ms.as_millis());
        if self.changes_ms.len() > MAX_CHANGES {
            self.changes_ms.pop_front();
            if self.stable_at_ms.is_none() {
                self.is_flapping_unreported = true;
            }
            self.stable_at_ms = Some(now_ms.saturating_add(STABLE));
        } else if let Some(stable_at_ms) = &mut self.stable_at_ms {
            *stable_at_ms = now_ms.saturating_add(STABLE);
        }
    }

    /// True if there is something to report now.
    fn is_reportable(&self, now_ms: Timestamp) -> bool {
        let is_stable = self.stable_at_ms.is_none_or(|stable_at_ms| stable_at_ms <= now_ms);
        self.waiting.is_some() && (is_stable || self.is_flapping_unreported)
    }

    /// The line to report now.
    fn take_line(&mut self, now_ms: Timestamp) -> Option<DigestLine> {
        if !self.is_reportable(now_ms) {
            return None;
        }
        let is_flapping = std::mem::take(&mut self.is_flapping_unreported);
        let was_flapping = self.stable_at_ms.is_some_and(|stable_at_ms| stable_at_ms <= now_ms);
        if was_flapping {
            self.stable_at_ms = None;
            self.changes_ms.clear();
        }
        let (event, at_ms) = self.waiting.take()?;
        let last_reported = std::mem::replace(&mut self.reported, self.current);
        let is_recovery = event.notification().is_some_and(NotificationEvent::is_recovery);
        // A change that was undone is worth a line, unless it was reported as flapping and ends in the reported state.
        let is_change = last_reported != Some(event.state()) || is_recovery && !was_flapping;
        (is_change || is_flapping).then_some(DigestLine { event, at_ms: Timestamp::from_millis(at_ms), is_flapping })
    }
}

impl DigestBuilder {
    /// No events yet.
    pub fn new(subscription: NotificationSubscription) -> Self {
        let (subjects, sent_ms) = (BTreeMap::new(), VecDeque::new());
        Self { subscription, subjects, opened_ms: None, sent_ms, unreported: 0 }
    }

    /// Records an event.
    pub fn record(&mut self, event: SystemEvent, now_ms: Timestamp) {
        let subject = event.subject();
        if self.subjects.len() >= MAX_SUBJECTS && !self.subjects.contains_key(&subject) {
            self.unreported += 1;
            return;
        }
        let history = self.subjects.entry(subject).or_default();
        let state = event.state();
        if history.current == Some(state) {
            return;
        }
        history.current = Some(state);
        if !event.notification().is_some_and(|kind| self.subscription.events.contains(&kind)) {
            if history.waiting.is_none() {
                history.reported = Some(state);
            }
            return;
        }
        history.record_change(now_ms);
        if history.waiting.replace((event, now_ms.as_millis())).is_some() {
            self.unreported += 1;
        }
        self.opened_ms.get_or_insert(now_ms);
    }

    /// When the next message is due, as far as is known now.
    pub fn due_ms(&self) -> Option<Timestamp> {
        let opened_ms = self.opened_ms?;
        let reportable_ms = |history: &SubjectHistory| {
            history.waiting.as_ref()?;
            let stable_at_ms = history.stable_at_ms.filter(|_| !history.is_flapping_unreported);
            Some(stable_at_ms.unwrap_or(Timestamp::UNIX_EPOCH))
        };
        let reportable_ms = self.subjects.values().filter_map(reportable_ms).min()?;
        Some(reportable_ms.max(opened_ms.saturating_add(self.subscription.window_ms)).max(self.free_at_ms()))
    }

    /// The message due now.
    pub fn drain(&mut self, now_ms: Timestamp) -> Option<Digest> {
        if self.due_ms().is_none_or(|due_ms| due_ms > now_ms) {
            return None;
        }
        self.collect(now_ms)
    }

    /// The pending events, whether due or not: for shutdown.
    pub fn drain_all(&mut self, now_ms: Timestamp) -> Option<Digest> {
        self.opened_ms?;
        for history in self.subjects.values_mut() {
            history.stable_at_ms = history.stable_at_ms.map(|stable_at_ms| stable_at_ms.min(now_ms));
        }
        self.collect(now_ms)
    }

    fn collect(&mut self, now_ms: Timestamp) -> Option<Digest> {
        let mut lines: Vec<DigestLine> =
            self.subjects.values_mut().filter_map(|history| history.take_line(now_ms)).collect();
        let has_waiting = self.subjects.values().any(|history| history.waiting.is_some());
        self.opened_ms = has_waiting.then_some(now_ms);
        if lines.is_empty() {
            return None;
        }
        lines.sort_by_key(|line| line.at_ms);
        let excess = lines.len().saturating_sub(MAX_LINES);
        lines.truncate(MAX_LINES);
        let omitted = std::mem::take(&mut self.unreported) + excess as u64;
        self.sent_ms.push_back(now_ms.as_millis());
        while self.sent_ms.len() > self.subscription.max_messages {
            self.sent_ms.pop_front();
        }
        Some(Digest { lines, omitted })
    }

    /// When the limit allows the next message.
    fn free_at_ms(&self) -> Timestamp {
        if self.sent_ms.len() < self.subscription.max_messages {
            return Timestamp::UNIX_EPOCH;
        }
        self.sent_ms
            .front()
            .map_or(Timestamp::UNIX_EPOCH, |at_ms| Timestamp::from_millis(at_ms.saturating_add(millis(PERIOD))))
    }
}
