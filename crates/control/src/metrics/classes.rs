//! Metrics of each request type: results and load durations.

use std::fmt;

use prometheus_client::encoding::NoLabelSet;
use prometheus_client::metrics::MetricType;

use crate::metrics::encoder::{MetricsEncoder, write_counter};
use crate::stats::{ClassCacheStats, ClassStatsDetail};

impl MetricsEncoder<'_> {
    pub(super) fn classes(&mut self, classes: &[ClassCacheStats]) -> fmt::Result {
        type Pick = fn(&ClassCacheStats) -> u64;
        let mut family =
            self.begin("cache_answers", "Answers to clients, by how they came about", MetricType::Counter)?;
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
        let counters: [(&str, &str, Pick); 8] = [
            ("cache_prefetched", "Answers loaded before anybody asked for them", |class| class.ahead_loads),
            ("cache_prefetched_useful", "Of these, those that an app has read", |class| class.ahead_useful),
            ("cache_prefetched_useless", "Of these, those that were let go unread", |class| class.ahead_useless),
            ("cache_stale_on_error", "Answers that stood in for a server that did not answer", |class| {
                class.stale_on_error
            }),
            ("cache_failed_answers", "Questions answered with an error", |class| class.failed),
            ("cache_refreshes", "Own loads behind a read", |class| class.refreshes),
            ("cache_warm_loads", "Own loads that nobody waited for", |class| class.warm_loads),
            ("cache_evictions", "Answers that had to make room", |class| class.evictions),
        ];
        for (name, help, pick) in counters {
            let samples =
                classes.iter().map(|class| ([("server", &*class.server), ("class", class.class)], pick(class)));
            self.counters(name, help, samples)?;
        }
        let mut family =
            self.begin("cache_own_loads", "Own loads whose answer was let go, by use", MetricType::Counter)?;
        for class in classes {
            write_counter(&mut family, &labels(class, "read", "yes"), class.refreshes_useful)?;
            write_counter(&mut family, &labels(class, "read", "no"), class.refreshes_useless)?;
        }
        let mut family = self.begin("cache_class_bytes", "Bytes kept in memory, by class", MetricType::Gauge)?;
        for class in classes {
            let labels = [("server", class.server.as_str()), ("class", class.class)];
            family.encode_family(&labels)?.encode_gauge(&class.bytes)?;
        }
        Ok(())
    }

    pub(super) fn loads(&mut self, classes: &[ClassCacheStats]) -> fmt::Result {
        type Pick = fn(&ClassStatsDetail) -> &[(&'static str, u64)];
        let families: [(&str, &str, &str, Pick); 3] = [
            ("cache_misses", "Questions not answered at once, by reason", "reason", |detail| &detail.misses),
            ("cache_loads", "Loads, own ones included, by outcome", "outcome", |detail| &detail.loads),
            ("cache_not_stored", "Answers not kept, by reason", "reason", |detail| &detail.refusals),
        ];
        for (name, help, label, pick) in families {
            let mut family = self.begin(name, help, MetricType::Counter)?;
            for class in classes {
                for (word, count) in pick(&class.detail) {
                    write_counter(&mut family, &labels(class, label, word), *count)?;
                }
            }
        }
        let mut family = self.begin("cache_load_seconds", "How long loads took", MetricType::Histogram)?;
        for class in classes {
            let times = &class.detail.load_times;
            let count = times.buckets.iter().map(|(_, count)| count).sum();
            let labels = [("server", class.server.as_str()), ("class", class.class)];
            let mut one = family.encode_family(&labels)?;
            one.encode_histogram::<NoLabelSet>(times.sum_s, count, &times.buckets, None)?;
        }
        Ok(())
    }
}

fn labels<'a>(class: &'a ClassCacheStats, name: &'a str, word: &'a str) -> [(&'a str, &'a str); 3] {
    [("server", class.server.as_str()), ("class", class.class), (name, word)]
}
