//! What is written down while the apps play: every request of every app, how long it took, whether it failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::apps::App;
use super::column::{Column, Outcome};
use super::figures::{Kept, Side, tenths};
use super::measure::percentile;

/// The book of one run.
#[derive(Debug)]
pub(super) struct Book {
    column: Arc<Column>,
    pages: Mutex<Vec<Page>>,
    requests: AtomicU64,
    kept: Mutex<Option<Kept>>,
}

/// One app, or a part of what it does.
#[derive(Debug)]
struct Page {
    name: &'static str,
    app: App,
    /// What had reached the server with the app's token when the page was opened.
    reached_before: u64,
    took_ms: Vec<f64>,
    failed: u64,
    /// The paths that were read, in their order.
    read: Vec<String>,
}

/// Which page of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageNumber(usize);

impl Book {
    /// An empty one. What is written down is counted in `column` as well.
    pub(super) fn new(column: Arc<Column>) -> Self {
        Self { column, pages: Mutex::default(), requests: AtomicU64::new(0), kept: Mutex::default() }
    }

    /// Opens a page. What reaches the server with the app's token from now on belongs to it, and no longer to the
    /// app's page before.
    pub(super) fn open(&self, app: App, name: &'static str) -> PageNumber {
        let reached_before = self.column.servers.reached_by(app);
        let mut pages = self.pages.lock();
        pages.push(Page { name, app, reached_before, took_ms: Vec::new(), failed: 0, read: Vec::new() });
        PageNumber(pages.len() - 1)
    }

    /// Writes a request down; `read` is the path if it was a read.
    pub(super) fn note(&self, page: PageNumber, read: Option<&str>, outcome: Outcome) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut pages = self.pages.lock();
        let page = &mut pages[page.0];
        page.took_ms.push(outcome.took_ms);
        page.failed += u64::from(outcome.failed);
        page.read.extend(read.map(str::to_owned));
        let app = page.app;
        drop(pages);
        self.column.note(app, outcome);
    }

    /// Writes down how the playlist was kept; only the first time counts, later ones have less to do.
    pub(super) fn note_kept(&self, kept: Kept) {
        self.kept.lock().get_or_insert(kept);
    }

    /// How the playlist was kept, if it was.
    pub(super) fn kept(&self) -> Option<Kept> {
        *self.kept.lock()
    }

    /// What was read on the page with this name, in its order.
    pub(super) fn read_on(&self, name: &str) -> Vec<String> {
        self.pages.lock().iter().filter(|page| page.name == name).flat_map(|page| page.read.clone()).collect()
    }

    /// Requests written down so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests that failed so far.
    pub(super) fn failed(&self) -> u64 {
        self.pages.lock().iter().map(|page| page.failed).sum()
    }

    /// Every page with its figures, in the order of [`App::EVERY`]. Read once nobody asks any more.
    pub(super) fn figures(&self) -> Vec<(&'static str, Side)> {
        let pages = self.pages.lock();
        let mut figures = Vec::new();
        for app in App::EVERY {
            let own: Vec<&Page> = pages.iter().filter(|page| page.app == app).collect();
            for (at, page) in own.iter().enumerate() {
                let reached_after = own
                    .get(at + 1)
                    .map_or_else(|| self.column.servers.reached_by(app), |next| next.reached_before);
                figures.push((page.name, page.side(reached_after - page.reached_before)));
            }
        }
        figures
    }
}

impl Book {
    /// All pages as one. So many of their requests reached the servers.
    pub(super) fn whole(&self, upstream_requests: u64) -> Side {
        let pages = self.pages.lock();
        let took_ms: Vec<f64> = pages.iter().flat_map(|page| page.took_ms.iter().copied()).collect();
        let failed = pages.iter().map(|page| page.failed).sum();
        side(&took_ms, upstream_requests, failed)
    }
}

fn side(took_ms: &[f64], upstream_requests: u64, failed: u64) -> Side {
    Side {
        requests: took_ms.len() as u64,
        upstream_requests,
        p50_ms: tenths(percentile(took_ms, 50)),
        p95_ms: tenths(percentile(took_ms, 95)),
        failed,
    }
}

impl Page {
    fn side(&self, upstream_requests: u64) -> Side {
        side(&self.took_ms, upstream_requests, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use greenroom_dialect::ask::Kind;
    use tokio_util::task::TaskTracker;

    use super::super::Plan;
    use super::super::pace::Pace;
    use super::super::servers::Servers;
    use super::super::visitor::Visitor;
    use super::*;

    async fn column() -> Arc<Column> {
        let servers =
            Servers::start(&Plan::SMALLEST, &TaskTracker::new()).await.expect("there are free ports");
        Arc::new(Column::new(servers))
    }

    fn menus(column: &Arc<Column>, book: &Arc<Book>) -> Visitor {
        let servers = &column.servers;
        let door = servers.address(Kind::Jellyfin);
        let pace = Pace::begin(1_000.0, Duration::ZERO);
        Visitor::new(App::Menus, door, servers.token(App::Menus), Arc::clone(book), pace)
    }

    #[tokio::test]
    async fn a_new_page_counts_only_what_comes_after_it() {
        let column = column().await;
        let book = Arc::new(Book::new(Arc::clone(&column)));
        let mut visitor = menus(&column, &book);
        assert!(visitor.get("/Users/Me").await.is_success());
        assert!(visitor.get("/UserViews").await.is_success());
        visitor.turn_the_page("later");
        assert!(visitor.get("/Users/Me").await.is_success());
        let figures = book.figures();
        let requests: Vec<(u64, u64)> =
            figures.iter().map(|(_, side)| (side.requests, side.upstream_requests)).collect();
        assert_eq!(requests, [(2, 2), (1, 1)]);
        assert_eq!(book.read_on("later"), ["/Users/Me"]);
    }

    #[tokio::test]
    async fn what_is_refused_or_not_answered_has_failed() {
        let column = column().await;
        let book = Arc::new(Book::new(Arc::clone(&column)));
        let visitor = menus(&column, &book);
        assert!(!visitor.get("/Items/00000000000000000000000000000000").await.is_success());
        column.servers.go_down();
        assert!(!visitor.get("/Users/Me").await.is_success());
        column.servers.come_back();
        assert!(visitor.get("/Users/Me").await.is_success());
        assert_eq!((book.requests(), book.failed()), (3, 2));
    }
}
