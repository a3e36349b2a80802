//! Entries: what is stored under a key, and how fresh it is.

use greenroom_cache::Timestamp;
use std::time::Duration;

use crate::name::EntryTags;

/// Bytes that an entry counts beside what was sent: its row and its places in the indexes.
pub const ENTRY_OVERHEAD_BYTES: u64 = 100;
/// Media type of a value that was stored without one.
pub const USUAL_MEDIA_TYPE: &str = "application/octet-stream";
/// Max bytes of a media type.
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;
/// Max characters of a version.
pub const MAX_VERSION_CHARS: usize = 1024;

/// A value to store under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// The value. An empty one is a value like any other.
    pub value: Vec<u8>,
    /// Media type of the value.
    pub media_type: String,
    /// When it expires, in milliseconds since 1970; `None`: never.
    pub expires_ms: Option<Timestamp>,
    /// When its stale time ends; `None`: never.
    pub dies_ms: Option<Timestamp>,
    /// Its tags.
    pub tags: EntryTags,
    /// Version of the value's form. A read that asks for another version finds nothing.
    pub version: String,
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// The entry.
    pub entry: NewEntry,
    /// When it was stored, in milliseconds since 1970.
    pub stored_ms: Timestamp,
    /// Its number: no other write has the same.
    pub sequence: u64,
    /// Tier that held it.
    pub tier: EntryTier,
}

/// Place of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryTier {
    /// In memory: a deferred write that is not on disk yet.
    Memory,
    /// On disk.
    Disk,
}

/// Fresh time that a caller asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FreshTime {
    /// That of the cache's settings.
    #[default]
    Usual,
    /// For ever.
    Unlimited,
    /// So long.
    Limited(Duration),
}

/// State of an entry at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryState {
    /// Not expired.
    Fresh,
    /// Expired, but within its stale time.
    Stale,
    /// Neither.
    Dead,
}

impl EntryTier {
    /// Name in responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }
}

impl NewEntry {
    /// When an entry stored now expires, and when its stale time ends.
    pub fn deadlines(
        now_ms: Timestamp,
        ttl: Option<Duration>,
        stale: Duration,
    ) -> (Option<Timestamp>, Option<Timestamp>) {
        let Some(ttl) = ttl else { return (None, None) };
        let expires_ms = now_ms.saturating_add(ttl);
        (Some(expires_ms), Some(expires_ms.saturating_add(stale)))
    }

    /// Bytes that it counts in its cache.
    pub fn weight(&self, key: &str) -> u64 {
        self.weight_under(key.len())
    }

    /// Bytes that it counts under a key of this length.
    pub(crate) fn weight_under(&self, key_bytes: usize) -> u64 {
        let bytes = key_bytes + self.value.len() + media_type_column(&self.media_type).len() + self.version.len();
        // Tags are in the row and in an index.
        let tags = self.tags.column().map_or(0, |column| 2 * column.len());
        (bytes + tags) as u64 + ENTRY_OVERHEAD_BYTES
    }

    /// State at a moment.
    pub fn state(&self, now_ms: Timestamp) -> EntryState {
        evaluate_deadlines(self.expires_ms, self.dies_ms, now_ms)
    }
}

/// State of an entry with these deadlines at a moment.
pub fn evaluate_deadlines(expires_ms: Option<Timestamp>, dies_ms: Option<Timestamp>, now_ms: Timestamp) -> EntryState {
    if expires_ms.is_none_or(|expires_ms| now_ms < expires_ms) {
        EntryState::Fresh
    } else if dies_ms.is_none_or(|dies_ms| now_ms < dies_ms) {
        EntryState::Stale
    } else {
        EntryState::Dead
    }
}

/// A media type as it is stored: the usual one takes no room.
pub(crate) fn media_type_column(media_type: &str) -> &str {
    if media_type == USUAL_MEDIA_TYPE { "" } else { media_type }
}

/// The media type that is stored so.
pub(crate) fn media_type_of(column: String) -> String {
    if column.is_empty() { USUAL_MEDIA_TYPE.to_owned() } else { column }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_an_entry_add_up() {
        let (expires, dies) =
            NewEntry::deadlines(Timestamp::from_millis(1000), Some(Duration::from_secs(1)), Duration::from_secs(2));
        let state = |now_ms| evaluate_deadlines(expires, dies, now_ms);
        assert_eq!(
            (state(Timestamp::from_millis(1999)), state(Timestamp::from_millis(2000))),
            (EntryState::Fresh, EntryState::Stale)
        );
        assert_eq!(
            (state(Timestamp::from_millis(3999)), state(Timestamp::from_millis(4000))),
            (EntryState::Stale, EntryState::Dead)
        );
        let (expires, dies) = NewEntry::deadlines(Timestamp::from_millis(1000), None, Duration::from_secs(2));
        assert_eq!(evaluate_deadlines(expires, dies, Timestamp::MAX), EntryState::Fresh);
        let (expires, dies) =
            NewEntry::deadlines(Timestamp::from_millis(u64::MAX - 1), Some(Duration::MAX), Duration::MAX);
        assert_eq!(
            evaluate_deadlines(expires, dies, Timestamp::from_millis(u64::MAX - 2)),
            EntryState::Fresh,
            "times saturate"
        );
    }
}
