//! The one thread that keeps what is proven: once a second what came since, and at once what must not be lost.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use greenroom_cache::Clock;

use super::Shared;
use super::book::{Book, Heard, Page, Writer};
use super::presence::Presence;
use super::proofs::{Hearing, Kept};
use super::trouble::Failing;
use crate::resume::{self, WarmRead};
use crate::server::Server;
use crate::stale;

/// So often what came is written.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// That a server was heard of again is alone worth a write only after so long.
const HEARD_EXACT_MS: u64 = 30_000;
/// A proof by an open socket is kept only if a client asked anything within so long: who is idle writes nothing.
const IDLE_AFTER_MS: u64 = 600_000;
/// So often it is looked at what is kept warm.
const WARM_EVERY_MS: u64 = 60_000;
/// So often what counts no more is taken out.
const SWEEP_EVERY_MS: u64 = 600_000;

/// The keeper.
pub(super) struct Keeper {
    pub(super) dir: PathBuf,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    pub(super) presence: Option<Presence>,
    pub(super) book: Option<Book>,
    /// Which process this is, among all that write here.
    pub(super) origin: i64,
    /// Refusals of others up to this one are known.
    pub(super) heard: i64,
    pub(super) version: i64,
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
    /// When what is kept warm was looked at last.
    warm_ms: u64,
}

impl Member {
    pub(super) fn of(server: &Arc<Server>) -> Self {
        let kept_warm = server.resumed.lock().clone();
        Self { server: Arc::downgrade(server), kept: hearing_of(server), kept_warm, warm_ms: 0 }
    }

    /// Takes over what was kept of it, late.
    fn merge(&mut self, book: &Book, now_ms: u64) -> Result<(), Failing> {
        let Some(server) = self.server.upgrade() else { return Ok(()) };
        let Kept { hearing, identities, images, warm, .. } = book.read(server.name(), now_ms)?;
        server.identities.merge(&identities, &images);
        if server.breaker.heard().0 == 0 {
            // Whether it is down is found out already.
            server.breaker.restore(hearing.heard_ms, 0);
        }
        if let Some(introduction) = hearing.introduction.filter(|_| server.introduced().is_none()) {
            server.note_introduction(&introduction.into());
        }
        // As long as nobody takes it up, nothing else is written in its place.
        *server.resumed.lock() = warm;
        Ok(())
    }

    /// What is kept warm, if it is time to look and something is new.
    fn warm(&mut self, server: &Server, all: bool, now_ms: u64) -> Option<Vec<WarmRead>> {
        // What the engine does not keep warm any more since it was told to end is kept all the same.
        let is_due = all || now_ms.saturating_sub(self.warm_ms) >= WARM_EVERY_MS;
        if !is_due || server.stop.is_cancelled() || !server.resumed.lock().is_empty() {
            return None;
        }
        self.warm_ms = now_ms;
        Some(resume::warm_reads(server)).filter(|warm| all || *warm != self.kept_warm)
    }

    /// What is to be written of it; with `all` everything there is.
    fn page(&mut self, all: bool, now_ms: u64) -> Option<Page> {
        let server = self.server.upgrade()?;
        let refused = server.identities.refused().take();
        let asked_ms = server.counters.last_asked_ms.load(Ordering::Relaxed);
        let sockets_ms = (now_ms.saturating_sub(asked_ms) < IDLE_AFTER_MS).then_some(now_ms);
        let changes = server.identities.take_changes(all || refused.everybody, sockets_ms);
        let is_news = changes.all || !changes.identities.is_empty() || !changes.images.is_empty();
        let heard = hearing_of(&server);
        let is_worth_it = heard != self.kept
            && (is_news
                || heard.down_since_ms != self.kept.down_since_ms
                || heard.introduction != self.kept.introduction
                || heard.is_choosy != self.kept.is_choosy
                || heard.heard_ms.saturating_sub(self.kept.heard_ms) >= HEARD_EXACT_MS);
        let hearing = (is_worth_it || all).then_some(heard);
        let warm = self.warm(&server, all, now_ms);
        let is_empty = refused.is_empty() && !is_news && hearing.is_none() && warm.is_none();
        (!is_empty).then(|| Page { server: server.name().to_owned(), refused, changes, hearing, warm })
    }
}

fn hearing_of(server: &Server) -> Hearing {
    let (heard_ms, down_since_ms) = server.breaker.heard();
    let is_choosy = server.choosiness.is_wanted();
    Hearing { heard_ms, down_since_ms, introduction: server.introduced(), is_choosy }
}

impl Keeper {
    /// Keeps until it is told to end.
    pub(super) fn run(mut self) {
        loop {
            let call = self.shared.bell.wait(EVERY);
            self.shared.look_around(self.presence.as_ref());
            self.round();
            // Written, or tried in vain: what is not written waits here, and nobody else waits for it.
            self.shared.bell.tell(call.ticket);
            if call.is_last {
                break;
            }
        }
        self.book = None;
        self.presence = None;
        self.shared.bell.tell(u64::MAX);
    }

    /// Writes what there is to write.
    fn round(&mut self) {
        if self.shared.is_off() {
            return;
        }
        let now_ms = self.clock.now_ms();
        match self.keep(now_ms) {
            Ok(()) => {
                self.is_behind = false;
                self.shared.recover(&self.dir);
            }
            Err(failing) => {
                self.is_behind = true;
                self.fail(&failing);
            }
        }
    }

    /// Opens the file in mid-life: it is another one, or could not be read before. All refusals in it are heard of,
    /// and then, if nothing of it was ever read, what it holds is taken over before anything is written to it.
    fn open(&mut self, now_ms: u64) -> Result<Book, Failing> {
        let mut book = Book::open(&self.dir)?;
        let writer = Writer { origin: self.origin, heard: 0, is_alone: false };
        self.heard = book.write(&[], writer, now_ms, |heard| hear(&self.members, heard))?;
        if !self.is_read {
            for member in &mut self.members {
                member.merge(&book, now_ms)?;
            }
            self.is_read = true;
        }
        Ok(book)
    }

    fn keep(&mut self, now_ms: u64) -> Result<(), Failing> {
        if !self.book.as_ref().is_some_and(Book::is_in_place) {
            self.book = None;
            self.is_behind = true;
            self.book = Some(self.open(now_ms)?);
        }
        let Some(book) = &mut self.book else { return Ok(()) };
        let version = book.version()?;
        let all = self.is_behind;
        let pages: Vec<Page> =
            self.members.iter_mut().filter_map(|member| member.page(all, now_ms)).collect();
        if pages.is_empty() && version == self.version {
            return Ok(());
        }
        let is_alone = self.shared.is_alone.load(Ordering::Acquire);
        let writer = Writer { origin: self.origin, heard: self.heard, is_alone };
        let members = &self.members;
        let is_understood = if version == self.version { Ok(()) } else { book.check_layout() };
        let hear = |heard: &Heard| hear(members, heard);
        match is_understood.and_then(|()| book.write(&pages, writer, now_ms, hear)) {
            Ok(heard) => self.heard = heard,
            Err(failing) => {
                if failing.trouble.is_final() {
                    // The last that can be done: what was refused must not come back.
                    drop(book.write_refusals(&pages, writer));
                }
                for page in &pages {
                    let found = members.iter().filter_map(|member| member.server.upgrade());
                    found
                        .filter(|server| server.name() == page.server)
                        .for_each(|server| server.identities.refused().put_back(&page.refused));
                }
                return Err(failing);
            }
        }
        self.version = version;
        for page in pages {
            let member = self
                .members
                .iter_mut()
                .find(|member| member.server.upgrade().is_some_and(|server| server.name() == page.server));
            if let Some(member) = member {
                member.kept = page.hearing.unwrap_or_else(|| member.kept.clone());
                if let Some(server) = member.server.upgrade().filter(|_| member.kept.is_choosy) {
                    server.choosiness.note_kept();
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

/// Another process heard that somebody is refused.
fn hear(members: &[Member], heard: &Heard) {
    for server in members.iter().filter_map(|member| member.server.upgrade()) {
        if heard.server.as_deref().is_some_and(|name| name != server.name()) {
            continue;
        }
        let Some(partition) = &heard.partition else {
            server.identities.unprove_all();
            stale::purge_everybody(&server);
            continue;
        };
        if let Some(identity) = server.identities.unprove(partition) {
            stale::purge_partition(&server, &identity);
        }
    }
}
