//! Reads that the server answers again and again because its responses may not be stored, by route. From these counts
//! people learn which route would be worth a lifetime.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use greenroom_http_caching::storage::StorageRefusal;

/// A repeated read counts as one that a lifetime of this length would have saved.
pub const TRIED_LIFETIME_MS: u64 = 3_600_000;
/// Max groups of paths; the reads of further ones are not counted.
const MAX_GROUPS: usize = 256;
/// Max resources whose last read is remembered.
const MAX_RESOURCES: usize = 4096;
/// Fewer repeated reads are not worth a word.
const MIN_REPEATS: u64 = 10;
/// Counts of a shorter time are not extrapolated to a day.
const MIN_SPAN: Duration = Duration::from_secs(3600);
const DAY_MS: u64 = 24 * 3_600_000;
/// Longer segments of a path are taken for an id, or for a secret.
const MAX_WORD_CHARS: usize = 24;

/// A group of paths whose responses are never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnstoredRoute {
    /// The route, or a pattern of paths without one.
    pub name: String,
    /// Reason for which its responses are not stored.
    pub refusal: StorageRefusal,
    /// Requests a day that a lifetime of [`TRIED_LIFETIME_MS`] would save.
    pub saved_per_day: u64,
}

#[derive(Debug, Clone, Copy)]
struct GroupCounts {
    since_ms: Timestamp,
    stored: u64,
    repeats: u64,
    refusal: Option<StorageRefusal>,
}

/// Counts of one server. Pure: time is an argument.
#[derive(Debug, Default)]
pub(crate) struct RouteTraffic {
    groups: BTreeMap<String, GroupCounts>,
    /// Time of the last saving-worthy read of a resource, by hash.
    last_ms: HashMap<u64, u64>,
    /// The same resources, the oldest first.
    order: VecDeque<u64>,
}

impl RouteTraffic {
    /// Records a response to a read: stored, or why not. `resource` is a hash of whose it is and what it names.
    pub(crate) fn record(&mut self, group: &str, resource: u64, refusal: Option<StorageRefusal>, now_ms: Timestamp) {
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(group) {
            return;
        }
        let fresh = GroupCounts { since_ms: now_ms, stored: 0, repeats: 0, refusal: None };
        let counts = self.groups.entry(group.to_owned()).or_insert(fresh);
        let Some(refusal) = refusal else {
            counts.stored += 1;
            return;
        };
        counts.refusal = Some(refusal);
        match self.last_ms.get_mut(&resource) {
            // The lifetime would have begun with the read that was not saved.
            Some(last_ms)
                if now_ms.saturating_sub(Duration::from_millis(*last_ms))
                    < Timestamp::from_millis(TRIED_LIFETIME_MS) =>
            {
                counts.repeats += 1;
            }
            Some(last_ms) => *last_ms = now_ms.as_millis(),
            None => {
                self.last_ms.insert(resource, now_ms.as_millis());
                self.order.push_back(resource);
                if self.order.len() > MAX_RESOURCES
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.last_ms.remove(&oldest);
                }
            }
        }
    }

    /// The groups whose responses are never stored although they are read repeatedly, the most worthwhile first.
    pub(crate) fn unstored(&self, now_ms: Timestamp) -> Vec<UnstoredRoute> {
        let group = |(name, counts): (&String, &GroupCounts)| {
            let span_ms = now_ms.duration_since(counts.since_ms).max(MIN_SPAN);
            let is_worthwhile = counts.stored == 0 && counts.repeats >= MIN_REPEATS;
            let refusal = counts.refusal.filter(|_| is_worthwhile)?;
            let saved_per_day = counts.repeats.saturating_mul(DAY_MS) / millis(span_ms);
            Some(UnstoredRoute { name: name.clone(), refusal, saved_per_day })
        };
        let mut all: Vec<UnstoredRoute> = self.groups.iter().filter_map(group).collect();
        all.sort_by_key(|route| std::cmp::Reverse(route.saved_per_day));
        all
    }
}

/// The pattern of a path without a route: what looks like an id, or like a secret, is left out.
pub(crate) fn pattern_of(path: &str) -> String {
    let is_word = |segment: &str| {
        let has_digit = segment.bytes().any(|byte| byte.is_ascii_digit());
        // A version is one digit, with or without a letter.
        let is_version = segment.len() == 1 || segment.len() == 2 && segment.starts_with('v');
        segment.chars().count() <= MAX_WORD_CHARS && (!has_digit || is_version)
    };
    let segments = path.split('/').map(|segment| if is_word(segment) { segment } else { "{id}" });
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    #[test]
    fn repeated_reads_of_a_route_that_is_never_stored_are_extrapolated_to_a_day() {
        let mut traffic = RouteTraffic::default();
        for minute in 0..120 {
            traffic.record("/films", 7, Some(StorageRefusal::NoStore), Timestamp::from_millis(minute * 60_000));
        }
        let found = traffic.unstored(Timestamp::from_millis(2 * HOUR_MS));
        assert_eq!(found.len(), 1);
        // Two of 120 would have been loads: the first, and the one after an hour.
        assert_eq!(
            (found[0].name.as_str(), found[0].refusal, found[0].saved_per_day),
            ("/films", StorageRefusal::NoStore, 118 * 12)
        );
        traffic.record("/films", 8, None, Timestamp::from_millis(2 * HOUR_MS));
        assert_eq!(traffic.unstored(Timestamp::from_millis(2 * HOUR_MS)), [], "some of its responses are stored");
    }

    #[test]
    fn different_resources_are_not_worth_a_lifetime() {
        let mut traffic = RouteTraffic::default();
        for resource in 0..100 {
            traffic.record("/search", resource, Some(StorageRefusal::NoStore), Timestamp::from_millis(resource));
        }
        assert_eq!(traffic.unstored(Timestamp::from_millis(HOUR_MS)), []);
    }

    #[test]
    fn ids_and_secrets_are_no_part_of_a_pattern() {
        for (path, pattern) in [
            ("/3/movie/550", "/3/movie/{id}"),
            ("/v2/users/7f3a/items", "/v2/users/{id}/items"),
            ("/api/v3/series", "/api/v3/series"),
            ("/a-very-long-segment-that-may-be-a-secret/x", "/{id}/x"),
            ("/", "/"),
        ] {
            assert_eq!(pattern_of(path), pattern);
        }
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_bounded(reads in proptest::collection::vec((0_u64..9_000, 0_u64..500), 0..9_000)) {
            let mut traffic = RouteTraffic::default();
            for (now_ms, (resource, group)) in reads.into_iter().enumerate() {
                traffic.record(&group.to_string(), resource, Some(StorageRefusal::NoStore), Timestamp::from_millis(now_ms as u64));
            }
            prop_assert!(traffic.groups.len() <= MAX_GROUPS);
            prop_assert!(traffic.order.len() <= MAX_RESOURCES && traffic.last_ms.len() == traffic.order.len());
        }
    }
}
