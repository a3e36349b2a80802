//! Pages fetched by a build so far. Each page begins with the last row of the one before, which shows whether the list
//! shifted meanwhile. Does no I/O; the caller hands the pages in.

use std::collections::BTreeMap;
use std::time::Duration;

use greenroom_dialect::crawl::{CrawlPage, LibraryInfo};
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::snapshot::SnapshotBuilder;

use crate::index::page_size::AdaptivePageSize;

/// Max steps back to an earlier page because rows slipped through; beyond, the library changes too fast.
const MAX_STEPS_BACK: u32 = 16;

/// A crawl in progress. It survives failures of the server.
#[derive(Debug)]
pub(super) struct Crawl {
    /// The library as listed when its state was last compared.
    pub(super) library: LibraryInfo,
    /// Start in microseconds of the monotonic clock.
    pub(super) started_us: u64,
    /// Start in seconds, by the earlier of the server's clock and ours.
    pub(super) started_s: u64,
    /// Size of the next page.
    pub(super) page_size: AdaptivePageSize,
    /// Share of the build's time that earlier attempts used.
    pub(super) spent: Duration,
    /// Requests of earlier attempts.
    pub(super) requests: u64,
    /// The request counter at the start of this attempt.
    pub(super) requests_before: u64,
    builder: SnapshotBuilder,
    kinds: &'static [ItemKind],
    /// Position of the current kind.
    at: usize,
    /// First row of the next page.
    next: u64,
    /// Key of the item that the next page must begin with.
    overlap: Option<Box<str>>,
    counts: BTreeMap<ItemKind, KindCount>,
    steps_back: u32,
}

/// The server's count of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct KindCount {
    /// All of them.
    pub(super) total: u64,
    /// Rows that cannot be indexed.
    pub(super) skipped: u64,
    /// Rows before this one were processed; pages overlap, and each row counts once.
    seen: u64,
}

/// The next page to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextPage {
    /// This page.
    Page {
        /// Kind of its items.
        kind: ItemKind,
        /// Its first row.
        start: u64,
        /// Number of rows.
        size: u64,
    },
    /// None: all pages are there.
    Done,
}

/// Reason to reject a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageError {
    /// Not the requested page, or empty where rows must be: request it again.
    Wrong,
    /// Rows slip through again and again.
    Unsteady,
}

impl Crawl {
    /// A crawl without any page.
    pub(super) fn new(info: LibraryInfo, started_us: u64, started_s: u64) -> Self {
        let kinds = info.contents.kinds();
        Self {
            library: info,
            started_us,
            started_s,
            page_size: AdaptivePageSize::default(),
            spent: Duration::ZERO,
            requests: 0,
            requests_before: 0,
            builder: SnapshotBuilder::default(),
            kinds,
            at: 0,
            next: 0,
            overlap: None,
            counts: kinds.iter().map(|kind| (*kind, KindCount::default())).collect(),
            steps_back: 0,
        }
    }

    /// The next page to fetch.
    pub(super) fn next_page(&self) -> NextPage {
        match self.kinds.get(self.at) {
            // A page of one row would be the overlap alone.
            Some(kind) => NextPage::Page { kind: *kind, start: self.next, size: self.page_size.size().max(2) },
            None => NextPage::Done,
        }
    }

    /// Adds the page that was requested.
    pub(super) fn add_page(&mut self, kind: ItemKind, start: u64, page: CrawlPage) -> Result<(), PageError> {
        if page.offset.is_some_and(|offset| offset != start) {
            return Err(PageError::Wrong);
        }
        let end = start + page.rows;
        let is_last = page.total.map_or(page.rows == 0, |total| end >= total);
        if page.rows == 0 && !is_last {
            return Err(PageError::Wrong);
        }
        let first = page.items.first().map(|item| item.key.clone());
        let last = page.items.last().map(|item| item.key.clone());
        let is_exact = page.skipped == 0;
        // Rows before this page were added or removed. Only removals leave a gap.
        let has_gap = is_exact
            && self.overlap.is_some()
            && self.overlap != first
            && first.as_ref().is_some_and(|key| !self.builder.contains(key));
        let count = self.counts.entry(kind).or_default();
        if page.total.is_some_and(|total| total.saturating_mul(2) < count.total) {
            // A starting server lists fewer and fewer.
            return Err(PageError::Wrong);
        }
        count.total = page.total.unwrap_or_else(|| count.total.max(end));
        let unseen = |at: &u64| start + at >= count.seen;
        let mut skipped = page.skipped_at.iter().filter(|at| unseen(at)).count() as u64;
        let mut at_skipped = page.skipped_at.iter().copied().peekable();
        let mut kept_at = (0..page.rows).filter(|at| at_skipped.next_if_eq(at).is_none());
        for item in page.items {
            let (key, at) = (item.key.clone(), kept_at.next());
            let has_snapshot = self.builder.push(item) || self.builder.contains(&key);
            if !has_snapshot && at.as_ref().is_some_and(unseen) {
                skipped += 1;
            }
        }
        count.skipped += skipped;
        count.seen = count.seen.max(end);
        if has_gap {
            self.steps_back += 1;
            if self.steps_back > MAX_STEPS_BACK {
                return Err(PageError::Unsteady);
            }
            self.next = start.saturating_sub(self.page_size.size());
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

    /// Sets the current state of an item, over what was fetched before.
    pub(super) fn replace(&mut self, item: Item) {
        self.builder.remove(&item.key);
        self.builder.push(item);
    }

    /// Removes an item.
    pub(super) fn remove(&mut self, key: &str) {
        self.builder.remove(key);
    }

    /// Sets the server's count of a kind.
    pub(super) fn recount(&mut self, kind: ItemKind, total: u64) {
        self.counts.entry(kind).or_default().total = total;
    }

    /// Whether the number of items matches the server's, apart from rows that cannot be indexed.
    pub(super) fn is_complete(&self) -> bool {
        let skipped: u64 = self.counts.values().map(|count| count.skipped).sum();
        is_complete(self.len() as u64, self.expected(), skipped)
    }

    /// Counts by kind.
    pub(super) fn counts(&self) -> &BTreeMap<ItemKind, KindCount> {
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

    /// Items expected, as far as known: kinds not yet requested count nothing.
    pub(super) fn expected(&self) -> u64 {
        self.counts.values().map(|count| count.total).sum()
    }

    /// Bytes of what was fetched so far.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.builder.memory_bytes() as u64
    }

    /// All fetched items.
    pub(super) fn into_builder(self) -> SnapshotBuilder {
        self.builder
    }
}

/// Whether this many indexed items are all, given the rows that cannot be indexed.
pub(super) fn is_complete(stored: u64, total: u64, skipped: u64) -> bool {
    stored.checked_add(skipped) == Some(total)
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::crawl::LibraryContents;

    use super::*;

    fn info() -> LibraryInfo {
        LibraryInfo {
            key: "3".into(),
            title: "Music".into(),
            contents: LibraryContents::Music,
            stamp: None,
            is_scanning: false,
        }
    }

    /// The page a server with these tracks sends.
    fn page_of(tracks: &[u32], start: u64, size: u64) -> CrawlPage {
        let rows = tracks.iter().skip(usize::try_from(start).expect("the number is small"));
        let rows: Vec<&u32> = rows.take(usize::try_from(size).expect("the number is small")).collect();
        CrawlPage {
            items: rows.iter().map(|key| Item::new(ItemKind::Track, &key.to_string(), "A title")).collect(),
            rows: rows.len() as u64,
            offset: Some(start),
            total: Some(tracks.len() as u64),
            ..CrawlPage::default()
        }
    }

    /// Crawls, and changes the list after each page.
    fn crawl(mut tracks: Vec<u32>, mut change: impl FnMut(u32, &mut Vec<u32>)) -> (Crawl, Vec<u32>, u32) {
        let mut crawl = Crawl::new(info(), 0, 0);
        let mut pages = 0;
        while let NextPage::Page { kind, start, size } = crawl.next_page() {
            let page = page_of(&tracks, start, size);
            crawl.add_page(kind, start, page).expect("add the page");
            crawl.page_size.record_success(std::time::Duration::ZERO);
            pages += 1;
            change(pages, &mut tracks);
        }
        (crawl, tracks, pages)
    }

    #[test]
    fn pages_overlap_and_every_item_is_stored_once() {
        let (crawl, _, pages) = crawl((0..5_000).collect(), |_, _| {});
        assert_eq!((crawl.len(), pages), (5_000, 7));
        assert!(crawl.is_complete());
    }

    #[test]
    fn no_item_is_skipped_when_earlier_rows_are_removed() {
        let (crawl, left, _) = crawl((0..5_000).collect(), |page, tracks| {
            if page == 3 {
                tracks.drain(..100);
            }
        });
        for track in left {
            assert!(crawl.builder.contains(&track.to_string()), "{track} was skipped");
        }
        assert!(!crawl.is_complete(), "removed rows are still stored, which the counts show");
    }

    #[test]
    fn rows_added_before_the_page_leave_no_gap() {
        let (crawl, left, _) = crawl((1_000..5_000).collect(), |page, tracks| {
            if page == 2 {
                tracks.splice(0..0, 0..50);
            }
        });
        let missing: Vec<u32> =
            left.iter().copied().filter(|track| !crawl.builder.contains(&track.to_string())).collect();
        assert_eq!(missing, (0..50).collect::<Vec<u32>>(), "only rows added to pages already read");
        assert!(!crawl.is_complete());
    }

    #[test]
    fn a_list_that_keeps_changing_is_given_up() {
        let mut tracks: Vec<u32> = (0..100_000).collect();
        let mut crawl = Crawl::new(info(), 0, 0);
        let error = loop {
            let NextPage::Page { kind, start, size } = crawl.next_page() else { panic!("the crawl ended too early") };
            tracks.drain(..10);
            if let Err(error) = crawl.add_page(kind, start, page_of(&tracks, start, size)) {
                break error;
            }
        };
        assert_eq!(error, PageError::Unsteady);
    }

    #[test]
    fn a_page_with_the_wrong_offset_is_rejected() {
        let mut crawl = Crawl::new(info(), 0, 0);
        let wrong = CrawlPage { offset: Some(7), ..page_of(&[1, 2, 3], 0, 3) };
        assert_eq!(crawl.add_page(ItemKind::Track, 0, wrong), Err(PageError::Wrong));
        let empty = CrawlPage { items: Vec::new(), rows: 0, ..page_of(&[1, 2, 3], 0, 3) };
        assert_eq!(crawl.add_page(ItemKind::Track, 0, empty), Err(PageError::Wrong), "a server that starts");
        assert_eq!(crawl.len(), 0);
    }

    #[test]
    fn an_empty_library_is_complete_after_one_page() {
        let (crawl, _, pages) = crawl(Vec::new(), |_, _| {});
        assert_eq!((crawl.len(), pages), (0, 1));
        assert!(crawl.is_complete());
    }

    #[test]
    fn rows_that_cannot_be_stored_do_not_count_as_missing() {
        let mut crawl = Crawl::new(info(), 0, 0);
        let mut page = page_of(&[1, 2, 3], 0, 250);
        page.items.remove(1);
        let page = CrawlPage { skipped: 1, skipped_at: vec![1], ..page };
        crawl.add_page(ItemKind::Track, 0, page).expect("add the page");
        assert!(crawl.is_complete() && crawl.next_page() == NextPage::Done);
        crawl.remove("1");
        assert!(!crawl.is_complete());
    }

    #[test]
    fn a_row_that_cannot_be_stored_does_not_excuse_another_missing_row() {
        let mut crawl = Crawl::new(info(), 0, 0);
        let tracks: Vec<u32> = (0..300).collect();
        while let NextPage::Page { kind, start, size } = crawl.next_page() {
            let mut page = page_of(&tracks, start, size);
            // The last row of the first page, with which the second begins.
            let at = page.items.iter().position(|item| &*item.key == "249").expect("find the item in both pages");
            page.items.remove(at);
            page.skipped_at.push(at as u64);
            crawl.add_page(kind, start, CrawlPage { skipped: 1, ..page }).expect("add the page");
        }
        assert_eq!(crawl.counts()[&ItemKind::Track].skipped, 1, "it is one row");
        assert!(crawl.is_complete());
        crawl.remove("7");
        assert!(!crawl.is_complete());
    }
}
