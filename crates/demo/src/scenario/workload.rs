//! Schedule of the evening: the same for both targets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::request::ServerKind;
use greenroom_simulator::catalogue::{Catalogue, CatalogueSize, MediaKind as ItemKind};
use greenroom_simulator::rng::SeededRng;
use tokio::task::JoinSet;

use super::app_client::{AppClient, PlaylistEndpoint};
use super::apps::{DemoApp, SECOND_VISIT};
use super::clock::DemoClock;
use super::live_stats::TargetStats;
use super::recorder::AppRequestRecorder;
use super::servers::{DemoServers, EVENING_BEGINS_AT};
use super::{DemoPlan, ProgressFn};

/// Tracks of the playlist from elsewhere.
pub(super) const WANTED: u64 = 238;
/// The same, of the race.
const WANTED_IN_RACE: u64 = 60;
/// Pause between the two visits of the menus in the evening.
const EVENING_MENU_PAUSE: Duration = Duration::from_secs(30);
/// First visit in the race, and interval of all: longer than a visit takes without Greenroom.
const RACE_FIRST_MENU: Duration = Duration::from_millis(500);
const RACE_MENU_INTERVAL: Duration = Duration::from_secs(4);
/// Percentage of wanted tracks that are not in the library.
const ABSENT_PERCENT: u64 = 10;
/// Percentage of the others that have another edition's name there.
const REMASTERED_PERCENT: u64 = 15;
/// Progress lines per evening.
const NEWS: u32 = 4;

/// Parameters of the evening, shared by all apps.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    /// Its length.
    pub(super) length: Duration,
    /// Length of each round of reads after it.
    pub(super) round: Duration,
    /// Its start on the servers' clocks, in seconds since 1970.
    pub(super) begins_at: u64,
    /// Visits of the television menus.
    pub(super) menu_visits: MenuVisits,
    /// Times of the metadata manager's runs, in percent of the length.
    pub(super) metadata_runs: [u32; 2],
    /// The tracks of a playlist from elsewhere, some of which the library does not have.
    pub(super) playlist_tracks: Arc<[SourceTrack]>,
}

/// When the television menus are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MenuVisits {
    /// Start of the first visit.
    pub(super) first: Duration,
    /// Time of the others.
    pub(super) further: FurtherVisits,
}

/// When the visits after the first begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FurtherVisits {
    /// One, this time after the end of the first.
    After(Duration),
    /// At this interval from the start of the first, until the end.
    Interval(Duration),
}

/// A track of a playlist from elsewhere, in that service's spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceTrack {
    pub(super) title: String,
    pub(super) artist: String,
    pub(super) album: String,
    pub(super) duration_s: u64,
}

/// Addresses that the apps use.
#[derive(Debug, Clone)]
pub(super) struct ServerAddresses {
    pub(super) plex: SocketAddr,
    pub(super) jellyfin: SocketAddr,
    /// Playlist API to use, if any.
    pub(super) playlist_endpoint: Option<PlaylistEndpoint>,
}

impl Workload {
    pub(super) fn new(plan: &DemoPlan) -> Self {
        let length = Duration::from_secs(u64::from(plan.minutes) * 60);
        Self {
            length,
            round: LATER,
            begins_at: EVENING_BEGINS_AT,
            menu_visits: MenuVisits { first: length * 35 / 100, further: FurtherVisits::After(EVENING_MENU_PAUSE) },
            metadata_runs: [10, 60],
            playlist_tracks: playlist_tracks(plan.seed, plan.size(), WANTED),
        }
    }

    /// A race of busy apps in real time that begins now: the menus are visited until its end, and the playlist is
    /// short enough for a tool that searches the server.
    pub(super) fn race(plan: &DemoPlan, length: Duration, begins_at: u64) -> Self {
        Self {
            length,
            round: RACE_ROUND,
            begins_at,
            menu_visits: MenuVisits { first: RACE_FIRST_MENU, further: FurtherVisits::Interval(RACE_MENU_INTERVAL) },
            metadata_runs: [30, 60],
            playlist_tracks: playlist_tracks(plan.seed, plan.size(), WANTED_IN_RACE),
        }
    }

    /// The time at which `percent` of the evening has passed.
    pub(super) fn at(&self, percent: u32) -> Duration {
        self.length * percent / 100
    }
}

impl ServerAddresses {
    /// Addresses of the servers themselves.
    pub(super) fn direct(servers: &DemoServers) -> Self {
        Self {
            plex: servers.address(ServerKind::Plex),
            jellyfin: servers.address(ServerKind::Jellyfin),
            playlist_endpoint: None,
        }
    }

    pub(super) fn address_of(&self, kind: ServerKind) -> SocketAddr {
        match kind {
            ServerKind::Plex => self.plex,
            ServerKind::Jellyfin => self.jellyfin,
        }
    }
}

/// Plays the evening and records it in `recorder`. Returns when every app is done.
pub(super) async fn play(
    evening: &Workload,
    column: &TargetStats,
    doors: &ServerAddresses,
    pace: &DemoClock,
    book: &Arc<AppRequestRecorder>,
) {
    let mut apps = JoinSet::new();
    for app in DemoApp::EVERY {
        apps.spawn(app.play(visitor(app, column, doors, pace, book), evening.clone()));
    }
    finish(apps).await;
}

fn visitor(
    app: DemoApp,
    column: &TargetStats,
    doors: &ServerAddresses,
    pace: &DemoClock,
    book: &Arc<AppRequestRecorder>,
) -> AppClient {
    let (door, token) = (doors.address_of(app.server()), column.servers.token(app));
    let mut visitor = AppClient::new(app, door, token, Arc::clone(book), pace.clone());
    visitor.playlist_endpoint.clone_from(&doors.playlist_endpoint);
    visitor
}

/// Length of the round of reads after the evening.
const LATER: Duration = Duration::from_secs(60);
/// Length of each round of reads after the race.
const RACE_ROUND: Duration = Duration::from_secs(20);

/// Lets the apps read on for a minute after the evening; the menus read `repeated_paths`. Returns the records.
pub(super) async fn repeat_reads(
    plan: &DemoPlan,
    evening: &Workload,
    column: &Arc<TargetStats>,
    doors: &ServerAddresses,
    visit: &Arc<[String]>,
) -> Arc<AppRequestRecorder> {
    let book = Arc::new(AppRequestRecorder::new(Arc::clone(column)));
    let pace = DemoClock::start(plan.time_factor, evening.length);
    let mut apps = JoinSet::new();
    for app in DemoApp::EVERY {
        let visitor = visitor(app, column, doors, &pace, &book);
        apps.spawn(app.repeat_reads(visitor, evening.clone(), Arc::clone(visit)));
    }
    finish(apps).await;
    book
}

/// Paths of the menus' second visit, which the apps repeat when they read on.
pub(super) fn repeated_paths(book: &AppRequestRecorder) -> Arc<[String]> {
    book.reads_of(SECOND_VISIT).into()
}

/// Waits for all apps.
async fn finish(mut apps: JoinSet<()>) {
    while let Some(ended) = apps.join_next().await {
        // A panicking app is a fault of this program: it must not pass as an app with few requests.
        if let Err(error) = ended {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// Prints progress four times in the evening, with the text that `news` returns then.
pub(super) async fn report_progress(evening: &Workload, pace: &DemoClock, tell: ProgressFn, news: impl Fn() -> String) {
    for quarter in 1..=NEWS {
        let at = evening.length * quarter / NEWS;
        pace.sleep_until(at).await;
        tell(&format!("  minute {:.1}: {}", at.as_secs_f64() / 60.0, news()));
    }
}

/// Tracks spread over the library, and songs of the same artists that it does not have.
fn playlist_tracks(seed: u64, size: CatalogueSize, wanted: u64) -> Arc<[SourceTrack]> {
    let catalogue = Catalogue::new(seed, size, EVENING_BEGINS_AT);
    let chance = SeededRng::new(seed);
    let tracks = u64::from(catalogue.count(ItemKind::Track));
    let step = (tracks / wanted).max(1);
    let track = |row: u64| {
        // One of every section of the library, so none twice.
        let number = u32::try_from(row * step + chance.below("wanted", row, step)).ok()?;
        let record = catalogue.record(catalogue.id(ItemKind::Track, number))?;
        let title = if chance.percent_chance("absent", row, ABSENT_PERCENT) {
            format!("Sketch That Nobody Released {row}")
        } else if chance.percent_chance("remastered", row, REMASTERED_PERCENT) {
            format!("{} - Remastered 2011", record.title)
        } else {
            record.title
        };
        let artist = record.grandparent.map(|artist| artist.title)?;
        let album = record.parent.map(|album| album.title)?;
        Some(SourceTrack { title, artist, album, duration_s: record.duration_ms? / 1000 })
    };
    if tracks == 0 { Arc::default() } else { (0..wanted.min(tracks)).filter_map(track).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_wants_the_same_tracks() {
        let tracks = |seed| playlist_tracks(seed, CatalogueSize::default(), WANTED);
        assert_eq!(tracks(1).len(), 238);
        assert_eq!(tracks(1), tracks(1));
        assert_ne!(tracks(1), tracks(2));
        let absent = tracks(1).iter().filter(|track| track.title.contains("Nobody Released")).count();
        assert!((10..40).contains(&absent), "{absent}");
    }

    #[test]
    fn a_library_without_music_wants_nothing() {
        assert!(playlist_tracks(1, CatalogueSize { tracks: 0, ..CatalogueSize::default() }, WANTED).is_empty());
    }
}
