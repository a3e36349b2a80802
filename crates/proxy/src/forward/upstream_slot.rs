//! Slot of a pass-through request while the media server works for it: a permit of the request queue, or one of the
//! limited places for media, sockets and event streams.
//!
//! A permit of the queue is held until the response has ended. A response that is long becomes a stream instead, as
//! soon as there is a place for one: its pace is the client's, and slow clients would hold every permit. So does one
//! that takes longer than `load_timeout`; if there is no place then, it ends.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use greenroom_cache::Partition;
use greenroom_dialect::classification::StreamReason;
use http::{Method, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::forward::outage;
use crate::proxy_request::ProxyRequest;
use crate::response;
use crate::server::Server;
use greenroom_http_server::client_network::client_network;
use greenroom_http_server::concurrency_limit::{ConcurrencyLimitError, ConcurrencyPermit};
use greenroom_http_server::limits::LimitKind;
use greenroom_origin::body::{Body, BodyError, CollectedBody, collect};
use greenroom_origin::scheduler::{DetachedPermit, QueuePermit, QueueRequest};

/// Longer responses become streams. A connection takes this much from the server however slow its client is.
const MAX_QUEUED_BYTES: u64 = 64 * 1024;

/// Slot of a pass-through request.
#[derive(Debug)]
pub enum UpstreamSlot {
    /// A permit of the request queue.
    Queued(QueuePermit),
    /// The same, given back because the response did not begin in time.
    Detached {
        /// Limits their number.
        _permit: DetachedPermit,
    },
    /// A place among the media streams.
    Stream(StreamPermit),
    /// A place among the sockets and event streams.
    Socket(SocketPermit),
}

/// A place among the media streams and other long responses.
#[derive(Debug)]
pub struct StreamPermit {
    _permit: ConcurrencyPermit<Partition>,
    _unproven: Option<ConcurrencyPermit<IpAddr>>,
}

/// A place among the sockets and event streams.
#[derive(Debug)]
pub struct SocketPermit {
    _permit: ConcurrencyPermit<Partition>,
    _unproven: Option<ConcurrencyPermit<IpAddr>>,
}

impl UpstreamSlot {
    /// Waits for what a request that passes for this reason needs. The error is the response to the client.
    pub async fn acquire(
        request: &ProxyRequest,
        reason: StreamReason,
        (method, target): (&Method, &str),
    ) -> Result<Self, Box<Response<Body>>> {
        match reason {
            StreamReason::Media => acquire_stream_permit(request).map(Self::Stream),
            StreamReason::Socket | StreamReason::Events => acquire_socket_permit(request).map(Self::Socket),
            StreamReason::Account
            | StreamReason::Moment
            | StreamReason::Asset
            | StreamReason::Odd
            | StreamReason::Unknown
            | StreamReason::Upgrade => {
                let path = target.split('?').next().unwrap_or_default();
                let now_ms = request.server.origin.clock.now();
                let queue_request = QueueRequest::uncached(&request.classified.app, path, now_ms);
                Self::wait(request, queue_request, (method, target)).await
            }
        }
    }

    /// Waits for a permit of the request queue.
    pub async fn wait(
        request: &ProxyRequest,
        queue_request: QueueRequest,
        (method, target): (&Method, &str),
    ) -> Result<Self, Box<Response<Body>>> {
        let queue_request = request.server.ranked(&request.classified.identity, queue_request);
        let Ok(permit) = request.server.origin.queue.acquire(queue_request).await else {
            let busy = || {
                let message = "too many requests wait for the media server";
                response::problem(request, StatusCode::SERVICE_UNAVAILABLE, message)
            };
            return Err(Box::new(outage::liveness_response(request, target, method).unwrap_or_else(busy)));
        };
        // The server may have gone down meanwhile.
        if request.server.origin.breaker.outage().is_some() {
            return Err(Box::new(outage::stream(request, target, method)));
        }
        Ok(Self::Queued(permit))
    }

    /// Gives a permit of the queue back although the request runs on.
    ///
    /// # Errors
    /// Too many such requests run already.
    pub fn detach(self) -> Result<Self, Self> {
        match self {
            Self::Queued(permit) => {
                permit.detach().map(|permit| Self::Detached { _permit: permit }).map_err(Self::Queued)
            }
            other => Ok(other),
        }
    }

    /// The body, which holds this until its end.
    pub fn attach_to(self, request: &ProxyRequest, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        let server = &request.server;
        let is_long = body.size_hint().lower() > MAX_QUEUED_BYTES;
        let mut held = HeldBody {
            body: Some(body),
            slot: Some(self),
            passed: 0,
            waker: None,
            client: StreamClient::of(request),
            server: Arc::clone(server),
        };
        if is_long {
            held.become_stream();
        }
        let is_queued = held.is_queued();
        let held = Arc::new(Mutex::new(held));
        let ended = CancellationToken::new();
        if is_queued {
            let (held, ended, clock) = (Arc::clone(&held), ended.clone(), server.origin.clock.clone());
            let limit = server.origin.settings.load_timeout;
            server.origin.tasks.spawn(async move {
                tokio::select! {
                    () = ended.cancelled() => {}
                    () = clock.sleep(limit) => held.lock().end_queueing(),
                }
            });
        }
        Body::Boxed(UnsyncBoxBody::new(SlottedBody { held, _ended: ended.drop_guard() }))
    }

    fn is_queued(&self) -> bool {
        matches!(self, Self::Queued(_) | Self::Detached { .. })
    }
}

/// A response's body, with what its request holds. Its client may stop to read, so the time after which a permit of the
/// queue is given back does not depend on that.
#[derive(Debug)]
struct SlottedBody {
    held: Arc<Mutex<HeldBody>>,
    _ended: DropGuard,
}

struct HeldBody {
    /// `None` once it was given up.
    body: Option<Body>,
    /// `None` once the server has sent everything.
    slot: Option<UpstreamSlot>,
    passed: u64,
    waker: Option<Waker>,
    client: StreamClient,
    server: Arc<Server>,
}

impl HeldBody {
    fn is_queued(&self) -> bool {
        self.slot.as_ref().is_some_and(UpstreamSlot::is_queued)
    }

    /// Exchanges a permit of the queue for a place among the streams. Returns the limit that is reached if there is
    /// none; then the permit stays.
    fn become_stream(&mut self) -> Option<LimitKind> {
        if !self.is_queued() {
            return None;
        }
        match StreamPermit::try_acquire(&self.server, &self.client) {
            Ok(permit) => {
                self.slot = Some(UpstreamSlot::Stream(permit));
                None
            }
            Err(limit) => Some(limit),
        }
    }

    /// The time for a permit of the queue is over: the response becomes a stream, or ends if there are too many.
    fn end_queueing(&mut self) {
        let Some(limit) = self.become_stream() else { return };
        self.server.limits.counters.record(limit);
        self.body = None;
        self.slot = None;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(Some(Err(BodyError::CutOff)));
        };
        let polled = Pin::new(&mut *body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(_))) if body.is_end_stream() => self.slot = None,
            Poll::Ready(Some(Ok(frame))) => {
                self.passed += frame.data_ref().map_or(0, Bytes::len) as u64;
                if self.passed > MAX_QUEUED_BYTES {
                    self.become_stream();
                }
            }
            Poll::Ready(_) => self.slot = None,
            Poll::Pending => self.waker = Some(context.waker().clone()),
        }
        polled
    }
}

impl fmt::Debug for HeldBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldBody").field("body", &self.body).field("slot", &self.slot).finish_non_exhaustive()
    }
}

impl HttpBody for SlottedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.held.lock().poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.held.lock().body.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.held.lock().body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

/// The client of a stream.
struct StreamClient {
    partition: Partition,
    /// Its address, if the server has not accepted its token.
    unproven: Option<IpAddr>,
}

impl StreamClient {
    fn of(request: &ProxyRequest) -> Self {
        Self { partition: request.classified.identity.token().clone(), unproven: unproven_address(request) }
    }
}

impl StreamPermit {
    /// A place among the streams, if there is one.
    fn try_acquire(server: &Server, client: &StreamClient) -> Result<Self, LimitKind> {
        let unproven = acquire_unproven(server, client.unproven)?;
        let permit = server.limits.streams.try_acquire(Some(client.partition.clone())).map_err(|full| match full {
            ConcurrencyLimitError::Total => LimitKind::Streams,
            ConcurrencyLimitError::PerClient => LimitKind::StreamsPerIdentity,
        })?;
        Ok(Self { _permit: permit, _unproven: unproven })
    }
}

/// The place of a client without an accepted token, among all such clients and those of its address.
fn acquire_unproven(server: &Server, unproven: Option<IpAddr>) -> Result<Option<ConcurrencyPermit<IpAddr>>, LimitKind> {
    let acquire = |address| server.limits.unproven_streams.try_acquire(Some(address));
    unproven.map(acquire).transpose().map_err(|_| LimitKind::StreamsUnproven)
}

/// The address of a client whose token the server has not accepted.
fn unproven_address(request: &ProxyRequest) -> Option<IpAddr> {
    (!request.classified.identity.was_authorized()).then(|| client_network(request.client))
}

/// The body of a response to a read that cannot be cached. One of unknown length is read while the load holds its
/// permit of the queue, until it ends or proves to be long, so that a short one takes no place among the streams.
pub async fn begin_uncached_body(body: Incoming) -> Result<Body, hyper::Error> {
    if body.size_hint().exact().is_some() {
        return Ok(Body::Stream(body));
    }
    match collect(body, MAX_QUEUED_BYTES).await {
        CollectedBody::Whole(bytes) => Ok(bytes.into()),
        CollectedBody::TooLong(read, rest) => Ok(Body::Resumed { read, rest }),
        CollectedBody::Broken(error) => Err(error),
    }
}

/// A response to a read that is too long to be cached, with a place among the streams: the read's permit of the queue
/// ended with its load, and the rest passes at the client's pace. The error is the response if there is no place.
pub fn hold_long_response(
    request: &ProxyRequest,
    response: Response<Body>,
) -> Result<Response<Body>, Box<Response<Body>>> {
    let is_short = response.body().size_hint().upper().is_some_and(|length| length <= MAX_QUEUED_BYTES);
    if is_short || matches!(response.body(), Body::Whole(_)) {
        return Ok(response);
    }
    let permit = acquire_stream_permit(request)?;
    Ok(response.map(|body| UpstreamSlot::Stream(permit).attach_to(request, body)))
}

fn acquire_stream_permit(request: &ProxyRequest) -> Result<StreamPermit, Box<Response<Body>>> {
    StreamPermit::try_acquire(&request.server, &StreamClient::of(request))
        .map_err(|limit| refuse(request, limit, "there are too many streams"))
}

/// Acquires a permit for a notification socket or an event stream.
pub fn acquire_socket_permit(request: &ProxyRequest) -> Result<SocketPermit, Box<Response<Body>>> {
    let too_many = "there are too many notification sockets";
    let unproven = acquire_unproven(&request.server, unproven_address(request))
        .map_err(|limit| refuse(request, limit, too_many))?;
    let partition = request.classified.identity.token().clone();
    let permit = request.server.limits.sockets.try_acquire(Some(partition)).map_err(|full| match full {
        ConcurrencyLimitError::Total => refuse(request, LimitKind::Sockets, too_many),
        ConcurrencyLimitError::PerClient => {
            refuse(request, LimitKind::SocketsPerIdentity, "this token has too many notification sockets")
        }
    })?;
    Ok(SocketPermit { _permit: permit, _unproven: unproven })
}

fn refuse(request: &ProxyRequest, limit: LimitKind, message: &'static str) -> Box<Response<Body>> {
    request.server.limits.counters.record(limit);
    Box::new(response::problem(request, StatusCode::SERVICE_UNAVAILABLE, message))
}
