//! What a build has fetched so far: page after page, each beginning with the last row of the one before, so that a list
//! that shifts meanwhile is noticed. Knows nothing of the network; whoever asks the server hands the pages in.

use std::collections::BTreeMap;
use std::time::Duration;

use greenroom_dialect::crawl::{Page, Shelf};
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::snapshot::SnapshotBuilder;

use crate::index::page_size::Pace;

/// So often a crawl goes back a page because rows slipped through; beyond, the library changes too fast.
const MAX_STEPS_BACK: u32 = 16;

/// A crawl under way. It outlives the failures of the server.
#[derive(Debug)]
pub(super) struct Crawl {
    /// The library as it was seen when its state was compared last.
    pub(super) shelf: Shelf,
    /// When it began, in microseconds as they are measured.
    pub(super) began_us: u64,
    /// When it began by the earlier one of the server's clock and ours, in seconds.
    pub(super) began_s: u64,
    /// How much is asked for at a time.
    pub(super) pace: Pace,
    /// Of the time a build may take, so much went by in earlier attempts.
    pub(super) spent: Duration,
    /// Requests that earlier attempts took.
    pub(super) requests: u64,
    /// Requests that had been made when this attempt began.
    pub(super) asked_before: u64,
    builder: SnapshotBuilder,
    kinds: &'static [ItemKind],
    /// Which kind it is at.
    at: usize,
    /// Where the next page begins.
    next: u64,
    /// The key that page must begin with.
    overlap: Option<Box<str>>,
    counts: BTreeMap<ItemKind, Count>,
    steps_back: u32,
}

/// What the server says of how many items of a kind there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// All of them.
    pub(super) total: u64,
    /// Rows that cannot be kept.
    pub(super) skipped: u64,
    /// Rows before this one were looked at: pages overlap, and each row counts once.
    seen: u64,
}

/// What is to be asked for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// This page.
    Page {
        /// Of items of this kind.
        kind: ItemKind,
        /// From this row on.
        start: u64,
        /// So many rows.
        size: u64,
    },
    /// Nothing: all pages are there.
    Whole,
}

/// Why a page cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Odd {
    /// It is not the one that was asked for, or empty where rows must be: to be asked for again.
    Wrong,
    /// Rows slip through again and again.
    Unsteady,
}

impl Crawl {
    /// One of which nothing is fetched yet.
    pub(super) fn begin(shelf: Shelf, began_us: u64, began_s: u64) -> Self {
        let kinds = shelf.contents.kinds();
        Self {
            shelf,
            began_us,
            began_s,
            pace: Pace::default(),
            spent: Duration::ZERO,
            requests: 0,
            asked_before: 0,
            builder: SnapshotBuilder::default(),
            kinds,
            at: 0,
            next: 0,
            overlap: None,
            counts: kinds.iter().map(|kind| (*kind, Count::default())).collect(),
            steps_back: 0,
        }
    }

    /// What is to be asked for next.
    pub(super) fn step(&self) -> Step {
        match self.kinds.get(self.at) {
            // A page of one row would be the overlap alone.
            Some(kind) => Step::Page { kind: *kind, start: self.next, size: self.pace.size().max(2) },
            None => Step::Whole,
        }
    }

    /// The page that was asked for is there.
    pub(super) fn take(&mut self, kind: ItemKind, start: u64, page: Page) -> Result<(), Odd> {
        if page.offset.is_some_and(|offset| offset != start) {
            return Err(Odd::Wrong);
        }
        let end = start + page.rows;
        let is_last = page.total.map_or(page.rows == 0, |total| end >= total);
        if page.rows == 0 && !is_last {
            return Err(Odd::Wrong);
        }
        let first = page.items.first().map(|item| item.key.clone());
        let last = page.items.last().map(|item| item.key.clone());
        let is_exact = page.skipped == 0;
        // Rows before this page came or went. Only those that went leave a gap.
        let has_gap = is_exact
            && self.overlap.is_some()
            && self.overlap != first
            && first.as_ref().is_some_and(|key| !self.builder.contains(key));
        let count = self.counts.entry(kind).or_default();
        if page.total.is_some_and(|total| total.saturating_mul(2) < count.total) {
            // A server that starts shows less and less.
            return Err(Odd::Wrong);
        }
        count.total = page.total.unwrap_or_else(|| count.total.max(end));
        let unseen = |at: &u64| start + at >= count.seen;
        let mut skipped = page.skipped_at.iter().filter(|at| unseen(at)).count() as u64;
        let mut at_skipped = page.skipped_at.iter().copied().peekable();
        let mut kept_at = (0..page.rows).filter(|at| at_skipped.next_if_eq(at).is_none());
        for item in page.items {
            let (key, at) = (item.key.clone(), kept_at.next());
            let is_kept = self.builder.push(item) || self.builder.contains(&key);
            if !is_kept && at.as_ref().is_some_and(unseen) {
                skipped += 1;
            }
        }
        count.skipped += skipped;
        count.seen = count.seen.max(end);
        if has_gap {
            self.steps_back += 1;
            if self.steps_back > MAX_STEPS_BACK {
                return Err(Odd::Unsteady);
            }
            self.next = start.saturating_sub(self.pace.size());
            self.overlap = None;
        } else if is_last {
            self.at += 1;
            self.next = 0;
            self.overlap = None;
        } else if page.rows > 1 {
            self.next = end - 1;
            self.overlap = last.filter(|_| is_exact);
        } else {
            self.next = end;
            self.overlap = None;
        }
        Ok(())
    }

    /// This item is so now, whatever was fetched before.
    pub(super) fn replace(&mut self, item: Item) {
        self.builder.remove(&item.key);
        self.builder.push(item);
    }

    /// There is no such item.
    pub(super) fn remove(&mut self, key: &str) {
        self.builder.remove(key);
    }

    /// The server says how many there are of a kind.
    pub(super) fn recount(&mut self, kind: ItemKind, total: u64) {
        self.counts.entry(kind).or_default().total = total;
    }

    /// Whether as many items are here as the server says, but for rows that cannot be kept.
    pub(super) fn is_complete(&self) -> bool {
        let skipped: u64 = self.counts.values().map(|count| count.skipped).sum();
        is_complete(self.len() as u64, self.expected(), skipped)
    }

    /// By kind, how many there are.
    pub(super) fn counts(&self) -> &BTreeMap<ItemKind, Count> {
        &self.counts
    }

    /// Kinds that are crawled.
    pub(super) fn kinds(&self) -> &'static [ItemKind] {
        self.kinds
    }

    /// Items fetched so far.
    pub(super) fn len(&self) -> usize {
        self.builder.len()
    }

    /// Items there will be, as far as that is known: of kinds that were not asked for yet nothing is.
    pub(super) fn expected(&self) -> u64 {
        self.counts.values().map(|count| count.total).sum()
    }

    /// Bytes that what was fetched so far takes.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.builder.memory_bytes() as u64
    }

    /// All that was fetched.
    pub(super) fn into_builder(self) -> SnapshotBuilder {
        self.builder
    }
}

/// Whether that many kept items are all there are, where just so many rows cannot be kept.
pub(super) fn is_complete(kept: u64, total: u64, skipped: u64) -> bool {
    kept.checked_add(skipped) == Some(total)
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::crawl::Contents;

    use super::*;

    fn shelf() -> Shelf {
        Shelf {
            key: "3".into(),
            title: "Music".into(),
            contents: Contents::Music,
            stamp: None,
            is_scanning: false,
        }
    }

    /// What a server with these tracks answers.
    fn page_of(tracks: &[u32], start: u64, size: u64) -> Page {
        let rows = tracks.iter().skip(usize::try_from(start).expect("small"));
        let rows: Vec<&u32> = rows.take(usize::try_from(size).expect("small")).collect();
        Page {
            items: rows.iter().map(|key| Item::new(ItemKind::Track, &key.to_string(), "A title")).collect(),
            rows: rows.len() as u64,
            offset: Some(start),
            total: Some(tracks.len() as u64),
            ..Page::default()
        }
    }

    /// Crawls, and changes the list after each page.
    fn crawl(mut tracks: Vec<u32>, mut change: impl FnMut(u32, &mut Vec<u32>)) -> (Crawl, Vec<u32>, u32) {
        let mut crawl = Crawl::begin(shelf(), 0, 0);
        let mut pages = 0;
        while let Step::Page { kind, start, size } = crawl.step() {
            let page = page_of(&tracks, start, size);
            crawl.take(kind, start, page).expect("it is the page that was asked for");
            crawl.pace.came(std::time::Duration::ZERO);
            pages += 1;
            change(pages, &mut tracks);
        }
        (crawl, tracks, pages)
    }

    #[test]
    fn pages_overlap_and_every_item_is_there_once() {
        let (crawl, _, pages) = crawl((0..5_000).collect(), |_, _| {});
        assert_eq!((crawl.len(), pages), (5_000, 7));
        assert!(crawl.is_complete());
    }

    #[test]
    fn nothing_slips_through_when_rows_before_go() {
        let (crawl, left, _) = crawl((0..5_000).collect(), |page, tracks| {
            if page == 3 {
                tracks.drain(..100);
            }
        });
        for track in left {
            assert!(crawl.builder.contains(&track.to_string()), "{track} slipped through");
        }
        assert!(!crawl.is_complete(), "what went is still there: the counts tell");
    }

    #[test]
    fn rows_that_come_before_leave_no_gap() {
        let (crawl, left, _) = crawl((1_000..5_000).collect(), |page, tracks| {
            if page == 2 {
                tracks.splice(0..0, 0..50);
            }
        });
        let missing: Vec<u32> =
            left.iter().copied().filter(|track| !crawl.builder.contains(&track.to_string())).collect();
        assert_eq!(missing, (0..50).collect::<Vec<u32>>(), "only what came where it had been already");
        assert!(!crawl.is_complete());
    }

    #[test]
    fn a_list_that_never_holds_still_is_given_up() {
        let mut tracks: Vec<u32> = (0..100_000).collect();
        let mut crawl = Crawl::begin(shelf(), 0, 0);
        let odd = loop {
            let Step::Page { kind, start, size } = crawl.step() else { panic!("it was crawled") };
            tracks.drain(..10);
            if let Err(odd) = crawl.take(kind, start, page_of(&tracks, start, size)) {
                break odd;
            }
        };
        assert_eq!(odd, Odd::Unsteady);
    }

    #[test]
    fn a_page_that_was_not_asked_for_is_not_taken() {
        let mut crawl = Crawl::begin(shelf(), 0, 0);
        let wrong = Page { offset: Some(7), ..page_of(&[1, 2, 3], 0, 3) };
        assert_eq!(crawl.take(ItemKind::Track, 0, wrong), Err(Odd::Wrong));
        let empty = Page { items: Vec::new(), rows: 0, ..page_of(&[1, 2, 3], 0, 3) };
        assert_eq!(crawl.take(ItemKind::Track, 0, empty), Err(Odd::Wrong), "a server that starts");
        assert_eq!(crawl.len(), 0);
    }

    #[test]
    fn an_empty_library_is_whole_after_one_page() {
        let (crawl, _, pages) = crawl(Vec::new(), |_, _| {});
        assert_eq!((crawl.len(), pages), (0, 1));
        assert!(crawl.is_complete());
    }

    #[test]
    fn rows_that_cannot_be_kept_are_not_missed() {
        let mut crawl = Crawl::begin(shelf(), 0, 0);
        let mut page = page_of(&[1, 2, 3], 0, 250);
        page.items.remove(1);
        let page = Page { skipped: 1, skipped_at: vec![1], ..page };
        crawl.take(ItemKind::Track, 0, page).expect("it is the page");
        assert!(crawl.is_complete() && crawl.step() == Step::Whole);
        crawl.remove("1");
        assert!(!crawl.is_complete());
    }

    #[test]
    fn a_row_that_cannot_be_kept_excuses_no_other_one_that_is_missing() {
        let mut crawl = Crawl::begin(shelf(), 0, 0);
        let tracks: Vec<u32> = (0..300).collect();
        while let Step::Page { kind, start, size } = crawl.step() {
            let mut page = page_of(&tracks, start, size);
            // The last row of the first page, which the second begins with.
            let at = page.items.iter().position(|item| &*item.key == "249").expect("it is in both pages");
            page.items.remove(at);
            page.skipped_at.push(at as u64);
            crawl.take(kind, start, Page { skipped: 1, ..page }).expect("it is the page");
        }
        assert_eq!(crawl.counts()[&ItemKind::Track].skipped, 1, "it is one row");
        assert!(crawl.is_complete());
        crawl.remove("7");
        assert!(!crawl.is_complete());
    }
}
