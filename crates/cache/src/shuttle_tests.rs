//! The engine's decisions under every interleaving a model checker finds: the shipped coordinator, flights,
//! invalidation index and memory tier on shuttle's primitives.
//!
//! Shuttle treats every atomic as sequentially consistent. The only decision that depends on a weaker order is an
//! entry's epoch: a record is written before the epoch grows (release), and the epoch is read (acquire) before the
//! records are compared. So a caller that finds an entry valid at an epoch has seen every record of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shuttle::future::block_on;
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::thread;

use crate::coordinator::{Coordinator, LoadContext};
use crate::counters::ClassCounters;
use crate::flight::{FlightLeader, JoinOutcome, LoadOutcome};
use crate::scope_hash::ScopeHashes;
use crate::timestamp::Timestamp;
use crate::{
    CacheSettings, Invalidation, InvalidationMode, Key, LoadError, LoadErrorKind, LoadReason, LoadedValue, Partition,
    Policy, Scope, Tag, Validity, Value,
};

/// Schedules per model and scheduler.
const SCHEDULES: usize = 10_000;
/// Preemptions the priority-based scheduler places.
const DEPTH: usize = 3;
const NOW_MS: Timestamp = Timestamp::from_millis(1_000);
const POLICY: Policy = Policy {
    class: "model",
    fresh: Duration::from_secs(100),
    freshness_bound: None,
    stale: Duration::ZERO,
    stale_on_error: Duration::from_secs(100),
    refresh_ahead: false,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(1),
};

fn explore(model: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(model.clone(), SCHEDULES);
    shuttle::check_pct(model, SCHEDULES, DEPTH);
}

/// A coordinator, a source that holds one number, and the loads it saw.
#[derive(Clone)]
struct ModelFixture {
    coordinator: Arc<Coordinator>,
    source: Arc<AtomicU64>,
    loads: Arc<AtomicU64>,
    key: Key,
}

impl ModelFixture {
    fn new() -> Self {
        let settings = CacheSettings { max_bytes: 1 << 20, max_negative_bytes: 1 << 16, ..CacheSettings::default() };
        Self {
            coordinator: Arc::new(Coordinator::new(settings)),
            source: Arc::new(AtomicU64::new(0)),
            loads: Arc::new(AtomicU64::new(0)),
            key: Key::new("home", &Partition::new("anna"), "/a"),
        }
    }

    fn context(&self) -> LoadContext {
        let counters = Arc::new(ClassCounters::default());
        let load_reason = LoadReason::Absent;
        LoadContext { key: self.key.clone(), policy: POLICY, load_reason, counters, access_rhythm: None }
    }

    /// Loads and completes: the source is read after the flight got its timestamp. The value carries a tag unknown
    /// before.
    fn run_load(&self, leader: FlightLeader) -> u64 {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let version = self.source.load(Ordering::SeqCst);
        thread::yield_now();
        let value = Value::new(Bytes::from(version.to_string()));
        let loaded = LoadedValue { value, tags: vec![Tag::new("item:1")], policy: None, stored_under: None };
        let (entry, refusal, delivery_guard) = self.coordinator.store(&self.context(), &leader.flight, loaded, NOW_MS);
        leader.complete(LoadOutcome::Cacheable { entry, refusal, delivery_guard });
        version
    }

    /// Reads as a caller that accepts anything: a valid entry, another caller's load, or its own.
    fn read(&self) -> u64 {
        let arrived = self.coordinator.arrival_time(NOW_MS);
        let scope_hashes = ScopeHashes::from_key(&self.key);
        loop {
            let cached = self.coordinator.get(&self.key);
            if let Some((entry, Validity::Valid)) = &cached {
                return version(entry.value());
            }
            match self.coordinator.join_or_start(
                &self.key,
                &scope_hashes,
                cached.as_ref().map(|(entry, _)| entry),
                NOW_MS,
            ) {
                JoinOutcome::Lead(leader) => return self.run_load(leader),
                JoinOutcome::Follow(follower) => {
                    let flight = Arc::clone(&follower.flight);
                    let outcome = block_on(follower);
                    let LoadOutcome::Cacheable { entry, .. } = &outcome else {
                        panic!("every load here brings a value")
                    };
                    if self.coordinator.serves(&flight, &outcome, &scope_hashes, arrived) {
                        return version(entry.value());
                    }
                }
                JoinOutcome::Retry => {}
                JoinOutcome::TooManyFlights | JoinOutcome::TooManyWaiters => panic!("there is room"),
            }
        }
    }

    /// Writes, and invalidates the scope.
    fn write(&self, scope: &Scope, mode: InvalidationMode) -> u64 {
        let version = self.source.fetch_add(1, Ordering::SeqCst) + 1;
        self.coordinator.invalidate(scope, &Invalidation { mode, ..Invalidation::default() }, NOW_MS);
        version
    }

    fn spawn<T: Send + 'static>(&self, action: impl FnOnce(Self) -> T + Send + 'static) -> thread::JoinHandle<T> {
        let fixture = self.clone();
        thread::spawn(move || action(fixture))
    }
}

fn version(value: &Value) -> u64 {
    std::str::from_utf8(&value.body).unwrap().parse().unwrap()
}

fn by_tag() -> Scope {
    Scope::Tag { namespace: "home".into(), partition: None, tag: Tag::new("item:1") }
}

fn by_key() -> Scope {
    Scope::Key(ModelFixture::new().key)
}

/// A read after an invalidation returned sees what was written before it, whatever else loads meanwhile.
fn never_undone(scope: fn() -> Scope, mode: InvalidationMode) {
    explore(move || {
        let fixture = ModelFixture::new();
        let readers = [fixture.spawn(|fixture| fixture.read()), fixture.spawn(|fixture| fixture.read())];
        let written = fixture.write(&scope(), mode);
        assert!(fixture.read() >= written, "the writer reads his own write");
        for reader in readers {
            reader.join().unwrap();
        }
        assert!(fixture.read() >= written, "and it stays, whichever load finishes last");
        let entry = fixture.coordinator.memory.peek(&fixture.key).expect("the last load is kept");
        assert!(version(entry.value()) >= written);
    });
}

#[test]
fn a_write_is_never_undone_by_tag() {
    never_undone(by_tag, InvalidationMode::MarkStale);
}

#[test]
fn a_write_is_never_undone_by_key() {
    never_undone(by_key, InvalidationMode::MarkStale);
}

#[test]
fn a_write_is_never_undone_by_purge() {
    never_undone(by_key, InvalidationMode::Purge);
}

#[test]
fn two_writers_each_read_their_own_write() {
    explore(|| {
        let fixture = ModelFixture::new();
        let writer = |fixture: ModelFixture| {
            let written = fixture.write(&by_tag(), InvalidationMode::MarkStale);
            assert!(fixture.read() >= written);
        };
        let threads = [
            fixture.spawn(writer),
            fixture.spawn(writer),
            fixture.spawn(|fixture| {
                fixture.read();
            }),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(fixture.read(), 2);
    });
}

#[test]
fn concurrent_reads_share_one_load() {
    explore(|| {
        let fixture = ModelFixture::new();
        let readers: Vec<_> = (0..4).map(|_| fixture.spawn(|fixture| fixture.read())).collect();
        for caller in readers {
            assert_eq!(caller.join().unwrap(), 0);
        }
        assert_eq!(fixture.loads.load(Ordering::SeqCst), 1);
        assert_eq!(fixture.coordinator.flights.count(), 0);
    });
}

#[test]
fn concurrent_reads_of_a_failing_key_share_one_load() {
    explore(|| {
        let fixture = ModelFixture::new();
        let read_once = |fixture: ModelFixture| {
            let scope_hashes = ScopeHashes::from_key(&fixture.key);
            loop {
                if fixture.coordinator.negative_entry(&fixture.key, &scope_hashes, NOW_MS).is_some() {
                    return;
                }
                match fixture.coordinator.join_or_start(&fixture.key, &scope_hashes, None, NOW_MS) {
                    JoinOutcome::Lead(leader) => {
                        fixture.loads.fetch_add(1, Ordering::SeqCst);
                        let failure = LoadError::new(LoadErrorKind::Unreachable, "scripted");
                        fixture.coordinator.remember_failure(&fixture.key, &leader.flight, &failure, NOW_MS);
                        return leader.complete(LoadOutcome::Failed(failure));
                    }
                    JoinOutcome::Follow(follower) => return drop(block_on(follower)),
                    JoinOutcome::Retry => {}
                    JoinOutcome::TooManyFlights | JoinOutcome::TooManyWaiters => panic!("there is room"),
                }
            }
        };
        let readers: Vec<_> = (0..4).map(|_| fixture.spawn(read_once)).collect();
        for caller in readers {
            caller.join().unwrap();
        }
        assert_eq!(fixture.loads.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn an_invalidation_costs_concurrent_reads_at_most_one_more_load() {
    explore(|| {
        let fixture = ModelFixture::new();
        let readers: Vec<_> = (0..3).map(|_| fixture.spawn(|fixture| fixture.read())).collect();
        let written = fixture.write(&by_tag(), InvalidationMode::MarkStale);
        assert!(fixture.read() >= written);
        for caller in readers {
            caller.join().unwrap();
        }
        assert!(fixture.loads.load(Ordering::SeqCst) <= 2);
    });
}

#[test]
fn a_load_from_before_an_invalidation_is_not_joined() {
    explore(|| {
        let fixture = ModelFixture::new();
        let early = fixture.coordinator.join_or_start(&fixture.key, &ScopeHashes::from_key(&fixture.key), None, NOW_MS);
        let JoinOutcome::Lead(early) = early else { panic!("the first leads") };
        let early = fixture.spawn(move |fixture| fixture.run_load(early));
        let written = fixture.write(&by_tag(), InvalidationMode::MarkStale);
        let late = fixture.spawn(|fixture| fixture.read());
        assert!(late.join().unwrap() >= written);
        early.join().unwrap();
    });
}

#[test]
fn of_two_loads_the_later_one_is_stored() {
    explore(|| {
        let fixture = ModelFixture::new();
        let older = fixture.coordinator.start_unshared(NOW_MS).expect("there is room");
        let newer = fixture.coordinator.start_unshared(NOW_MS).expect("there is room");
        let newest = newer.flight.created;
        let threads = [
            fixture.spawn(move |fixture| fixture.run_load(older)),
            fixture.spawn(move |fixture| fixture.run_load(newer)),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(fixture.coordinator.memory.peek(&fixture.key).map(|entry| entry.created()), Some(newest));
        assert_eq!(fixture.coordinator.memory.entries(), 1);
    });
}

#[test]
fn a_not_found_of_an_older_load_never_removes_the_value_of_a_newer_one() {
    explore(|| {
        let fixture = ModelFixture::new();
        let older = fixture.coordinator.start_unshared(NOW_MS).expect("there is room");
        let newer = fixture.coordinator.start_unshared(NOW_MS).expect("there is room");
        let removed = fixture.spawn(move |fixture| {
            fixture.coordinator.discard(&fixture.key, older.flight.created);
            older.complete(LoadOutcome::Shared(Value::default()));
        });
        let entry = fixture.spawn(move |fixture| fixture.run_load(newer));
        removed.join().unwrap();
        entry.join().unwrap();
        assert!(fixture.coordinator.memory.peek(&fixture.key).is_some());
    });
}

#[test]
fn a_load_that_vanishes_leaves_no_waiter_behind() {
    explore(|| {
        let fixture = ModelFixture::new();
        let scope_hashes = ScopeHashes::from_key(&fixture.key);
        let JoinOutcome::Lead(leader) = fixture.coordinator.join_or_start(&fixture.key, &scope_hashes, None, NOW_MS)
        else {
            panic!()
        };
        let followers: Vec<_> = (0..3)
            .map(|_| {
                fixture.spawn(move |fixture| {
                    let scope_hashes = ScopeHashes::from_key(&fixture.key);
                    match fixture.coordinator.join_or_start(&fixture.key, &scope_hashes, None, NOW_MS) {
                        JoinOutcome::Follow(follower) => drop(block_on(follower)),
                        JoinOutcome::Lead(leader) => drop(fixture.run_load(leader)),
                        _ => {}
                    }
                })
            })
            .collect();
        drop(leader);
        for follower in followers {
            follower.join().expect("he is not stranded: that would be a deadlock");
        }
        assert_eq!(fixture.coordinator.flights.count(), 0);
    });
}

#[test]
fn a_caller_that_leaves_affects_no_other() {
    explore(|| {
        let fixture = ModelFixture::new();
        let scope_hashes = ScopeHashes::from_key(&fixture.key);
        let JoinOutcome::Lead(leader) = fixture.coordinator.join_or_start(&fixture.key, &scope_hashes, None, NOW_MS)
        else {
            panic!()
        };
        let (still, leaves) = (leader.follow(), leader.follow());
        let other_thread = thread::spawn(move || {
            let mut leaves = leaves;
            let waker = std::task::Waker::noop();
            let polled = Future::poll(std::pin::Pin::new(&mut leaves), &mut std::task::Context::from_waker(waker));
            drop(leaves);
            polled.is_ready()
        });
        let host = thread::spawn(move || matches!(block_on(still), LoadOutcome::Cacheable { .. }));
        fixture.run_load(leader);
        other_thread.join().unwrap();
        assert!(host.join().unwrap());
    });
}

#[test]
fn one_of_many_readers_gets_the_refresh_permit() {
    explore(|| {
        let fixture = ModelFixture::new();
        fixture.read();
        let permits: Vec<_> = (0..3)
            .map(|_| {
                fixture.spawn(|fixture| {
                    let (entry, _) = fixture.coordinator.get(&fixture.key).expect("it is kept");
                    entry.try_begin_refresh(NOW_MS)
                })
            })
            .collect();
        let permits: Vec<_> = permits.into_iter().filter_map(|permit| permit.join().unwrap()).collect();
        assert_eq!(permits.len(), 1);
        drop(permits);
        let (entry, _) = fixture.coordinator.get(&fixture.key).expect("it is kept");
        assert!(entry.try_begin_refresh(NOW_MS).is_some(), "given back, it can be had again");
    });
}
