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
use crate::{
    CacheSettings, Invalidation, InvalidationMode, Key, LoadError, LoadErrorKind, LoadReason, LoadedValue, Partition,
    Policy, Scope, Tag, Validity, Value,
};

/// Schedules per model and scheduler.
const SCHEDULES: usize = 10_000;
/// Preemptions the priority-based scheduler places.
const DEPTH: usize = 3;
const NOW_MS: u64 = 1_000;
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

    fn booking(&self) -> LoadContext {
        let counters = Arc::new(ClassCounters::default());
        let load_reason = LoadReason::Absent;
        LoadContext { key: self.key.clone(), policy: POLICY, load_reason, counters, access_rhythm: None }
    }

    /// Loads and completes: the source is read after the flight got its timestamp. The value carries a tag unknown
    /// before.
    fn fly(&self, lead: FlightLeader) -> u64 {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let version = self.source.load(Ordering::SeqCst);
        thread::yield_now();
        let value = Value::new(Bytes::from(version.to_string()));
        let fill = LoadedValue { value, tags: vec![Tag::new("item:1")], policy: None };
        let (entry, refusal, leaving) = self.coordinator.store(&self.booking(), &lead.flight, fill, NOW_MS);
        lead.complete(LoadOutcome::Cacheable { entry, refusal, leaving });
        version
    }

    /// Reads as a caller that accepts anything: a valid entry, another caller's load, or its own.
    fn read(&self) -> u64 {
        let arrived = self.coordinator.arrival_time(NOW_MS);
        let reach = ScopeHashes::from_key(&self.key);
        loop {
            let seen = self.coordinator.get(&self.key);
            if let Some((entry, Validity::Valid)) = &seen {
                return version(entry.value());
            }
            match self.coordinator.join_or_start(&self.key, &reach, seen.as_ref().map(|(entry, _)| entry), NOW_MS) {
                JoinOutcome::Lead(lead) => return self.fly(lead),
                JoinOutcome::Follow(follow) => {
                    let flight = Arc::clone(&follow.flight);
                    let landed = block_on(follow);
                    let LoadOutcome::Cacheable { entry, .. } = &landed else {
                        panic!("every load here brings a value")
                    };
                    if self.coordinator.serves(&flight, &landed, &reach, arrived) {
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

    fn spawn<T: Send + 'static>(&self, act: impl FnOnce(Self) -> T + Send + 'static) -> thread::JoinHandle<T> {
        let world = self.clone();
        thread::spawn(move || act(world))
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
        let world = ModelFixture::new();
        let readers = [world.spawn(|world| world.read()), world.spawn(|world| world.read())];
        let written = world.write(&scope(), mode);
        assert!(world.read() >= written, "the writer reads his own write");
        for reader in readers {
            reader.join().unwrap();
        }
        assert!(world.read() >= written, "and it stays, whoever finished late");
        let kept = world.coordinator.memory.peek(&world.key).expect("the last load is kept");
        assert!(version(kept.value()) >= written);
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
        let world = ModelFixture::new();
        let writer = |world: ModelFixture| {
            let written = world.write(&by_tag(), InvalidationMode::MarkStale);
            assert!(world.read() >= written);
        };
        let threads = [
            world.spawn(writer),
            world.spawn(writer),
            world.spawn(|world| {
                world.read();
            }),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(world.read(), 2);
    });
}

#[test]
fn a_crowd_costs_one_load() {
    explore(|| {
        let world = ModelFixture::new();
        let crowd: Vec<_> = (0..4).map(|_| world.spawn(|world| world.read())).collect();
        for caller in crowd {
            assert_eq!(caller.join().unwrap(), 0);
        }
        assert_eq!(world.loads.load(Ordering::SeqCst), 1);
        assert_eq!(world.coordinator.flights.count(), 0);
    });
}

#[test]
fn a_crowd_at_a_failing_key_costs_one_load() {
    explore(|| {
        let world = ModelFixture::new();
        let ask = |world: ModelFixture| {
            let reach = ScopeHashes::from_key(&world.key);
            loop {
                if world.coordinator.negative_entry(&world.key, &reach, NOW_MS).is_some() {
                    return;
                }
                match world.coordinator.join_or_start(&world.key, &reach, None, NOW_MS) {
                    JoinOutcome::Lead(lead) => {
                        world.loads.fetch_add(1, Ordering::SeqCst);
                        let failure = LoadError::new(LoadErrorKind::Unreachable, "scripted");
                        world.coordinator.remember_failure(&world.key, &lead.flight, &failure, NOW_MS);
                        return lead.complete(LoadOutcome::Failed(failure));
                    }
                    JoinOutcome::Follow(follow) => return drop(block_on(follow)),
                    JoinOutcome::Retry => {}
                    JoinOutcome::TooManyFlights | JoinOutcome::TooManyWaiters => panic!("there is room"),
                }
            }
        };
        let crowd: Vec<_> = (0..4).map(|_| world.spawn(ask)).collect();
        for caller in crowd {
            caller.join().unwrap();
        }
        assert_eq!(world.loads.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn an_invalidation_costs_a_crowd_at_most_one_load_more() {
    explore(|| {
        let world = ModelFixture::new();
        let crowd: Vec<_> = (0..3).map(|_| world.spawn(|world| world.read())).collect();
        let written = world.write(&by_tag(), InvalidationMode::MarkStale);
        assert!(world.read() >= written);
        for caller in crowd {
            caller.join().unwrap();
        }
        assert!(world.loads.load(Ordering::SeqCst) <= 2);
    });
}

#[test]
fn nobody_joins_a_load_from_before_an_invalidation() {
    explore(|| {
        let world = ModelFixture::new();
        let early = world.coordinator.join_or_start(&world.key, &ScopeHashes::from_key(&world.key), None, NOW_MS);
        let JoinOutcome::Lead(early) = early else { panic!("the first leads") };
        let early = world.spawn(move |world| world.fly(early));
        let written = world.write(&by_tag(), InvalidationMode::MarkStale);
        let late = world.spawn(|world| world.read());
        assert!(late.join().unwrap() >= written);
        early.join().unwrap();
    });
}

#[test]
fn of_two_loads_the_one_that_began_later_is_kept() {
    explore(|| {
        let world = ModelFixture::new();
        let older = world.coordinator.start_unshared(NOW_MS).expect("there is room");
        let newer = world.coordinator.start_unshared(NOW_MS).expect("there is room");
        let newest = newer.flight.created;
        let threads = [world.spawn(move |world| world.fly(older)), world.spawn(move |world| world.fly(newer))];
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(world.coordinator.memory.peek(&world.key).map(|entry| entry.created()), Some(newest));
        assert_eq!(world.coordinator.memory.entries(), 1);
    });
}

#[test]
fn what_an_older_load_found_gone_never_drops_what_a_newer_brought() {
    explore(|| {
        let world = ModelFixture::new();
        let older = world.coordinator.start_unshared(NOW_MS).expect("there is room");
        let newer = world.coordinator.start_unshared(NOW_MS).expect("there is room");
        let gone = world.spawn(move |world| {
            world.coordinator.discard(&world.key, older.flight.created);
            older.complete(LoadOutcome::Shared(Value::default()));
        });
        let kept = world.spawn(move |world| world.fly(newer));
        gone.join().unwrap();
        kept.join().unwrap();
        assert!(world.coordinator.memory.peek(&world.key).is_some());
    });
}

#[test]
fn a_load_that_vanishes_strands_nobody() {
    explore(|| {
        let world = ModelFixture::new();
        let reach = ScopeHashes::from_key(&world.key);
        let JoinOutcome::Lead(lead) = world.coordinator.join_or_start(&world.key, &reach, None, NOW_MS) else {
            panic!()
        };
        let followers: Vec<_> = (0..3)
            .map(|_| {
                world.spawn(move |world| {
                    let reach = ScopeHashes::from_key(&world.key);
                    match world.coordinator.join_or_start(&world.key, &reach, None, NOW_MS) {
                        JoinOutcome::Follow(follow) => drop(block_on(follow)),
                        JoinOutcome::Lead(lead) => drop(world.fly(lead)),
                        _ => {}
                    }
                })
            })
            .collect();
        drop(lead);
        for follower in followers {
            follower.join().expect("he is not stranded: that would be a deadlock");
        }
        assert_eq!(world.coordinator.flights.count(), 0);
    });
}

#[test]
fn whoever_leaves_hurts_nobody() {
    explore(|| {
        let world = ModelFixture::new();
        let reach = ScopeHashes::from_key(&world.key);
        let JoinOutcome::Lead(lead) = world.coordinator.join_or_start(&world.key, &reach, None, NOW_MS) else {
            panic!()
        };
        let (stays, leaves) = (lead.follow(), lead.follow());
        let guest = thread::spawn(move || {
            let mut leaves = leaves;
            let waker = std::task::Waker::noop();
            let polled = Future::poll(std::pin::Pin::new(&mut leaves), &mut std::task::Context::from_waker(waker));
            drop(leaves);
            polled.is_ready()
        });
        let host = thread::spawn(move || matches!(block_on(stays), LoadOutcome::Cacheable { .. }));
        world.fly(lead);
        guest.join().unwrap();
        assert!(host.join().unwrap());
    });
}

#[test]
fn one_of_many_gets_the_refresh() {
    explore(|| {
        let world = ModelFixture::new();
        world.read();
        let claims: Vec<_> = (0..3)
            .map(|_| {
                world.spawn(|world| {
                    let (entry, _) = world.coordinator.get(&world.key).expect("it is kept");
                    entry.try_begin_refresh(NOW_MS)
                })
            })
            .collect();
        let claims: Vec<_> = claims.into_iter().filter_map(|claim| claim.join().unwrap()).collect();
        assert_eq!(claims.len(), 1);
        drop(claims);
        let (entry, _) = world.coordinator.get(&world.key).expect("it is kept");
        assert!(entry.try_begin_refresh(NOW_MS).is_some(), "given back, it can be had again");
    });
}
