//! The evening: which app does what when. It is the same whichever way the apps are pointed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::ask::Kind;
use greenroom_simulator::catalogue::{Catalogue, CatalogueSize, Kind as ItemKind};
use greenroom_simulator::chance::Chance;
use tokio::task::JoinSet;

use super::apps::{App, SECOND_VISIT};
use super::book::Book;
use super::column::Column;
use super::pace::Pace;
use super::servers::{EVENING_BEGINS_AT, Servers};
use super::visitor::{ListKeeper, Visitor};
use super::{Plan, Tell};

/// Tracks of the playlist from elsewhere.
pub(super) const WANTED: u64 = 238;
/// Of a hundred wanted tracks so many are not in the library.
const ABSENT_PERCENT: u64 = 10;
/// Of a hundred that are, so many have another edition's name there.
const REMASTERED_PERCENT: u64 = 15;
/// How often the run says how far it is.
const NEWS: u32 = 4;

/// What all apps know of the evening.
#[derive(Debug, Clone)]
pub(super) struct Evening {
    /// How long it lasts.
    pub(super) length: Duration,
    /// The tracks of a playlist from elsewhere, some of which the library does not have.
    pub(super) wanted: Arc<[Wanted]>,
}

/// A track of a playlist from elsewhere, as that place spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) title: String,
    pub(super) artist: String,
    pub(super) album: String,
    pub(super) duration_s: u64,
}

/// Where the apps are told that their servers are.
#[derive(Debug, Clone)]
pub(super) struct Doors {
    pub(super) plex: SocketAddr,
    pub(super) jellyfin: SocketAddr,
    /// Who keeps playlists for them, if somebody does.
    pub(super) list_keeper: Option<ListKeeper>,
}

impl Evening {
    /// The evening of a plan.
    pub(super) fn new(plan: &Plan) -> Self {
        let wanted = wanted(plan.seed, plan.size());
        Self { length: Duration::from_secs(u64::from(plan.minutes) * 60), wanted }
    }

    /// When so much of the evening has passed.
    pub(super) fn at(&self, percent: u32) -> Duration {
        self.length * percent / 100
    }
}

impl Doors {
    /// The servers themselves.
    pub(super) fn of(servers: &Servers) -> Self {
        Self {
            plex: servers.address(Kind::Plex),
            jellyfin: servers.address(Kind::Jellyfin),
            list_keeper: None,
        }
    }

    pub(super) fn to(&self, kind: Kind) -> SocketAddr {
        match kind {
            Kind::Plex => self.plex,
            Kind::Jellyfin => self.jellyfin,
        }
    }
}

/// Plays the evening and writes it down in `book`. Returns when every app is done.
pub(super) async fn play(evening: &Evening, column: &Column, doors: &Doors, pace: &Pace, book: &Arc<Book>) {
    let mut apps = JoinSet::new();
    for app in App::EVERY {
        apps.spawn(app.play(visitor(app, column, doors, pace, book), evening.clone()));
    }
    finish(apps).await;
}

fn visitor(app: App, column: &Column, doors: &Doors, pace: &Pace, book: &Arc<Book>) -> Visitor {
    let (door, token) = (doors.to(app.server()), column.servers.token(app));
    let mut visitor = Visitor::new(app, door, token, Arc::clone(book), pace.clone());
    visitor.list_keeper.clone_from(&doors.list_keeper);
    visitor
}

/// How long the apps read on after the evening, each time.
pub(super) const LATER: Duration = Duration::from_secs(60);

/// Lets the apps go on reading for a minute after the evening, `visit` being what is read in the menus. Tells what was
/// written down.
pub(super) async fn read_on(
    plan: &Plan,
    evening: &Evening,
    column: &Arc<Column>,
    doors: &Doors,
    visit: &Arc<[String]>,
) -> Arc<Book> {
    let book = Arc::new(Book::new(Arc::clone(column)));
    let pace = Pace::begin(plan.time_factor, evening.length);
    let mut apps = JoinSet::new();
    for app in App::EVERY {
        let visitor = visitor(app, column, doors, &pace, &book);
        apps.spawn(app.read_on(visitor, evening.clone(), Arc::clone(visit)));
    }
    finish(apps).await;
    book
}

/// The menus' second visit in a book, which is what the apps repeat when they read on.
pub(super) fn visit(book: &Book) -> Arc<[String]> {
    book.read_on(SECOND_VISIT).into()
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

/// Tells four times in the evening how far it is, in the words that `news` has at that moment.
pub(super) async fn report(evening: &Evening, pace: &Pace, tell: Tell, news: impl Fn() -> String) {
    for quarter in 1..=NEWS {
        let at = evening.length * quarter / NEWS;
        pace.until(at).await;
        tell(&format!("  minute {:.1}: {}", at.as_secs_f64() / 60.0, news()));
    }
}

/// Tracks spread over the library, and songs of the same artists that it does not have.
fn wanted(seed: u64, size: CatalogueSize) -> Arc<[Wanted]> {
    let catalogue = Catalogue::new(seed, size, EVENING_BEGINS_AT);
    let chance = Chance::new(seed);
    let tracks = u64::from(catalogue.count(ItemKind::Track));
    let step = (tracks / WANTED).max(1);
    let track = |row: u64| {
        // One of every stretch of the library, so none twice.
        let number = u32::try_from(row * step + chance.below("wanted", row, step)).ok()?;
        let record = catalogue.record(catalogue.id(ItemKind::Track, number))?;
        let title = if chance.happens("absent", row, ABSENT_PERCENT) {
            format!("Sketch That Nobody Released {row}")
        } else if chance.happens("remastered", row, REMASTERED_PERCENT) {
            format!("{} - Remastered 2011", record.title)
        } else {
            record.title
        };
        let artist = record.grandparent.map(|artist| artist.title)?;
        let album = record.parent.map(|album| album.title)?;
        Some(Wanted { title, artist, album, duration_s: record.duration_ms? / 1000 })
    };
    if tracks == 0 { Arc::default() } else { (0..WANTED.min(tracks)).filter_map(track).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_wants_the_same_tracks() {
        let tracks = |seed| wanted(seed, CatalogueSize::default());
        assert_eq!(tracks(1).len(), 238);
        assert_eq!(tracks(1), tracks(1));
        assert_ne!(tracks(1), tracks(2));
        let absent = tracks(1).iter().filter(|track| track.title.contains("Nobody Released")).count();
        assert!((10..40).contains(&absent), "{absent}");
    }

    #[test]
    fn a_library_without_music_wants_nothing() {
        assert!(wanted(1, CatalogueSize { tracks: 0, ..CatalogueSize::default() }).is_empty());
    }
}
