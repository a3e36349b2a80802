//! Catching up of a session with invalidations that it has not heard: from the log, or from the marks.

use greenroom_cache::remote::SharedInvalidation;
use redis::Value;
use std::time::Duration;

use crate::agreement::{CatchUp, HeartbeatReply, LogEntry, SequencePosition, plan_catch_up};
use crate::connection::explain;
use crate::peer_news::PeerNews;
use crate::reply::{MarkList, read_marks};
use crate::scripts;
use crate::session::Session;
use crate::status::count;

/// End of the log in which holds are looked for at the start.
const LOG_TAIL: usize = 256;

impl Session<'_> {
    /// Hears what was told, or reads the marks. True if anything was heard.
    pub(crate) async fn catch_up(&mut self, heartbeat: &HeartbeatReply) -> Result<bool, String> {
        let has_past = self.store.has_past || !self.is_first;
        let plan = plan_catch_up(&self.standing, heartbeat, has_past, self.is_first);
        if plan == CatchUp::Log {
            // Before they count as heard: their authors wait for that.
            let foreign = heartbeat.entries.iter().filter(|entry| self.own_ticket(entry).is_none());
            self.tell(foreign.filter_map(|entry| PeerNews::of(&travelled(entry))).collect()).await;
            for entry in &heartbeat.entries {
                self.apply(entry);
            }
            return Ok(!heartbeat.entries.is_empty());
        }
        if plan != CatchUp::Marks {
            self.tell(vec![PeerNews::Missed]).await;
        }
        if plan == CatchUp::Everything && self.standing.epoch == 0 {
            // What was invalidated here without the store is not known there.
            self.store.invalidations.push_everything(false);
        }
        let above = if self.is_first || self.standing.epoch != heartbeat.epoch { 0 } else { self.standing.heard };
        let list = self.read_marks(above).await?;
        if self.is_first || list.epoch != self.standing.epoch {
            self.cache.begin_remote_epoch(list.epoch);
        }
        let is_missed = |seq: u64| plan == CatchUp::Marks && seq > self.standing.heard;
        let missed_of = |scope: &str, purges: bool| SharedInvalidation {
            scope: scope.to_owned(),
            ..SharedInvalidation::everything(purges)
        };
        let missed = list.marks.iter().filter(|(_, _, seq)| is_missed(*seq));
        self.tell(missed.filter_map(|(scope, purges, _)| PeerNews::of(&missed_of(scope, *purges))).collect()).await;
        if plan.invalidates_everything() {
            // After the marks were read: what was loaded until now may be older than they are. Heard from no one, so it
            // has no number and acts here only. Kept for the case that loading fails: nothing is known to be purged.
            self.cache.hear(0, &SharedInvalidation::everything(false));
        }
        for (scope, purges, seq) in &list.marks {
            if is_missed(*seq) {
                self.cache.hear(*seq, &missed_of(scope, *purges));
            } else {
                self.cache.record_mark(*seq, scope);
            }
        }
        for entry in list.newest.iter().rev().filter(|entry| entry.durations_ms[0] > 0) {
            self.cache.hear(entry.seq, &travelled(entry));
        }
        self.cache.raise_remote_floor(list.floor);
        self.standing = SequencePosition { epoch: list.epoch, heard: list.seq, token: list.token };
        self.is_first = false;
        self.cache.record_heard(list.seq);
        Ok(true)
    }

    async fn read_marks(&mut self, above: u64) -> Result<MarkList, String> {
        let arguments = [above.to_string(), LOG_TAIL.to_string()];
        let keys = self.keys();
        let value: Value = scripts::run(&self.open.scripts.marks, &mut self.open.connection, &keys, &arguments)
            .await
            .map_err(explain)?;
        read_marks(&value)
    }

    /// The ticket of an invalidation that this process announced.
    fn own_ticket(&self, entry: &LogEntry) -> Option<u64> {
        entry.token.strip_prefix(&self.store.origin)?.strip_prefix(':')?.parse().ok()
    }

    /// Tells the process what concerns more than its cache, and waits until it is stored here.
    async fn tell(&self, news: Vec<PeerNews>) {
        if !self.store.settings.shared || news.is_empty() {
            return;
        }
        let stored = self.store.news.tell(news);
        if tokio::time::timeout(self.store.settings.peer_timeout, stored).await.is_err() {
            tracing::warn!("what other gateways revoked could not be stored in time");
        }
    }

    /// Applies the next number of the log.
    fn apply(&mut self, entry: &LogEntry) {
        self.announcements.hear(entry);
        if let Some(ticket) = self.own_ticket(entry) {
            self.cache.record_number(entry.seq, &entry.scope, ticket);
        } else {
            count(&self.store.counters.heard);
            self.cache.hear(entry.seq, &travelled(entry));
        }
        self.standing = SequencePosition { epoch: self.standing.epoch, heard: entry.seq, token: entry.token.clone() };
        self.cache.record_heard(entry.seq);
    }
}

fn travelled(entry: &LogEntry) -> SharedInvalidation {
    let [unstorable_ms, grace_ms, grace_fresh_ms] = entry.durations_ms;
    let scope = entry.scope.clone();
    SharedInvalidation {
        scope,
        purges: entry.purges,
        unstorable_ms: Duration::from_millis(unstorable_ms),
        grace_ms: Duration::from_millis(grace_ms),
        grace_fresh_ms: Duration::from_millis(grace_fresh_ms),
        ticket: 0,
    }
}
