//! What it costs to offer an entry to the disk: each offer is timed alone, with nobody at the other end, and with
//! somebody who takes batches out as fast as he can. It is to take no longer than a microsecond.
//!
//! `cargo bench -p greenroom-cache --bench offer`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use greenroom_cache::disk::gauge::Intake;
use greenroom_cache::{Key, Partition};

const KEYS: usize = 10_000;
const ROUNDS: usize = 15;

#[expect(clippy::disallowed_methods, reason = "a bench measures the time that passes")]
fn now() -> Instant {
    Instant::now()
}

/// How long each of many took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn offer_all(&mut self, intake: &Intake) {
        for at in 0..KEYS {
            let began = now();
            intake.offer(at);
            self.0.push(now() - began);
        }
    }

    fn row(mut self, name: &str) {
        self.0.sort_unstable();
        let at = |percent: usize| self.0[(self.0.len() - 1) * percent / 100].as_nanos();
        println!("| {name} | {} | {} | {} |", at(50), at(99), at(100));
    }
}

fn main() {
    let partition = Partition::new("anna");
    let keys: Vec<Key> =
        (0..KEYS).map(|at| Key::new("home", &partition, &format!("/library/metadata/{at}"))).collect();
    let intake = Intake::of(&keys, &[7; 4096]);
    let [mut first, mut alone, mut again, mut beside] = [const { Times(Vec::new()) }; 4];
    first.offer_all(&intake);
    intake.empty();
    for _ in 0..ROUNDS {
        alone.offer_all(&intake);
        again.offer_all(&intake);
        intake.empty();
    }
    for _ in 0..ROUNDS {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    intake.empty();
                }
            });
            beside.offer_all(&intake);
            is_over.store(true, Ordering::Relaxed);
        });
        intake.empty();
    }
    println!("| an offer, 4 KiB | ns, median | ns, 99 of 100 | ns, longest |");
    println!("| --- | ---: | ---: | ---: |");
    first.row("while the map grows");
    alone.row("nobody at the other end");
    again.row("in place of one that waits");
    beside.row("beside a thread that takes out");
}
