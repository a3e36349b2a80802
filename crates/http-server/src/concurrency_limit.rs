//! Limits concurrency, in total and per client. Dropping a permit frees its slot.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

/// Permits for clients of type `G`.
#[derive(Debug)]
pub struct ConcurrencyLimiter<G: Eq + Hash> {
    counts: Arc<Mutex<PermitCounts<G>>>,
    max: usize,
    max_per_client: usize,
}

#[derive(Debug)]
struct PermitCounts<G> {
    all: usize,
    by_client: HashMap<G, usize>,
}

/// One permit, released on drop.
#[derive(Debug)]
pub struct ConcurrencyPermit<G: Eq + Hash> {
    counts: Arc<Mutex<PermitCounts<G>>>,
    client: Option<G>,
}

/// Reason why no permit was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConcurrencyLimitError {
    /// The total limit is reached.
    Total,
    /// The client's limit is reached.
    PerClient,
}

impl<G: Eq + Hash + Clone> ConcurrencyLimiter<G> {
    /// A limiter with `max` permits in total and `max_per_client` per client.
    pub fn new(max: usize, max_per_client: usize) -> Self {
        let counts = PermitCounts { all: 0, by_client: HashMap::new() };
        Self { counts: Arc::new(Mutex::new(counts)), max, max_per_client }
    }

    /// Acquires a permit; without a client only the total limit applies.
    ///
    /// # Errors
    /// If a limit is reached.
    pub fn try_acquire(&self, client: Option<G>) -> Result<ConcurrencyPermit<G>, ConcurrencyLimitError> {
        let mut counts = self.counts.lock();
        if counts.all >= self.max {
            return Err(ConcurrencyLimitError::Total);
        }
        if let Some(client) = &client {
            let count = counts.by_client.get(client).copied().unwrap_or(0);
            if count >= self.max_per_client {
                return Err(ConcurrencyLimitError::PerClient);
            }
            counts.by_client.insert(client.clone(), count + 1);
        }
        counts.all += 1;
        Ok(ConcurrencyPermit { counts: Arc::clone(&self.counts), client })
    }

    /// Permits in use.
    pub fn in_use(&self) -> usize {
        self.counts.lock().all
    }
}

impl<G: Eq + Hash> Drop for ConcurrencyPermit<G> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        counts.all -= 1;
        let Some(client) = self.client.take() else { return };
        if let Some(count) = counts.by_client.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                counts.by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_cannot_take_all_permits() {
        let limiter = ConcurrencyLimiter::new(3, 2);
        let ann =
            [limiter.try_acquire(Some("ann")).expect("a permit"), limiter.try_acquire(Some("ann")).expect("a permit")];
        assert_eq!(limiter.try_acquire(Some("ann")).expect_err("ann has two"), ConcurrencyLimitError::PerClient);
        let ben = limiter.try_acquire(Some("ben")).expect("a permit");
        assert_eq!(
            limiter.try_acquire(Some("cleo")).expect_err("three permits are in use"),
            ConcurrencyLimitError::Total
        );
        drop(ben);
        assert!(limiter.try_acquire(Some("cleo")).is_ok());
        drop(ann);
        assert_eq!(limiter.in_use(), 0);
        assert!(limiter.counts.lock().by_client.is_empty(), "clients without a permit are dropped");
    }

    #[test]
    fn without_a_client_only_the_total_limit_applies() {
        let limiter: ConcurrencyLimiter<&str> = ConcurrencyLimiter::new(3, 1);
        let permits: Vec<_> = (0..3).map(|_| limiter.try_acquire(None)).collect();
        assert!(permits.iter().all(Result::is_ok));
        assert_eq!(limiter.try_acquire(None).expect_err("three permits are in use"), ConcurrencyLimitError::Total);
    }
}
