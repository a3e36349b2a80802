//! The evening: which app does what when. It is the same whichever way the apps are pointed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use greenroom_simulator::catalogue::{Catalogue, CatalogueSize, Kind as ItemKind};
use greenroom_simulator::chance::Chance;
use greenroom_upstream::ask::Kind;
use tokio::task::JoinSet;

use super::apps::{App, SECOND_VISIT};
use super::book::Book;
use super::pace::Pace;
use super::servers::{EVENING_BEGINS_AT, Servers};
use super::visitor::Visitor;
use super::{Plan, Tell};

/// Titles of the playlist from elsewhere.
const WANTED: u64 = 238;
/// Of a hundred wanted titles so many are not in the library.
const ABSENT_PERCENT: u64 = 10;
/// How often the run says how far it is.
const NEWS: u32 = 4;

/// What all apps know of the evening.
#[derive(Debug, Clone)]
pub(super) struct Evening {
    /// How long it lasts.
    pub(super) length: Duration,
    /// The titles of a playlist from elsewhere, some of which the library does not have.
    pub(super) wanted_titles: Arc<[String]>,
}

/// Where the apps are told that their servers are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doors {
    pub(super) plex: SocketAddr,
    pub(super) jellyfin: SocketAddr,
}

impl Evening {
    /// The evening of a plan.
    pub(super) fn new(plan: &Plan) -> Self {
        let wanted_titles = wanted_titles(plan.seed, plan.size());
        Self { length: Duration::from_secs(u64::from(plan.minutes) * 60), wanted_titles }
    }

    /// When so much of the evening has passed.
    pub(super) fn at(&self, percent: u32) -> Duration {
        self.length * percent / 100
    }
}

impl Doors {
    /// The servers themselves.
    pub(super) fn of(servers: &Servers) -> Self {
        Self { plex: servers.address(Kind::Plex), jellyfin: servers.address(Kind::Jellyfin) }
    }

    pub(super) fn to(self, kind: Kind) -> SocketAddr {
        match kind {
            Kind::Plex => self.plex,
            Kind::Jellyfin => self.jellyfin,
        }
    }
}

/// Plays the evening and writes it down. Returns when every app is done.
pub(super) async fn play(
    plan: &Plan,
    evening: &Evening,
    servers: &Arc<Servers>,
    doors: Doors,
    tell: Tell,
) -> Arc<Book> {
    let book = Arc::new(Book::new(Arc::clone(servers)));
    let pace = Pace::begin(plan.time_factor, Duration::ZERO);
    let mut apps = JoinSet::new();
    for app in App::EVERY {
        let visitor =
            Visitor::new(app, doors.to(app.server()), servers.token(app), Arc::clone(&book), pace.clone());
        apps.spawn(app.play(visitor, evening.clone()));
    }
    tokio::join!(finish(apps), report(evening, &pace, &book, servers, tell));
    book
}

/// How long the apps read on after the evening, each time.
pub(super) const LATER: Duration = Duration::from_secs(60);

/// Lets the apps go on reading for a minute after the evening, of which `written` is the book.
pub(super) async fn read_on(
    plan: &Plan,
    evening: &Evening,
    servers: &Arc<Servers>,
    doors: Doors,
    written: &Book,
) -> Arc<Book> {
    let visit: Arc<[String]> = written.read_on(SECOND_VISIT).into();
    let book = Arc::new(Book::new(Arc::clone(servers)));
    let pace = Pace::begin(plan.time_factor, evening.length);
    let mut apps = JoinSet::new();
    for app in App::EVERY {
        let visitor =
            Visitor::new(app, doors.to(app.server()), servers.token(app), Arc::clone(&book), pace.clone());
        apps.spawn(app.read_on(visitor, evening.clone(), Arc::clone(&visit)));
    }
    finish(apps).await;
    book
}

/// Waits for all apps.
async fn finish(mut apps: JoinSet<()>) {
    while let Some(ended) = apps.join_next().await {
        // An app that panics is a fault of this program: it must not pass as an app that asked little.
        if let Err(error) = ended {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

async fn report(evening: &Evening, pace: &Pace, book: &Book, servers: &Servers, tell: Tell) {
    for quarter in 1..=NEWS {
        let at = evening.length * quarter / NEWS;
        pace.until(at).await;
        let (asked, reached) = (book.requests(), servers.reached());
        let passed = at.as_secs_f64() / 60.0;
        tell(&format!(
            "  minute {passed:.1}: the apps asked {asked} times, {reached} requests reached the servers"
        ));
    }
}

/// Titles of tracks spread over the library, and of some that only sound like them.
fn wanted_titles(seed: u64, size: CatalogueSize) -> Arc<[String]> {
    let catalogue = Catalogue::new(seed, size, EVENING_BEGINS_AT);
    let chance = Chance::new(seed);
    let tracks = u64::from(catalogue.count(ItemKind::Track));
    let title = |row: u64| {
        let number = u32::try_from(chance.below("wanted", row, tracks)).ok()?;
        let title = catalogue.record(catalogue.id(ItemKind::Track, number))?.title;
        let is_absent = chance.happens("absent", row, ABSENT_PERCENT);
        Some(if is_absent { format!("{title} (Unreleased {row})") } else { title })
    };
    if tracks == 0 { Arc::default() } else { (0..WANTED).filter_map(title).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_wants_the_same_titles() {
        let titles = |seed| wanted_titles(seed, CatalogueSize::default());
        assert_eq!(titles(1).len(), 238);
        assert_eq!(titles(1), titles(1));
        assert_ne!(titles(1), titles(2));
        let absent = titles(1).iter().filter(|title| title.contains("(Unreleased")).count();
        assert!((10..40).contains(&absent), "{absent}");
    }

    #[test]
    fn a_library_without_music_wants_nothing() {
        assert!(wanted_titles(1, CatalogueSize { tracks: 0, ..CatalogueSize::default() }).is_empty());
    }
}
