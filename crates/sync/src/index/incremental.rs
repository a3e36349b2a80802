//! One round of following: what the server's events name, and what it says to have come or changed since it was followed
//! last, is read, and the snapshot is patched with it. Then the counts are compared: what is not told (deletions while
//! nobody listened) shows there, and is found by comparing all of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use greenroom_dialect::crawl::{Branch, Page, Shelf};
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::snapshot::diff::Diff;
use greenroom_library::snapshot::{Snapshot, SnapshotBuilder};

use super::build::OVERLAP_S;
use super::crawl::is_complete;
use super::publish::Ready;
use super::report::word_of;
use super::store::About;
use super::{Failure, Generation, News};
use crate::index::client::Question;
use crate::index::scheduler::{Attempt, Keeper};
use crate::index::status::Begun;

/// Rows of a page of what changed.
const PAGE: u64 = 1_000;
/// Items asked for by their keys at once.
const BATCH: usize = 100;
/// Up to so many changes are always read one by one.
const FEW: u64 = 2_000;
/// Of more, so many in a hundred of the library at most; beyond, reading all of it is as cheap.
const SHARE: u64 = 20;
/// Albums and artists that are opened in one round.
const MAX_BRANCHES: usize = 300;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Items as they are now.
    pub(super) items: HashMap<Box<str>, Item>,
    /// Keys that were asked for and are not there.
    pub(super) gone: HashSet<String>,
    /// Items there are, by kind.
    pub(super) totals: BTreeMap<ItemKind, u64>,
}

/// What a patch leads to.
enum Patched {
    /// Nothing of it is different.
    Same,
    New(Box<SnapshotBuilder>),
}

impl Keeper {
    /// Follows what changed.
    pub(super) async fn follow(&self, begun: Begun) {
        let library = &self.library;
        let asked = self.source.asked();
        let news = std::mem::take(&mut library.wishes.lock().news);
        let outcome = tokio::select! {
            biased;
            () = begun.cancel.cancelled() => Err(Failure::Cancelled),
            outcome = self.round(&news, &begun) => outcome,
        };
        {
            let mut facts = library.facts.lock();
            (facts.cancel, facts.building_bytes) = (None, 0);
            facts.cost.following_requests = self.source.asked() - asked;
            facts.cost.following_rounds += 1;
            facts.cost.requests = self.source.asked();
            if let Ok(items) = outcome {
                facts.cost.following_items = items;
            }
        }
        match outcome {
            // It was turned off: nothing is to be said of it.
            Ok(_) | Err(Failure::Cancelled) => {}
            Err(failure) => {
                // What is read again is what changed since the last good round.
                let mut wishes = library.wishes.lock();
                wishes.news.removed.extend(news.removed);
                wishes.news.has_moved = true;
                wishes.news.note(library.server.origin.clock.now_ms());
                drop(wishes);
                self.fail(failure, Attempt::Follow);
            }
        }
        library.turn(|_| {});
    }

    async fn round(&self, news: &News, begun: &Begun) -> Result<u64, Failure> {
        let library = &self.library;
        let Some(held) = library.generation() else { return Ok(0) };
        let now_ms = library.server.origin.clock.now_ms();
        let (shelf, server_s) = self.look().await?;
        let (before, is_confirmed) = {
            let mut facts = library.facts.lock();
            facts.shelf = Some(shelf.clone());
            (facts.about.clone(), facts.is_confirmed)
        };
        let is_told = !news.has_moved && is_confirmed && news.changed.is_empty();
        let since_s = before.synced_s.saturating_sub(OVERLAP_S);
        let known = held.snapshot.len() as u64;
        let gathered = self.gather(&shelf, news, !is_told, since_s, known).await?;
        let gathered = match gathered {
            Some(gathered) => self.look_below(&shelf, &held, news, gathered).await?,
            None => None,
        };
        let Some(gathered) = gathered else {
            self.doubt();
            self.succeed(&mut library.facts.lock(), Attempt::Follow);
            return Ok(0);
        };
        let totals = gathered.totals.clone();
        let removed: Vec<String> = gathered.gone.iter().chain(&news.removed).cloned().collect();
        let items: Vec<Item> = gathered.items.into_values().collect();
        let snapshot = Arc::clone(&held);
        let work = move || patch(&snapshot.snapshot, items, &removed);
        let patched = library.server.origin.tasks.spawn_blocking(work).await.map_err(|_| Failure::Unfit)?;
        let own_s = now_ms / 1000;
        let synced_s = server_s.map_or(own_s, |server_s| server_s.min(own_s));
        let about = if is_told {
            // It was not asked what else changed: that is still to come.
            About { stamp: before.stamp.clone(), ..self.about(&shelf) }
        } else {
            About { synced_s, ..self.about(&shelf) }
        };
        let patched = match patched {
            Patched::Same => None,
            Patched::New(builder) => {
                self.believe(builder.len() as u64, shelf.is_scanning)?;
                self.check_patch(&held.snapshot)?;
                Some(self.index(*builder).await?)
            }
        };
        let snapshot = patched.as_ref().map_or(&held.snapshot, |built| &built.snapshot);
        let (about, is_complete) = counted(about, snapshot, &totals);
        let changed = patched.as_ref().and_then(|built| built.diff.as_ref()).map_or(0, changed_items);
        if !is_complete {
            // Before it is published: it is never shown as what the server has.
            self.doubt();
        }
        if let Some(built) = patched {
            if self.publish(Ready { about, built, taken_at_ms: now_ms }, begun).await {
                self.succeed(&mut library.facts.lock(), Attempt::Follow);
            }
            return Ok(changed);
        }
        if !is_confirmed {
            self.save(about.clone(), held).await;
        }
        let mut facts = library.facts.lock();
        if facts.turned_off == begun.turned_off {
            facts.about = about;
            self.succeed(&mut facts, Attempt::Follow);
        }
        Ok(changed)
    }

    /// Reads what `news` names, and (`asks_since`) what came or changed since then, and counts. Nothing, if so much
    /// changed that reading all of it is as cheap.
    pub(super) async fn gather(
        &self,
        shelf: &Shelf,
        news: &News,
        asks_since: bool,
        since_s: u64,
        known: u64,
    ) -> Result<Option<Gathered>, Failure> {
        let most = most(known);
        let mut gathered = Gathered::default();
        if asks_since {
            for kind in shelf.contents.kinds() {
                let mut start = 0;
                loop {
                    let question = Question::Changed { of: *kind, since_s, start, size: PAGE };
                    let page = self.patiently(shelf, question).await?;
                    let total = page.total.unwrap_or(page.rows);
                    if total > most {
                        return Ok(None);
                    }
                    start += page.rows;
                    let is_last = page.rows == 0 || start >= total;
                    gathered.take(page);
                    if is_last {
                        break;
                    }
                }
            }
        }
        let named: Vec<&str> = news.changed.iter().map(String::as_str).collect();
        let left: Vec<&str> = named.into_iter().filter(|key| !gathered.items.contains_key(*key)).collect();
        if left.len() as u64 > most {
            return Ok(None);
        }
        let mut branches = VecDeque::new();
        for keys in left.chunks(BATCH) {
            let page = self.patiently(shelf, Question::Items(keys)).await?;
            gathered.miss(keys, &page);
            branches.extend(page.branches.iter().cloned());
            gathered.take(page);
        }
        if !self.open(shelf, branches, &mut gathered).await? {
            return Ok(None);
        }
        gathered.items.retain(|_, item| shelf.contents.kinds().contains(&item.kind));
        for kind in shelf.contents.kinds() {
            gathered.totals.insert(*kind, self.count(shelf, *kind).await?);
        }
        Ok(Some(gathered))
    }

    /// Reads again what is kept of what lies in things that went, and in shows and seasons that are called otherwise now: it
    /// may lie elsewhere, and episodes bear the name of their show. Nothing, if that is too much.
    async fn look_below(
        &self,
        shelf: &Shelf,
        held: &Arc<Generation>,
        news: &News,
        mut gathered: Gathered,
    ) -> Result<Option<Gathered>, Failure> {
        let mut above: HashSet<String> = gathered.gone.iter().chain(&news.removed).cloned().collect();
        above.extend(
            gathered
                .items
                .values()
                .filter(|item| is_renamed(&held.snapshot, item))
                .map(|item| item.key.to_string()),
        );
        if above.is_empty() {
            return Ok(Some(gathered));
        }
        let (snapshot, keys) = (Arc::clone(held), above.clone());
        let work = move || {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            snapshot.snapshot.keys_below(&keys)
        };
        let below =
            self.library.server.origin.tasks.spawn_blocking(work).await.map_err(|_| Failure::Unfit)?;
        let is_open = |key: &&str| {
            !gathered.items.contains_key(*key)
                && !gathered.gone.contains(*key)
                && !news.removed.contains(*key)
        };
        let below: Vec<&str> = below.iter().map(|key| &**key).filter(is_open).collect();
        if below.len() as u64 > most(held.snapshot.len() as u64) {
            return Ok(None);
        }
        for keys in below.chunks(BATCH) {
            let page = self.patiently(shelf, Question::Items(keys)).await?;
            gathered.miss(keys, &page);
            gathered.take(page);
        }
        gathered.items.retain(|_, item| shelf.contents.kinds().contains(&item.kind));
        Ok(Some(gathered))
    }

    /// Reads what lies in albums and artists. False if there are too many.
    async fn open(
        &self,
        shelf: &Shelf,
        mut branches: VecDeque<Branch>,
        gathered: &mut Gathered,
    ) -> Result<bool, Failure> {
        let mut opened: HashSet<Box<str>> = HashSet::new();
        while let Some(branch) = branches.pop_front() {
            if !opened.insert(branch.key.clone()) {
                continue;
            }
            if opened.len() > MAX_BRANCHES {
                return Ok(false);
            }
            let mut start = 0;
            loop {
                let question = Question::Branch { branch: &branch, start, size: PAGE };
                let page = self.patiently(shelf, question).await?;
                start += page.rows;
                let is_last = page.rows == 0 || page.total.is_none_or(|total| start >= total);
                branches.extend(page.branches.iter().cloned());
                gathered.take(page);
                if is_last {
                    break;
                }
            }
        }
        Ok(true)
    }
}

impl Gathered {
    /// Which of these keys, that were asked for, are not there.
    fn miss(&mut self, keys: &[&str], page: &Page) {
        let mut there: BTreeSet<&str> = page.items.iter().map(|item| &*item.key).collect();
        there.extend(page.branches.iter().map(|branch| &*branch.key));
        // A row that cannot be kept does not say which it is.
        if page.skipped == 0 {
            self.gone.extend(keys.iter().filter(|key| !there.contains(*key)).map(ToString::to_string));
        }
    }

    fn take(&mut self, page: Page) {
        self.items.extend(page.items.into_iter().map(|item| (item.key.clone(), item)));
    }
}

/// So many changes are read one by one where so many items are known.
fn most(known: u64) -> u64 {
    FEW.max(known.saturating_mul(SHARE) / 100)
}

/// Whether others bear the name of this item, and it has a new one.
fn is_renamed(held: &Snapshot, item: &Item) -> bool {
    let before = || held.item(held.row_of(&item.key)?);
    matches!(item.kind, ItemKind::Show | ItemKind::Season)
        && before().is_some_and(|before| before.title != item.title)
}

/// A snapshot without what was removed and all that lies in it, and with these items as they are now.
fn patch(held: &Snapshot, items: Vec<Item>, removed: &[String]) -> Patched {
    let mut builder = SnapshotBuilder::from(held);
    let mut is_same = true;
    if !removed.is_empty() {
        let keys: Vec<&str> = removed.iter().map(String::as_str).collect();
        for key in held.keys_below(&keys).iter().map(|key| &**key).chain(keys.iter().copied()) {
            is_same &= !builder.remove(key);
        }
    }
    for item in items {
        let row = held.row_of(&item.key);
        if row.and_then(|row| held.item(row)).is_some_and(|before| before == item)
            && builder.contains(&item.key)
        {
            continue;
        }
        builder.remove(&item.key);
        is_same &= !builder.push(item);
    }
    if is_same { Patched::Same } else { Patched::New(Box::new(builder)) }
}

/// What is known of a snapshot with the server's counts in it, and whether they fit.
fn counted(mut about: About, snapshot: &Snapshot, totals: &BTreeMap<ItemKind, u64>) -> (About, bool) {
    let mut is_right = true;
    for (kind, total) in totals {
        let kept = snapshot.count(*kind) as u64;
        let count = about.counts.entry(word_of(*kind).to_owned()).or_default();
        *count = (kept, *total, count.2);
        is_right &= is_complete(kept, *total, count.2);
    }
    (about, is_right)
}

/// Items that are different in any way.
fn changed_items(diff: &Diff) -> u64 {
    diff.changed_rows.len() as u64 + diff.counts.removed
}

/// Keys of items that came or are different in any way.
pub(super) fn changed_keys(diff: &Diff, snapshot: &Snapshot) -> Vec<Box<str>> {
    diff.changed_rows.iter().filter_map(|row| snapshot.key_of(*row)).map(Into::into).collect()
}

/// A diff as it is shown.
pub(super) fn shown(diff: &Diff) -> serde_json::Value {
    serde_json::to_value(diff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(key: &str, title: &str, album: &str) -> Item {
        Item { parent_key: Some(album.into()), ..Item::new(ItemKind::Track, key, title) }
    }

    fn snapshot() -> Snapshot {
        let mut builder = SnapshotBuilder::default();
        for key in 0..10 {
            builder.push(track(&key.to_string(), "Zombie", if key < 5 { "old" } else { "new" }));
        }
        builder.build()
    }

    fn patched(items: Vec<Item>, removed: &[&str]) -> Option<Snapshot> {
        let removed: Vec<String> = removed.iter().map(ToString::to_string).collect();
        match patch(&snapshot(), items, &removed) {
            Patched::Same => None,
            Patched::New(builder) => Some(builder.build()),
        }
    }

    #[test]
    fn what_is_the_same_makes_no_new_snapshot() {
        assert!(patched(vec![track("3", "Zombie", "old")], &["unknown"]).is_none());
    }

    #[test]
    fn what_changed_takes_the_place_of_what_was() {
        let new = patched(vec![track("3", "Zombie Christmas", "old"), track("11", "Ash", "new")], &[]);
        let new = new.expect("it is different");
        assert_eq!(new.len(), 11);
        let row = new.row_of("3").expect("it is there");
        assert_eq!(&*new.item(row).expect("it is there").title, "Zombie Christmas");
    }

    #[test]
    fn with_an_album_goes_what_lies_in_it_but_for_what_came_back() {
        let new = patched(vec![track("2", "Zombie", "new")], &["old"]).expect("it is different");
        let keys: Vec<String> = new.items().map(|item| item.key.to_string()).collect();
        assert_eq!(keys.len(), 6);
        assert!(keys.contains(&"2".to_owned()) && !keys.contains(&"1".to_owned()));
    }

    #[test]
    fn counts_that_do_not_fit_are_noticed() {
        let of =
            |total| counted(About::default(), &snapshot(), &BTreeMap::from([(ItemKind::Track, total)])).1;
        assert!(of(10) && !of(9) && !of(11));
    }
}
