//! The remote tier: a store behind memory and disk that several caches may share. This crate knows no network: the
//! store is a [`RemoteStore`], and this module decides which of its entries may be served.
//!
//! | module | content |
//! |---|---|
//! | `leadership` | which of several gateways does what is done once for all of them |
//! | `marks` | numbers that the store assigned to invalidations, and own invalidations that have none yet |
//! | `sharing` | invalidations as they travel between caches |
//!
//! **Order.** Clocks of different machines are never compared. The store numbers invalidations from one sequence. Every
//! entry carries the newest number that its cache knew when the load began, and the epoch of the sequence. An entry is
//! served only if its epoch is the current one, its number is at least the floor, no invalidation with a higher number
//! covers it, and none of ours that covers it still waits for its number.

mod leadership;
mod marks;
mod sharing;

use crate::timestamp::Timestamp;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::disk::codec;
pub use crate::disk::codec::EncodedBody;
use crate::key::{Key, Tag};
use crate::policy::EntryDeadlines;
use crate::value::{Entry, Value};

pub use self::leadership::{ClusterRole, Leadership};
pub(crate) use self::marks::RemoteMarks;
pub(crate) use self::sharing::decode_scope;
pub use self::sharing::{RemoteSequence, SharedInvalidation};

/// A future of a [`RemoteStore`].
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A store behind memory and disk. None of its functions may wait longer than its own timeouts, and those that return no
/// future may not wait at all.
pub trait RemoteStore: Send + Sync + 'static {
    /// Looks up a key. `None` if there is nothing, or no answer in time; with `is_last_resort`, because the source
    /// cannot be asked, it may take longer.
    fn get<'a>(&'a self, key: &'a Key, is_last_resort: bool) -> StoreFuture<'a, Option<RemoteEntry>>;

    /// Queues an entry for writing. It must not replace an entry that knew more or was loaded later.
    fn put(&self, key: &Key, entry: RemoteWrite);

    /// Queues the removal of a key's entry, because the source does not have the value. `ticket` is passed to
    /// [`crate::Cache::removed_remotely`] once it is gone. False if too many wait: then the key is invalidated instead.
    fn remove(&self, key: &Key, ticket: u64) -> bool;

    /// Queues an invalidation, to be numbered without delay.
    fn invalidate(&self, invalidation: SharedInvalidation);

    /// Waits until every invalidation queued so far is numbered and every cache that shares the store has heard it or
    /// can no longer serve what it covers. False if that could not be established in time.
    fn flush_invalidations(&self) -> StoreFuture<'_, bool>;

    /// Whether other caches share the store.
    fn is_shared(&self) -> bool;

    /// Asks for the right to load a key, so that of several caches one loads.
    fn claim_load<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, LoadClaim>;
}

/// Answer to [`RemoteStore::claim_load`].
pub enum LoadClaim {
    /// This cache loads. Others wait until the guard is dropped or its lease ends.
    Granted {
        /// Held until the value is queued for writing.
        guard: Box<dyn Send + Sync>,
        /// Another cache has loaded it meanwhile: look the key up before loading.
        may_be_stored: bool,
    },
    /// There is no agreement, because there are no other caches or the store does not answer: load.
    Unclaimed,
}

/// An entry found in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteEntry {
    /// Its value.
    pub value: Value,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// When its load began, in milliseconds of this cache's clock.
    pub created_ms: Timestamp,
    /// When it was stored, in milliseconds of this cache's clock.
    pub stored_ms: Timestamp,
    /// When it stops being fresh, stale and usable, by this cache's clock.
    pub deadlines: EntryDeadlines,
    /// Whether its lifetime was set for this value instead of by the policy.
    pub adapted: bool,
    /// The newest number that its load knew when it began.
    pub known: RemoteSequence,
}

/// An entry to be written, and what its load knew.
#[derive(Debug, Clone)]
pub struct RemoteWrite {
    /// The entry.
    pub entry: Arc<Entry>,
    /// The newest invalidation known when its load began.
    pub known: RemoteSequence,
}

/// Encodes a body as the disk tier does: text compressed, anything else as it is.
pub fn encode_body(body: &bytes::Bytes) -> EncodedBody {
    codec::encode_body(body)
}

/// Decodes a body of known length; `None` if it is damaged or has another length.
pub fn decode_body(encoded: EncodedBody, length: usize) -> Option<bytes::Bytes> {
    codec::decode_body(encoded, length)
}
