//! Paths that the server lately allowed to one identity, and those that it denied. A denial of one path says nothing
//! about others of its class; of a path that was allowed before it is the end of a right.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_dialect::classification::Read;
use parking_lot::RwLock;
use xxhash_rust::xxh3::Xxh3;

/// Max paths of each kind. Of more, the half not heard of for longest is forgotten: a path that is unknown is allowed
/// and denied as its class is.
const MAX_PATHS: usize = 512;

/// Hash of what a right is about: the path, whatever page or selection of it, and the user it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PathHash(u64);

impl PathHash {
    /// That of a read.
    pub fn of(read: &Read) -> Self {
        let canonical = read.key.split(' ').next().unwrap_or_default();
        let (path, query) = canonical.split_once('?').unwrap_or((canonical, ""));
        let mut hasher = Xxh3::new();
        hasher.update(path.as_bytes());
        for user in query.split('&').filter(|pair| pair.starts_with("userid=")) {
            hasher.update(b"?");
            hasher.update(user.as_bytes());
        }
        Self(hasher.digest())
    }
}

#[cfg(test)]
impl From<u64> for PathHash {
    fn from(hash: u64) -> Self {
        Self(hash)
    }
}

/// Paths with the order in which they were last heard of.
#[derive(Debug, Default)]
struct RecentPaths {
    order_of: HashMap<PathHash, u64>,
    newest: u64,
}

impl RecentPaths {
    fn insert(&mut self, path: PathHash) {
        if self.order_of.len() >= MAX_PATHS && !self.order_of.contains_key(&path) {
            let mut orders: Vec<u64> = self.order_of.values().copied().collect();
            let (_, median, _) = orders.select_nth_unstable(MAX_PATHS / 2);
            let median = *median;
            self.order_of.retain(|_, order| *order > median);
        }
        self.newest += 1;
        self.order_of.insert(path, self.newest);
    }

    fn remove(&mut self, path: PathHash) -> bool {
        self.order_of.remove(&path).is_some()
    }
}

#[derive(Debug, Default)]
struct KnownPaths {
    allowed: RecentPaths,
    denied: RecentPaths,
}

/// The paths of one identity.
#[derive(Debug, Default)]
pub(super) struct PathRights {
    known: RwLock<KnownPaths>,
    /// Whether any path is denied: without one, a hit takes no lock.
    has_denied: AtomicBool,
}

impl PathRights {
    /// Returns whether the path was denied before.
    pub(super) fn allow(&self, path: PathHash) -> bool {
        let mut known = self.known.write();
        let was_denied = known.denied.remove(path);
        if was_denied && known.denied.order_of.is_empty() {
            self.has_denied.store(false, Ordering::Release);
        }
        known.allowed.insert(path);
        was_denied
    }

    /// Returns whether the path was allowed before.
    pub(super) fn deny(&self, path: PathHash) -> bool {
        let mut known = self.known.write();
        known.denied.insert(path);
        self.has_denied.store(true, Ordering::Release);
        known.allowed.remove(path)
    }

    /// Hashes of the denied paths, in the order in which they were last heard of.
    pub(super) fn stored(&self) -> Vec<u64> {
        if !self.has_denied.load(Ordering::Acquire) {
            return Vec::new();
        }
        let known = self.known.read();
        let mut paths: Vec<_> = known.denied.order_of.iter().map(|(path, order)| (*order, path.0)).collect();
        paths.sort_unstable();
        paths.into_iter().map(|(_, path)| path).collect()
    }

    /// Denies the paths of an earlier process, but for those that this one has heard of.
    pub(super) fn restore(&self, denied: &[u64]) {
        let mut known = self.known.write();
        for path in denied.iter().copied().map(PathHash).take(MAX_PATHS) {
            if !known.allowed.order_of.contains_key(&path) && !known.denied.order_of.contains_key(&path) {
                known.denied.insert(path);
                self.has_denied.store(true, Ordering::Release);
            }
        }
    }

    pub(super) fn is_denied(&self, path: impl FnOnce() -> PathHash) -> bool {
        self.has_denied.load(Ordering::Acquire) && self.known.read().denied.order_of.contains_key(&path())
    }

    pub(super) fn clear(&self) {
        *self.known.write() = KnownPaths::default();
        self.has_denied.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_of_a_path_says_whether_it_was_allowed_and_holds_until_it_is_allowed_again() {
        let (rights, [one, other]) = (PathRights::default(), [PathHash(1), PathHash(2)]);
        rights.allow(one);
        assert!(!rights.is_denied(|| one));
        assert!(!rights.deny(other), "never allowed");
        assert!(rights.deny(one), "allowed before");
        assert!(!rights.deny(one), "denied already");
        assert!(rights.is_denied(|| one) && rights.is_denied(|| other));
        rights.allow(one);
        assert!(!rights.is_denied(|| one) && rights.is_denied(|| other));
        rights.clear();
        assert!(!rights.is_denied(|| other));
    }

    #[test]
    fn denials_of_an_earlier_process_hold_unless_this_one_allowed_the_path() {
        let earlier = PathRights::default();
        for path in [9, 1, 5] {
            earlier.deny(PathHash(path));
        }
        assert_eq!(earlier.stored(), [9, 1, 5]);
        let later = PathRights::default();
        later.allow(PathHash(1));
        later.restore(&earlier.stored());
        assert_eq!(later.stored(), [9, 5]);
        assert!(!later.is_denied(|| PathHash(1)) && later.is_denied(|| PathHash(5)));
        let hostile: Vec<u64> = (0..10_000).collect();
        later.restore(&hostile);
        assert!(later.stored().len() <= MAX_PATHS);
    }

    #[test]
    fn paths_are_bounded_and_those_in_use_stay() {
        let (rights, in_use) = (PathRights::default(), PathHash(u64::MAX));
        for index in 0..10 * MAX_PATHS as u64 {
            rights.allow(in_use);
            rights.allow(PathHash(index));
            rights.deny(PathHash(index));
            assert!(rights.known.read().denied.order_of.len() <= MAX_PATHS);
        }
        for index in 0..10 * MAX_PATHS as u64 {
            rights.allow(in_use);
            rights.allow(PathHash(index));
            assert!(rights.known.read().allowed.order_of.len() <= MAX_PATHS);
        }
        assert!(rights.deny(in_use));
    }
}
