//! A client's notification socket: messages pass through, and each is applied before it is passed on.
//!
//! During an outage the client keeps its socket, because many tools never reopen a closed one. Only pings are answered
//! meanwhile. When the server is back, a new upstream socket is opened with the client's own handshake, and the
//! identity's entries are invalidated, because events were missed. For the same reason a client may open a socket
//! during an outage, if its token was valid at the last contact with the server.

mod idle_timeout;
mod pongs;
mod reconnects;
mod relay;

use std::sync::atomic::Ordering;

use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::forward::upstream_slot::{UpstreamSlot, acquire_socket_permit};
use crate::forward::{headers_for_server, outage};
use crate::invalidate;
use crate::proxy_request::ProxyRequest;
use crate::request::headers;
use crate::response::CACHE_STATUS;
use crate::server::Server;
use crate::shadow::stats;
use crate::{access_log, forward, response};
use greenroom_dialect::classification::StreamReason;
use greenroom_origin::body::Body;
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use relay::{Relay, UpstreamSocket};

/// Longest message in either direction.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Passes a socket through. A handshake on a path that is not known to have one waits in the request queue.
pub async fn pass(
    request: ProxyRequest,
    reason: StreamReason,
    target: &str,
    mut parts: request::Parts,
    _body: Incoming,
) -> Response<Body> {
    let client_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let client_upgrade = client_upgrade.filter(|_| parts.method == Method::GET);
    let handshake = Handshake {
        target: request.target_for_server(target).into_owned(),
        headers: handshake_headers(&request, &parts),
    };
    let (Some(client_upgrade), Ok(upstream_request)) = (client_upgrade, handshake.upstream_request(&request.server))
    else {
        return response::problem(&request, StatusCode::BAD_REQUEST, "this is not a WebSocket request");
    };
    let permit = match acquire_socket_permit(&request) {
        Ok(permit) => permit,
        Err(rejection) => return *rejection,
    };
    request.server.counters.streams.fetch_add(1, Ordering::Relaxed);
    if let Some(outage) = request.server.origin.breaker.outage() {
        let accepted = outage::may_open_socket(&request, &outage).then(|| accept(&parts.headers)).flatten();
        let Some(response) = accepted else {
            return outage::refuse(&request, "the media server is down, and no socket can be opened");
        };
        let response = outage::record_offline_response(&request, response);
        let relay = Relay::new(request, handshake, permit);
        relay.request.server.origin.tasks.clone().spawn(async move {
            if let Ok(client) = client_upgrade.await {
                relay.run(open(client, Role::Server).await, None).await;
            }
        });
        return response;
    }
    let slot = match reason {
        StreamReason::Socket => None,
        _ => match UpstreamSlot::acquire(&request, reason, (&parts.method, target)).await {
            Ok(slot) => Some(slot),
            Err(rejection) => return *rejection,
        },
    };
    request.classified.app.upstream_requests.fetch_add(1, Ordering::Relaxed);
    access_log::record_reached(&request);
    request.server.record_passed(stats::STREAMS, &request.classified.app);
    let generation = request.classified.identity.generation();
    let sent = request.server.origin.send(upstream_request, UpstreamRequestKind::Stream, handshake.key());
    let Ok(Ok(mut response)) =
        request.server.origin.clock.timeout(request.server.origin.settings.load_timeout, sent).await
    else {
        request.server.origin.record_failure();
        let message = "the media server cannot be reached";
        return response::problem(&request, StatusCode::SERVICE_UNAVAILABLE, message);
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        invalidate::apply_token_rejection(&request, response.status(), response.headers());
        let slot = slot.unwrap_or(UpstreamSlot::Socket(permit));
        return response::forwarded(forward::open(&request, response, slot), reason.name());
    }
    let server_upgrade = hyper::upgrade::on(&mut response);
    let relay = Relay::new(request, handshake, permit);
    relay.request.server.origin.tasks.clone().spawn(async move {
        if let (Ok(client), Ok(server)) = (client_upgrade.await, server_upgrade.await) {
            let client = open(client, Role::Server).await;
            let socket = open(server, Role::Client).await;
            relay.run(client, Some(UpstreamSocket { socket, generation })).await;
        }
    });
    switching_from_server(&response)
}

/// The client's handshake, for opening further upstream sockets.
struct Handshake {
    target: String,
    headers: HeaderMap,
}

impl Handshake {
    fn upstream_request(&self, server: &Server) -> Result<Request<Body>, http::Error> {
        let mut upstream_request =
            Request::builder().uri(server.origin.client.uri(&self.target)?).body(Body::empty())?;
        *upstream_request.headers_mut() = self.headers.clone();
        Ok(upstream_request)
    }

    fn key(&self) -> u64 {
        breaker::key_of(self.target.split('?').next().unwrap_or_default())
    }
}

async fn open(upgraded: Upgraded, role: Role) -> Socket {
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES)).max_frame_size(Some(MAX_MESSAGE_BYTES));
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), role, Some(config)).await
}

/// The handshake as sent to the server; compression is not offered, so that frames can be read.
fn handshake_headers(request: &ProxyRequest, parts: &request::Parts) -> HeaderMap {
    let mut headers = headers_for_server(request, &parts.headers);
    headers.extend(headers::websocket_handshake(&parts.headers));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers
}

fn switching_from_server(from_server: &Response<Incoming>) -> Response<Body> {
    let mut headers = headers::for_client(from_server.headers());
    headers.append(CACHE_STATUS, HeaderValue::from_static("Greenroom; fwd=bypass; detail=socket"));
    switching(headers)
}

/// Greenroom's own response to a handshake; `None` if it is invalid, or requests a protocol that only the server can
/// choose.
fn accept(client: &HeaderMap) -> Option<Response<Body>> {
    let key = client.get(SEC_WEBSOCKET_KEY).filter(|_| !client.contains_key(SEC_WEBSOCKET_PROTOCOL))?;
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_STATUS, HeaderValue::from_static("Greenroom; detail=offline"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()).parse().ok()?);
    Some(switching(headers))
}

fn switching(headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    response.headers_mut().remove(SEC_WEBSOCKET_EXTENSIONS);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}
