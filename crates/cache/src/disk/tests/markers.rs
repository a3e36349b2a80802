//! Invalidations stored on disk ("markers") compared with a full list of them. However they are folded into broader
//! ones and swept, an entry that is invalid by the list is never valid; and while nothing is folded, a valid one stays
//! valid.

use proptest::prelude::*;

use super::*;
use crate::disk::lookup::StoreLookup;
use crate::disk::scope_codec;
use crate::disk::write_batch::{PendingWrite, WriteBatch};
use crate::invalidation_index::InvalidationIndex;
use crate::policy::EntryDeadlines;
use crate::scope_hash::{ScopeHash, ScopeHashes};
use crate::stored_invalidation::PendingInvalidation;
use crate::value::EntryParts;

const KEYS: usize = 6;
const TAGS: usize = 5;
const NAMESPACES: [&str; 2] = ["home", "away"];
/// Long after every invalidation: old enough to be swept.
const LATER_MS: u64 = 1_000_000_000;

#[derive(Debug, Clone)]
enum Step {
    Mark {
        scope: TestScope,
        purges: bool,
    },
    /// An entry whose load began before the newest `missed` invalidations.
    Put {
        key: usize,
        tags: u8,
        missed: u64,
    },
    Sweep,
    Reopen,
}

#[derive(Debug, Clone, Copy)]
enum TestScope {
    Tag(usize, usize),
    Key(usize),
    Namespace(usize),
    All,
}

impl TestScope {
    fn scope(self) -> Scope {
        match self {
            Self::Tag(namespace, tag) => {
                let (namespace, tag) = (NAMESPACES[namespace].into(), Tag::new(format!("t{tag}")));
                Scope::Tag { namespace, partition: None, tag }
            }
            Self::Key(key) => Scope::Key(key_at(key)),
            Self::Namespace(namespace) => Scope::Namespace(NAMESPACES[namespace].into()),
            Self::All => Scope::All,
        }
    }

    fn covers(self, key: usize, tags: u8) -> bool {
        match self {
            Self::Tag(namespace, tag) => namespace == key % 2 && tags & (1 << tag) != 0,
            Self::Key(other) => other == key,
            Self::Namespace(namespace) => namespace == key % 2,
            Self::All => true,
        }
    }
}

fn key_at(key: usize) -> Key {
    Key::new(NAMESPACES[key % 2], &Partition::new("anna"), &format!("/{key}"))
}

fn tags_of(tags: u8) -> Vec<Tag> {
    (0..TAGS).filter(|tag| tags & (1 << tag) != 0).map(|tag| Tag::new(format!("t{tag}"))).collect()
}

fn step() -> impl Strategy<Value = Step> {
    let scope = prop_oneof![
        12 => (0..2usize, 0..TAGS).prop_map(|(namespace, tag)| TestScope::Tag(namespace, tag)),
        4 => (0..KEYS).prop_map(TestScope::Key),
        1 => (0..2usize).prop_map(TestScope::Namespace),
        1 => Just(TestScope::All),
    ];
    let missed = prop_oneof![4 => Just(0u64), 1 => 1..4u64];
    prop_oneof![
        6 => (scope, proptest::bool::weighted(0.2)).prop_map(|(scope, purges)| Step::Mark { scope, purges }),
        6 => (0..KEYS, 0..32u8, missed).prop_map(|(key, tags, missed)| Step::Put { key, tags, missed }),
        2 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
    ]
}

/// An entry that never expires.
pub(in crate::disk) fn entry_of(key: &Key, tags: Vec<Tag>, created: HybridTimestamp, body: &[u8]) -> Arc<Entry> {
    let scope_hashes = ScopeHashes::new(key, &tags);
    let never = EntryDeadlines {
        fresh_until_ms: Timestamp::MAX,
        stale_until_ms: Timestamp::MAX,
        error_until_ms: Timestamp::MAX,
        refresh_at_ms: Timestamp::MAX,
    };
    Arc::new(Entry::new(EntryParts {
        key,
        value: Value::new(body.to_vec()),
        tags,
        created,
        created_ms: Timestamp::UNIX_EPOCH,
        stored_ms: Timestamp::UNIX_EPOCH,
        deadlines: never,
        adapted: false,
        load_reason: LoadReason::Absent,
        scope_hashes,
        counters: Arc::default(),
        quota: Arc::default(),
        access_rhythm: None,
        epoch: 0,
    }))
}

/// All steps so far, from which the expected state follows.
#[derive(Default)]
struct MarkerHistory {
    invalidations: Vec<(TestScope, bool)>,
    /// The newest entry of each key: its tags, how many invalidations its load knew, and its timestamp.
    entries: [Option<(u8, usize, HybridTimestamp)>; KEYS],
}

impl MarkerHistory {
    fn validity(&self, key: usize) -> Validity {
        let Some((tags, known, _)) = self.entries[key] else { return Validity::Purged };
        let since = self.invalidations[known..].iter().filter(|(scope, _)| scope.covers(key, tags));
        since.fold(Validity::Valid, |validity, (_, purges)| match (validity, purges) {
            (Validity::Purged, _) | (_, true) => Validity::Purged,
            _ => Validity::Invalidated,
        })
    }
}

/// Validity and timestamp of a key's entry, as a process reads them that opens the store now.
fn read_state(store: &DiskStore, key: usize) -> Option<(Validity, HybridTimestamp)> {
    let markers = InvalidationIndex::new(1000);
    for numbered in store.invalidations_after(0).expect("read") {
        let target = ScopeHash::from_scope(&scope_codec::decode(&numbered.invalidation.scope).expect("it can be read"));
        markers.insert_stored(target, || numbered.invalidation.stamp, &numbered, Timestamp::UNIX_EPOCH);
    }
    match store.get(&key_at(key)).expect("looked") {
        StoreLookup::Found(found) => {
            let scope_hashes = ScopeHashes::new(&key_at(key), &found.tags);
            Some((markers.validity_of_stored(&scope_hashes, found.known_sequence).0, found.created))
        }
        StoreLookup::Miss => None,
        StoreLookup::Corrupt(_) => panic!("it is whole"),
    }
}

/// Applies steps to a store that holds at most `max_markers`, and compares after each.
fn play(steps: &[Step], max_markers: u64) {
    let dir = tempfile::tempdir().expect("a folder");
    let open = || {
        let mut store = DiskStore::open(dir.path(), 65_536).expect("it opens");
        store.max_markers = max_markers;
        store
    };
    let (mut store, mut history, mut clock) = (open(), MarkerHistory::default(), 0u64);
    for step in steps {
        clock += 1;
        let stamp = HybridTimestamp::end_of(Timestamp::from_millis(clock));
        let mut batch = WriteBatch::default();
        match step {
            Step::Mark { scope, purges } => {
                let (grace_until_ms, grace_fresh_ms, hold_until) = (0, 0, HybridTimestamp::ZERO);
                let scope_line = scope_codec::encode(&scope.scope());
                batch.invalidations.push(PendingInvalidation {
                    scope: scope_line,
                    purges: *purges,
                    stamp,
                    hold_until,
                    grace_until_ms: Timestamp::from_millis(grace_until_ms),
                    grace_fresh_ms: Duration::from_millis(grace_fresh_ms),
                });
                history.invalidations.push((*scope, *purges));
            }
            Step::Put { key, tags, missed } => {
                let newest = history.invalidations.len() as u64;
                let known_sequence = newest.saturating_sub(*missed);
                let entry = entry_of(&key_at(*key), tags_of(*tags), stamp, b"value");
                batch.writes.push(PendingWrite { key: key_at(*key), entry, known_sequence });
                history.entries[*key] = Some((*tags, usize::try_from(known_sequence).expect("small"), stamp));
            }
            Step::Sweep => drop(store.evict(Timestamp::from_millis(LATER_MS), u64::MAX).expect("swept")),
            Step::Reopen => store = open(),
        }
        store.write(&batch, 7, Timestamp::from_millis(clock)).expect("written");
        assert_eq!(store.newest_sequence().expect("told"), history.invalidations.len() as u64);
        let count = store.invalidations_after(0).expect("read").len() as u64;
        assert!(count <= max_markers.max(2), "{count} markers");
        for key in 0..KEYS {
            let expected = history.validity(key);
            let (actual, created) = match read_state(&store, key) {
                Some((actual, created)) => (actual, Some(created)),
                None => (Validity::Purged, None),
            };
            let is_newest = history.entries[key].is_some_and(|(.., stamp)| created == Some(stamp));
            if expected == Validity::Purged && is_newest {
                assert_eq!(actual, Validity::Purged, "key {key} is purged, but read as {actual:?}");
            }
            assert!(expected == Validity::Valid || actual != Validity::Valid || !is_newest, "key {key} is invalid");
            // Only an entry whose load began before some invalidation may be invalid or gone.
            let knew_all = history.entries[key].is_some_and(|(_, known, _)| known == history.invalidations.len());
            assert!(!knew_all || (is_newest && actual == Validity::Valid), "key {key} missed no invalidation");
            if max_markers > 100 && is_newest {
                assert_eq!(actual, expected, "key {key}: nothing was folded");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn folded_and_swept_invalidations_still_apply(steps in proptest::collection::vec(step(), 1..60)) {
        play(&steps, 5);
    }

    #[test]
    fn swept_invalidations_are_no_longer_needed(steps in proptest::collection::vec(step(), 1..60)) {
        play(&steps, 1000);
    }
}

#[test]
fn an_invalidation_with_a_hold_or_grace_period_outlives_the_entries_it_covers() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = DiskStore::open(dir.path(), 65_536).expect("it opens");
    let invalidation = |name: &str, hold_until, grace_until_ms| PendingInvalidation {
        scope: scope_codec::encode(&tag(name)),
        purges: false,
        stamp: HybridTimestamp::end_of(Timestamp::from_millis(1)),
        hold_until,
        grace_until_ms,
        grace_fresh_ms: Duration::from_millis(1000),
    };
    let invalidations = vec![
        invalidation("plain", HybridTimestamp::ZERO, Timestamp::UNIX_EPOCH),
        invalidation("held", HybridTimestamp::end_of(Timestamp::from_millis(LATER_MS + 1)), Timestamp::UNIX_EPOCH),
        invalidation("grace", HybridTimestamp::ZERO, Timestamp::from_millis(LATER_MS + 1)),
    ];
    store.write(&WriteBatch { invalidations, ..WriteBatch::default() }, 7, Timestamp::from_millis(1)).expect("written");
    store.evict(Timestamp::from_millis(LATER_MS), u64::MAX).expect("swept");
    assert_eq!(store.invalidations_after(0).expect("read").len(), 2);
    store.evict(Timestamp::from_millis(LATER_MS + 1), u64::MAX).expect("swept");
    assert_eq!(store.invalidations_after(0).expect("read").len(), 0);
}

#[tokio::test]
async fn loads_after_a_restart_know_invalidations_swept_before_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = open(dir.path());
    cache.invalidate(&tag("a"), &Invalidation::mark_stale());
    assert!(cache.flush_invalidations().await);
    cache.close_disk().await;
    let mut store = DiskStore::open(dir.path(), 65_536).expect("it opens");
    store.evict(Timestamp::from_millis(Clock::system().now_ms() + LATER_MS), u64::MAX).expect("swept");
    assert_eq!(store.invalidations_after(0).expect("read").len(), 0);
    drop(store);
    let cache = open(dir.path());
    served(&cache, "/x", &CountingLoader::tagged("value", "a")).await;
    cache.close_disk().await;
    let cache = open(dir.path());
    assert_eq!(served(&cache, "/x", &CountingLoader::new("no")).await.0, CacheStatus::Hit);
}

#[tokio::test]
async fn opening_reads_no_more_invalidations_than_a_store_may_hold() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = DiskStore::open(dir.path(), 65_536).expect("it opens");
    store.max_markers = 100;
    let invalidations = (0..1000u64).map(|at| PendingInvalidation {
        scope: scope_codec::encode(&tag(&format!("t{at}"))),
        purges: false,
        stamp: HybridTimestamp::end_of(Timestamp::from_millis(at)),
        hold_until: HybridTimestamp::ZERO,
        grace_until_ms: Timestamp::UNIX_EPOCH,
        grace_fresh_ms: Duration::ZERO,
    });
    store
        .write(
            &WriteBatch { invalidations: invalidations.collect(), ..WriteBatch::default() },
            7,
            Timestamp::from_millis(1),
        )
        .expect("written");
    let numbered = store.invalidations_after(0).expect("read");
    assert!(numbered.len() <= 100, "{}", numbered.len());
    let folded = numbered.first().expect("the broad one comes first");
    assert_eq!(folded.invalidation.scope, "namespace|home||");
    assert!(folded.seq > 800 && folded.seq < 1000, "as new as the newest in it: {}", folded.seq);
}
