//! Response latency of the server.

use std::time::Duration;

use crate::class::RequestClass;
use crate::rng::SeededRng;

/// Latency per request class, before jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatencyProfile {
    /// Identity, sockets, unknown paths.
    pub trivial: Duration,
    /// Server, settings, sections, activities, statistics.
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
    /// Added per requested row.
    pub row: Duration,
    /// Jitter of a single response, in percent either way.
    pub jitter_percent: u32,
}

impl Default for LatencyProfile {
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

impl LatencyProfile {
    /// No latency at all, for tests.
    pub fn none() -> Self {
        Self::uniform(Duration::ZERO)
    }

    /// The same latency for everything, without jitter.
    pub fn uniform(latency: Duration) -> Self {
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

    /// Latency of the request with this sequence number and this many rows.
    pub fn for_request(&self, class: RequestClass, rows: u32, chance: SeededRng, number: u64) -> Duration {
        let base = match class {
            RequestClass::Identity | RequestClass::Socket | RequestClass::Other => self.trivial,
            RequestClass::Server | RequestClass::Sections | RequestClass::Activities | RequestClass::Statistics => {
                self.server
            }
            RequestClass::Sessions => self.sessions,
            RequestClass::List | RequestClass::History | RequestClass::Hubs | RequestClass::Playlists => self.list,
            RequestClass::Metadata => self.metadata,
            RequestClass::Search => self.search,
            RequestClass::Image | RequestClass::Media => self.image,
            RequestClass::Write => self.write,
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
        let latency = LatencyProfile::default();
        for number in 0..100 {
            let taken = latency.for_request(RequestClass::List, 0, SeededRng::new(4), number);
            assert!(taken >= Duration::from_millis(84) && taken <= Duration::from_millis(156), "{taken:?}");
            assert_eq!(taken, latency.for_request(RequestClass::List, 0, SeededRng::new(4), number));
        }
    }

    #[test]
    fn a_large_page_takes_longer() {
        let latency =
            LatencyProfile { row: Duration::from_millis(2), ..LatencyProfile::uniform(Duration::from_millis(10)) };
        let taken = |rows| latency.for_request(RequestClass::List, rows, SeededRng::new(1), 9);
        assert_eq!((taken(0), taken(1_000)), (Duration::from_millis(10), Duration::from_millis(2_010)));
    }

    #[test]
    fn an_even_latency_has_no_jitter() {
        let latency = LatencyProfile::uniform(Duration::from_millis(10));
        assert_eq!(latency.for_request(RequestClass::Write, 0, SeededRng::new(1), 9), Duration::from_millis(10));
        assert_eq!(LatencyProfile::none().for_request(RequestClass::Search, 500, SeededRng::new(1), 9), Duration::ZERO);
    }
}
