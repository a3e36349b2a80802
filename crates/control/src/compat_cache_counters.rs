//! Hits and misses of the caches that other dashboards show, by their names there.

use std::sync::atomic::{AtomicU64, Ordering};

use greenroom_dialect::class::Class;

/// The cache behind one compatibility path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompatCache {
    /// Current activities.
    Activities,
    /// Current sessions.
    Sessions,
    /// Live statistics.
    LiveStats,
    /// Statistics.
    Stats,
    /// Recently added media.
    Recent,
    /// Playback history.
    History,
    /// Requests in the background.
    Background,
}

impl CompatCache {
    /// Every cache, in the order of the counters.
    pub const EVERY: [Self; 7] =
        [Self::Activities, Self::Sessions, Self::LiveStats, Self::Stats, Self::Recent, Self::History, Self::Background];

    /// Its name in these dashboards.
    pub fn name(self) -> &'static str {
        match self {
            Self::Activities => "plex_activities",
            Self::Sessions => "plex_sessions",
            Self::LiveStats => "plex_stats_live",
            Self::Stats => "plex_stats",
            Self::Recent => "plex_recent_media",
            Self::History => "watch_history",
            Self::Background => "background_stats",
        }
    }

    /// The request type it consists of, if it is a single one.
    pub fn class(self) -> Option<Class> {
        match self {
            Self::Activities => Some(Class::Activities),
            Self::Sessions => Some(Class::Sessions),
            Self::Recent => Some(Class::Recent),
            Self::LiveStats | Self::Stats | Self::History | Self::Background => None,
        }
    }
}

/// Hits and misses per cache, since start or the last reset.
#[derive(Debug, Default)]
pub struct CompatCacheCounters([(AtomicU64, AtomicU64); CompatCache::EVERY.len()]);

impl CompatCacheCounters {
    /// Counts a request.
    pub fn record(&self, cache: CompatCache, is_hit: bool) {
        let (hits, misses) = &self.0[cache as usize];
        if is_hit { hits } else { misses }.fetch_add(1, Ordering::Relaxed);
    }

    /// Sets all counters to zero.
    pub fn reset(&self) {
        for (hits, misses) in &self.0 {
            hits.store(0, Ordering::Relaxed);
            misses.store(0, Ordering::Relaxed);
        }
    }

    /// Hits and misses of this cache.
    pub fn get(&self, cache: CompatCache) -> (u64, u64) {
        let (hits, misses) = &self.0[cache as usize];
        (hits.load(Ordering::Relaxed), misses.load(Ordering::Relaxed))
    }
}
