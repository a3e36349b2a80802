//! What a pass-through request holds while the media server works for it: a permit of the request queue, or one of the
//! limited places for media, sockets and event streams.
//!
//! A permit of the queue is held until the response has ended. A response that is long, or takes long, becomes a stream
//! instead, as soon as there is a place for one: its pace is the client's, and slow clients would hold every permit.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use greenroom_cache::Partition;
use greenroom_dialect::classification::StreamReason;
use http::{Method, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

use crate::forward::outage;
use crate::http::concurrency_limit::{ConcurrencyLimitError, ConcurrencyPermit};
use crate::http::limits::LimitKind;
use crate::proxy_request::ProxyRequest;
use crate::response;
use crate::server::Server;
use greenroom_origin::body::{Body, BodyError};
use greenroom_origin::scheduler::{DetachedPermit, QueuePermit, QueueRequest};

/// Longer responses become streams. A connection takes this much from the server however slow its client is.
const MAX_QUEUED_BYTES: u64 = 64 * 1024;

/// What a pass-through request holds.
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
    Socket(ConcurrencyPermit<Partition>),
}

/// A place among the media streams and other long responses.
#[derive(Debug)]
pub struct StreamPermit {
    _permit: ConcurrencyPermit<Partition>,
    _unproven: Option<ConcurrencyPermit<Partition>>,
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
            StreamReason::Account | StreamReason::Moment | StreamReason::Odd | StreamReason::Unknown => {
                let path = target.split('?').next().unwrap_or_default();
                let now_ms = request.server.origin.clock.now_ms();
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
        let clock = request.server.origin.clock.clone();
        let overdue = matches!(self, Self::Queued(_) | Self::Detached { .. }).then(
            || -> Pin<Box<dyn Future<Output = ()> + Send>> {
                let limit = request.server.origin.settings.load_timeout;
                Box::pin(async move { clock.sleep(limit).await })
            },
        );
        let mut held = SlottedBody {
            body,
            slot: Some(self),
            passed: 0,
            overdue,
            server: Arc::clone(&request.server),
            is_proven: request.classified.identity.was_authorized(),
        };
        if held.body.size_hint().lower() > MAX_QUEUED_BYTES {
            held.become_stream();
        }
        Body::Boxed(UnsyncBoxBody::new(held))
    }
}

/// A response's body, with what its request holds.
struct SlottedBody {
    body: Body,
    /// `None` once the server has sent everything.
    slot: Option<UpstreamSlot>,
    passed: u64,
    /// The end of the time after which a permit of the queue should be given back.
    overdue: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    server: Arc<Server>,
    is_proven: bool,
}

impl SlottedBody {
    /// Exchanges a permit of the queue for a place among the streams, if there is one.
    fn become_stream(&mut self) {
        if matches!(self.slot, Some(UpstreamSlot::Queued(_) | UpstreamSlot::Detached { .. }))
            && let Ok(permit) = StreamPermit::try_acquire(&self.server, self.is_proven)
        {
            self.slot = Some(UpstreamSlot::Stream(permit));
        }
    }
}

impl fmt::Debug for SlottedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlottedBody").field("body", &self.body).field("slot", &self.slot).finish_non_exhaustive()
    }
}

impl HttpBody for SlottedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(_))) if self.body.is_end_stream() => self.slot = None,
            Poll::Ready(Some(Ok(frame))) => {
                self.passed += frame.data_ref().map_or(0, Bytes::len) as u64;
                if self.passed > MAX_QUEUED_BYTES {
                    self.become_stream();
                }
            }
            Poll::Ready(_) => self.slot = None,
            Poll::Pending => {
                if self.overdue.as_mut().is_some_and(|overdue| overdue.as_mut().poll(context).is_ready()) {
                    self.overdue = None;
                    self.become_stream();
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl StreamPermit {
    /// A place among the streams, if there is one.
    fn try_acquire(server: &Server, is_proven: bool) -> Result<Self, LimitKind> {
        let unproven = (!is_proven).then(|| server.limits.unproven_streams.try_acquire(None)).transpose();
        let unproven = unproven.map_err(|_| LimitKind::StreamsUnproven)?;
        let permit = server.limits.streams.try_acquire(None).map_err(|_| LimitKind::Streams)?;
        Ok(Self { _permit: permit, _unproven: unproven })
    }
}

fn acquire_stream_permit(request: &ProxyRequest) -> Result<StreamPermit, Box<Response<Body>>> {
    let is_proven = request.classified.identity.was_authorized();
    StreamPermit::try_acquire(&request.server, is_proven).map_err(|limit| {
        request.server.limits.counters.record(limit);
        let message = "there are too many streams";
        Box::new(response::problem(request, StatusCode::SERVICE_UNAVAILABLE, message))
    })
}

/// Acquires a permit for a notification socket or an event stream.
pub fn acquire_socket_permit(request: &ProxyRequest) -> Result<ConcurrencyPermit<Partition>, Box<Response<Body>>> {
    request.server.limits.sockets.try_acquire(Some(request.classified.identity.partition().clone())).map_err(|full| {
        let (limit, message) = match full {
            ConcurrencyLimitError::Total => (LimitKind::Sockets, "there are too many notification sockets"),
            ConcurrencyLimitError::PerClient => {
                (LimitKind::SocketsPerIdentity, "this token has too many notification sockets")
            }
        };
        request.server.limits.counters.record(limit);
        Box::new(response::problem(request, StatusCode::SERVICE_UNAVAILABLE, message))
    })
}
