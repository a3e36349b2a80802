//! What the writer does when the store fails: says so once, with what to do, and begins again where it can.

use std::sync::atomic::Ordering;

use super::presence::Presence;
use super::spelling;
use super::store::{self, Batch, FILE, Mark, Store};
use super::trouble::{Failing, Trouble};
use super::writer::Writer;
use crate::scope::Scope;
use crate::stamp::Stamp;

/// Pause between two renewals.
const RENEW_PAUSE_MS: u64 = 1_000;

impl Writer {
    /// Opens the store for the first time. Where that fails it is tried again while the cache does without.
    pub(super) fn start(&mut self) {
        let mut begun = self.begin(true);
        if let Err(failing) = &begun
            && failing.trouble == Trouble::Damaged
        {
            self.set_aside(failing);
            begun = self.begin(true);
        }
        self.shared.queue.drop_offers(self.ledger.known.era());
        match begun {
            Ok(()) => self.shared.is_open.store(true, Ordering::Release),
            Err(failing) => {
                self.store = None;
                self.say(&failing, self.shared.clock.now_ms());
            }
        }
    }

    /// Something failed. Damage and loss are mended where possible; everything else passes by itself or does not.
    pub(super) fn failed(&mut self, failing: &Failing, now_ms: u64) {
        if !matches!(failing.trouble, Trouble::Damaged | Trouble::Gone) {
            return self.say(failing, now_ms);
        }
        let is_ours = self.store.as_ref().is_some_and(Store::is_in_place);
        if is_ours && failing.trouble == Trouble::Gone {
            // A reader could not open it, and we could: that passes.
            return;
        }
        self.store = None;
        if now_ms < self.renew_at_ms {
            // A disk that damages whatever is begun on it: not in a circle.
            self.shared.is_open.store(false, Ordering::Release);
            return self.say(failing, now_ms);
        }
        self.renew_at_ms = now_ms + RENEW_PAUSE_MS;
        if failing.trouble == Trouble::Damaged && is_ours {
            self.set_aside(failing);
        }
        self.reopen(now_ms);
        if failing.trouble == Trouble::Gone && self.store.is_some() {
            tracing::warn!(
                dir = %self.shared.settings.dir.display(),
                reason = failing.message,
                remedy = failing.trouble.remedy(),
                "the cache on disk is gone: a new one is begun"
            );
        }
    }

    /// Opens what lies in the store's place now, or a new one if that is no good.
    pub(super) fn reopen(&mut self, now_ms: u64) {
        self.shared.is_open.store(false, Ordering::Release);
        self.store = None;
        let mut begun = self.begin(false);
        if let Err(failing) = &begun
            && failing.trouble == Trouble::Damaged
        {
            self.set_aside(failing);
            begun = self.begin(false);
        }
        // Only now: from here on offers say what they know in the numbers of this store.
        self.shared.queue.drop_offers(self.ledger.known.era());
        match begun {
            Ok(()) => {
                self.presence = Some(Presence::enter(&self.shared.settings.dir, self.origin));
                self.shared.generation.fetch_add(1, Ordering::Release);
                self.shared.is_open.store(true, Ordering::Release);
                if self.shared.health.mended() {
                    tracing::info!(dir = %self.shared.settings.dir.display(), "writing to disk works again");
                }
            }
            Err(failing) => {
                self.store = None;
                self.say(&failing, now_ms);
            }
        }
    }

    /// What lies in a store that was not there for all that was invalidated does not count.
    pub(super) fn distrust(&mut self, reason: &str) -> Result<(), Failing> {
        let now_ms = self.shared.clock.now_ms();
        let Some(store) = &mut self.store else { return Ok(()) };
        if store.is_empty()? {
            return Ok(());
        }
        let all = Mark {
            scope: spelling::spell(&Scope::All),
            purges: true,
            stamp: self.ledger.sequence.next(now_ms),
            hold_until: Stamp::default(),
            settle_until_ms: 0,
            settle_fresh_ms: 0,
        };
        store.write(&Batch { marks: vec![all], ..Batch::default() }, self.origin, now_ms)?;
        tracing::warn!(
            dir = %self.shared.settings.dir.display(),
            reason,
            "what is kept on disk may be outdated and is not used; {}",
            Trouble::Damaged.remedy()
        );
        self.listen()
    }

    /// Says a trouble once, and turns writes off where trying again at once would be in vain.
    fn say(&self, failing: &Failing, now_ms: u64) {
        if self.shared.health.failed(failing.trouble, now_ms) {
            tracing::warn!(
                dir = %self.shared.settings.dir.display(),
                reason = failing.message,
                remedy = failing.trouble.remedy(),
                "nothing is written to disk for now ({}); answers go on",
                failing.trouble
            );
        }
    }

    fn set_aside(&self, failing: &Failing) {
        let dir = &self.shared.settings.dir;
        match store::set_aside(dir) {
            Ok(aside) => tracing::warn!(
                file = %dir.join(FILE).display(),
                reason = failing.message,
                aside = %aside.display(),
                "the cache on disk is damaged or of another format: it is set aside and a new one begun; {}",
                Trouble::Damaged.remedy()
            ),
            Err(failing) => return self.say(&failing, self.shared.clock.now_ms()),
        }
        self.shared.counters.set_aside.fetch_add(1, Ordering::Relaxed);
    }
}
