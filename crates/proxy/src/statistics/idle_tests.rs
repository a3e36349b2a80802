//! An idle household: Greenroom sends one own request a minute, and no client is active.

use greenroom_cache::Clock;

use super::tests::{app, decision, folder, opened, server};
use super::*;
use crate::record::CacheResult;
use crate::statistics::report::{StatisticsGrouping, TimeSpan};

#[tokio::test(start_paused = true)]
async fn an_idle_hour_of_our_own_requests_is_one_transaction_and_a_client_or_the_end_brings_it_forward() {
    let (folder, clock, warnings) = (folder(), Clock::system(), Arc::default());
    let server = server(&clock);
    let statistics = opened(&folder, &server, &warnings);
    let other = rusqlite::Connection::open(folder.path().join(greenroom_state::db::FILE)).expect("it opens");
    let version = || -> i64 { other.pragma_query_value(None, "data_version", |row| row.get(0)).expect("it is told") };
    let mut before = version();
    let mut has_written = || std::mem::replace(&mut before, version()) != before;
    let ask = || server.origin.counters.own.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    // The hour since the last sweep begins now.
    ask();
    statistics.flush().await.expect("it is written");
    assert!(has_written());
    let mut writes = 0;
    for _ in 0..58 {
        clock.sleep(statistics.write_every()).await;
        ask();
        statistics.flush_scope(FlushScope::Due).await.expect("it can be");
        writes += u32::from(has_written());
    }
    assert_eq!(writes, 0, "58 idle minutes");
    let table = statistics.rows(StatisticsGrouping::Class, None, TimeSpan::Day).await.expect("it can be read");
    assert_eq!((table.own.reached, server.recorders.requests.merged()), (59, 0), "it is shown all the same");
    for _ in 0..4 {
        clock.sleep(statistics.write_every()).await;
        statistics.flush_scope(FlushScope::Due).await.expect("it can be");
        writes += u32::from(has_written());
    }
    assert_eq!((writes, server.recorders.requests.merged()), (1, 0), "all of it once the hour is over");
    ask();
    statistics.flush_scope(FlushScope::Due).await.expect("it can be");
    assert!(!has_written(), "the next hour began");
    server.recorders.requests.record(decision(clock.now_ms(), &app(1), 1, CacheResult::Hit));
    statistics.flush_scope(FlushScope::Due).await.expect("it can be");
    assert!(has_written(), "a client came");
    ask();
    statistics.flush().await.expect("it is written");
    assert!(has_written() && server.recorders.requests.unwritten_buckets().is_empty(), "so it is at the end");
}
