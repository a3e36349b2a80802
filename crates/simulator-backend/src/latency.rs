//! How long the server takes to answer.

use std::time::Duration;

use crate::chance::Chance;
use crate::class::Class;

/// How long each class of requests takes, before jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Who the server is, sockets, what it does not know.
    pub trivial: Duration,
    /// The server, its settings, sections, activities, statistics.
    pub server: Duration,
    /// Sessions.
    pub sessions: Duration,
    /// Lists, history, hubs, playlists.
    pub list: Duration,
    /// Items.
    pub metadata: Duration,
    /// Searches.
    pub search: Duration,
    /// Images and the first byte of media.
    pub image: Duration,
    /// Writes.
    pub write: Duration,
    /// What each row that is asked for adds.
    pub row: Duration,
    /// By how many percent a single answer may be faster or slower.
    pub jitter_percent: u32,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            trivial: Duration::from_millis(3),
            server: Duration::from_millis(15),
            sessions: Duration::from_millis(25),
            list: Duration::from_millis(120),
            metadata: Duration::from_millis(40),
            search: Duration::from_millis(150),
            image: Duration::from_millis(30),
            write: Duration::from_millis(40),
            row: Duration::ZERO,
            jitter_percent: 30,
        }
    }
}

impl Latency {
    /// No latency at all, for tests.
    pub fn none() -> Self {
        Self::even(Duration::ZERO)
    }

    /// The same latency for everything, without jitter.
    pub fn even(latency: Duration) -> Self {
        Self {
            trivial: latency,
            server: latency,
            sessions: latency,
            list: latency,
            metadata: latency,
            search: latency,
            image: latency,
            write: latency,
            row: Duration::ZERO,
            jitter_percent: 0,
        }
    }

    /// How long the request with this running number takes, if it asks for so many rows.
    pub fn of(&self, class: Class, rows: u32, chance: Chance, number: u64) -> Duration {
        let base = match class {
            Class::Identity | Class::Socket | Class::Other => self.trivial,
            Class::Server | Class::Sections | Class::Activities | Class::Statistics => self.server,
            Class::Sessions => self.sessions,
            Class::List | Class::History | Class::Hubs | Class::Playlists => self.list,
            Class::Metadata => self.metadata,
            Class::Search => self.search,
            Class::Image | Class::Media => self.image,
            Class::Write => self.write,
        };
        let swing = u64::from(self.jitter_percent.min(100));
        let percent = chance.between("latency", number, 100 - swing, 100 + swing);
        (base + self.row * rows) * u32::try_from(percent).unwrap_or(100) / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_bounds_and_follows_the_seed() {
        let latency = Latency::default();
        for number in 0..100 {
            let taken = latency.of(Class::List, 0, Chance::new(4), number);
            assert!(taken >= Duration::from_millis(84) && taken <= Duration::from_millis(156), "{taken:?}");
            assert_eq!(taken, latency.of(Class::List, 0, Chance::new(4), number));
        }
    }

    #[test]
    fn a_large_page_takes_longer() {
        let latency = Latency { row: Duration::from_millis(2), ..Latency::even(Duration::from_millis(10)) };
        let taken = |rows| latency.of(Class::List, rows, Chance::new(1), 9);
        assert_eq!((taken(0), taken(1_000)), (Duration::from_millis(10), Duration::from_millis(2_010)));
    }

    #[test]
    fn an_even_latency_has_no_jitter() {
        let latency = Latency::even(Duration::from_millis(10));
        assert_eq!(latency.of(Class::Write, 0, Chance::new(1), 9), Duration::from_millis(10));
        assert_eq!(Latency::none().of(Class::Search, 500, Chance::new(1), 9), Duration::ZERO);
    }
}
