//! Metrics of the caches for apps. Caches beyond the first hundred by name are summed up as `others`, because apps name
//! them.

use std::fmt;

use greenroom_app_cache::AppCacheReport;

use crate::metrics::encoder::MetricsEncoder;

/// Max caches with labels of their own.
const MAX_LABELS: usize = 100;
/// Label of all further ones.
const OTHERS: &str = "others";

impl MetricsEncoder<'_> {
    pub(super) fn app_caches(&mut self, caches: &[AppCacheReport]) -> fmt::Result {
        let (named, rest) = caches.split_at(caches.len().min(MAX_LABELS));
        let each = |value: fn(&AppCacheReport) -> u64| {
            let named = named.iter().map(move |cache| ([("cache", cache.name.as_str())], value(cache)));
            let others = (!rest.is_empty()).then(|| ([("cache", OTHERS)], rest.iter().map(value).sum()));
            named.chain(others)
        };
        self.gauges("app_cache_entries", "Entries of the app's cache", each(|cache| cache.entries))?;
        self.gauges("app_cache_bytes", "Bytes of the entries of the app's cache", each(|cache| cache.bytes))?;
        let pending = each(|cache| cache.pending as u64);
        self.gauges("app_cache_pending", "Deferred puts that are not on disk yet", pending)?;
        let of = |name: &'static str, cache: &AppCacheReport| {
            cache.counts.named().into_iter().map(move |(event, count)| ((name, event), count)).collect::<Vec<_>>()
        };
        let mut events = Vec::new();
        for cache in named {
            let counts = cache.counts.named().into_iter();
            events.extend(counts.map(|(event, count)| ([("cache", cache.name.as_str()), ("event", event)], count)));
        }
        if let Some((first, more)) = rest.split_first() {
            let mut sums = of(OTHERS, first);
            for cache in more {
                sums.iter_mut().zip(of(OTHERS, cache)).for_each(|(sum, (_, count))| sum.1 += count);
            }
            events.extend(sums.into_iter().map(|((name, event), count)| ([("cache", name), ("event", event)], count)));
        }
        self.counters("app_cache_events", "Events of the app's cache, by kind", events)
    }
}
