//! Prefetch: after a response is sent, loads what its client is likely to request next, if conditions allow.
//!
//! State of one server: [`queue`](greenroom_prefetch::queue) (bounded queues), [`clients`] (models by client), [`batch`] (predictions after one
//! response), [`policy`](greenroom_prefetch::policy) (whether one may be loaded, and why not), [`budget`](greenroom_prefetch::budget) and [`backoff`](greenroom_prefetch::backoff) (rate and pauses),
//! [`counters`](greenroom_prefetch::counters). [`crate::read::prefetch_trigger`] notices that a response is sent; [`crate::prefetch_worker`] makes
//! the loads.
//!
//! The dialects make the predictions: [`greenroom_prefetch::prediction`]. Nothing here delays a response or a client's
//! load: a task of the server reads responses after their last byte is sent; a load starts only with a spare permit of
//! the request queue, and leaves one free. In every other respect it is the client's own load: its token, its
//! partition, its grant. The credential is held for the batch only.

pub mod batch;
pub mod clients;

use greenroom_cache::Timestamp;
use std::sync::Arc;

use bytes::Bytes;
use greenroom_dialect::classification::Read;
use parking_lot::Mutex;

use crate::request::classified_request::ClassifiedRequest;
use batch::PrefetchBatch;
use clients::ClientTable;
use greenroom_prefetch::backoff::PrefetchBackoff;
use greenroom_prefetch::budget::PrefetchBudget;
use greenroom_prefetch::counters::PrefetchCounters;
use greenroom_prefetch::queue::BoundedQueue;

/// Max queued responses; beyond it the oldest is dropped.
const MAX_SENT_RESPONSES: usize = 64;
/// Max queued batches; beyond it the oldest is dropped.
const MAX_BATCHES: usize = 8;

/// Prefetch state of one server.
#[derive(Debug)]
pub struct Prefetch {
    pub(crate) sent_responses: BoundedQueue<SentResponse>,
    pub(crate) batches: BoundedQueue<PrefetchBatch>,
    pub(crate) clients: ClientTable,
    pub(crate) budget: Mutex<PrefetchBudget>,
    pub(crate) backoff: Mutex<PrefetchBackoff>,
    /// Counters.
    pub counters: PrefetchCounters,
}

/// A response that was sent.
pub struct SentResponse {
    /// The classified request.
    pub classified: Arc<ClassifiedRequest>,
    /// The read.
    pub read: Arc<Read>,
    /// The response body.
    pub body: Bytes,
    /// When it was sent.
    pub at_ms: Timestamp,
}

impl std::fmt::Debug for SentResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SentResponse({})", self.read.class.name())
    }
}

impl Prefetch {
    /// For a server with these settings.
    pub fn new(settings: &greenroom_config::PrefetchSettings) -> Self {
        Self {
            sent_responses: BoundedQueue::new(MAX_SENT_RESPONSES),
            batches: BoundedQueue::new(MAX_BATCHES),
            clients: ClientTable::default(),
            budget: Mutex::new(PrefetchBudget::new(settings.budget_per_minute)),
            backoff: Mutex::default(),
            counters: PrefetchCounters::default(),
        }
    }

    /// Number of queued responses.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.sent_responses.len()
    }

    /// Queues a response that was sent.
    pub fn push_sent(&self, response: SentResponse) {
        if self.sent_responses.push(response).is_some() {
            self.counters.record_overflowed();
        }
    }
}
