//! The one thread that keeps what is proven: what is new within a second, what is only a little newer every two minutes,
//! and at once what must not be lost. It sleeps until it is told of one of these; once a minute it looks at what tells it
//! nothing: when a server was heard of, what is kept warm, and whether the file is still the same.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use greenroom_cache::Clock;

use super::Shared;
use crate::server::Server;
use crate::warm_keys;
use greenroom_state::db::{Book, Page};
use greenroom_state::error::Failing;
use greenroom_state::grants::{Hearing, Kept, WarmRead};

/// What came is written after so long, with what else came meanwhile.
const GATHERING: Duration = Duration::from_secs(1);
/// So often it is looked at what does not wake the keeper, in the time of its clock.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// The proof by an open socket is renewed so many times at least while one holds.
const LOOKS_IN_A_PROOF: u32 = 4;
/// That a server was heard of again is alone worth a write only after so long.
const HEARD_EXACT_MS: u64 = 120_000;
/// A proof by an open socket, and that the server was heard of again, are kept only if a client asked anything within so
/// long: an idle process writes nothing.
const IDLE_AFTER_MS: u64 = 600_000;
/// So often it is looked at what is kept warm.
const WARM_EVERY_MS: u64 = 60_000;
/// That only the rhythm of its reads changed is written after so long.
const RHYTHM_EXACT_MS: u64 = 300_000;
/// So often what counts no more is taken out.
const SWEEP_EVERY_MS: u64 = 600_000;

/// The keeper.
pub(super) struct Keeper {
    pub(super) dir: PathBuf,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    pub(super) book: Option<Book>,
    pub(super) members: Vec<Member>,
    /// Something was not written: everything is to be written anew.
    pub(super) is_behind: bool,
    /// Whether what the file held when this process began is known.
    pub(super) is_read: bool,
    pub(super) swept_ms: u64,
}

/// One server, and what is kept of when it was heard.
pub(super) struct Member {
    server: Weak<Server>,
    kept: Hearing,
    kept_warm: Vec<WarmRead>,
    /// When what is kept warm was looked at last, and when it was written.
    warm_ms: u64,
    warm_written_ms: u64,
}

impl Member {
    pub(super) fn of(server: &Arc<Server>) -> Self {
        let kept_warm = server.warm.resumed.lock().clone();
        Self {
            server: Arc::downgrade(server),
            kept: hearing_of(server),
            kept_warm,
            warm_ms: 0,
            warm_written_ms: 0,
        }
    }

    /// Takes over what was kept of it, late.
    fn merge(&mut self, book: &Book, now_ms: u64) -> Result<(), Failing> {
        let Some(server) = self.server.upgrade() else { return Ok(()) };
        let Kept { hearing, identities, images, warm, .. } = book.read(server.name(), now_ms)?;
        server.identities.merge(&identities, &images);
        if server.origin.breaker.heard().0 == 0 {
            // Whether it is down is found out already.
            server.origin.breaker.restore(hearing.heard_ms, 0);
        }
        if let Some(introduction) = hearing.introduction.filter(|_| server.origin.introduced().is_none()) {
            server.origin.note_introduction(&introduction.into());
        }
        // As long as nobody takes it up, nothing else is written in its place.
        *server.warm.resumed.lock() = warm;
        Ok(())
    }

    /// What is kept warm, if it is time to look and something is new.
    fn warm(&mut self, server: &Server, all: bool, now_ms: u64) -> Option<Vec<WarmRead>> {
        // What the engine does not keep warm any more since it was told to end is kept all the same.
        let is_due = all || now_ms.saturating_sub(self.warm_ms) >= WARM_EVERY_MS;
        if !is_due || server.origin.stop.is_cancelled() || !server.warm.resumed.lock().is_empty() {
            return None;
        }
        self.warm_ms = now_ms;
        let warm = server.warm_reads();
        let is_rhythm_old = now_ms.saturating_sub(self.warm_written_ms) >= RHYTHM_EXACT_MS;
        let is_news =
            !warm_keys::are_same_reads(&warm, &self.kept_warm) || (is_rhythm_old && warm != self.kept_warm);
        if all || is_news {
            self.warm_written_ms = now_ms;
        }
        (all || is_news).then_some(warm)
    }

    /// What is to be written of it; with `all` everything there is. What is only a little newer goes too if it is
    /// urgent.
    fn page(&mut self, all: bool, is_urgent: bool, now_ms: u64) -> Option<Page> {
        let server = self.server.upgrade()?;
        let refused = server.identities.refused().take();
        let asked_ms = server.counters.last_asked_ms.load(Ordering::Relaxed);
        let is_idle = now_ms.saturating_sub(asked_ms) >= IDLE_AFTER_MS;
        let sockets_ms = (!is_idle).then_some(now_ms);
        let changes = server.identities.take_changes(all || refused.everybody, sockets_ms, is_urgent);
        let is_news = changes.all || !changes.identities.is_empty() || !changes.images.is_empty();
        let heard = hearing_of(&server);
        let is_worth_it = heard != self.kept
            && (is_news
                || heard.down_since_ms != self.kept.down_since_ms
                || heard.introduction != self.kept.introduction
                || heard.is_choosy != self.kept.is_choosy
                || is_urgent
                || (!is_idle && heard.heard_ms.saturating_sub(self.kept.heard_ms) >= HEARD_EXACT_MS));
        let hearing = (is_worth_it || all).then_some(heard);
        let warm = self.warm(&server, all, now_ms);
        let is_empty = refused.is_empty() && !is_news && hearing.is_none() && warm.is_none();
        (!is_empty).then(|| Page { server: server.name().to_owned(), refused, changes, hearing, warm })
    }
}

fn hearing_of(server: &Server) -> Hearing {
    let (heard_ms, down_since_ms) = server.origin.breaker.heard();
    let is_choosy = server.invalidation.choosiness.is_wanted();
    Hearing { heard_ms, down_since_ms, introduction: server.origin.introduced(), is_choosy }
}

impl Keeper {
    /// Keeps until it is told to end.
    pub(super) fn run(mut self) {
        let mut heard = 0;
        let longest = self.longest_rest();
        // What is known at the start is looked at, too.
        self.shared.bell.note_news();
        loop {
            let call = self.shared.bell.wait(GATHERING, longest);
            // Whoever rings waits for everything, however little newer it is.
            let is_urgent = call.is_last || call.ticket > heard;
            heard = call.ticket;
            self.round(is_urgent);
            // Written, or tried in vain: what is not written waits here, and nobody else waits for it.
            self.shared.bell.tell(call.ticket);
            if call.is_last {
                break;
            }
        }
        self.book = None;
        self.shared.bell.tell(u64::MAX);
    }

    /// How long it may sleep while nothing wakes it.
    fn longest_rest(&self) -> Duration {
        let servers = self.members.iter().filter_map(|member| member.server.upgrade());
        let proofs = servers.map(|server| server.origin.settings.auth_ttl / LOOKS_IN_A_PROOF);
        let longest = proofs.min().unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
        self.clock.real(longest).max(GATHERING)
    }

    /// Writes what there is to write.
    fn round(&mut self, is_urgent: bool) {
        if self.shared.is_off() {
            return;
        }
        let now_ms = self.clock.now_ms();
        match self.keep(is_urgent, now_ms) {
            Ok(()) => {
                self.is_behind = false;
                self.shared.recover(&self.dir);
            }
            Err(failing) => {
                self.is_behind = true;
                self.fail(&failing);
                // It is tried again.
                self.shared.bell.note_news();
            }
        }
    }

    /// Opens the file in mid-life: it is another one, or could not be read before. If nothing of it was ever read, what
    /// it holds is taken over before anything is written to it.
    fn open(&mut self, now_ms: u64) -> Result<Book, Failing> {
        let book = Book::open(&self.dir)?;
        if !self.is_read {
            for member in &mut self.members {
                member.merge(&book, now_ms)?;
            }
            self.is_read = true;
        }
        Ok(book)
    }

    fn keep(&mut self, is_urgent: bool, now_ms: u64) -> Result<(), Failing> {
        if !self.book.as_ref().is_some_and(Book::is_in_place) {
            self.book = None;
            self.is_behind = true;
            self.book = Some(self.open(now_ms)?);
        }
        let Some(book) = &mut self.book else { return Ok(()) };
        let all = self.is_behind;
        let pages: Vec<Page> =
            self.members.iter_mut().filter_map(|member| member.page(all, is_urgent, now_ms)).collect();
        if pages.is_empty() {
            return Ok(());
        }
        if let Err(failing) = book.write(&pages, now_ms) {
            if failing.trouble.is_final() {
                // The last that can be done: what was refused must not come back.
                drop(book.write_refusals(&pages));
            }
            for page in &pages {
                let found = self.members.iter().filter_map(|member| member.server.upgrade());
                found
                    .filter(|server| server.name() == page.server)
                    .for_each(|server| server.identities.refused().put_back(&page.refused));
            }
            return Err(failing);
        }
        for page in pages {
            let member = self
                .members
                .iter_mut()
                .find(|member| member.server.upgrade().is_some_and(|server| server.name() == page.server));
            if let Some(member) = member {
                member.kept = page.hearing.unwrap_or_else(|| member.kept.clone());
                if let Some(server) = member.server.upgrade().filter(|_| member.kept.is_choosy) {
                    server.invalidation.choosiness.note_kept();
                }
                member.kept_warm = page.warm.unwrap_or_else(|| std::mem::take(&mut member.kept_warm));
            }
        }
        if now_ms.saturating_sub(self.swept_ms) >= SWEEP_EVERY_MS {
            self.swept_ms = now_ms;
            book.sweep(now_ms)?;
        }
        Ok(())
    }

    fn fail(&mut self, failing: &Failing) {
        self.shared.fail(&self.dir, failing);
        if failing.trouble.is_final() {
            self.book = None;
        }
    }
}
