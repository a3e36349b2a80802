//! Tests of the statistics as a whole: counts, storage, and their cost.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{Cache, CacheSettings as Engine, Clock, LoadReason};
use greenroom_dialect::class::Class;
use greenroom_dialect::credential::Secret;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::db::{StatisticsDb, TimeRange};
use crate::report::{StatisticsGrouping, TimeSpan};
use greenroom_config::{ConfigSource, Settings};
use greenroom_origin::client_apps::ClientApp;
use greenroom_proxy::persistence::StatePersistence;
use greenroom_request_log::counts::RequestCounter;
use greenroom_request_log::minute_bucket::{MinuteBucket, RowKind};
use greenroom_request_log::time_series::{DAY_MS, HOUR_MS, MINUTE_MS, TimeStep};
use greenroom_request_log::{CacheResult, DecisionOutcome, DecisionReason, RequestCategory, RequestRecorder, UserHash};
use greenroom_state::secrets::HashKey;

pub(crate) const NOW_MS: u64 = 20_000 * DAY_MS;

pub(crate) fn server(clock: &Clock) -> Arc<Server> {
    let mut tree = ConfigSource::default();
    tree.add_toml("g.toml", "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n");
    let settings = Settings::read(tree).expect("valid configuration").servers.remove(0);
    let tasks = TaskTracker::new();
    let cache = Cache::new(Engine::default(), clock.clone(), tasks.clone());
    let secrets = (HashKey([1; 32]), Secret::new("hook"));
    let server = Server::new(settings, cache, clock.clone(), tasks, CancellationToken::new(), secrets);
    Arc::new(server.expect("a server"))
}

/// A data directory with a state of the current schema.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    drop(StatePersistence::open(folder.path(), &Arc::default()));
    folder
}

pub(crate) fn app(number: usize) -> Arc<ClientApp> {
    Arc::new(ClientApp::new(format!("app{number}"), number))
}

pub(crate) fn decision(at_ms: Timestamp, app: &Arc<ClientApp>, user: u32, result: CacheResult) -> Decision {
    let is_saved = matches!(result, CacheResult::Hit | CacheResult::Joined);
    let reason = (result == CacheResult::Loaded).then_some(DecisionReason::Missed(LoadReason::Expired));
    Decision {
        at_ms,
        category: RequestCategory::Read(Class::Sessions),
        app: Arc::clone(app),
        user: Some(UserHash::new(user.to_be_bytes())),
        request_hash: Some(7),
        outcome: DecisionOutcome { result, reason, age_ms: Some(Duration::from_millis(3_000)), is_saved },
        status: 200,
        elapsed_us: 100,
        bytes: 1_000,
    }
}

/// Statistics of this server in that directory.
pub(crate) fn opened(folder: &TempDir, server: &Arc<Server>, warnings: &Arc<Warnings>) -> Arc<Statistics> {
    let settings = greenroom_config::StatisticsSettings::default();
    let context = (vec![Arc::clone(server)], server.origin.clock.clone());
    Arc::new(Statistics::open(folder.path(), &settings, context, Arc::clone(warnings)))
}

#[tokio::test(start_paused = true)]
async fn every_request_counts_once_under_its_result() {
    let clock = Clock::system();
    let server = server(&clock);
    let statistics = Arc::new(Statistics::new(vec![Arc::clone(&server)], clock.clone()));
    let app = app(1);
    server.recorders.requests.record_load(RequestCategory::Read(Class::Sessions), 2_000_000);
    for result in CacheResult::EVERY {
        server.recorders.requests.record(decision(clock.now(), &app, 1, result));
    }
    server.origin.counters.own.fetch_add(5, std::sync::atomic::Ordering::Relaxed);
    let table = statistics.rows(StatisticsGrouping::App, None, TimeSpan::Hour).await.expect("readable counts");
    let [row] = table.rows.as_slice() else { panic!("one app: {table:?}") };
    let sums = &row.sums;
    assert_eq!(sums.asked, CacheResult::EVERY.len() as u64);
    assert_eq!(sums.asked, sums.hits + sums.stale + sums.joined + sums.missed + sums.failed + sums.passed, "{sums:?}");
    assert_eq!((sums.hits, sums.stale, sums.joined, sums.missed), (1, 2, 1, 3));
    assert_eq!((sums.saved, sums.seconds_saved), (2, 4));
    assert_eq!(sums.misses.get("expired"), Some(&1));
    assert_eq!((table.own.reached, sums.reached), (5, 0), "own requests are in no row");
    assert_eq!((row.age.p50_s, row.name.as_str()), (Some(3), "app1"));
    let today = statistics.today(None);
    assert_eq!((today.asked, today.own, today.stale), (11, 5, 2));
    let users = statistics.rows(StatisticsGrouping::User, None, TimeSpan::Hour).await.expect("readable counts");
    assert_eq!(users.rows[0].name, "00000001");
}

#[tokio::test(start_paused = true)]
async fn stored_counts_survive_a_restart_and_grow() {
    let (folder, clock, warnings) = (folder(), Clock::system(), Arc::default());
    let first = server(&clock);
    let statistics = opened(&folder, &first, &warnings);
    for _ in 0..3 {
        first.recorders.requests.record(decision(clock.now(), &app(1), 1, CacheResult::Hit));
    }
    statistics.flush().await.expect("written");
    first.recorders.requests.record(decision(clock.now(), &app(1), 1, CacheResult::Hit));
    statistics.enable_spot_checks(false).await.expect("a stored setting");
    // The process is killed here: the fourth is lost.
    let mut second = server(&clock);
    Arc::get_mut(&mut second).expect("no other reference").recorders.spot_checks = SpotChecker::new(200, 6);
    let statistics = opened(&folder, &second, &warnings);
    assert_eq!(statistics.today(Some("home")).asked, 3);
    assert!(!second.recorders.spot_checks.is_enabled(), "disabled before the restart");
    second.recorders.requests.record(decision(clock.now(), &app(4), 1, CacheResult::Loaded));
    statistics.flush().await.expect("written");
    for (span, step) in [(TimeSpan::Hour, "minutes"), (TimeSpan::Day, "hours"), (TimeSpan::Year, "days")] {
        let table = statistics.rows(StatisticsGrouping::Class, None, span).await.expect("readable counts");
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
    let other = rusqlite::Connection::open(&path).expect("opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    server.recorders.requests.record(decision(clock.now(), &app(1), 1, CacheResult::Hit));
    assert!(statistics.flush().await.is_err(), "another process writes");
    assert_eq!(warnings.active().len(), 1);
    assert_eq!(statistics.today(None).asked, 1);
    other.execute_batch("ROLLBACK").expect("unlocked");
    statistics.flush().await.expect("written");
    assert!(warnings.active().is_empty());
    let table = statistics.rows(StatisticsGrouping::Class, None, TimeSpan::Hour).await.expect("readable counts");
    assert_eq!(table.rows[0].sums.asked, 1);
    drop(other);
    // Another process finds an invalid file.
    std::fs::write(&path, "nothing of ours").expect("written");
    let statistics = opened(&folder, &server, &warnings);
    server.recorders.requests.record(decision(clock.now(), &app(1), 1, CacheResult::Hit));
    statistics.flush().await.expect("in memory");
    assert_eq!(warnings.active().len(), 1, "a warning is active");
    let table = statistics.rows(StatisticsGrouping::Class, None, TimeSpan::Hour).await.expect("readable counts");
    assert_eq!(table.rows[0].sums.asked, 1);
}

/// One request of each app and user at this moment.
fn bucket(minute_ms: Timestamp, apps: usize, users: u32) -> MinuteBucket {
    let recorder = RequestRecorder::default();
    for number in 0..users {
        let (app, user) = (app(number as usize % apps + 1), number);
        recorder.record(decision(minute_ms, &app, user, CacheResult::Hit));
    }
    newest(&recorder)
}

/// Counts of the newest minute.
pub(crate) fn newest(recorder: &RequestRecorder) -> MinuteBucket {
    Arc::unwrap_or_clone(recorder.drain_buckets().pop().expect("a bucket"))
}

pub(crate) fn request_count(db: &StatisticsDb, step: TimeStep, since_ms: Timestamp, until_ms: Timestamp) -> u64 {
    let rows = db.rows(None, RowKind::Class, &TimeRange { step, since_ms, until_ms }).expect("readable counts");
    rows.iter().map(|row| row.counts.get(RequestCounter::Asked)).sum()
}

#[test]
fn a_stored_hour_is_the_sum_of_its_minutes_and_a_day_of_its_hours() {
    let mut db = StatisticsDb::in_memory(1 << 30).expect("a database in memory");
    let buckets: Vec<MinuteBucket> =
        (0..150).map(|minute| bucket(Timestamp::from_millis(NOW_MS + minute * MINUTE_MS), 3, 7)).collect();
    for buckets in buckets.chunks(40) {
        let buckets: Vec<_> = buckets.iter().map(|bucket| ("home", bucket)).collect();
        db.write(&buckets, Timestamp::from_millis(NOW_MS + 150 * MINUTE_MS)).expect("written");
    }
    for hour in 0..3 {
        let since_ms = NOW_MS + hour * HOUR_MS;
        let of = |step| {
            request_count(&db, step, Timestamp::from_millis(since_ms), Timestamp::from_millis(since_ms + HOUR_MS))
        };
        assert_eq!(of(TimeStep::Minute), of(TimeStep::Hour), "hour {hour}");
        assert!(of(TimeStep::Hour) > 0);
    }
    assert_eq!(
        request_count(&db, TimeStep::Day, Timestamp::from_millis(NOW_MS), Timestamp::from_millis(NOW_MS + DAY_MS)),
        150 * 7
    );
}

#[test]
fn above_the_size_limit_the_oldest_minutes_are_deleted_first_and_counted() {
    let folder = folder();
    let max_bytes = 300_000;
    let mut db = StatisticsDb::open(folder.path(), max_bytes).expect("opened");
    for minute in 0..600 {
        let now_ms = NOW_MS + minute * MINUTE_MS;
        db.write(&[("home", &bucket(Timestamp::from_millis(now_ms), 20, 40))], Timestamp::from_millis(now_ms))
            .expect("written");
        assert!(db.bytes() <= max_bytes, "{} in minute {minute}", db.bytes());
    }
    let until_ms = NOW_MS + 600 * MINUTE_MS;
    assert!(db.dropped() > 0);
    assert_eq!(
        request_count(&db, TimeStep::Minute, Timestamp::UNIX_EPOCH, Timestamp::from_millis(NOW_MS + MINUTE_MS)),
        0,
        "the oldest are deleted"
    );
    assert_eq!(
        request_count(
            &db,
            TimeStep::Minute,
            Timestamp::from_millis(until_ms - MINUTE_MS),
            Timestamp::from_millis(until_ms)
        ),
        40,
        "the newest is stored"
    );
    assert_eq!(
        request_count(&db, TimeStep::Day, Timestamp::UNIX_EPOCH, Timestamp::MAX),
        600 * 40,
        "and so are the days"
    );
    drop(db);
    let reopened = StatisticsDb::open(folder.path(), max_bytes).expect("opened");
    let file = std::fs::metadata(folder.path().join(greenroom_state::db::FILE)).expect("a file").len();
    assert!(file < 2 * max_bytes, "{file} bytes on disk");
    assert!(reopened.bytes() <= max_bytes);
}

#[test]
fn rows_from_the_future_and_rows_past_their_retention_are_deleted() {
    let mut db = StatisticsDb::in_memory(1 << 30).expect("a database in memory");
    let year_ms = 366 * DAY_MS;
    db.write(
        &[("home", &bucket(Timestamp::from_millis(NOW_MS + year_ms), 1, 1))],
        Timestamp::from_millis(NOW_MS + year_ms),
    )
    .expect("written");
    db.write(&[("home", &bucket(Timestamp::from_millis(NOW_MS), 1, 1))], Timestamp::from_millis(NOW_MS))
        .expect("written");
    assert_eq!(request_count(&db, TimeStep::Day, Timestamp::UNIX_EPOCH, Timestamp::MAX), 1);
    assert!(db.dropped() > 0, "dropped rows are counted");
    let dropped = db.dropped();
    db.write(
        &[("home", &bucket(Timestamp::from_millis(NOW_MS + 3 * DAY_MS), 1, 1))],
        Timestamp::from_millis(NOW_MS + 3 * DAY_MS),
    )
    .expect("written");
    assert_eq!(
        request_count(&db, TimeStep::Minute, Timestamp::UNIX_EPOCH, Timestamp::from_millis(NOW_MS + DAY_MS)),
        1,
        "too old, but retained for a day after the clock jump"
    );
    db.write(&[], Timestamp::from_millis(NOW_MS + 4 * DAY_MS)).expect("written");
    assert_eq!(
        request_count(&db, TimeStep::Minute, Timestamp::UNIX_EPOCH, Timestamp::from_millis(NOW_MS + DAY_MS)),
        0,
        "too old"
    );
    assert_eq!((db.dropped(), request_count(&db, TimeStep::Hour, Timestamp::UNIX_EPOCH, Timestamp::MAX)), (dropped, 2));
}

#[test]
fn apps_and_users_above_the_limit_count_as_others() {
    let mut db = StatisticsDb::in_memory(1 << 30).expect("a database in memory");
    for round in 0_u32..5 {
        let recorder = RequestRecorder::default();
        for (number, user) in (round * 300..(round + 1) * 300).enumerate() {
            let app = Arc::new(ClientApp::new(format!("app{user}"), number));
            recorder.record(decision(Timestamp::from_millis(NOW_MS), &app, user, CacheResult::Hit));
        }
        let bucket = newest(&recorder);
        db.write(&[("home", &bucket)], Timestamp::from_millis(NOW_MS)).expect("written");
    }
    let range = TimeRange { step: TimeStep::Day, since_ms: Timestamp::UNIX_EPOCH, until_ms: Timestamp::MAX };
    for (by, max_rows) in [(RowKind::App, 101), (RowKind::User, 501)] {
        let rows = db.rows(None, by, &range).expect("readable counts");
        assert!(rows.len() <= max_rows, "{by:?}: {}", rows.len());
        let request_count: u64 = rows.iter().map(|row| row.counts.get(RequestCounter::Asked)).sum();
        assert_eq!(request_count, 1_500, "{by:?}: nothing is lost");
    }
}

/// A million requests with 10,000 different keys, 50 apps and 200 users, over two days.
#[tokio::test(start_paused = true)]
async fn a_million_requests_keep_memory_and_disk_within_their_bounds() {
    const REQUESTS: u64 = 1_000_000;
    const MINUTES: u64 = 200;
    let folder = folder();
    let max_bytes = 4 << 20;
    let mut db = StatisticsDb::open(folder.path(), max_bytes).expect("opened");
    let recorder = RequestRecorder::default();
    let apps: Vec<Arc<ClientApp>> = (1..=50).map(app).collect();
    for minute in 0..MINUTES {
        let now_ms = NOW_MS + minute * 15 * MINUTE_MS;
        for number in 0..REQUESTS / MINUTES {
            let request_hash = xxhash_rust::xxh3::xxh3_64(&(number * 7 % 10_000 + minute).to_le_bytes());
            let user = u32::try_from(request_hash % 200).expect("a small number");
            let app = &apps[user as usize % apps.len()];
            let result = if request_hash.is_multiple_of(3) { CacheResult::Loaded } else { CacheResult::Hit };
            let decision = decision(Timestamp::from_millis(now_ms), app, user, result);
            recorder.record(Decision { request_hash: Some(request_hash), ..decision });
        }
        let buckets = recorder.drain_buckets();
        let buckets: Vec<_> = buckets.iter().map(|bucket| ("home", &**bucket)).collect();
        db.write(&buckets, Timestamp::from_millis(now_ms)).expect("written");
    }
    assert_eq!(request_count(&db, TimeStep::Day, Timestamp::UNIX_EPOCH, Timestamp::MAX), REQUESTS);
    assert!(db.bytes() <= max_bytes);
    drop(db);
    let file = std::fs::metadata(folder.path().join(greenroom_state::db::FILE)).expect("a file").len();
    assert!(file < max_bytes + max_bytes / 2, "{file} bytes on disk");
    let points: usize = TimeStep::EVERY.iter().map(|step| recorder.points(*step, Timestamp::UNIX_EPOCH).len()).sum();
    assert!(points <= 250, "{points} points");
    let recorded = recorder.trace(Class::Sessions, Timestamp::from_millis(NOW_MS + MINUTES * 15 * MINUTE_MS));
    let times: usize = recorded.requests.iter().map(Vec::len).sum();
    assert!(times <= greenroom_request_log::reuse_sample::MAX_TIMES, "{times} times");
    assert_eq!(
        recorder.decisions(0, usize::MAX, |_| true).len(),
        greenroom_request_log::recent_decisions::MAX_DECISIONS
    );
}

#[test]
fn minutes_that_cannot_be_written_are_merged_and_no_count_is_lost() {
    let recorder = RequestRecorder::default();
    let app = app(1);
    for minute in 0..500 {
        recorder.record(decision(Timestamp::from_millis(NOW_MS + minute * MINUTE_MS), &app, 1, CacheResult::Hit));
        let buckets = recorder.drain_buckets();
        recorder.requeue(buckets);
    }
    let buckets = recorder.unwritten_buckets();
    let rows = buckets.iter().flat_map(|bucket| bucket.rows(RowKind::Class));
    assert_eq!(rows.map(|(_, counts)| counts.get(RequestCounter::Asked)).sum::<u64>(), 500);
    assert!(buckets.len() <= 61, "{} buckets", buckets.len());
    assert!(recorder.merged() > 0);
}

#[test]
fn reading_adds_no_buckets_and_recording_changes_no_earlier_result() {
    let recorder = RequestRecorder::default();
    let app = app(1);
    let mut snapshots = Vec::new();
    for number in 0..300 {
        recorder.record(decision(Timestamp::from_millis(NOW_MS + number / 100 * MINUTE_MS), &app, 1, CacheResult::Hit));
        snapshots.push(recorder.unwritten_buckets());
    }
    let request_count = |buckets: &[Arc<MinuteBucket>], by| {
        let rows = buckets.iter().flat_map(|bucket| bucket.rows(by));
        rows.map(|(_, counts)| counts.get(RequestCounter::Asked)).collect::<Vec<u64>>()
    };
    for by in [RowKind::Class, RowKind::App, RowKind::User] {
        assert_eq!(request_count(&recorder.unwritten_buckets(), by), [100, 100, 100], "{by:?}");
        assert_eq!(request_count(&snapshots[149], by), [100, 50], "an earlier result does not change");
    }
    assert_eq!((request_count(&recorder.unwritten_buckets(), RowKind::Own), recorder.merged()), (vec![], 0));
    assert_eq!(request_count(&recorder.drain_buckets(), RowKind::Class), [100, 100, 100]);
    assert!(recorder.unwritten_buckets().is_empty());
}

#[tokio::test(start_paused = true)]
async fn counts_unreadable_at_the_start_are_restored_later_and_added_to_the_new_ones() {
    let (folder, clock, warnings) = (folder(), Clock::system(), Arc::default());
    let first = server(&clock);
    let statistics = opened(&folder, &first, &warnings);
    for _ in 0..3 {
        first.recorders.requests.record(decision(clock.now(), &app(1), 1, CacheResult::Hit));
    }
    statistics.enable_spot_checks(false).await.expect("a stored setting");
    statistics.flush().await.expect("written");
    drop(statistics);
    let other = rusqlite::Connection::open(folder.path().join(greenroom_state::db::FILE)).expect("opened");
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").expect("locked");
    let mut second = server(&clock);
    Arc::get_mut(&mut second).expect("no other reference").recorders.spot_checks = SpotChecker::new(200, 6);
    let statistics = opened(&folder, &second, &warnings);
    second.recorders.requests.record(decision(clock.now(), &app(1), 1, CacheResult::Hit));
    assert_eq!(statistics.today(None).asked, 1, "the stored counts cannot be read yet");
    assert!(statistics.flush().await.is_err(), "nor can any be written");
    assert!(second.recorders.spot_checks.is_enabled() && warnings.active().len() == 1);
    drop(other);
    for _ in 0..2 {
        statistics.flush().await.expect("unlocked");
        assert_eq!(statistics.today(None).asked, 4, "restored once");
        assert!(!second.recorders.spot_checks.is_enabled() && warnings.active().is_empty());
        let table = statistics.rows(StatisticsGrouping::Class, None, TimeSpan::Year).await.expect("readable counts");
        assert_eq!(table.rows[0].sums.asked, 4);
    }
    assert_eq!(
        second
            .recorders
            .requests
            .points(TimeStep::Day, Timestamp::UNIX_EPOCH)
            .iter()
            .map(|point| point.asked)
            .sum::<u64>(),
        4
    );
}

#[test]
fn decisions_above_a_number_are_returned_newest_first() {
    let recorder = RequestRecorder::default();
    let app = app(1);
    for result in [CacheResult::Hit, CacheResult::Stale, CacheResult::Failed] {
        recorder.record(decision(Timestamp::from_millis(NOW_MS), &app, 1, result));
    }
    let all = recorder.decisions(0, 10, |_| true);
    assert_eq!(
        all.iter().map(|numbered| numbered.decision.outcome.result).collect::<Vec<_>>(),
        [CacheResult::Failed, CacheResult::Stale, CacheResult::Hit]
    );
    let newer = recorder.decisions(all[1].number, 10, |_| true);
    assert_eq!(newer.len(), 1);
    assert!(recorder.decisions(all[0].number, 10, |_| true).is_empty());
}
