//! How playbacks come into the mirror: page by page, as our own work, one server after the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::ask::Kind;
use greenroom_dialect::class::Class;
use greenroom_dialect::dashboard::{Played, PlayedPage};

use super::History;
use super::store::Store;
use crate::history::cursor::Reached;
use greenroom_proxy::internal_client::fetch;
use greenroom_proxy::server::Server;

/// Rows of a page.
const PAGE: u64 = 200;
/// Between two pages the server has so much rest.
const PAUSE: Duration = Duration::from_millis(100);
/// A sync begins so much before what is known: clocks of servers are set back, and playbacks are told late.
const OVERLAP_S: u64 = 6 * 3600;
/// How often the whole history is compared.
const FULL_EVERY_MS: u64 = 24 * 3_600_000;
/// A comparison that would forget more than half is not believed, servers that start know little, until another one at
/// least so much later says the same.
const CONFIRM_AFTER_MS: u64 = 600_000;
/// More pages than any history has: a server that always has another one is not followed for ever.
const MAX_PAGES: u64 = 100_000;
/// Items that are asked for by their keys at once.
const NAMED_AT_ONCE: usize = 50;

/// Who watches a sync, and may end it.
pub struct Watch<'a> {
    /// Whether it is to end.
    pub is_cancelled: &'a (dyn Fn() -> bool + Sync),
    /// Told of rows done, and how many there are.
    pub progress: &'a (dyn Fn(u64, Option<u64>) + Sync),
}

impl History {
    /// Brings the mirror up to what the servers have. Returns what to say of it.
    ///
    /// # Errors
    /// Why a server could not be mirrored; what came until then is kept.
    pub async fn sync(&self, watch: Watch<'_>) -> Result<String, String> {
        let Ok(_turn) = self.turn.try_lock() else { return Ok("It runs already.".to_owned()) };
        let Some(store) = self.store.clone() else { return Err("the history is not kept".to_owned()) };
        let (mut new, mut troubles) = (0, Vec::new());
        for server in self.servers.iter().filter(|server| server.origin.settings.token.is_some()) {
            if (watch.is_cancelled)() {
                troubles.push("cancelled".to_owned());
                break;
            }
            match self.sync_server(&store, server, &watch).await {
                Ok(more) => new += more,
                Err(reason) => troubles.push(format!("{}: {reason}", server.name())),
            }
        }
        let room = self.blocking(move || store.make_room()).await?;
        self.forgotten.fetch_add(room, std::sync::atomic::Ordering::Relaxed);
        match (troubles.is_empty(), new) {
            (true, 0) => Ok("Nothing new.".to_owned()),
            (true, 1) => Ok("1 new view.".to_owned()),
            (true, more) => Ok(format!("{more} new views.")),
            (false, _) => Err(troubles.join("; ")),
        }
    }

    /// One server. Returns how many playbacks were not known.
    async fn sync_server(
        &self,
        store: &Arc<Store>,
        server: &Arc<Server>,
        watch: &Watch<'_>,
    ) -> Result<u64, String> {
        let name = server.name().to_owned();
        let now_ms = self.clock.now_ms();
        let reached = {
            let (store, name) = (Arc::clone(store), name.clone());
            self.blocking(move || {
                store.heal(&name, now_ms / 1000)?;
                store.reached(&name)
            })
            .await?
        };
        self.name_users(store, server).await;
        let plan = Plan::of(server.origin.settings.kind, &reached, now_ms);
        let mut round = Round { start: 0, new: 0, newest_s: reached.cursor_s, is_named: true };
        for _ in 0..MAX_PAGES {
            if (watch.is_cancelled)() {
                return Err("cancelled".to_owned());
            }
            let mut page = fetch(server, plan.since_s, round.start).await?;
            let is_last = round.start + page.came >= page.total;
            if page.came == 0 && !is_last {
                return Err("the server broke off in the middle of its history".to_owned());
            }
            round.is_named &= self.name_items(store, server, &mut page.rows).await?;
            (watch.progress)((round.start + page.came).min(page.total), Some(page.total));
            self.keep(store, &name, &plan, &mut round, page).await?;
            if is_last {
                break;
            }
            self.clock.sleep(PAUSE).await;
        }
        self.conclude(store, &name, &plan, &reached, &round).await?;
        Ok(round.new)
    }

    async fn keep(
        &self,
        store: &Arc<Store>,
        name: &str,
        plan: &Plan,
        round: &mut Round,
        page: PlayedPage,
    ) -> Result<(), String> {
        round.newest_s = round.newest_s.max(newest_s(&page.rows, self.clock.now_ms() / 1000));
        // The next page begins with the last row of this one: what was deleted meanwhile moves no row past us.
        round.start += page.came.saturating_sub(1).max(1);
        let (store, name, pass) = (Arc::clone(store), name.to_owned(), plan.pass);
        // Oldest first: all up to here is kept, whatever becomes of the rest.
        let cursor_s = plan.is_in_order.then_some(round.newest_s);
        let (new, room) = self
            .blocking(move || {
                let new = store.put(&name, &page.rows, pass)?;
                if let Some(cursor_s) = cursor_s {
                    store.advance(&name, cursor_s)?;
                }
                Ok((new, store.make_room()?))
            })
            .await?;
        round.new += new;
        self.forgotten.fetch_add(room, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    async fn conclude(
        &self,
        store: &Arc<Store>,
        name: &str,
        plan: &Plan,
        reached: &Reached,
        round: &Round,
    ) -> Result<(), String> {
        let now_ms = self.clock.now_ms();
        let (store, server, plan) = (Arc::clone(store), name.to_owned(), *plan);
        let (before, round, name) = (*reached, *round, server.clone());
        self.blocking(move || {
            // What has no names yet comes again the next time.
            if round.is_named {
                store.advance(&name, round.newest_s)?;
            }
            if round.new > 0 || plan.is_full {
                store.note_synced(&name, now_ms)?;
            } else {
                store.note_synced_again(&name, now_ms)?;
            }
            if plan.is_full {
                let unseen = store.unseen(&name, plan.pass, before.cursor_s)?;
                match Belief::of(unseen, &before, now_ms) {
                    Belief::Sure => {
                        store.forget_unseen(&name, plan.pass, before.cursor_s)?;
                        store.note_doubt(&name, 0)?;
                    }
                    Belief::Doubted { since_ms } => {
                        store.note_doubt(&name, since_ms)?;
                        tracing::warn!(
                            server = name,
                            unseen,
                            "the server's history lost so much that nothing is forgotten yet"
                        );
                    }
                }
                store.note_full(&name, plan.pass, now_ms)?;
            } else if plan.is_in_order && before.full_ms == 0 {
                // The first sync, which was broken off before, is whole now.
                store.note_full(&name, plan.pass.max(1), now_ms)?;
            }
            Ok(())
        })
        .await?;
        self.synced.write().0.insert(server, now_ms);
        Ok(())
    }

    async fn name_users(&self, store: &Arc<Store>, server: &Arc<Server>) {
        let kind = server.origin.settings.kind;
        let Ok(body) = fetch::run(server, kind.accounts_target(), Class::Users).await else { return };
        let Ok(users) = kind.accounts(&body) else { return };
        let (store, name) = (Arc::clone(store), server.name().to_owned());
        // Without names ids are shown.
        drop(self.blocking(move || store.name(&name, &users)).await);
    }

    /// Names what is not kept with its names already. Returns whether the server answered.
    async fn name_items(
        &self,
        store: &Arc<Store>,
        server: &Arc<Server>,
        rows: &mut [Played],
    ) -> Result<bool, String> {
        if server.origin.settings.kind.named_target(&[]).is_none() {
            return Ok(true);
        }
        let (store, name, page) = (Arc::clone(store), server.name().to_owned(), rows.to_vec());
        let named = self.blocking(move || store.named(&name, &page)).await?;
        Ok(name_rows(server, rows, &named).await)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, greenroom_state::error::Failing> + Send + 'static,
    ) -> Result<T, String> {
        let done = self.lane.run(work).await;
        done.map_err(|undone| undone.to_string())?.map_err(|failing| failing.message)
    }
}

/// What one round does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plan {
    /// From when on.
    since_s: u64,
    /// Whether everything is compared.
    is_full: bool,
    /// Whether the oldest come first.
    is_in_order: bool,
    /// What rows that are seen are marked with.
    pass: u64,
}

#[derive(Debug, Clone, Copy)]
struct Round {
    start: u64,
    new: u64,
    newest_s: u64,
    /// Whether the server told the names of all it was asked for.
    is_named: bool,
}

impl Plan {
    fn of(kind: Kind, reached: &Reached, now_ms: u64) -> Self {
        let usual = Self {
            since_s: reached.cursor_s.saturating_sub(OVERLAP_S),
            is_full: false,
            is_in_order: kind == Kind::Plex,
            pass: reached.pass,
        };
        let is_due = now_ms.saturating_sub(reached.full_ms) >= FULL_EVERY_MS;
        let is_broken_off = reached.full_ms == 0 && reached.cursor_s > 0 && reached.pass == 0;
        match kind {
            // Its log forgets: what is not there any more was played all the same.
            Kind::Jellyfin => usual,
            // Where nothing was compared yet, a sync that was broken off goes on first.
            Kind::Plex if !is_due || is_broken_off => usual,
            Kind::Plex => Self { since_s: 0, is_full: true, pass: reached.pass + 1, ..usual },
        }
    }
}

/// Whether a server may have forgotten so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belief {
    /// They are forgotten here too.
    Sure,
    /// They are kept until another comparison says the same.
    Doubted { since_ms: u64 },
}

impl Belief {
    fn of(unseen: u64, before: &Reached, now_ms: u64) -> Self {
        let is_confirmed =
            before.doubted_ms > 0 && now_ms.saturating_sub(before.doubted_ms) >= CONFIRM_AFTER_MS;
        match before.doubted_ms {
            _ if unseen <= before.rows / 2 || is_confirmed => Self::Sure,
            0 => Self::Doubted { since_ms: now_ms },
            since_ms => Self::Doubted { since_ms },
        }
    }
}

/// When the newest that can have been was played: a server may tell dates of the future.
fn newest_s(rows: &[Played], now_s: u64) -> u64 {
    rows.iter().map(|row| row.at_s).filter(|at_s| *at_s <= now_s).max().unwrap_or_default()
}

async fn fetch(server: &Arc<Server>, since_s: u64, start: u64) -> Result<PlayedPage, String> {
    let kind = server.origin.settings.kind;
    let target = kind.played_target(since_s, start, PAGE);
    let body = fetch::run(server, &target, Class::History).await;
    let body = body.map_err(|trouble| trouble.sentence().to_owned())?;
    kind.played(&body).map_err(|_| "the server answered with something else than was asked for".to_owned())
}

/// Playbacks that name nothing but a key get the names of what was played, where the server still knows them. Returns
/// whether it answered.
async fn name_rows(server: &Arc<Server>, rows: &mut [Played], named: &BTreeSet<String>) -> bool {
    let kind = server.origin.settings.kind;
    let rows: &mut Vec<&mut Played> = &mut rows.iter_mut().filter(|row| !named.contains(&row.id)).collect();
    let keys: BTreeSet<String> =
        rows.iter().map(|row| row.item.key.clone()).filter(|key| !key.is_empty()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for keys in keys.chunks(NAMED_AT_ONCE) {
        let Some(target) = kind.named_target(keys) else { return true };
        let Ok(body) = fetch::run(server, &target, Class::Item).await else { return false };
        let Ok(items) = kind.recent(&body) else { return false };
        for row in rows.iter_mut() {
            if let Some(item) = items.iter().find(|item| item.key == row.item.key) {
                row.item = item.clone();
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 100 * FULL_EVERY_MS;

    #[test]
    fn the_first_sync_takes_everything_and_the_next_ones_what_is_new() {
        let first = Plan::of(Kind::Plex, &Reached::default(), NOW);
        assert_eq!((first.since_s, first.is_full), (0, true));
        let reached = Reached { cursor_s: 1_000_000, pass: 1, full_ms: NOW - 1, rows: 10, doubted_ms: 0 };
        let next = Plan::of(Kind::Plex, &reached, NOW);
        assert_eq!((next.since_s, next.is_full, next.pass), (1_000_000 - OVERLAP_S, false, 1));
        let due = Plan::of(Kind::Plex, &Reached { full_ms: NOW - FULL_EVERY_MS, ..reached }, NOW);
        assert_eq!((due.since_s, due.is_full, due.pass), (0, true, 2));
    }

    #[test]
    fn a_first_sync_that_was_broken_off_goes_on_where_it_ended() {
        let reached = Reached { cursor_s: 1_000_000, pass: 0, full_ms: 0, rows: 500, doubted_ms: 0 };
        let plan = Plan::of(Kind::Plex, &reached, NOW);
        assert_eq!((plan.since_s, plan.is_full), (1_000_000 - OVERLAP_S, false));
    }

    #[test]
    fn a_log_that_forgets_is_never_compared() {
        let reached = Reached { cursor_s: 1_000_000, pass: 0, full_ms: 0, rows: 500, doubted_ms: 0 };
        let plan = Plan::of(Kind::Jellyfin, &reached, NOW);
        assert!(!plan.is_full && !plan.is_in_order);
    }

    #[test]
    fn a_history_that_is_gone_for_the_most_part_is_believed_at_the_second_look() {
        let before = |rows, doubted_ms| Reached { cursor_s: 9, pass: 1, full_ms: 1, rows, doubted_ms };
        assert_eq!(Belief::of(500, &before(1_000, 0), NOW), Belief::Sure);
        assert_eq!(Belief::of(0, &before(0, 0), NOW), Belief::Sure);
        for (unseen, rows) in [(600, 1_000), (80, 80), (1, 1)] {
            assert_eq!(Belief::of(unseen, &before(rows, 0), NOW), Belief::Doubted { since_ms: NOW });
            let early = Belief::of(unseen, &before(rows, NOW), NOW + CONFIRM_AFTER_MS - 1);
            assert_eq!(early, Belief::Doubted { since_ms: NOW });
            assert_eq!(Belief::of(unseen, &before(rows, NOW), NOW + CONFIRM_AFTER_MS), Belief::Sure);
        }
    }

    #[test]
    fn a_date_in_the_future_moves_nothing() {
        let row = |at_s| Played { at_s, ..Played::default() };
        assert_eq!(newest_s(&[row(5), row(10), row(9_999)], 10), 10);
        assert_eq!(newest_s(&[row(9_999)], 10), 0);
    }
}
