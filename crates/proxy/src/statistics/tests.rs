//! Tests of the statistics as a whole: counts, storage, and their cost.

use std::sync::Arc;

use greenroom_cache::{Cache, CacheSettings as Engine, Clock, LoadReason};
use greenroom_dialect::class::Class;
use greenroom_dialect::credential::Secret;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::persistence::StatePersistence;
use crate::record::counts::RequestCounter;
use crate::record::minute_bucket::{MinuteBucket, RowKind};
use crate::record::time_series::{DAY_MS, HOUR_MS, MINUTE_MS, TimeStep};
use crate::record::{CacheResult, DecisionOutcome, DecisionReason, RequestRecorder, UserHash};
use crate::statistics::db::{StatisticsDb, TimeRange};
use crate::statistics::report::{StatisticsGrouping, TimeSpan};
use greenroom_config::{ConfigSource, Settings};
use greenroom_origin::client_apps::ClientApp;
use greenroom_state::secrets::HashKey;

pub(super) const NOW_MS: u64 = 20_000 * DAY_MS;

pub(super) fn server(clock: &Clock) -> Arc<Server> {
    let mut tree = ConfigSource::default();
    tree.add_toml("g.toml", "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n");
    let settings = Settings::read(tree).expect("it is valid").servers.remove(0);
    let tasks = TaskTracker::new();
    let cache = Cache::new(Engine::default(), clock.clone(), tasks.clone());
    let secrets = (HashKey([1; 32]), Secret::new("hook"));
    let server = Server::new(settings, cache, clock.clone(), tasks, CancellationToken::new(), secrets);
    Arc::new(server.expect("it can be had"))
}

/// A data directory with a state of the current schema.
pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    drop(StatePersistence::open(folder.path(), &Arc::default()));
    folder
}

pub(super) fn app(number: usize) -> Arc<ClientApp> {
    Arc::new(ClientApp::new(format!("app{number}"), number))
}

pub(super) fn decision(at_ms: u64, app: &Arc<ClientApp>, user: u32, verdict: CacheResult) -> Decision {
    let is_saved = matches!(verdict, CacheResult::Hit | CacheResult::Joined);
    let why = (verdict == CacheResult::Loaded).then_some(DecisionReason::Missed(LoadReason::Expired));
    Decision {
        at_ms,
        category: RequestCategory::Read(Class::Sessions),
        app: Arc::clone(app),
        user: Some(UserHash::new(user.to_be_bytes())),
        request_hash: Some(7),
        outcome: DecisionOutcome { result: verdict, reason: why, age_ms: Some(3_000), is_saved },
        status: 200,
        elapsed_us: 100,
        bytes: 1_000,
    }
}

/// Statistics of this server in that directory.
pub(super) fn opened(folder: &TempDir, server: &Arc<Server>, warnings: &Arc<Warnings>) -> Arc<Statistics> {
    let settings = greenroom_config::StatisticsSettings::default();
    let kept = (vec![Arc::clone(server)], server.origin.clock.clone());
    Arc::new(Statistics::open(folder.path(), &settings, kept, Arc::clone(warnings)))
}

#[tokio::test(start_paused = true)]
async fn every_request_counts_once_under_the_way_it_was_answered() {
    let clock = Clock::system();
    let server = server(&clock);
    let statistics = Arc::new(Statistics::new(vec![Arc::clone(&server)], clock.clone()));
    let app = app(1);
    server.recorders.requests.record_load(RequestCategory::Read(Class::Sessions), 2_000_000);
    for verdict in CacheResult::EVERY {
        server.recorders.requests.record(decision(clock.now_ms(), &app, 1, verdict));
    }
    server.origin.counters.own.fetch_add(5, std::sync::atomic::Ordering::Relaxed);
    let table = statistics.rows(StatisticsGrouping::App, None, TimeSpan::Hour).await.expect("it can be read");
    let [line] = table.rows.as_slice() else { panic!("one app: {table:?}") };
    let sums = &line.sums;
    assert_eq!(sums.asked, CacheResult::EVERY.len() as u64);
    assert_eq!(sums.asked, sums.hits + sums.stale + sums.joined + sums.missed + sums.failed + sums.passed, "{sums:?}");
    assert_eq!((sums.hits, sums.stale, sums.joined, sums.missed), (1, 2, 1, 3));
    assert_eq!((sums.saved, sums.seconds_saved), (2, 4));
    assert_eq!(sums.misses.get("expired"), Some(&1));
    assert_eq!((table.own.reached, sums.reached), (5, 0), "what we ask is in no row");
    assert_eq!((line.age.p50_s, line.name.as_str()), (Some(3), "app1"));
    let today = statistics.today(None);
    assert_eq!((today.asked, today.own, today.stale), (11, 5, 2));
    let users = statistics.rows(StatisticsGrouping::User, None, TimeSpan::Hour).await.expect("it can be read");
    assert_eq!(users.rows[0].name, "00000001");
}

#[tokio::test(start_paused = true)]
async fn what_was_written_is_there_after_a_restart_and_is_added_to() {
    let (folder, clock, warnings) = (folder(), Clock::system(), Arc::default());
    let first = server(&clock);
    let statistics = opened(&folder, &first, &warnings);
    for _ in 0..3 {
        first.recorders.requests.record(decision(clock.now_ms(), &app(1), 1, CacheResult::Hit));
    }
    statistics.flush().await.expect("it is written");
    first.recorders.requests.record(decision(clock.now_ms(), &app(1), 1, CacheResult::Hit));
    statistics.enable_spot_checks(false).await.expect("it is kept");
    // The process is killed here: the fourth is lost.
    let mut second = server(&clock);
    Arc::get_mut(&mut second).expect("nobody else has it").recorders.spot_checks = SpotChecker::new(200, 6);
    let statistics = opened(&folder, &second, &warnings);
    assert_eq!(statistics.today(Some("home")).asked, 3);
    assert!(!second.recorders.spot_checks.is_enabled(), "somebody turned them off");
    second.recorders.requests.record(decision(clock.now_ms(), &app(4), 1, CacheResult::Loaded));
    statistics.flush().await.expect("it is written");
    for (span, step) in [(TimeSpan::Hour, "minutes"), (TimeSpan::Day, "hours"), (TimeSpan::Year, "days")] {
        let table = statistics.rows(StatisticsGrouping::Class, None, span).await.expect("it can be read");
        assert_eq!(table.rows[0].sums.asked, 4, "{step}");
    }
    assert!(warnings.active().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_locked_or_damaged_loses_no_count() {
    let (folder, clock, warnings) = (folder(), Clock::system(), Arc::default());
    let server = server(&clock);
    let statistics = opened(&folder, &server, &warnings);
    let path = folder.path().join(greenroom_state::db::FILE);
    let other = rusqlite::Connection::open(&path).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("it is locked");
    server.recorders.requests.record(decision(clock.now_ms(), &app(1), 1, CacheResult::Hit));
    assert!(statistics.flush().await.is_err(), "somebody else writes");
    assert_eq!(warnings.active().len(), 1);
    assert_eq!(statistics.today(None).asked, 1);
    other.execute_batch("ROLLBACK").expect("it is free");
    statistics.flush().await.expect("it is written");
    assert!(warnings.active().is_empty());
    let table = statistics.rows(StatisticsGrouping::Class, None, TimeSpan::Hour).await.expect("it can be read");
    assert_eq!(table.rows[0].sums.asked, 1);
    drop(other);
    // Another process finds an invalid file.
    std::fs::write(&path, "nothing of ours").expect("written");
    let statistics = opened(&folder, &server, &warnings);
    server.recorders.requests.record(decision(clock.now_ms(), &app(1), 1, CacheResult::Hit));
    statistics.flush().await.expect("it goes on in memory");
    assert_eq!(warnings.active().len(), 1, "and says so");
    let table = statistics.rows(StatisticsGrouping::Class, None, TimeSpan::Hour).await.expect("it can be read");
    assert_eq!(table.rows[0].sums.asked, 1);
}

/// One request of each app and user at this moment.
fn page(minute_ms: u64, apps: usize, users: u32) -> MinuteBucket {
    let ledger = RequestRecorder::default();
    for number in 0..users {
        let (app, user) = (app(number as usize % apps + 1), number);
        ledger.record(decision(minute_ms, &app, user, CacheResult::Hit));
    }
    newest(&ledger)
}

/// Counts of the newest minute.
pub(super) fn newest(ledger: &RequestRecorder) -> MinuteBucket {
    Arc::unwrap_or_clone(ledger.drain_buckets().pop().expect("there is one"))
}

pub(super) fn asked(book: &StatisticsDb, step: TimeStep, since_ms: u64, until_ms: u64) -> u64 {
    let rows = book.rows(None, RowKind::Class, &TimeRange { step, since_ms, until_ms }).expect("it can be read");
    rows.iter().map(|row| row.counts.get(RequestCounter::Asked)).sum()
}

#[test]
fn an_hour_in_the_book_is_the_sum_of_its_minutes_and_a_day_of_its_hours() {
    let mut book = StatisticsDb::in_memory(1 << 30).expect("it can be had");
    let pages: Vec<MinuteBucket> = (0..150).map(|minute| page(NOW_MS + minute * MINUTE_MS, 3, 7)).collect();
    for pages in pages.chunks(40) {
        let pages: Vec<_> = pages.iter().map(|page| ("home", page)).collect();
        book.write(&pages, NOW_MS + 150 * MINUTE_MS).expect("it is written");
    }
    for hour in 0..3 {
        let since_ms = NOW_MS + hour * HOUR_MS;
        let of = |step| asked(&book, step, since_ms, since_ms + HOUR_MS);
        assert_eq!(of(TimeStep::Minute), of(TimeStep::Hour), "hour {hour}");
        assert!(of(TimeStep::Hour) > 0);
    }
    assert_eq!(asked(&book, TimeStep::Day, NOW_MS, NOW_MS + DAY_MS), 150 * 7);
}

#[test]
fn the_oldest_minutes_go_first_when_there_is_too_much_and_every_row_is_counted() {
    let folder = folder();
    let most = 300_000;
    let mut book = StatisticsDb::open(folder.path(), most).expect("it opens");
    for minute in 0..600 {
        let now_ms = NOW_MS + minute * MINUTE_MS;
        book.write(&[("home", &page(now_ms, 20, 40))], now_ms).expect("it is written");
        assert!(book.bytes() <= most, "{} in minute {minute}", book.bytes());
    }
    let until_ms = NOW_MS + 600 * MINUTE_MS;
    assert!(book.dropped() > 0);
    assert_eq!(asked(&book, TimeStep::Minute, 0, NOW_MS + MINUTE_MS), 0, "the oldest went");
    assert_eq!(asked(&book, TimeStep::Minute, until_ms - MINUTE_MS, until_ms), 40, "the newest is there");
    assert_eq!(asked(&book, TimeStep::Day, 0, u64::MAX), 600 * 40, "and so are the days");
    drop(book);
    let reopened = StatisticsDb::open(folder.path(), most).expect("it opens");
    let file = std::fs::metadata(folder.path().join(greenroom_state::db::FILE)).expect("it is there").len();
    assert!(file < 2 * most, "{file} bytes on disk");
    assert!(reopened.bytes() <= most);
}

#[test]
fn what_a_wrong_clock_wrote_goes_and_what_is_too_old_goes() {
    let mut book = StatisticsDb::in_memory(1 << 30).expect("it can be had");
    let year_ms = 366 * DAY_MS;
    book.write(&[("home", &page(NOW_MS + year_ms, 1, 1))], NOW_MS + year_ms).expect("it is written");
    book.write(&[("home", &page(NOW_MS, 1, 1))], NOW_MS).expect("it is written");
    assert_eq!(asked(&book, TimeStep::Day, 0, u64::MAX), 1);
    assert!(book.dropped() > 0, "somebody may want to know");
    let dropped = book.dropped();
    book.write(&[("home", &page(NOW_MS + 3 * DAY_MS, 1, 1))], NOW_MS + 3 * DAY_MS).expect("it is written");
    assert_eq!(asked(&book, TimeStep::Minute, 0, NOW_MS + DAY_MS), 1, "too old, but who knows after such a leap");
    book.write(&[], NOW_MS + 4 * DAY_MS).expect("it is written");
    assert_eq!(asked(&book, TimeStep::Minute, 0, NOW_MS + DAY_MS), 0, "too old");
    assert_eq!((book.dropped(), asked(&book, TimeStep::Hour, 0, u64::MAX)), (dropped, 2));
}

#[test]
fn more_apps_and_users_than_may_be_are_others() {
    let mut book = StatisticsDb::in_memory(1 << 30).expect("it can be had");
    for round in 0_u32..5 {
        let ledger = RequestRecorder::default();
        for (number, user) in (round * 300..(round + 1) * 300).enumerate() {
            let app = Arc::new(ClientApp::new(format!("app{user}"), number));
            ledger.record(decision(NOW_MS, &app, user, CacheResult::Hit));
        }
        let page = newest(&ledger);
        book.write(&[("home", &page)], NOW_MS).expect("it is written");
    }
    let range = TimeRange { step: TimeStep::Day, since_ms: 0, until_ms: u64::MAX };
    for (by, most) in [(RowKind::App, 101), (RowKind::User, 501)] {
        let rows = book.rows(None, by, &range).expect("it can be read");
        assert!(rows.len() <= most, "{by:?}: {}", rows.len());
        let asked: u64 = rows.iter().map(|row| row.counts.get(RequestCounter::Asked)).sum();
        assert_eq!(asked, 1_500, "{by:?}: nothing is lost");
    }
}

/// A million requests with 10,000 different keys, 50 apps and 200 users, over two days.
#[tokio::test(start_paused = true)]
async fn a_million_requests_keep_memory_and_disk_within_their_bounds() {
    const REQUESTS: u64 = 1_000_000;
    const MINUTES: u64 = 200;
    let folder = folder();
    let most = 4 << 20;
    let mut book = StatisticsDb::open(folder.path(), most).expect("it opens");
    let ledger = RequestRecorder::default();
    let apps: Vec<Arc<ClientApp>> = (1..=50).map(app).collect();
    for minute in 0..MINUTES {
        let now_ms = NOW_MS + minute * 15 * MINUTE_MS;
        for number in 0..REQUESTS / MINUTES {
            let question = xxhash_rust::xxh3::xxh3_64(&(number * 7 % 10_000 + minute).to_le_bytes());
            let user = u32::try_from(question % 200).expect("it is small");
            let app = &apps[user as usize % apps.len()];
            let verdict = if question.is_multiple_of(3) { CacheResult::Loaded } else { CacheResult::Hit };
            let decision = decision(now_ms, app, user, verdict);
            ledger.record(Decision { request_hash: Some(question), ..decision });
        }
        let pages = ledger.drain_buckets();
        let pages: Vec<_> = pages.iter().map(|page| ("home", &**page)).collect();
        book.write(&pages, now_ms).expect("it is written");
    }
    assert_eq!(asked(&book, TimeStep::Day, 0, u64::MAX), REQUESTS);
    assert!(book.bytes() <= most);
    drop(book);
    let file = std::fs::metadata(folder.path().join(greenroom_state::db::FILE)).expect("it is there").len();
    assert!(file < most + most / 2, "{file} bytes on disk");
    let points: usize = TimeStep::EVERY.iter().map(|step| ledger.points(*step, 0).len()).sum();
    assert!(points <= 250, "{points} points");
    let recorded = ledger.trace(Class::Sessions, NOW_MS + MINUTES * 15 * MINUTE_MS);
    let times: usize = recorded.requests.iter().map(Vec::len).sum();
    assert!(times <= crate::record::reuse_sample::MAX_TIMES, "{times} times");
    assert_eq!(ledger.decisions(0, usize::MAX, |_| true).len(), crate::record::recent_decisions::MAX_DECISIONS);
}

#[test]
fn minutes_that_cannot_be_written_are_put_together_and_nothing_is_lost() {
    let ledger = RequestRecorder::default();
    let app = app(1);
    for minute in 0..500 {
        ledger.record(decision(NOW_MS + minute * MINUTE_MS, &app, 1, CacheResult::Hit));
        let pages = ledger.drain_buckets();
        ledger.requeue(pages);
    }
    let pages = ledger.unwritten_buckets();
    let rows = pages.iter().flat_map(|page| page.rows(RowKind::Class));
    assert_eq!(rows.map(|(_, counts)| counts.get(RequestCounter::Asked)).sum::<u64>(), 500);
    assert!(pages.len() <= 61, "{} pages", pages.len());
    assert!(ledger.merged() > 0);
}

#[test]
fn reading_makes_no_more_pages_and_nobody_who_records_waits_for_it() {
    let ledger = RequestRecorder::default();
    let app = app(1);
    let mut held = Vec::new();
    for number in 0..300 {
        ledger.record(decision(NOW_MS + number / 100 * MINUTE_MS, &app, 1, CacheResult::Hit));
        held.push(ledger.unwritten_buckets());
    }
    let asked = |pages: &[Arc<MinuteBucket>], by| {
        let rows = pages.iter().flat_map(|page| page.rows(by));
        rows.map(|(_, counts)| counts.get(RequestCounter::Asked)).collect::<Vec<u64>>()
    };
    for by in [RowKind::Class, RowKind::App, RowKind::User] {
        assert_eq!(asked(&ledger.unwritten_buckets(), by), [100, 100, 100], "{by:?}");
        assert_eq!(asked(&held[149], by), [100, 50], "what was read stays as it was");
    }
    assert_eq!((asked(&ledger.unwritten_buckets(), RowKind::Own), ledger.merged()), (vec![], 0));
    assert_eq!(asked(&ledger.drain_buckets(), RowKind::Class), [100, 100, 100]);
    assert!(ledger.unwritten_buckets().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_read_at_the_start_is_taken_up_later_beneath_what_was_counted_since() {
    let (folder, clock, warnings) = (folder(), Clock::system(), Arc::default());
    let first = server(&clock);
    let statistics = opened(&folder, &first, &warnings);
    for _ in 0..3 {
        first.recorders.requests.record(decision(clock.now_ms(), &app(1), 1, CacheResult::Hit));
    }
    statistics.enable_spot_checks(false).await.expect("it is kept");
    statistics.flush().await.expect("it is written");
    drop(statistics);
    let other = rusqlite::Connection::open(folder.path().join(greenroom_state::db::FILE)).expect("it opens");
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").expect("it is locked");
    let mut second = server(&clock);
    Arc::get_mut(&mut second).expect("nobody else has it").recorders.spot_checks = SpotChecker::new(200, 6);
    let statistics = opened(&folder, &second, &warnings);
    second.recorders.requests.record(decision(clock.now_ms(), &app(1), 1, CacheResult::Hit));
    assert_eq!(statistics.today(None).asked, 1, "nothing can be read yet");
    assert!(statistics.flush().await.is_err(), "nor written");
    assert!(second.recorders.spot_checks.is_enabled() && warnings.active().len() == 1);
    drop(other);
    for _ in 0..2 {
        statistics.flush().await.expect("it is free");
        assert_eq!(statistics.today(None).asked, 4, "once, and only once");
        assert!(!second.recorders.spot_checks.is_enabled() && warnings.active().is_empty());
        let table = statistics.rows(StatisticsGrouping::Class, None, TimeSpan::Year).await.expect("it can be read");
        assert_eq!(table.rows[0].sums.asked, 4);
    }
    assert_eq!(second.recorders.requests.points(TimeStep::Day, 0).iter().map(|point| point.asked).sum::<u64>(), 4);
}

#[test]
fn who_watches_is_told_what_is_new_the_newest_first() {
    let ledger = RequestRecorder::default();
    let app = app(1);
    for verdict in [CacheResult::Hit, CacheResult::Stale, CacheResult::Failed] {
        ledger.record(decision(NOW_MS, &app, 1, verdict));
    }
    let all = ledger.decisions(0, 10, |_| true);
    assert_eq!(
        all.iter().map(|told| told.decision.outcome.result).collect::<Vec<_>>(),
        [CacheResult::Failed, CacheResult::Stale, CacheResult::Hit]
    );
    let newer = ledger.decisions(all[1].number, 10, |_| true);
    assert_eq!(newer.len(), 1);
    assert!(ledger.decisions(all[0].number, 10, |_| true).is_empty());
}
