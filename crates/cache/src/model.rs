//! The engine's decisions under every interleaving a model checker finds: the shipped desk, flights, markers and
//! memory tier on shuttle's primitives.
//!
//! Shuttle takes every atomic for sequentially consistent. The only decision that hangs on a weaker order is an
//! entry's epoch: a marker is written before the epoch grows (release), and the epoch is read (acquire) before the
//! markers are looked at, so whoever finds an entry valid at an epoch has seen every marker of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shuttle::future::block_on;
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::thread;

use crate::desk::{Booking, Desk};
use crate::flight::{Boarding, Landed, Lead};
use crate::reach::Reach;
use crate::tally::Cell;
use crate::{
    Failure, FailureKind, Fill, Invalidation, Key, LoadReason, Marking, Mode, Partition, Policy, Scope,
    Settings, Tag, Value,
};

/// Schedules per model and scheduler.
const SCHEDULES: usize = 10_000;
/// Preemptions the priority-based scheduler places.
const DEPTH: usize = 3;
const NOW_MS: u64 = 1_000;
const POLICY: Policy = Policy {
    class: "model",
    fresh: Duration::from_secs(100),
    earlier: None,
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

/// A desk, a source that holds one number, and the loads it saw.
#[derive(Clone)]
struct World {
    desk: Arc<Desk>,
    source: Arc<AtomicU64>,
    loads: Arc<AtomicU64>,
    key: Key,
}

impl World {
    fn new() -> Self {
        let settings = Settings { max_bytes: 1 << 20, max_memo_bytes: 1 << 16, ..Settings::default() };
        Self {
            desk: Arc::new(Desk::new(settings)),
            source: Arc::new(AtomicU64::new(0)),
            loads: Arc::new(AtomicU64::new(0)),
            key: Key::new("home", &Partition::new("anna"), "/a"),
        }
    }

    fn booking(&self) -> Booking {
        let cell = Arc::new(Cell::default());
        let why = LoadReason::Absent;
        Booking { key: self.key.clone(), policy: POLICY, why, cell, warmth: None }
    }

    /// Loads and lands: the source is read after the flight was stamped. The value carries a tag that nobody knew.
    fn fly(&self, lead: Lead) -> u64 {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let version = self.source.load(Ordering::SeqCst);
        thread::yield_now();
        let value = Value::new(Bytes::from(version.to_string()));
        let fill = Fill { value, tags: vec![Tag::new("item:1")], policy: None };
        let (entry, refusal, leaving) = self.desk.keep(&self.booking(), &lead.flight, fill, NOW_MS);
        lead.land(Landed::Kept { entry, refusal, leaving });
        version
    }

    /// Reads as a caller does who takes anything: what is kept and valid, or somebody's load, or his own.
    fn read(&self) -> u64 {
        let arrived = self.desk.arrive(NOW_MS);
        let reach = Reach::of_key(&self.key);
        loop {
            let seen = self.desk.look(&self.key);
            if let Some((entry, Marking::Clear)) = &seen {
                return version(entry.value());
            }
            match self.desk.board(&self.key, &reach, seen.as_ref().map(|(entry, _)| entry), NOW_MS) {
                Boarding::Lead(lead) => return self.fly(lead),
                Boarding::Follow(follow) => {
                    let flight = Arc::clone(&follow.flight);
                    let landed = block_on(follow);
                    let Landed::Kept { entry, .. } = &landed else {
                        panic!("every load here brings a value")
                    };
                    if self.desk.serves(&flight, &landed, &reach, arrived) {
                        return version(entry.value());
                    }
                }
                Boarding::LookAgain => {}
                Boarding::TooManyFlights | Boarding::TooManyWaiters => panic!("there is room"),
            }
        }
    }

    /// A write, and what it invalidates.
    fn write(&self, scope: &Scope, mode: Mode) -> u64 {
        let version = self.source.fetch_add(1, Ordering::SeqCst) + 1;
        self.desk.invalidate(scope, &Invalidation { mode, ..Invalidation::default() }, NOW_MS);
        version
    }

    fn spawn<T: Send + 'static>(
        &self,
        act: impl FnOnce(Self) -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
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
    Scope::Key(World::new().key)
}

/// Whoever reads after an invalidation returned sees what was written before it, whoever else loads meanwhile.
fn never_undone(scope: fn() -> Scope, mode: Mode) {
    explore(move || {
        let world = World::new();
        let readers = [world.spawn(|world| world.read()), world.spawn(|world| world.read())];
        let written = world.write(&scope(), mode);
        assert!(world.read() >= written, "the writer reads his own write");
        for reader in readers {
            reader.join().unwrap();
        }
        assert!(world.read() >= written, "and it stays, whoever finished late");
        let kept = world.desk.memory.peek(&world.key).expect("the last load is kept");
        assert!(version(kept.value()) >= written);
    });
}

#[test]
fn a_write_is_never_undone_by_tag() {
    never_undone(by_tag, Mode::Mark);
}

#[test]
fn a_write_is_never_undone_by_key() {
    never_undone(by_key, Mode::Mark);
}

#[test]
fn a_write_is_never_undone_by_purge() {
    never_undone(by_key, Mode::Purge);
}

#[test]
fn two_writers_each_read_their_own_write() {
    explore(|| {
        let world = World::new();
        let writer = |world: World| {
            let written = world.write(&by_tag(), Mode::Mark);
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
        let world = World::new();
        let crowd: Vec<_> = (0..4).map(|_| world.spawn(|world| world.read())).collect();
        for caller in crowd {
            assert_eq!(caller.join().unwrap(), 0);
        }
        assert_eq!(world.loads.load(Ordering::SeqCst), 1);
        assert_eq!(world.desk.flights.count(), 0);
    });
}

#[test]
fn a_crowd_at_a_failing_key_costs_one_load() {
    explore(|| {
        let world = World::new();
        let ask = |world: World| {
            let reach = Reach::of_key(&world.key);
            loop {
                if world.desk.recall(&world.key, &reach, NOW_MS).is_some() {
                    return;
                }
                match world.desk.board(&world.key, &reach, None, NOW_MS) {
                    Boarding::Lead(lead) => {
                        world.loads.fetch_add(1, Ordering::SeqCst);
                        let failure = Failure::new(FailureKind::Unreachable, "scripted");
                        world.desk.remember_failure(&world.key, &lead.flight, &failure, NOW_MS);
                        return lead.land(Landed::Failed(failure));
                    }
                    Boarding::Follow(follow) => return drop(block_on(follow)),
                    Boarding::LookAgain => {}
                    Boarding::TooManyFlights | Boarding::TooManyWaiters => panic!("there is room"),
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
        let world = World::new();
        let crowd: Vec<_> = (0..3).map(|_| world.spawn(|world| world.read())).collect();
        let written = world.write(&by_tag(), Mode::Mark);
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
        let world = World::new();
        let early = world.desk.board(&world.key, &Reach::of_key(&world.key), None, NOW_MS);
        let Boarding::Lead(early) = early else { panic!("the first leads") };
        let early = world.spawn(move |world| world.fly(early));
        let written = world.write(&by_tag(), Mode::Mark);
        let late = world.spawn(|world| world.read());
        assert!(late.join().unwrap() >= written);
        early.join().unwrap();
    });
}

#[test]
fn of_two_loads_the_one_that_began_later_is_kept() {
    explore(|| {
        let world = World::new();
        let older = world.desk.solo(NOW_MS).expect("there is room");
        let newer = world.desk.solo(NOW_MS).expect("there is room");
        let newest = newer.flight.created;
        let threads =
            [world.spawn(move |world| world.fly(older)), world.spawn(move |world| world.fly(newer))];
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(world.desk.memory.peek(&world.key).map(|entry| entry.created()), Some(newest));
        assert_eq!(world.desk.memory.entries(), 1);
    });
}

#[test]
fn what_an_older_load_found_gone_never_drops_what_a_newer_brought() {
    explore(|| {
        let world = World::new();
        let older = world.desk.solo(NOW_MS).expect("there is room");
        let newer = world.desk.solo(NOW_MS).expect("there is room");
        let gone = world.spawn(move |world| {
            world.desk.discard(&world.key, older.flight.created);
            older.land(Landed::Shared(Value::default()));
        });
        let kept = world.spawn(move |world| world.fly(newer));
        gone.join().unwrap();
        kept.join().unwrap();
        assert!(world.desk.memory.peek(&world.key).is_some());
    });
}

#[test]
fn a_load_that_vanishes_strands_nobody() {
    explore(|| {
        let world = World::new();
        let reach = Reach::of_key(&world.key);
        let Boarding::Lead(lead) = world.desk.board(&world.key, &reach, None, NOW_MS) else { panic!() };
        let followers: Vec<_> = (0..3)
            .map(|_| {
                world.spawn(move |world| {
                    let reach = Reach::of_key(&world.key);
                    match world.desk.board(&world.key, &reach, None, NOW_MS) {
                        Boarding::Follow(follow) => drop(block_on(follow)),
                        Boarding::Lead(lead) => drop(world.fly(lead)),
                        _ => {}
                    }
                })
            })
            .collect();
        drop(lead);
        for follower in followers {
            follower.join().expect("he is not stranded: that would be a deadlock");
        }
        assert_eq!(world.desk.flights.count(), 0);
    });
}

#[test]
fn whoever_leaves_hurts_nobody() {
    explore(|| {
        let world = World::new();
        let reach = Reach::of_key(&world.key);
        let Boarding::Lead(lead) = world.desk.board(&world.key, &reach, None, NOW_MS) else { panic!() };
        let (stays, leaves) = (lead.follow(), lead.follow());
        let guest = thread::spawn(move || {
            let mut leaves = leaves;
            let waker = std::task::Waker::noop();
            let polled =
                Future::poll(std::pin::Pin::new(&mut leaves), &mut std::task::Context::from_waker(waker));
            drop(leaves);
            polled.is_ready()
        });
        let host = thread::spawn(move || matches!(block_on(stays), Landed::Kept { .. }));
        world.fly(lead);
        guest.join().unwrap();
        assert!(host.join().unwrap());
    });
}

#[test]
fn one_of_many_gets_the_refresh() {
    explore(|| {
        let world = World::new();
        world.read();
        let claims: Vec<_> = (0..3)
            .map(|_| {
                world.spawn(|world| {
                    let (entry, _) = world.desk.look(&world.key).expect("it is kept");
                    entry.claim_refresh(NOW_MS)
                })
            })
            .collect();
        let claims: Vec<_> = claims.into_iter().filter_map(|claim| claim.join().unwrap()).collect();
        assert_eq!(claims.len(), 1);
        drop(claims);
        let (entry, _) = world.desk.look(&world.key).expect("it is kept");
        assert!(entry.claim_refresh(NOW_MS).is_some(), "given back, it can be had again");
    });
}
