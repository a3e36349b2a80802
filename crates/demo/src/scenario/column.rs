//! One way the apps are pointed, as it is shown while it is played: the servers behind it, and what its apps were
//! told so far. It takes no more room however long it is played.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;

use super::apps::App;
use super::figures::tenths;
use super::latencies::Latencies;
use super::servers::{Arrivals, Servers};

/// What is counted on one way.
#[derive(Debug)]
pub(super) struct Column {
    /// The servers behind it.
    pub(super) servers: Arc<Servers>,
    counted: Mutex<Counted>,
}

#[derive(Debug)]
struct Counted {
    lines: Vec<Line>,
    /// What knocked while the servers were down: it reached nobody.
    knocked: Arrivals,
    supply: Supply,
}

/// One app.
#[derive(Debug)]
struct Line {
    app: App,
    asked: u64,
    failed: u64,
    waited_ms: f64,
    /// Of what was answered: a failure is quick, and says nothing good.
    took: Latencies,
}

/// Whether the servers can be reached.
#[derive(Debug, Clone, Copy)]
enum Supply {
    /// They could all the time.
    Steady,
    /// They cannot. So much had come when that began.
    Cut { at: Arrivals, dark: Dark },
    /// They can again. So much had reached them when that began.
    Back { at: u64, dark: Dark },
}

/// What the apps were told while the servers were down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Dark {
    /// Requests that were answered.
    answered: u64,
    /// Requests that were not, or with a failure.
    failed: u64,
    /// The age of the oldest answer that says one.
    oldest_s: Option<u64>,
}

/// What one request came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// How long it took, in the demo's time.
    pub(super) took_ms: f64,
    /// Whether there was no answer, or one that says it failed.
    pub(super) failed: bool,
    /// How old the answer says it is.
    pub(super) age_s: Option<u64>,
}

/// A column as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ColumnShown {
    /// Requests that reached the servers.
    reached: u64,
    asked: u64,
    answered: u64,
    failed: u64,
    p50_ms: f64,
    p95_ms: f64,
    waited_s: u64,
    /// How the apps fared while the servers were down, now or the last time.
    dark: Option<Dark>,
    /// Requests that reached the servers since they are back.
    reached_since: Option<u64>,
    apps: Vec<LineShown>,
}

/// An app as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct LineShown {
    name: &'static str,
    asked: u64,
    reached: u64,
    failed: u64,
    p50_ms: f64,
    p95_ms: f64,
}

impl Column {
    /// Nothing is counted yet.
    pub(super) fn new(servers: Arc<Servers>) -> Self {
        let line = |app| Line { app, asked: 0, failed: 0, waited_ms: 0.0, took: Latencies::default() };
        let lines = App::EVERY.map(line).into();
        let counted = Counted { lines, knocked: Arrivals::default(), supply: Supply::Steady };
        Self { servers, counted: Mutex::new(counted) }
    }

    /// Counts a request of an app.
    pub(super) fn note(&self, app: App, outcome: Outcome) {
        let mut counted = self.counted.lock();
        if let Supply::Cut { dark, .. } = &mut counted.supply {
            dark.note(outcome);
        }
        if let Some(line) = counted.lines.iter_mut().find(|line| line.app == app) {
            line.note(outcome);
        }
    }

    /// Takes the servers down. Nothing changes if they are.
    pub(super) fn cut(&self) {
        let mut counted = self.counted.lock();
        if matches!(counted.supply, Supply::Cut { .. }) {
            return;
        }
        self.servers.go_down();
        counted.supply = Supply::Cut { at: self.servers.arrivals(), dark: Dark::default() };
    }

    /// Brings the servers back. Nothing changes if they are there.
    pub(super) fn restore(&self) {
        let mut counted = self.counted.lock();
        let Supply::Cut { at, dark } = counted.supply else { return };
        let now = self.servers.arrivals();
        counted.knocked = counted.knocked.and(&now.since(&at));
        counted.supply = Supply::Back { at: now.since(&counted.knocked).total, dark };
        self.servers.come_back();
    }

    /// What is counted now.
    pub(super) fn shown(&self) -> ColumnShown {
        let counted = self.counted.lock();
        let come = match counted.supply {
            Supply::Cut { at, .. } => at,
            Supply::Steady | Supply::Back { .. } => self.servers.arrivals(),
        };
        counted.show(&come.since(&counted.knocked))
    }
}

impl ColumnShown {
    /// Requests the apps made.
    #[cfg(test)]
    pub(super) fn asked(&self) -> u64 {
        self.asked
    }

    /// Whether the servers are down.
    #[cfg(test)]
    pub(super) fn is_dark(&self) -> bool {
        self.dark.is_some() && self.reached_since.is_none()
    }
}

impl Counted {
    fn show(&self, reached: &Arrivals) -> ColumnShown {
        let mut took = Latencies::default();
        for line in &self.lines {
            took.add(&line.took);
        }
        let asked = self.lines.iter().map(|line| line.asked).sum();
        let failed = self.lines.iter().map(|line| line.failed).sum();
        let waited_ms: f64 = self.lines.iter().map(|line| line.waited_ms).sum();
        let (dark, reached_since) = match self.supply {
            Supply::Steady => (None, None),
            Supply::Cut { dark, .. } => (Some(dark), None),
            Supply::Back { at, dark } => (Some(dark), Some(reached.total.saturating_sub(at))),
        };
        ColumnShown {
            reached: reached.total,
            asked,
            answered: asked - failed,
            failed,
            p50_ms: tenths(took.percentile(50)),
            p95_ms: tenths(took.percentile(95)),
            waited_s: std::time::Duration::from_secs_f64(waited_ms / 1_000.0).as_secs(),
            dark,
            reached_since,
            apps: self.lines.iter().map(|line| line.show(reached.of(line.app))).collect(),
        }
    }
}

impl Line {
    fn note(&mut self, outcome: Outcome) {
        self.asked += 1;
        self.failed += u64::from(outcome.failed);
        self.waited_ms += outcome.took_ms;
        if !outcome.failed {
            self.took.note(outcome.took_ms);
        }
    }

    fn show(&self, reached: u64) -> LineShown {
        LineShown {
            name: self.app.whole_name(),
            asked: self.asked,
            reached,
            failed: self.failed,
            p50_ms: tenths(self.took.percentile(50)),
            p95_ms: tenths(self.took.percentile(95)),
        }
    }
}

impl Dark {
    fn note(&mut self, outcome: Outcome) {
        if outcome.failed {
            self.failed += 1;
        } else {
            self.answered += 1;
            self.oldest_s = self.oldest_s.max(outcome.age_s);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use greenroom_dialect::ask::Kind;
    use tokio_util::task::TaskTracker;

    use super::super::Plan;
    use super::super::book::Book;
    use super::super::pace::Pace;
    use super::super::visitor::Visitor;
    use super::*;

    const GOOD: Outcome = Outcome { took_ms: 10.0, failed: false, age_s: Some(7) };
    const BAD: Outcome = Outcome { took_ms: 1.0, failed: true, age_s: None };

    async fn column() -> Arc<Column> {
        let servers =
            Servers::start(&Plan::SMALLEST, &TaskTracker::new()).await.expect("there are free ports");
        Arc::new(Column::new(servers))
    }

    fn menus(column: &Arc<Column>) -> Visitor {
        let door = column.servers.address(Kind::Jellyfin);
        let pace = Pace::begin(1_000.0, Duration::ZERO);
        let book = Arc::new(Book::new(Arc::clone(column)));
        Visitor::new(App::Menus, door, column.servers.token(App::Menus), book, pace)
    }

    #[tokio::test]
    async fn each_request_is_counted_for_its_app_and_for_all() {
        let column = column().await;
        column.note(App::Widget, GOOD);
        column.note(App::Widget, BAD);
        column.note(App::Menus, Outcome { took_ms: 2_000.0, ..GOOD });
        let shown = column.shown();
        assert_eq!((shown.asked, shown.answered, shown.failed, shown.waited_s), (3, 2, 1, 2));
        let widget =
            shown.apps.iter().find(|line| line.name == App::Widget.whole_name()).expect("it is there");
        assert_eq!((widget.asked, widget.failed, widget.reached), (2, 1, 0));
        // The failure took a millisecond, and does not make the app look quick.
        assert!((9.0..11.0).contains(&widget.p50_ms), "{widget:?}");
        let silent =
            shown.apps.iter().find(|line| line.name == App::Requests.whole_name()).expect("it is there");
        assert_eq!((silent.asked, silent.p95_ms), (0, 0.0));
    }

    #[tokio::test]
    async fn what_is_asked_while_the_servers_are_down_fails_and_reaches_nobody() {
        let column = column().await;
        let visitor = menus(&column);
        assert!(visitor.get("/Users/Me").await.is_success());
        column.cut();
        for _ in 0..3 {
            assert!(!visitor.get("/Users/Me").await.is_success());
        }
        let shown = column.shown();
        assert_eq!((shown.asked, shown.reached, shown.failed), (4, 1, 3));
        assert_eq!(shown.dark, Some(Dark { answered: 0, failed: 3, oldest_s: None }));
        assert_eq!(shown.reached_since, None);
        column.restore();
        assert!(visitor.get("/Users/Me").await.is_success());
        let shown = column.shown();
        assert_eq!((shown.reached, shown.failed, shown.reached_since), (2, 3, Some(1)));
        // The last time without servers stays to be seen.
        assert_eq!(shown.dark, Some(Dark { answered: 0, failed: 3, oldest_s: None }));
    }

    #[tokio::test]
    async fn the_oldest_answer_without_servers_is_remembered() {
        let column = column().await;
        column.note(App::Widget, Outcome { age_s: Some(900), ..GOOD });
        column.cut();
        column.note(App::Widget, GOOD);
        column.note(App::Widget, Outcome { age_s: Some(3), ..GOOD });
        column.note(App::Widget, Outcome { age_s: None, ..GOOD });
        assert_eq!(column.shown().dark, Some(Dark { answered: 3, failed: 0, oldest_s: Some(7) }));
    }

    #[tokio::test]
    async fn the_servers_can_go_any_number_of_times() {
        let column = column().await;
        let visitor = menus(&column);
        for round in 1..=3 {
            column.cut();
            column.cut();
            assert!(!visitor.get("/Users/Me").await.is_success());
            column.restore();
            column.restore();
            assert!(visitor.get("/Users/Me").await.is_success());
            let shown = column.shown();
            assert_eq!((shown.reached, shown.failed, shown.reached_since), (round, round, Some(1)));
        }
    }
}
