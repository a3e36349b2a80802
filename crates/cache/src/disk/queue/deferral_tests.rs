//! Number of writes of a polled value, hour by hour, under a paused clock.

use super::*;
use crate::disk::DiskSettings;
use crate::disk::tests::markers::entry_of;
use crate::key::Partition;
use crate::older_copy::OlderCopy;
use std::time::Duration;

const POLL: Duration = Duration::from_secs(5);
const POLLS_PER_HOUR: u64 = 720;

fn key(at: u64) -> Key {
    Key::new("home", &Partition::new("anna"), &format!("/{at}"))
}

/// A queue under the default rule, with a clock that stands still unless moved.
struct QueueFixture {
    queue: WriteQueue,
    clock: Clock,
    transactions: usize,
    written: Vec<(Key, Arc<Entry>)>,
}

impl QueueFixture {
    fn new() -> Self {
        let queue =
            WriteQueue::with_limits(1 << 20, 1 << 20, RewriteRule::from_settings(&DiskSettings::new("/nowhere")));
        Self { queue, clock: Clock::system(), transactions: 0, written: Vec::new() }
    }

    fn push(&self, at: u64, version: u64, life_ms: Duration, digest: u64) {
        let entry = entry_of(
            &key(at),
            Vec::new(),
            HybridTimestamp::end_of(Timestamp::from_millis(version)),
            version.to_string().as_bytes(),
        );
        let candidate = WriteCandidate { life_ms, digest, older: OlderCopy::Usable };
        self.queue.push(PendingWrite { key: key(at), entry, known_sequence: 0 }, 0, candidate, self.clock.now());
    }

    /// Does what the writer does.
    fn write(&mut self) -> usize {
        let batch = self.queue.next_batch(Duration::ZERO, Duration::ZERO, &self.clock).batch;
        self.transactions += usize::from(!batch.is_empty());
        self.queue.complete(&batch);
        let count = batch.writes.len();
        self.written.extend(batch.writes.into_iter().map(|pending| (pending.key, pending.entry)));
        count
    }

    fn written(&self, at: u64) -> usize {
        self.written.iter().filter(|(written, _)| *written == key(at)).count()
    }

    fn find_entry(&self, at: u64) -> Option<Vec<u8>> {
        self.queue.find(&key(at)).map(|entry| entry.body().to_vec())
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_polled_every_five_seconds_for_an_hour_is_written_six_times() {
    let mut fixture = QueueFixture::new();
    for version in 1..=POLLS_PER_HOUR {
        for at in 0..4 {
            // Their phases differ, as those of widgets do.
            fixture.push(at, version, Duration::from_millis(5_000 * at), version);
            fixture.write();
            tokio::time::advance(POLL / 4).await;
        }
    }
    for at in 0..4 {
        assert_eq!(fixture.written(at), 6, "/{at}");
        assert_eq!(fixture.find_entry(at), Some(POLLS_PER_HOUR.to_string().into_bytes()), "the newest is found");
    }
    assert_eq!(fixture.transactions, 4 + 5, "those that rest are written together");
}

#[tokio::test(start_paused = true)]
async fn a_long_lived_value_is_written_when_it_changes_and_rarely_otherwise() {
    let mut fixture = QueueFixture::new();
    for version in 1..=60 {
        fixture.push(0, version, Duration::from_millis(300_000), version);
        fixture.push(1, version, Duration::from_millis(300_000), 7);
        fixture.write();
        tokio::time::advance(Duration::from_mins(1)).await;
    }
    assert_eq!((fixture.written(0), fixture.written(1)), (60, 7));
}

#[tokio::test(start_paused = true)]
async fn an_idle_hour_is_without_a_transaction() {
    let mut fixture = QueueFixture::new();
    for version in 1..=3 {
        fixture.push(0, version, Duration::from_millis(5_000), version);
        fixture.write();
    }
    tokio::time::advance(Duration::from_mins(11)).await;
    assert_eq!(fixture.write(), 1, "the newest, once");
    assert_eq!(fixture.transactions, 2);
    for _ in 0..3_600 {
        tokio::time::advance(Duration::from_secs(1)).await;
        fixture.write();
    }
    assert_eq!(fixture.transactions, 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_is_retried_with_the_next_value() {
    let mut fixture = QueueFixture::new();
    fixture.push(0, 1, Duration::from_millis(5_000), 1);
    let batch = fixture.queue.next_batch(Duration::ZERO, Duration::ZERO, &fixture.clock).batch;
    fixture.push(0, 2, Duration::from_millis(5_000), 2);
    assert_eq!(fixture.write(), 0, "the one before is being written");
    fixture.queue.discard_failed(&batch.writes);
    fixture.queue.complete(&batch);
    assert_eq!(fixture.write(), 1, "it was not, so the next takes its turn");
    fixture.push(0, 3, Duration::from_millis(5_000), 3);
    assert_eq!(fixture.write(), 0);
    fixture.queue.push_removal(&key(0), HybridTimestamp::end_of(Timestamp::from_millis(3)));
    fixture.write();
    fixture.push(0, 4, Duration::from_millis(5_000), 4);
    assert_eq!(fixture.write(), 1, "nothing lies on disk any more");
}

#[tokio::test(start_paused = true)]
async fn deferred_writes_use_at_most_half_of_the_queue_and_are_written_early_rather_than_dropped() {
    let mut fixture = QueueFixture::new();
    for version in 1..=2 {
        for at in 0..3_000 {
            fixture.push(at, version, Duration::from_millis(5_000), version);
            fixture.write();
        }
    }
    let depth = fixture.queue.depth();
    assert!(depth.bytes <= 1 << 19, "{depth:?}");
    assert_eq!(depth.dropped, 0);
    fixture.queue.flush_ticket();
    while fixture.write() > 0 {}
    assert_eq!((fixture.queue.depth().writes, fixture.written.len()), (0, 6_000), "a flush writes what rests");
}
