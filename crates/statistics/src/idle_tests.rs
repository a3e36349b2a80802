//! An idle household: Greenroom sends one own request a minute, and no client is active.

use greenroom_cache::Clock;

use super::tests::{app, decision, folder, opened, server};
use super::*;
use crate::report::{StatisticsGrouping, TimeSpan};
use greenroom_request_log::CacheResult;

#[tokio::test(start_paused = true)]
async fn an_idle_hour_of_own_requests_is_one_transaction_and_a_client_or_shutdown_writes_it_earlier() {
    let (folder, clock, warnings) = (folder(), Clock::system(), Arc::default());
    let server = server(&clock);
    let statistics = opened(&folder, &server, &warnings);
    let other = rusqlite::Connection::open(folder.path().join(greenroom_state::db::FILE)).expect("opened");
    let version = || -> i64 { other.pragma_query_value(None, "data_version", |row| row.get(0)).expect("a version") };
    let mut before = version();
    let mut has_written = || std::mem::replace(&mut before, version()) != before;
    let count_own_request = || server.origin.counters.own.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    // The hour since the last sweep begins now.
    count_own_request();
    statistics.flush().await.expect("written");
    assert!(has_written());
    let mut writes = 0;
    for _ in 0..58 {
        clock.sleep(statistics.write_every()).await;
        count_own_request();
        statistics.flush_scope(FlushScope::Due).await.expect("flushed");
        writes += u32::from(has_written());
    }
    assert_eq!(writes, 0, "58 idle minutes");
    let table = statistics.rows(StatisticsGrouping::Class, None, TimeSpan::Day).await.expect("readable counts");
    assert_eq!((table.own.reached, server.recorders.requests.merged()), (59, 0), "pending counts are in the report");
    for _ in 0..4 {
        clock.sleep(statistics.write_every()).await;
        statistics.flush_scope(FlushScope::Due).await.expect("flushed");
        writes += u32::from(has_written());
    }
    assert_eq!((writes, server.recorders.requests.merged()), (1, 0), "one write after the hour");
    count_own_request();
    statistics.flush_scope(FlushScope::Due).await.expect("flushed");
    assert!(!has_written(), "the next hour began");
    server.recorders.requests.record(decision(clock.now(), &app(1), 1, CacheResult::Hit));
    statistics.flush_scope(FlushScope::Due).await.expect("flushed");
    assert!(has_written(), "a client was counted");
    count_own_request();
    statistics.flush().await.expect("written");
    assert!(
        has_written() && server.recorders.requests.unwritten_buckets().is_empty(),
        "a full flush writes own requests, too"
    );
}
