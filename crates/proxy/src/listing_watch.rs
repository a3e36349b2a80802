//! Notices apps that list a whole video library with its files again and again, to find the item of a file: an index
//! answers that at once, so a second listing within an hour is passed on as a reason to build it.
//!
//! A listing counts once all of its pages were served, in any order. Only served responses count.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenroom_cache::Partition;
use greenroom_dialect::classification::Read;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::video_listing::{ListingRows, VideoListing};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Two listings within this time show a habit. A listing whose pages take longer does not count.
const HABIT: Duration = Duration::from_secs(3600);
/// Max listings tracked at a time, each with at most this many pages.
const MAX_LISTINGS: usize = 64;
const MAX_PAGES: usize = 4_096;

/// Listings of the video libraries of one server.
#[derive(Debug, Default)]
pub struct ListingWatch {
    state: Mutex<WatchState>,
    /// Without a consumer nothing is tracked.
    has_consumer: AtomicBool,
    notify: Notify,
}

#[derive(Debug, Default)]
struct WatchState {
    /// Listings whose pages are not complete yet, by token.
    begun: HashMap<(Partition, VideoListing), BegunListing>,
    /// Time of the last complete listing, in milliseconds.
    complete: HashMap<VideoListing, Timestamp>,
    /// Listings made twice that were not received yet.
    repeated: Vec<VideoListing>,
}

/// The pages of a listing so far.
#[derive(Debug, Default)]
struct BegunListing {
    started_ms: Timestamp,
    /// Number of rows by first row.
    pages: HashMap<u64, u64>,
}

impl ListingWatch {
    /// Starts tracking, because a consumer exists from now on.
    pub fn set_has_consumer(&self) {
        self.has_consumer.store(true, Ordering::Release);
    }

    /// Records a served response, if it is a page of such a listing. Only then is the clock read.
    pub fn record(
        &self,
        kind: ServerKind,
        read: &Read,
        partition: &Partition,
        body: &[u8],
        now_ms: impl FnOnce() -> u64,
    ) {
        if !self.has_consumer.load(Ordering::Acquire) {
            return;
        }
        let Some((listing, rows)) = kind.video_listing(read) else { return };
        if self.state.lock().record(
            listing,
            rows,
            kind.listing_total(body),
            partition,
            Timestamp::from_millis(now_ms()),
        ) {
            self.notify.notify_one();
        }
    }

    /// Waits for listings made twice, and takes them.
    pub async fn recv(&self) -> Vec<VideoListing> {
        loop {
            let repeated = std::mem::take(&mut self.state.lock().repeated);
            if !repeated.is_empty() {
                return repeated;
            }
            self.notify.notified().await;
        }
    }
}

impl WatchState {
    /// Returns whether the page completes a second listing.
    fn record(
        &mut self,
        listing: VideoListing,
        rows: ListingRows,
        total: Option<u64>,
        partition: &Partition,
        now_ms: Timestamp,
    ) -> bool {
        let is_recent = |at_ms: Timestamp| now_ms.duration_since(at_ms) <= HABIT;
        if !self.is_complete(&listing, rows, total, partition, now_ms) {
            return false;
        }
        self.complete.retain(|_, at_ms| is_recent(*at_ms));
        if self.complete.len() >= MAX_LISTINGS {
            self.complete.clear();
        }
        let is_repeated = self.complete.insert(listing.clone(), now_ms).is_some();
        if is_repeated && self.repeated.len() < MAX_LISTINGS && !self.repeated.contains(&listing) {
            self.repeated.push(listing);
        }
        is_repeated
    }

    /// Whether this page is the last one missing of its listing.
    fn is_complete(
        &mut self,
        listing: &VideoListing,
        rows: ListingRows,
        total: Option<u64>,
        partition: &Partition,
        now_ms: Timestamp,
    ) -> bool {
        let size = match (rows.size, total) {
            // The whole list, requested as such or because the server knows no pages.
            (None, _) | (_, None) if rows.start == 0 => return true,
            (Some(size), Some(_)) => size,
            (None, Some(total)) => total.saturating_sub(rows.start),
            (_, None) => return false,
        };
        let total = total.unwrap_or_default();
        if total == 0 || size == 0 {
            return false;
        }
        let is_recent = |begun: &BegunListing| now_ms.duration_since(begun.started_ms) <= HABIT;
        self.begun.retain(|_, begun| is_recent(begun));
        let key = (partition.clone(), listing.clone());
        if self.begun.len() >= MAX_LISTINGS && !self.begun.contains_key(&key) {
            return false;
        }
        let begun = self
            .begun
            .entry(key.clone())
            .or_insert_with(|| BegunListing { started_ms: now_ms, ..BegunListing::default() });
        if begun.pages.len() < MAX_PAGES {
            begun.pages.insert(rows.start, size.min(total.saturating_sub(rows.start)));
        }
        let is_complete = begun.pages.values().sum::<u64>() >= total;
        if is_complete {
            self.begun.remove(&key);
        }
        is_complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: u64 = 60_000;

    fn films() -> VideoListing {
        VideoListing { section: Some("1".into()), has_films: true, has_episodes: false }
    }

    fn page(start: u64, size: u64) -> ListingRows {
        ListingRows { start, size: Some(size) }
    }

    const WHOLE: ListingRows = ListingRows { start: 0, size: None };

    #[test]
    fn a_second_listing_within_an_hour_is_a_habit() {
        let partition = Partition::new("anna");
        let mut state = WatchState::default();
        let mut list = |at_ms| state.record(films(), WHOLE, None, &partition, at_ms);
        assert!(!list(Timestamp::from_millis(MINUTE_MS)));
        assert!(!list(Timestamp::from_millis(62 * MINUTE_MS)), "more than an hour later");
        assert!(list(Timestamp::from_millis(122 * MINUTE_MS)));
        assert_eq!(state.repeated, [films()]);
        let other = VideoListing { section: Some("2".into()), ..films() };
        assert!(
            !state.record(other, WHOLE, None, &partition, Timestamp::from_millis(123 * MINUTE_MS)),
            "another library"
        );
    }

    #[test]
    fn a_listing_in_pages_counts_once_all_of_them_were_served() {
        let partition = Partition::new("anna");
        let mut state = WatchState::default();
        let mut list = |start, at_ms| state.record(films(), page(start, 50), Some(120), &partition, at_ms);
        for _ in 0..5 {
            assert!(
                !list(0, Timestamp::from_millis(1)) && !list(50, Timestamp::from_millis(2)),
                "the last page is missing"
            );
        }
        assert!(!list(100, Timestamp::from_millis(3)), "that is one listing");
        assert!(!list(100, Timestamp::from_millis(4)) && !list(50, Timestamp::from_millis(5)), "in any order");
        assert!(list(0, Timestamp::from_millis(6)), "and that is the second");
        for start in [0, 50] {
            assert!(!list(start, Timestamp::from_millis(7)));
        }
        assert!(!list(100, Timestamp::from_millis(7 + 61 * MINUTE_MS)), "its pages lie too far apart");
    }

    #[test]
    fn a_count_is_no_listing_and_the_number_of_tracked_listings_is_bounded() {
        let partition = Partition::new("anna");
        let mut state = WatchState::default();
        for _ in 0..3 {
            assert!(!state.record(films(), page(0, 0), Some(120), &partition, Timestamp::from_millis(1)));
            assert!(
                !state.record(films(), page(0, 50), Some(0), &partition, Timestamp::from_millis(1)),
                "the total is not known"
            );
        }
        for number in 0..10 * MAX_LISTINGS {
            let listing = VideoListing { section: Some(number.to_string()), ..films() };
            state.record(listing.clone(), page(0, 50), Some(120), &partition, Timestamp::from_millis(1));
            state.record(listing, WHOLE, None, &partition, Timestamp::from_millis(1));
        }
        assert!(state.begun.len() <= MAX_LISTINGS && state.complete.len() <= MAX_LISTINGS);
    }
}
