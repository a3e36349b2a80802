//! Figures of docs/scaling.md: `cargo test -p greenroom-remote-store --test agree -- --ignored --nocapture figures`.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{Clock, Tier};

use crate::fixture::{Gateway, Source, StoreProcess, shared};

const WINDOW: Duration = Duration::from_secs(4);

async fn commands_and_bytes(store: &StoreProcess) -> (f64, f64) {
    let redis::Value::BulkString(text) = store.command(&["INFO", "stats"]).await else { panic!("text") };
    let text = String::from_utf8_lossy(&text).into_owned();
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("it is counted");
        line.trim().parse::<f64>().expect("a number")
    };
    (number("total_commands_processed:"), number("total_net_input_bytes:") + number("total_net_output_bytes:"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn figures() {
    let clock = Clock::system();
    for count in 1..=3_u8 {
        let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
        let mut gateways = Vec::new();
        for number in 1..=count {
            let settings =
                greenroom_config::RemoteStoreSettings { peer_timeout: Duration::from_secs(3), ..shared(&store.url()) };
            gateways.push(Gateway::start(settings, number, &source).await);
        }
        for gateway in &gateways {
            gateway.sees_peers(usize::from(count) - 1).await;
        }
        tokio::time::sleep(WINDOW).await;
        let (before, began) = (commands_and_bytes(&store).await, clock.now_us());
        tokio::time::sleep(WINDOW).await;
        let (after, seconds) = (commands_and_bytes(&store).await, clock.since(began).as_secs_f64());
        let idle = ((after.0 - before.0) / seconds, (after.1 - before.1) / seconds);
        let (before, began) = (commands_and_bytes(&store).await, clock.now_us());
        let mut waits = Vec::new();
        for _ in 0..200 {
            let write = clock.now_us();
            gateways[0].write().await;
            waits.push(clock.since(write));
        }
        let (after, seconds) = (commands_and_bytes(&store).await, clock.since(began).as_secs_f64());
        waits.sort_unstable();
        let writes = ((after.0 - before.0 - idle.0 * seconds) / 200.0, (after.1 - before.1 - idle.1 * seconds) / 200.0);
        println!(
            "{count} gateways: idle {:.1} commands/s, {:.0} bytes/s; a write {:.1} commands, {:.0} bytes, p50 {:?}, p99 {:?}",
            idle.0, idle.1, writes.0, writes.1, waits[100], waits[197]
        );
        if count == 2 {
            let mut remote = Vec::new();
            for number in 0..500 {
                gateways[0].read(&format!("/{number}")).await.expect("a value");
            }
            gateways[0].until("written", |gateway| gateway.store.status(true).queued == 0).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            for number in 0..500 {
                let read = clock.now_us();
                let found = gateways[1].read(&format!("/{number}")).await.expect("a value");
                assert_eq!(found.tier, Tier::Remote);
                remote.push(clock.since(read));
            }
            remote.sort_unstable();
            println!("a remote hit: p50 {:?}, p99 {:?}", remote[250], remote[495]);
        }
    }
}
