//! Metrics of each request type: results and load durations.

use std::fmt;

use prometheus_client::encoding::NoLabelSet;
use prometheus_client::metrics::MetricType;

use crate::metrics::encoder::{MetricsEncoder, write_counter};
use greenroom_control::stats::{ClassCacheStats, ClassStatsDetail};

impl MetricsEncoder<'_> {
    pub(super) fn classes(&mut self, classes: &[ClassCacheStats]) -> fmt::Result {
        type Getter = fn(&ClassCacheStats) -> u64;
        let mut family =
            self.begin("cache_answers", "Responses to reads of clients, by how they were served", MetricType::Counter)?;
        for class in classes {
            for (served, count) in [
                ("hit", class.hits),
                ("stale", class.stale),
                ("joined", class.joined),
                ("loaded", class.loaded),
                ("stale-on-error", class.stale_on_error),
            ] {
                write_counter(&mut family, &labels(class, "served", served), count)?;
            }
        }
        let counters: [(&str, &str, Getter); 8] = [
            ("cache_prefetched", "Responses prefetched", |class| class.ahead_loads),
            ("cache_prefetched_useful", "Prefetched responses that an app has read", |class| class.ahead_useful),
            ("cache_prefetched_useless", "Prefetched responses dropped unread", |class| class.ahead_useless),
            ("cache_stale_on_error", "Cached responses served because the server failed", |class| class.stale_on_error),
            ("cache_failed_answers", "Reads answered with an error", |class| class.failed),
            ("cache_refreshes", "Background refreshes", |class| class.refreshes),
            ("cache_warm_loads", "Own loads for warming", |class| class.warm_loads),
            ("cache_evictions", "Cache entries evicted from memory", |class| class.evictions),
        ];
        for (name, help, get) in counters {
            let samples =
                classes.iter().map(|class| ([("server", &*class.server), ("class", class.class)], get(class)));
            self.counters(name, help, samples)?;
        }
        let mut family = self.begin(
            "cache_own_loads",
            "Own loads whose entry is gone, by whether it was read",
            MetricType::Counter,
        )?;
        for class in classes {
            write_counter(&mut family, &labels(class, "read", "yes"), class.refreshes_useful)?;
            write_counter(&mut family, &labels(class, "read", "no"), class.refreshes_useless)?;
        }
        let bytes =
            classes.iter().map(|class| ([("server", class.server.as_str()), ("class", class.class)], class.bytes));
        self.gauges("cache_class_bytes", "Bytes cached in memory, by request type", bytes)
    }

    pub(super) fn loads(&mut self, classes: &[ClassCacheStats]) -> fmt::Result {
        type Getter = fn(&ClassStatsDetail) -> &[(&'static str, u64)];
        let families: [(&str, &str, &str, Getter); 3] = [
            ("cache_misses", "Reads that had to wait for a load or failed, by reason", "reason", |detail| {
                &detail.misses
            }),
            ("cache_loads", "Loads, own ones included, by outcome", "outcome", |detail| &detail.loads),
            ("cache_not_stored", "Responses not cached, by reason", "reason", |detail| &detail.refusals),
        ];
        for (name, help, label, get) in families {
            let mut family = self.begin(name, help, MetricType::Counter)?;
            for class in classes {
                for (value, count) in get(&class.detail) {
                    write_counter(&mut family, &labels(class, label, value), *count)?;
                }
            }
        }
        let mut family = self.begin("cache_load_seconds", "Duration of loads", MetricType::Histogram)?;
        for class in classes {
            let times = &class.detail.load_times;
            let count = times.buckets.iter().map(|(_, count)| count).sum();
            let labels = [("server", class.server.as_str()), ("class", class.class)];
            let mut histogram = family.encode_family(&labels)?;
            histogram.encode_histogram::<NoLabelSet>(times.sum_s, count, &times.buckets, None)?;
        }
        Ok(())
    }
}

fn labels<'a>(class: &'a ClassCacheStats, name: &'a str, value: &'a str) -> [(&'a str, &'a str); 3] {
    [("server", class.server.as_str()), ("class", class.class), (name, value)]
}
