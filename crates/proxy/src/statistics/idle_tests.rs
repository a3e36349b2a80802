//! An idle home: Greenroom asks its server for itself once a minute, and no client comes.

use greenroom_cache::Clock;

use super::tests::{app, decision, folder, opened, server};
use super::*;
use crate::record::Verdict;
use crate::statistics::report::{Grouping, Span};

#[tokio::test(start_paused = true)]
async fn an_idle_hour_of_our_own_requests_is_one_transaction_and_a_client_or_the_end_brings_it_forward() {
    let (folder, clock, warnings) = (folder(), Clock::system(), Arc::default());
    let server = server(&clock);
    let statistics = opened(&folder, &server, &warnings);
    let other = rusqlite::Connection::open(folder.path().join(greenroom_state::db::FILE)).expect("it opens");
    let version =
        || -> i64 { other.pragma_query_value(None, "data_version", |row| row.get(0)).expect("it is told") };
    let mut before = version();
    let mut has_written = || std::mem::replace(&mut before, version()) != before;
    let ask = || server.origin.counters.own.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    // The hour since the last sweep begins now.
    ask();
    statistics.sync().await.expect("it is written");
    assert!(has_written());
    let mut writes = 0;
    for _ in 0..58 {
        clock.sleep(statistics.write_every()).await;
        ask();
        statistics.write_down(Which::Due).await.expect("it can be");
        writes += u32::from(has_written());
    }
    assert_eq!(writes, 0, "58 idle minutes");
    let table = statistics.rows(Grouping::Class, None, Span::Day).await.expect("it can be read");
    assert_eq!((table.own.reached, server.record.ledger.folded()), (59, 0), "it is shown all the same");
    for _ in 0..4 {
        clock.sleep(statistics.write_every()).await;
        statistics.write_down(Which::Due).await.expect("it can be");
        writes += u32::from(has_written());
    }
    assert_eq!((writes, server.record.ledger.folded()), (1, 0), "all of it once the hour is over");
    ask();
    statistics.write_down(Which::Due).await.expect("it can be");
    assert!(!has_written(), "the next hour began");
    server.record.ledger.record(decision(clock.now_ms(), &app(1), 1, Verdict::Hit));
    statistics.write_down(Which::Due).await.expect("it can be");
    assert!(has_written(), "a client came");
    ask();
    statistics.sync().await.expect("it is written");
    assert!(has_written() && server.record.ledger.pages().is_empty(), "so it is at the end");
}
