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
    /// A limiter with `most` permits in total and `most_per_guest` per client.
    pub fn new(most: usize, most_per_guest: usize) -> Self {
        let taken = PermitCounts { all: 0, by_client: HashMap::new() };
        Self { counts: Arc::new(Mutex::new(taken)), max: most, max_per_client: most_per_guest }
    }

    /// Acquires a permit; without a client only the total limit applies.
    ///
    /// # Errors
    /// If a limit is reached.
    pub fn try_acquire(&self, guest: Option<G>) -> Result<ConcurrencyPermit<G>, ConcurrencyLimitError> {
        let mut taken = self.counts.lock();
        if taken.all >= self.max {
            return Err(ConcurrencyLimitError::Total);
        }
        if let Some(guest) = &guest {
            let has = taken.by_client.get(guest).copied().unwrap_or(0);
            if has >= self.max_per_client {
                return Err(ConcurrencyLimitError::PerClient);
            }
            taken.by_client.insert(guest.clone(), has + 1);
        }
        taken.all += 1;
        Ok(ConcurrencyPermit { counts: Arc::clone(&self.counts), client: guest })
    }

    /// Permits in use.
    pub fn in_use(&self) -> usize {
        self.counts.lock().all
    }
}

impl<G: Eq + Hash> Drop for ConcurrencyPermit<G> {
    fn drop(&mut self) {
        let mut taken = self.counts.lock();
        taken.all -= 1;
        let Some(guest) = self.client.take() else { return };
        if let Some(has) = taken.by_client.get_mut(&guest) {
            *has -= 1;
            if *has == 0 {
                taken.by_client.remove(&guest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_guest_cannot_take_the_seats_of_all() {
        let seats = ConcurrencyLimiter::new(3, 2);
        let ann = [seats.try_acquire(Some("ann")).expect("a seat"), seats.try_acquire(Some("ann")).expect("a seat")];
        assert_eq!(seats.try_acquire(Some("ann")).expect_err("she has two"), ConcurrencyLimitError::PerClient);
        let ben = seats.try_acquire(Some("ben")).expect("a seat");
        assert_eq!(seats.try_acquire(Some("cleo")).expect_err("three are taken"), ConcurrencyLimitError::Total);
        drop(ben);
        assert!(seats.try_acquire(Some("cleo")).is_ok());
        drop(ann);
        assert_eq!(seats.in_use(), 0);
        assert!(seats.counts.lock().by_client.is_empty(), "nobody is remembered who left");
    }

    #[test]
    fn who_is_nobody_in_particular_is_bounded_by_all_only() {
        let seats: ConcurrencyLimiter<&str> = ConcurrencyLimiter::new(3, 1);
        let taken: Vec<_> = (0..3).map(|_| seats.try_acquire(None)).collect();
        assert!(taken.iter().all(Result::is_ok));
        assert_eq!(seats.try_acquire(None).expect_err("three are taken"), ConcurrencyLimitError::Total);
    }
}
