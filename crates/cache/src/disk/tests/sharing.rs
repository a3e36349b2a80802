//! Two caches on one directory, as two processes have them: who loads, who waits, who adopts.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::disk::DiskStats;

/// A source that answers when it is told to.
#[derive(Clone)]
struct Gate {
    source: Source,
    is_open: watch::Sender<bool>,
    passes: bool,
}

impl Gate {
    fn shut(source: Source) -> Self {
        Self { source, is_open: watch::Sender::new(false), passes: false }
    }

    fn asked(&self) -> u64 {
        self.source.asked.load(Ordering::Relaxed)
    }
}

impl Loader for Gate {
    type Pass = ();

    async fn load(&self, why: LoadReason, old: Option<Arc<Entry>>) -> Result<Load<()>, Failure> {
        let answer = self.source.load(why, old).await;
        drop(self.is_open.subscribe().wait_for(|is_open| *is_open).await);
        if self.passes { Ok(Load::Pass(())) } else { answer }
    }
}

/// A caller in a task of his own.
fn caller(cache: &Cache, policy: Policy, gate: &Gate) -> JoinHandle<Result<Answer<()>, Failure>> {
    let (cache, gate) = (cache.clone(), gate.clone());
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    tokio::spawn(async move { cache.get_or_load(&key("/x"), &policy, Demand::Any, || gate).await })
}

fn stats(cache: &Cache) -> DiskStats {
    cache.disk_stats().expect("a disk")
}

async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

/// Two caches that know of each other.
async fn two(dir: &Path) -> (Cache, Cache) {
    let (one, two) = (open(dir), open(dir));
    until(|| stats(&one).has_company && stats(&two).has_company).await;
    (one, two)
}

fn how(answer: Result<Answer<()>, Failure>) -> (Served, Tier, Vec<u8>) {
    match answer.expect("an answer") {
        Answer::Kept { entry, served, tier, .. } => (served, tier, entry.body().to_vec()),
        other => panic!("not kept: {other:?}"),
    }
}

#[tokio::test]
async fn one_of_two_loads_and_the_other_adopts_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, two) = two(dir.path()).await;
    let gate = Gate::shut(Source::of("value"));
    let first = caller(&one, POLICY, &gate);
    until(|| gate.asked() == 1).await;
    let others: Vec<_> = (0..100).map(|_| caller(&two, POLICY, &gate)).collect();
    until(|| stats(&two).waits == 1).await;
    gate.is_open.send_replace(true);
    assert_eq!(how(first.await.expect("it ends")), (Served::Loaded, Tier::Source, b"value".to_vec()));
    for other in others {
        assert_eq!(how(other.await.expect("it ends")), (Served::Joined, Tier::Disk, b"value".to_vec()));
    }
    assert_eq!(gate.asked(), 1);
    assert_eq!((stats(&two).adopted, stats(&two).overdue, stats(&one).waits), (1, 0, 0));
    assert_eq!(served(&two, "/x", &gate.source).await.1, Tier::Memory, "it was taken up");
}

#[tokio::test]
async fn who_is_alone_claims_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    served(&cache, "/x", &Source::of("value")).await;
    assert!(!stats(&cache).has_company);
    assert!(!dir.path().join("loading").exists());
}

#[tokio::test]
async fn a_failure_or_what_is_not_for_keeping_lets_the_other_load_at_once() {
    for passes in [false, true] {
        let dir = tempfile::tempdir().expect("a folder");
        let (one, two) = two(dir.path()).await;
        let bad = Gate { passes, ..Gate::shut(Source::down()) };
        let first = caller(&one, POLICY, &bad);
        until(|| bad.asked() == 1).await;
        let good = Gate::shut(Source::of("value"));
        good.is_open.send_replace(true);
        let second = caller(&two, POLICY, &good);
        until(|| stats(&two).waits == 1).await;
        assert_eq!(good.asked(), 0);
        bad.is_open.send_replace(true);
        assert_eq!(first.await.expect("it ends").is_ok(), passes);
        assert_eq!(how(second.await.expect("it ends")).2, b"value");
        assert_eq!((good.asked(), stats(&two).overdue), (1, 0));
    }
}

#[tokio::test]
async fn who_waits_too_long_loads_for_himself_in_time_for_his_callers() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, two) = two(dir.path()).await;
    let (hangs, answers) = (Gate::shut(Source::of("never")), Gate::shut(Source::of("value")));
    answers.is_open.send_replace(true);
    let first = caller(&one, POLICY, &hangs);
    until(|| hangs.asked() == 1).await;
    // He waits half of his patience, and has the other half for a load that takes no time.
    let second = caller(&two, POLICY, &answers).await.expect("it ends");
    assert_eq!(how(second), (Served::Loaded, Tier::Source, b"value".to_vec()));
    assert_eq!((stats(&two).waits, stats(&two).overdue, answers.asked()), (1, 1, 1));
    first.abort();
    hangs.is_open.send_replace(true);
}

#[tokio::test]
async fn what_the_other_loaded_is_not_adopted_if_it_was_invalidated_since() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, two) = two(dir.path()).await;
    let old = Gate::shut(Source::tagged("old", "a"));
    let first = caller(&one, POLICY, &old);
    until(|| old.asked() == 1).await;
    two.invalidate(&tag("a"), &Invalidation::mark());
    let new = Gate::shut(Source::tagged("new", "a"));
    new.is_open.send_replace(true);
    let second = caller(&two, POLICY, &new);
    until(|| stats(&two).waits == 1).await;
    old.is_open.send_replace(true);
    drop(first.await);
    assert_eq!(how(second.await.expect("it ends")).2, b"new");
    assert_eq!((stats(&two).adopted, new.asked()), (0, 1));
}

#[tokio::test]
async fn who_asks_anew_takes_nothing_that_another_began_to_load_long_ago() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = || {
        let settled = Settings { reload_within: Duration::ZERO, ..Settings::default() };
        Cache::with_disk(settled, settings(dir.path()), Clock::system(), TaskTracker::new())
            .expect("it opens")
    };
    let (one, two) = (open(), open());
    until(|| stats(&one).has_company && stats(&two).has_company).await;
    for (round, is_content_with_less) in [false, true].into_iter().enumerate() {
        let key = key(&format!("/{round}"));
        let call = |cache: &Cache, gate: &Gate, demand: Demand| {
            let (cache, gate, key) = (cache.clone(), gate.clone(), key.clone());
            #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
            tokio::spawn(async move { cache.get_or_load(&key, &POLICY, demand, || gate).await })
        };
        let (old, new) = (Gate::shut(Source::of("old")), Gate::shut(Source::of("new")));
        new.is_open.send_replace(true);
        let first = call(&one, &old, Demand::Any);
        until(|| old.asked() == 1).await;
        let other = is_content_with_less.then(|| call(&two, &new, Demand::Any));
        until(|| other.is_none() || stats(&two).waits == 2).await;
        let asks = call(&two, &new, Demand::Ask);
        until(|| stats(&two).waits == round as u64 + 1).await;
        let began_ms = one.clock().now_ms();
        until(|| two.clock().now_ms() > began_ms + 1).await;
        old.is_open.send_replace(true);
        assert_eq!(how(first.await.expect("it ends")).2, b"old");
        if let Some(other) = other {
            assert_eq!(how(other.await.expect("it ends")).1, Tier::Disk, "he takes what there is");
        }
        assert_eq!(how(asks.await.expect("it ends")).2, b"new", "round {round}");
        assert_eq!(new.asked(), 1);
    }
}

#[tokio::test]
async fn what_was_invalidated_and_settled_through_one_is_never_read_through_the_other_however_busy() {
    let dir = tempfile::tempdir().expect("a folder");
    let lag = Duration::from_millis(400);
    // Whoever waits for others to be written with would not hear for an hour.
    let lingering =
        DiskSettings { shared_lag: lag, write_linger: Duration::from_hours(1), ..settings(dir.path()) };
    let (one, two) = (open_with(lingering.clone()), open_with(lingering));
    until(|| stats(&one).has_company && stats(&two).has_company).await;
    for round in 0..6 {
        served(&two, "/x", &Source::tagged(&format!("{round}"), "a")).await;
        served(&two, &format!("/other/{round}"), &Source::of("waits")).await;
        one.invalidate(&tag("a"), &Invalidation::mark());
        assert!(one.settled().await);
        let next = format!("{}", round + 1);
        assert_eq!(served(&two, "/x", &Source::tagged(&next, "a")).await.2, next.as_bytes());
    }
}

/// Whoever opens the store from now on is an hour ahead of who has it open.
fn put_the_next_ahead(dir: &Path) {
    let db = rusqlite::Connection::open(dir.join(FILE)).expect("open");
    let ahead = Stamp::from_raw((Clock::system().now_ms() + 3_600_000) << 16);
    db.execute("UPDATE about SET value = ?1 WHERE name = 'stamp'", [ahead.raw().cast_signed()]).expect("set");
}

#[tokio::test]
async fn an_invalidation_counts_before_it_is_durable_whatever_the_clock_of_who_loaded() {
    let dir = tempfile::tempdir().expect("a folder");
    let two = open(dir.path());
    put_the_next_ahead(dir.path());
    let one = open(dir.path());
    served(&one, "/x", &Source::tagged("old", "a")).await;
    assert!(one.flush(LONG).await);
    let lock = rusqlite::Connection::open(dir.path().join(FILE)).expect("open");
    lock.execute_batch("BEGIN IMMEDIATE").expect("nobody else can write");
    two.invalidate(&tag("a"), &Invalidation::mark());
    assert_eq!(served(&two, "/x", &Source::tagged("new", "a")).await.2, b"new", "it lies there as it was");
    lock.execute_batch("ROLLBACK").expect("ended");
}

#[tokio::test]
async fn what_a_clock_ahead_loaded_is_no_newer_than_the_look_that_found_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let two = open(dir.path());
    put_the_next_ahead(dir.path());
    let one = open(dir.path());
    served(&one, "/x", &Source::of("value")).await;
    assert!(one.flush(LONG).await);
    assert_eq!(served(&two, "/x", &Source::of("no")).await.1, Tier::Disk);
    let entry = two.peek(&key("/x")).expect("it was taken up");
    // Else it would be newer than an invalidation under way, whose stamp is drawn already.
    assert!(entry.created().ms() <= two.clock().now_ms(), "{:?}", entry.created());
}

#[tokio::test]
async fn what_was_loaded_after_an_invalidation_is_shared_whatever_the_clock_of_who_loaded() {
    let dir = tempfile::tempdir().expect("a folder");
    let one = open(dir.path());
    put_the_next_ahead(dir.path());
    let two = open(dir.path());
    served(&one, "/x", &Source::tagged("old", "a")).await;
    assert!(one.flush(LONG).await);
    let source = Source::tagged("another", "a");
    assert_eq!(served(&two, "/x", &source).await.2, b"old");
    one.invalidate(&tag("a"), &Invalidation::mark());
    assert!(one.settled().await);
    served(&one, "/x", &Source::tagged("new", "a")).await;
    assert!(one.flush(LONG).await);
    while served(&two, "/x", &source).await.2 == b"old" {
        tokio::task::yield_now().await;
    }
    assert_eq!(served(&two, "/x", &source).await.2, b"new");
    assert_eq!(source.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_refresh_takes_what_another_has_refreshed_already() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, two) = two(dir.path()).await;
    let long = Policy { stale: Duration::from_hours(1), ..POLICY };
    let short = Policy { fresh: Duration::ZERO, ..long };
    let (old, new) = (Source::of("old"), Source::of("new"));
    let get = async |cache: &Cache, policy: &Policy, demand, source: &Source| {
        how(cache.get_or_load(&key("/x"), policy, demand, || source.clone()).await)
    };
    assert_eq!(get(&one, &short, Demand::Any, &old).await.2, b"old");
    assert!(one.flush(LONG).await);
    assert_eq!(get(&two, &long, Demand::Offline, &old).await.2, b"old", "two has it in memory");
    assert_eq!(get(&one, &long, Demand::Reload, &new).await.2, b"new");
    assert!(one.flush(LONG).await);
    let stale = get(&two, &long, Demand::Any, &new).await;
    assert_eq!((stale.0, stale.2), (Served::Stale, b"old".to_vec()), "it is refreshed behind");
    until(|| stats(&two).adopted == 1).await;
    while get(&two, &long, Demand::Any, &new).await.2 != b"new" {
        tokio::task::yield_now().await;
    }
    assert_eq!((old.asked.load(Ordering::Relaxed), new.asked.load(Ordering::Relaxed)), (1, 1));
    assert_eq!(two.stats().classes[0].refreshes, 0, "nothing was loaded for it");
}

#[tokio::test]
async fn an_answer_that_is_read_slowly_does_not_keep_the_other_from_adopting_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, two) = two(dir.path()).await;
    let gate = Gate::shut(Source::of("value"));
    let first = caller(&one, POLICY, &gate);
    until(|| gate.asked() == 1).await;
    let second = caller(&two, POLICY, &gate);
    until(|| stats(&two).waits == 1).await;
    gate.is_open.send_replace(true);
    let slow = first.await.expect("it ends").expect("an answer");
    assert!(
        matches!(slow, Answer::Kept { leaving: Some(_), .. }),
        "it is on its way for as long as it is held"
    );
    assert_eq!(how(second.await.expect("it ends")).0, Served::Joined);
    assert_eq!((gate.asked(), stats(&two).adopted), (1, 1));
    drop(slow);
}

#[test]
fn whoever_opens_the_store_does_not_wait_for_who_writes() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(Store::open(dir.path(), 65_536).expect("it opens"));
    let writing = rusqlite::Connection::open(dir.path().join(FILE)).expect("open");
    let vacuum: i64 = writing.pragma_query_value(None, "auto_vacuum", |row| row.get(0)).expect("told");
    assert_eq!(vacuum, 2, "free pages can be given back");
    writing.execute_batch("BEGIN IMMEDIATE").expect("nobody else can write");
    assert!(Store::open(dir.path(), 65_536).is_ok());
}
