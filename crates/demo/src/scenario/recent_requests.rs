//! Sources of the most recent responses of one target.

use std::collections::VecDeque;

use super::live_stats::AppRequestOutcome;

/// Responses that the page shows.
const SHOWN: usize = 120;

/// Source of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseSource {
    /// The media server.
    Server,
    /// Greenroom's cache.
    Cache,
    /// None: the request failed.
    Failure,
}

/// The most recent responses, oldest first.
#[derive(Debug, Default)]
pub(super) struct RecentRequests {
    sources: VecDeque<ResponseSource>,
}

impl ResponseSource {
    /// Source of the response to a request with this outcome.
    pub(super) fn of(outcome: AppRequestOutcome) -> Self {
        match (outcome.failed, outcome.is_hit) {
            (true, _) => Self::Failure,
            (false, true) => Self::Cache,
            (false, false) => Self::Server,
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Server => 's',
            Self::Cache => 'c',
            Self::Failure => 'f',
        }
    }
}

impl RecentRequests {
    /// Adds the newest response; the oldest above the limit is dropped.
    pub(super) fn push(&mut self, source: ResponseSource) {
        if self.sources.len() == SHOWN {
            self.sources.pop_front();
        }
        self.sources.push_back(source);
    }

    /// One letter for each response, oldest first: `s`erver, `c`ache, or `f`ailed.
    pub(super) fn letters(&self) -> String {
        self.sources.iter().map(|source| source.letter()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_shown_and_the_oldest_are_dropped() {
        let mut recent = RecentRequests::default();
        assert_eq!(recent.letters(), "");
        for _ in 0..SHOWN {
            recent.push(ResponseSource::Server);
        }
        recent.push(ResponseSource::Cache);
        recent.push(ResponseSource::Failure);
        let letters = recent.letters();
        assert_eq!(letters.len(), SHOWN);
        assert!(letters.starts_with('s') && letters.ends_with("scf"), "{letters}");
    }
}
