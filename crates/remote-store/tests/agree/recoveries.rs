//! Recoveries of a gateway from lost numbers, connections and answers.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{CacheStatus, Clock};

use greenroom_remote_store::journal::JOURNAL_FILE;

use crate::fixture::{Gateway, PATIENCE, Source, StoreProcess, settings, shared};

/// Puts a gateway on the store's list that never hears anything, until its lease ends.
async fn add_deaf_gateway(store: &StoreProcess, lease: Duration) {
    let redis::Value::Array(time) = store.command(&["TIME"]).await else { panic!("a time") };
    let number = |at: usize| redis::from_redis_value::<u64>(time[at].clone()).expect("a number");
    let until_ms = number(0) * 1_000 + number(1) / 1_000 + u64::try_from(lease.as_millis()).expect("a short lease");
    store.command(&["HSET", "{greenroom}:meta", "p:deaf", &format!("{until_ms};0;0;0;deaf")]).await;
}

async fn until_numbered(store: &StoreProcess) {
    let numbered = async {
        while store.command(&["XLEN", "{greenroom}:log"]).await == redis::Value::Int(0) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, numbered).await.expect("a number");
}

async fn two(store: &StoreProcess, source: &Arc<Source>) -> [Gateway; 2] {
    let one = Gateway::start(shared(&store.url()), 1, source).await;
    let two = Gateway::start(shared(&store.url()), 2, source).await;
    one.sees_peers(1).await;
    two.sees_peers(1).await;
    [one, two]
}

#[tokio::test]
async fn a_write_whose_number_the_store_lost_is_announced_again_and_later_writes_do_not_wait() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let [one, two] = two(&store, &source).await;
    for _ in 0..5 {
        one.write().await;
    }
    two.read("/a").await.expect("a value");
    add_deaf_gateway(&store, Duration::from_secs(60)).await;
    let before = one.store.status(true).numbered;
    let losing = async {
        one.until("a number", |one| one.store.status(true).numbered > before).await;
        store.command(&["FLUSHALL"]).await;
    };
    let (version, ()) = tokio::join!(one.write(), losing);
    two.until("the write", |two| two.store.status(true).heard > 0).await;
    assert_eq!(two.read("/a").await.expect("a value").version, version);
    // Leases that the store may have forgotten end first.
    two.until("trust", |two| two.cache.is_trusted()).await;
    tokio::time::timeout(PATIENCE, one.write()).await.expect("an answer");
    let (clock, seq) = (Clock::system(), one.store.status(true).heard);
    let began = clock.now_us();
    let version = one.write().await;
    assert!(clock.since(began) < Duration::from_millis(700), "{:?}", clock.since(began));
    assert!(one.store.status(true).heard >= seq);
    assert_eq!(two.read("/a").await.expect("a value").version, version);
}

#[tokio::test]
async fn a_write_that_waits_for_another_gateway_waits_on_after_its_connection_broke() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let one = Gateway::start(shared(&store.url()), 1, &source).await;
    // The lease of a new store's first second.
    one.write().await;
    let lease = Duration::from_millis(1_600);
    add_deaf_gateway(&store, lease).await;
    store.command(&["XTRIM", "{greenroom}:log", "MAXLEN", "0"]).await;
    let clock = Clock::system();
    let began = clock.now_us();
    let breaking = async {
        until_numbered(&store).await;
        store.command(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    };
    tokio::join!(one.write(), breaking);
    assert!(clock.since(began) + Duration::from_millis(250) >= lease, "answered after {:?}", clock.since(began));
}

#[tokio::test]
async fn a_write_waits_for_a_gateway_whose_lease_was_renewed_after_ours() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let one = Gateway::start(shared(&store.url()), 1, &source).await;
    one.write().await;
    let lease = Duration::from_millis(1_600);
    add_deaf_gateway(&store, lease).await;
    let clock = Clock::system();
    let began = clock.now_us();
    one.write().await;
    let took = clock.since(began);
    assert!(took + Duration::from_millis(50) >= lease, "answered after {took:?}, while the other still trusted");
    assert_eq!(one.store.status(true).unacknowledged, 0);
}

#[tokio::test]
async fn what_was_loaded_before_a_gateway_first_reached_the_store_is_not_trusted_once_it_has() {
    let (mut store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    store.kill();
    let early = Gateway::start_in(shared(&store.url()), 1, &source, tempfile::tempdir().expect("a folder"), false);
    early.read("/a").await.expect("a value");
    early.until("an outage", |early| early.store.status(true).state.name() == "away").await;
    // Its next attempt comes later than the other's first.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    store.restart().await;
    let other = Gateway::start(shared(&store.url()), 2, &source).await;
    let version = other.write().await;
    early.is_connected().await;
    early.until("trust", |early| early.cache.is_trusted()).await;
    assert_eq!(early.read("/a").await.expect("a value").version, version);
}

#[tokio::test]
async fn a_store_that_lost_everything_takes_no_body_away_that_serves_while_the_source_is_down() {
    let (mut store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let one = Gateway::start(shared(&store.url()), 1, &source).await;
    one.read("/a").await.expect("a value");
    let epoch = one.store.status(true).epoch;
    store.kill();
    store.restart().await;
    one.until("another epoch", |one| ![0, epoch].contains(&one.store.status(true).epoch)).await;
    source.set_down(true);
    assert_eq!(one.read("/a").await.expect("the older body").served, CacheStatus::StaleOnError);
}

#[tokio::test]
async fn a_copy_of_a_data_directory_is_refused_while_the_other_lives() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let first = Gateway::start(shared(&store.url()), 1, &source).await;
    let folder = || tempfile::tempdir().expect("a folder");
    let copy = Gateway::start_in(shared(&store.url()), 1, &source, folder(), false);
    copy.until("a refusal", |copy| copy.store.status(true).state.name() == "taken").await;
    assert_eq!(copy.read("/a").await.expect("a value").version, 0);
    assert_eq!(first.write().await, 1);
    assert_eq!(copy.read("/a").await.expect("a value").version, 1, "it serves nothing that it has cached");
    first.stop().await;
    copy.is_connected().await;
}

#[tokio::test]
async fn after_a_restart_of_the_store_a_write_waits_for_the_longest_lease_that_any_gateway_asked_for() {
    let mut store = StoreProcess::start(&["--appendonly", "yes"]).await;
    let source = Arc::new(Source::default());
    let one = Gateway::start(shared(&store.url()), 1, &source).await;
    one.write().await;
    store.command(&["HSET", "{greenroom}:meta", "lease", "3000"]).await;
    store.kill();
    store.restart().await;
    let clock = Clock::system();
    let restarted = clock.now_us();
    one.is_connected().await;
    one.write().await;
    assert!(clock.since(restarted) >= Duration::from_secs(2), "answered after {:?}", clock.since(restarted));
}

#[tokio::test]
async fn no_load_waits_for_a_gateway_that_is_gone() {
    let (store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let [one, two] = two(&store, &source).await;
    source.set_delay(Duration::from_secs(2));
    let replacing = async {
        let name = loop {
            let found: Vec<String> =
                redis::from_redis_value(store.command(&["KEYS", "greenroom:l:*"]).await).expect("names");
            if let Some(name) = found.first() {
                break name.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        store.command(&["SET", &name, "gone.1", "PX", "10000"]).await;
        source.set_delay(Duration::ZERO);
        let clock = Clock::system();
        let began = clock.now_us();
        two.read("/slow").await.expect("a value");
        clock.since(began)
    };
    let (_, took) = tokio::join!(one.read("/slow"), replacing);
    assert!(took < Duration::from_secs(5), "it waited {took:?}");
}

#[tokio::test]
async fn the_journal_says_that_the_store_lacks_something_no_longer_than_it_does() {
    let (mut store, source) = (StoreProcess::start(&[]).await, Arc::new(Source::default()));
    let one = Gateway::start(settings(&store.url()), 1, &source).await;
    let journal = one.dir.as_ref().expect("a folder").path().join(JOURNAL_FILE);
    let says = |word: &str| std::fs::read_to_string(&journal).is_ok_and(|text| text.contains(word));
    store.kill();
    one.until("an outage", |one| one.store.status(true).state.name() == "away").await;
    one.write().await;
    assert!(says("behind"), "before the write is answered");
    store.restart().await;
    one.is_connected().await;
    one.until("the store has all", |_| says("level")).await;
}
