//! The body of a write on its way in: read whole within the byte budget, or passed on while it arrives.
//!
//! What is done with it is decided by [`body_plan`](super::body_plan). A body that is passed on takes no place in the
//! server's queue, so a slow sender holds up nobody; how many are under way is limited instead.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::Clock;
use greenroom_dialect::ask::BodyUse;
use http::{Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

use super::body_plan::{BodyPlan, Facts, plan};
use crate::http::byte_budget::{Exhausted, Hold};
use crate::http::connection_limit::{Full, Seat};
use crate::http::limits::Bound;
use crate::request::client_ip;
use crate::response;
use crate::visit::Visit;
use greenroom_origin::body::{Body, BodyError};

/// How long a client may take to send a write's body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of the body the dialect gets to see.
const MAX_LOOKED_AT: usize = 64 * 1024;
/// A body of unknown length gets room in steps of so many bytes.
const STEP_BYTES: u64 = 16 * 1024;

/// A body that may be sent on.
#[derive(Debug)]
pub enum Received {
    /// All of it.
    Whole(Bytes),
    /// The rest is still on its way.
    Streamed(Box<Upload>),
}

impl Received {
    /// Its first bytes, as far as the dialect reads them.
    pub fn beginning(&self) -> &[u8] {
        let first = match self {
            Self::Whole(bytes) => bytes.as_ref(),
            Self::Streamed(upload) => upload.read.front().map_or(&[][..], AsRef::as_ref),
        };
        &first[..first.len().min(MAX_LOOKED_AT)]
    }

    /// The body for the server, and how it ended if it is passed on while it arrives.
    pub fn into_body(self) -> (Body, Option<Passing>) {
        match self {
            Self::Whole(bytes) => (bytes.into(), None),
            Self::Streamed(upload) => {
                let passing = Passing(Arc::clone(&upload.ended));
                (Body::Boxed(UnsyncBoxBody::new(*upload)), Some(passing))
            }
        }
    }
}

/// How a body that was passed on ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All of it was handed over.
    Whole,
    /// Its sender went away.
    Broken,
    /// It is longer than bodies may be.
    TooLong,
    /// Its sender took too long.
    TooSlow,
}

/// Tells how a body that is passed on ended.
#[derive(Debug)]
pub struct Passing(Arc<OnceLock<End>>);

impl Passing {
    /// How it ended, if it did.
    pub fn end(&self) -> Option<End> {
        self.0.get().copied()
    }
}

/// Why a body is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Broken,
    TooSlow,
    TooLong,
    TooLongUnproven,
    NoRoom(Exhausted),
    NoSeat(Bound),
}

/// Takes the body of a write in. The error is what its sender is answered.
pub async fn receive(
    visit: &Visit,
    body_use: BodyUse,
    body: Incoming,
) -> Result<Received, Box<Response<Body>>> {
    let received = visit.server.origin.clock.timeout(BODY_TIMEOUT, read(visit, body_use, body)).await;
    received.unwrap_or(Err(Refusal::TooSlow)).map_err(|refusal| Box::new(refuse(visit, refusal)))
}

/// What the sender of a body hears that did not come to its end while it was passed on.
pub fn cut_off(visit: &Visit, end: End) -> Response<Body> {
    let refusal = match end {
        End::Whole | End::Broken => Refusal::Broken,
        End::TooLong => Refusal::TooLong,
        End::TooSlow => Refusal::TooSlow,
    };
    refuse(visit, refusal)
}

async fn read(visit: &Visit, body_use: BodyUse, mut body: Incoming) -> Result<Received, Refusal> {
    let (server, is_proven) = (&visit.server, visit.identity.was_let_in());
    let lengths = server.origin.settings.hygiene.bodies.lengths;
    let began_us = server.origin.clock.now_us();
    let mut facts = Facts { declared: body.size_hint().exact(), arrived: 0, body_use, is_proven };
    let mut gathered = Gathered {
        hold: server.limits.bodies.hold(client_ip::household(visit.client), is_proven),
        bytes: Vec::new(),
        room: 0,
    };
    let pass_on = |read, arrived, rest| {
        let left = lengths.longest.saturating_sub(arrived);
        let patience = BODY_TIMEOUT.saturating_sub(server.origin.clock.since(began_us));
        let seats = seats(visit, is_proven).map_err(Refusal::NoSeat)?;
        Ok(Received::Streamed(Box::new(Upload::new(
            server.origin.clock.clone(),
            (read, rest),
            (left, patience),
            seats,
        ))))
    };
    loop {
        let wanted = match plan(facts, lengths) {
            BodyPlan::Nothing => return Ok(Received::Whole(Bytes::new())),
            BodyPlan::TooLong => return Err(Refusal::TooLong),
            BodyPlan::TooLongUnproven => return Err(Refusal::TooLongUnproven),
            BodyPlan::Whole => facts.declared.unwrap_or(0),
            BodyPlan::Streamed if body_use == BodyUse::Read && gathered.bytes.len() < MAX_LOOKED_AT => {
                facts.declared.unwrap_or(0).min(MAX_LOOKED_AT as u64)
            }
            BodyPlan::Streamed => return pass_on(gathered.parts(), facts.arrived, body),
        };
        // What is declared is taken at once, so that a body that does not fit is refused before it is sent.
        match gathered.make_room(wanted) {
            Ok(()) => {}
            Err(_) if body_use == BodyUse::Unread => return pass_on(gathered.parts(), facts.arrived, body),
            Err(exhausted) => return Err(Refusal::NoRoom(exhausted)),
        }
        let Some(frame) = body.frame().await else { return Ok(Received::Whole(gathered.whole())) };
        let Ok(data) = frame.map_err(|_| Refusal::Broken)?.into_data() else { continue };
        facts.arrived += data.len() as u64;
        let is_declared = facts.declared.is_some();
        let room = if is_declared { facts.arrived } else { facts.arrived.next_multiple_of(STEP_BYTES) };
        match gathered.make_room(room) {
            Ok(()) => gathered.bytes.extend_from_slice(&data),
            Err(_) if body_use == BodyUse::Unread => {
                let mut parts = gathered.parts();
                parts.push_back(data);
                return pass_on(parts, facts.arrived, body);
            }
            Err(exhausted) => return Err(Refusal::NoRoom(exhausted)),
        }
    }
}

/// What was read of a body, within the budget.
struct Gathered {
    hold: Hold,
    bytes: Vec<u8>,
    room: u64,
}

impl Gathered {
    fn make_room(&mut self, bytes: u64) -> Result<(), Exhausted> {
        if let Some(more) = bytes.checked_sub(self.room).filter(|more| *more > 0) {
            self.hold.grow(more)?;
            self.room = bytes;
            let free = usize::try_from(bytes).unwrap_or(0).saturating_sub(self.bytes.len());
            self.bytes.reserve_exact(free);
        }
        Ok(())
    }

    fn whole(self) -> Bytes {
        self.hold.around(self.bytes)
    }

    fn parts(self) -> VecDeque<Bytes> {
        Some(self.whole()).filter(|bytes| !bytes.is_empty()).into_iter().collect()
    }
}

/// What an upload holds while it is under way: a seat among all, and one among those with tokens that were never
/// accepted if it is one of them.
type Seats = (Seat<IpAddr>, Option<Seat<IpAddr>>);

fn seats(visit: &Visit, is_proven: bool) -> Result<Seats, Bound> {
    let server = &visit.server;
    let unproven = (!is_proven).then(|| server.limits.unproven_uploads.take(None)).transpose();
    let unproven = unproven.map_err(|_| Bound::UploadsUnproven)?;
    let seat =
        server.limits.uploads.take(Some(client_ip::household(visit.client))).map_err(|full| match full {
            Full::All => Bound::Uploads,
            Full::Guest => Bound::UploadsPerPeer,
        })?;
    Ok((seat, unproven))
}

fn refuse(visit: &Visit, refusal: Refusal) -> Response<Body> {
    let busy = StatusCode::SERVICE_UNAVAILABLE;
    let (bound, status, message) = match refusal {
        Refusal::Broken => {
            return response::problem(visit, StatusCode::BAD_REQUEST, "the body broke off");
        }
        Refusal::TooSlow => (Bound::SlowBody, StatusCode::REQUEST_TIMEOUT, "the body came too slowly"),
        Refusal::TooLong => (
            Bound::BodyLength,
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is longer than max_request_body_bytes allows",
        ),
        Refusal::TooLongUnproven => (
            Bound::BodyLengthUnproven,
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too long for a token that the server has not accepted yet; read something first",
        ),
        Refusal::NoRoom(exhausted) => (exhausted.bound(), busy, "too many request bodies are held in memory"),
        Refusal::NoSeat(bound) => (bound, busy, "too many long request bodies are under way"),
    };
    visit.server.limits.bounds.note(bound);
    tracing::debug!(server = visit.server.name(), bound = bound.name(), "the body of a write was refused");
    response::problem(visit, status, message)
}

/// A body that is passed on while it arrives. It ends in an error, never early, if its sender goes away, takes too long
/// or sends too much: what the server has of it then is no whole request.
pub struct Upload {
    read: VecDeque<Bytes>,
    rest: Incoming,
    /// Bytes that may still arrive.
    left: u64,
    deadline: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: Arc<OnceLock<End>>,
    _seats: Seats,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("ended", &self.ended.get()).finish_non_exhaustive()
    }
}

impl Upload {
    fn new(
        clock: Clock,
        (read, rest): (VecDeque<Bytes>, Incoming),
        (left, patience): (u64, Duration),
        seats: Seats,
    ) -> Self {
        let deadline = Box::pin(async move { clock.sleep(patience).await });
        Self { read, rest, left, deadline, ended: Arc::default(), _seats: seats }
    }

    fn stop(&self, end: End) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.note(end);
        stopped()
    }

    fn note(&self, end: End) {
        // The first end is the one that counts.
        let _ = self.ended.set(end);
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
            match self.ended.get() {
                None => {}
                Some(End::Whole) => return Poll::Ready(None),
                Some(End::Broken | End::TooLong | End::TooSlow) => return stopped(),
            }
            if self.deadline.as_mut().poll(context).is_ready() {
                return self.stop(End::TooSlow);
            }
            match ready!(Pin::new(&mut self.rest).poll_frame(context)) {
                None => self.note(End::Whole),
                Some(Err(_)) => return self.stop(End::Broken),
                Some(Ok(frame)) => {
                    // What follows a body (trailers) is not passed on.
                    let Ok(data) = frame.into_data() else { continue };
                    let Some(left) = self.left.checked_sub(data.len() as u64) else {
                        return self.stop(End::TooLong);
                    };
                    self.left = left;
                    if self.rest.is_end_stream() {
                        self.note(End::Whole);
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
