//! Seats: so many at a time in all, so many at a time for one guest. Who leaves gives the seat back.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

/// Seats that guests of a kind take.
#[derive(Debug)]
pub struct Seats<G: Eq + Hash> {
    taken: Arc<Mutex<Taken<G>>>,
    most: usize,
    most_per_guest: usize,
}

#[derive(Debug)]
struct Taken<G> {
    all: usize,
    by_guest: HashMap<G, usize>,
}

/// A seat that is taken as long as this lives.
#[derive(Debug)]
pub struct Seat<G: Eq + Hash> {
    taken: Arc<Mutex<Taken<G>>>,
    guest: Option<G>,
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// All are taken.
    All,
    /// This guest has enough.
    Guest,
}

impl<G: Eq + Hash + Clone> Seats<G> {
    /// So many seats, so many for one guest.
    pub fn new(most: usize, most_per_guest: usize) -> Self {
        let taken = Taken { all: 0, by_guest: HashMap::new() };
        Self { taken: Arc::new(Mutex::new(taken)), most, most_per_guest }
    }

    /// A seat for a guest; one who is nobody in particular may have as many as there are.
    ///
    /// # Errors
    /// If there is none.
    pub fn take(&self, guest: Option<G>) -> Result<Seat<G>, Full> {
        let mut taken = self.taken.lock();
        if taken.all >= self.most {
            return Err(Full::All);
        }
        if let Some(guest) = &guest {
            let has = taken.by_guest.get(guest).copied().unwrap_or(0);
            if has >= self.most_per_guest {
                return Err(Full::Guest);
            }
            taken.by_guest.insert(guest.clone(), has + 1);
        }
        taken.all += 1;
        Ok(Seat { taken: Arc::clone(&self.taken), guest })
    }

    /// How many are taken now.
    pub fn taken(&self) -> usize {
        self.taken.lock().all
    }
}

impl<G: Eq + Hash> Drop for Seat<G> {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        taken.all -= 1;
        let Some(guest) = self.guest.take() else { return };
        if let Some(has) = taken.by_guest.get_mut(&guest) {
            *has -= 1;
            if *has == 0 {
                taken.by_guest.remove(&guest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_guest_cannot_take_the_seats_of_all() {
        let seats = Seats::new(3, 2);
        let ann = [seats.take(Some("ann")).expect("a seat"), seats.take(Some("ann")).expect("a seat")];
        assert_eq!(seats.take(Some("ann")).expect_err("she has two"), Full::Guest);
        let ben = seats.take(Some("ben")).expect("a seat");
        assert_eq!(seats.take(Some("cleo")).expect_err("three are taken"), Full::All);
        drop(ben);
        assert!(seats.take(Some("cleo")).is_ok());
        drop(ann);
        assert_eq!(seats.taken(), 0);
        assert!(seats.taken.lock().by_guest.is_empty(), "nobody is remembered who left");
    }

    #[test]
    fn who_is_nobody_in_particular_is_bounded_by_all_only() {
        let seats: Seats<&str> = Seats::new(3, 1);
        let taken: Vec<_> = (0..3).map(|_| seats.take(None)).collect();
        assert!(taken.iter().all(Result::is_ok));
        assert_eq!(seats.take(None).expect_err("three are taken"), Full::All);
    }
}
