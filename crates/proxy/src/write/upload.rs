//! Receives a write's body: whole within the byte budget, or streamed.
//!
//! [`body_plan`](super::body_plan) decides which. A streamed body takes no permit of the request queue, so a slow
//! client delays no other request; the number of concurrent uploads is limited instead.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::Clock;
use greenroom_dialect::request::{BodyUse, MAX_BODY_READ};
use http::{Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

use super::body_plan::{BodyFacts, BodyPlan, plan};
use crate::proxy_request::ProxyRequest;
use crate::response;
use greenroom_http_server::byte_budget::{ByteBudgetError, ByteReservation};
use greenroom_http_server::client_network::client_network;
use greenroom_http_server::concurrency_limit::{ConcurrencyLimitError, ConcurrencyPermit};
use greenroom_http_server::limits::LimitKind;
use greenroom_origin::body::{Body, BodyError};

/// Timeout for a write's body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Step in which a body of unknown length reserves bytes.
const STEP_BYTES: u64 = 16 * 1024;

/// A body that may be sent.
#[derive(Debug)]
pub enum ReceivedBody {
    /// All of it.
    Whole(Bytes),
    /// The rest is still arriving.
    Streamed(Box<Upload>),
}

impl ReceivedBody {
    /// Its first bytes, as far as the dialect needs them.
    pub fn beginning(&self) -> &[u8] {
        let first = match self {
            Self::Whole(bytes) => bytes.as_ref(),
            Self::Streamed(upload) => upload.read.front().map_or(&[][..], AsRef::as_ref),
        };
        &first[..first.len().min(MAX_BODY_READ)]
    }

    /// The upstream body, and a handle to its result if it is streamed.
    pub fn into_body(self) -> (Body, Option<UploadHandle>) {
        match self {
            Self::Whole(bytes) => (bytes.into(), None),
            Self::Streamed(upload) => {
                let handle = UploadHandle(Arc::clone(&upload.result));
                (Body::Boxed(UnsyncBoxBody::new(*upload)), Some(handle))
            }
        }
    }
}

/// Result of a streamed body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadResult {
    /// Complete.
    Whole,
    /// The client disconnected.
    Broken,
    /// Longer than allowed.
    TooLong,
    /// The client was too slow.
    TooSlow,
}

/// Result of a streamed body, when it has ended.
#[derive(Debug)]
pub struct UploadHandle(Arc<OnceLock<UploadResult>>);

impl UploadHandle {
    /// The result, if it has ended.
    pub fn result(&self) -> Option<UploadResult> {
        self.0.get().copied()
    }
}

/// Reason why a body is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UploadError {
    Broken,
    TooSlow,
    TooLong,
    TooLongUnproven,
    OverBudget(ByteBudgetError),
    LimitReached(LimitKind),
}

/// Receives a write's body. The error is the response to the client.
pub async fn receive(
    request: &ProxyRequest,
    body_use: BodyUse,
    body: Incoming,
) -> Result<ReceivedBody, Box<Response<Body>>> {
    let received = request.server.origin.clock.timeout(BODY_TIMEOUT, read(request, body_use, body)).await;
    received.unwrap_or(Err(UploadError::TooSlow)).map_err(|refusal| Box::new(refuse(request, refusal)))
}

/// Response to a client whose streamed body did not complete.
pub fn interrupted_response(request: &ProxyRequest, result: UploadResult) -> Response<Body> {
    let refusal = match result {
        UploadResult::Whole | UploadResult::Broken => UploadError::Broken,
        UploadResult::TooLong => UploadError::TooLong,
        UploadResult::TooSlow => UploadError::TooSlow,
    };
    refuse(request, refusal)
}

async fn read(request: &ProxyRequest, body_use: BodyUse, mut body: Incoming) -> Result<ReceivedBody, UploadError> {
    let (server, is_proven) = (&request.server, request.classified.identity.was_authorized());
    let lengths = server.origin.settings.listener_limits.bodies.lengths;
    let started_us = server.origin.clock.now_us();
    let mut facts = BodyFacts { declared: body.size_hint().exact(), arrived: 0, body_use, is_proven };
    let mut buffer = BodyBuffer {
        reservation: server.limits.bodies.reserve(client_network(request.client), is_proven),
        bytes: Vec::new(),
        reserved: 0,
    };
    let start_upload = |read, arrived, rest| {
        let left = lengths.longest.saturating_sub(arrived);
        let time_left = BODY_TIMEOUT.saturating_sub(server.origin.clock.since(started_us));
        let permits = acquire_permits(request, is_proven).map_err(UploadError::LimitReached)?;
        Ok(ReceivedBody::Streamed(Box::new(Upload::new(
            server.origin.clock.clone(),
            (read, rest),
            (left, time_left),
            permits,
        ))))
    };
    loop {
        let needed = match plan(facts, lengths) {
            BodyPlan::Nothing => return Ok(ReceivedBody::Whole(Bytes::new())),
            BodyPlan::TooLong => return Err(UploadError::TooLong),
            BodyPlan::TooLongUnproven => return Err(UploadError::TooLongUnproven),
            BodyPlan::Whole => facts.declared.unwrap_or(0),
            BodyPlan::Streamed if body_use == BodyUse::Read && buffer.bytes.len() < MAX_BODY_READ => {
                facts.declared.unwrap_or(0).min(MAX_BODY_READ as u64)
            }
            BodyPlan::Streamed => return start_upload(buffer.parts(), facts.arrived, body),
        };
        // The declared length is reserved at once, so that a body that does not fit is rejected before it is sent.
        match buffer.reserve(needed) {
            Ok(()) => {}
            Err(_) if body_use != BodyUse::Read => return start_upload(buffer.parts(), facts.arrived, body),
            Err(exhausted) => return Err(UploadError::OverBudget(exhausted)),
        }
        let Some(frame) = body.frame().await else { return Ok(ReceivedBody::Whole(buffer.whole())) };
        let Ok(data) = frame.map_err(|_| UploadError::Broken)?.into_data() else { continue };
        facts.arrived += data.len() as u64;
        let is_declared = facts.declared.is_some();
        let capacity = if is_declared { facts.arrived } else { facts.arrived.next_multiple_of(STEP_BYTES) };
        match buffer.reserve(capacity) {
            Ok(()) => buffer.bytes.extend_from_slice(&data),
            Err(_) if body_use != BodyUse::Read => {
                let mut parts = buffer.parts();
                parts.push_back(data);
                return start_upload(parts, facts.arrived, body);
            }
            Err(exhausted) => return Err(UploadError::OverBudget(exhausted)),
        }
    }
}

/// Bytes of a body, within the budget.
struct BodyBuffer {
    reservation: ByteReservation,
    bytes: Vec<u8>,
    reserved: u64,
}

impl BodyBuffer {
    fn reserve(&mut self, bytes: u64) -> Result<(), ByteBudgetError> {
        if let Some(more) = bytes.checked_sub(self.reserved).filter(|more| *more > 0) {
            self.reservation.grow(more)?;
            self.reserved = bytes;
            let free = usize::try_from(bytes).unwrap_or(0).saturating_sub(self.bytes.len());
            self.bytes.reserve_exact(free);
        }
        Ok(())
    }

    fn whole(self) -> Bytes {
        self.reservation.attach_to(self.bytes)
    }

    fn parts(self) -> VecDeque<Bytes> {
        Some(self.whole()).filter(|bytes| !bytes.is_empty()).into_iter().collect()
    }
}

/// Permits of an upload: one among all, and one among tokens that were never accepted, if it has such a token.
type UploadPermits = (ConcurrencyPermit<IpAddr>, Option<ConcurrencyPermit<IpAddr>>);

fn acquire_permits(request: &ProxyRequest, is_proven: bool) -> Result<UploadPermits, LimitKind> {
    let server = &request.server;
    let unproven = (!is_proven).then(|| server.limits.unproven_uploads.try_acquire(None)).transpose();
    let unproven = unproven.map_err(|_| LimitKind::UploadsUnproven)?;
    let permit =
        server.limits.uploads.try_acquire(Some(client_network(request.client))).map_err(|full| match full {
            ConcurrencyLimitError::Total => LimitKind::Uploads,
            ConcurrencyLimitError::PerClient => LimitKind::UploadsPerPeer,
        })?;
    Ok((permit, unproven))
}

fn refuse(request: &ProxyRequest, refusal: UploadError) -> Response<Body> {
    let busy = StatusCode::SERVICE_UNAVAILABLE;
    let (limit, status, message) = match refusal {
        UploadError::Broken => {
            return response::problem(request, StatusCode::BAD_REQUEST, "the request body ended early");
        }
        UploadError::TooSlow => {
            (LimitKind::SlowBody, StatusCode::REQUEST_TIMEOUT, "the request body arrived too slowly")
        }
        UploadError::TooLong => (
            LimitKind::BodyLength,
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is longer than max_request_body_bytes allows",
        ),
        UploadError::TooLongUnproven => (
            LimitKind::BodyLengthUnproven,
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too long for a token that the server has not accepted yet; read something first",
        ),
        UploadError::OverBudget(exhausted) => {
            (exhausted.limit_kind(), busy, "too many request bodies are held in memory")
        }
        UploadError::LimitReached(limit) => (limit, busy, "too many long request bodies are being received"),
    };
    request.server.limits.counters.record(limit);
    tracing::debug!(server = request.server.name(), limit = limit.name(), "the body of a write was rejected");
    response::problem(request, status, message)
}

/// A streamed body. If the client disconnects, is too slow or sends too much, it ends in an error, never early, so that
/// the server gets no complete request.
pub struct Upload {
    read: VecDeque<Bytes>,
    rest: Incoming,
    /// Bytes that may still arrive.
    left: u64,
    deadline: Pin<Box<dyn Future<Output = ()> + Send>>,
    result: Arc<OnceLock<UploadResult>>,
    _permits: UploadPermits,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("result", &self.result.get()).finish_non_exhaustive()
    }
}

impl Upload {
    fn new(
        clock: Clock,
        (read, rest): (VecDeque<Bytes>, Incoming),
        (left, time_left): (u64, Duration),
        permits: UploadPermits,
    ) -> Self {
        let deadline = Box::pin(async move { clock.sleep(time_left).await });
        Self { read, rest, left, deadline, result: Arc::default(), _permits: permits }
    }

    fn stop(&self, result: UploadResult) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.record_result(result);
        stopped()
    }

    fn record_result(&self, result: UploadResult) {
        // The first result counts.
        let _ = self.result.set(result);
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(bytes) = self.read.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        loop {
            match self.result.get() {
                None => {}
                Some(UploadResult::Whole) => return Poll::Ready(None),
                Some(UploadResult::Broken | UploadResult::TooLong | UploadResult::TooSlow) => {
                    return stopped();
                }
            }
            if self.deadline.as_mut().poll(context).is_ready() {
                return self.stop(UploadResult::TooSlow);
            }
            match ready!(Pin::new(&mut self.rest).poll_frame(context)) {
                None => self.record_result(UploadResult::Whole),
                Some(Err(_)) => return self.stop(UploadResult::Broken),
                Some(Ok(frame)) => {
                    // Trailers are not forwarded.
                    let Ok(data) = frame.into_data() else { continue };
                    let Some(left) = self.left.checked_sub(data.len() as u64) else {
                        return self.stop(UploadResult::TooLong);
                    };
                    self.left = left;
                    if self.rest.is_end_stream() {
                        self.record_result(UploadResult::Whole);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let before: u64 = self.read.iter().map(|bytes| bytes.len() as u64).sum();
        let after = self.rest.size_hint().exact();
        after.map_or_else(SizeHint::default, |after| SizeHint::with_exact(before + after))
    }
}

fn stopped() -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
    Poll::Ready(Some(Err(BodyError::CutOff)))
}
