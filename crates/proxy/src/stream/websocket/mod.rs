//! A client's notification socket: messages pass through, and each is applied before it is passed on.
//!
//! During an outage the client keeps its socket, because many tools never reopen a closed one. Only pings are answered
//! meanwhile. When the server is back, a new upstream socket is opened with the client's own handshake, and the
//! identity's entries are invalidated, because events were missed. For the same reason a client may open a socket
//! during an outage, if its token was valid at the last contact with the server.

mod idle_timeout;
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

use crate::forward::{acquire_socket_permit, headers_for_server, outage};
use crate::invalidate;
use crate::proxy_request::ProxyRequest;
use crate::request::headers;
use crate::server::Server;
use crate::shadow::stats;
use crate::{access_log, forward, response};
use greenroom_origin::body::Body;
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use relay::{Relay, UpstreamSocket};

/// Longest message in either direction.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Passes a socket through.
pub async fn pass(visit: ProxyRequest, target: &str, mut parts: request::Parts, _body: Incoming) -> Response<Body> {
    let client_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let client_upgrade = client_upgrade.filter(|_| parts.method == Method::GET);
    let handshake =
        Handshake { target: visit.target_for_server(target).into_owned(), headers: handshake_headers(&visit, &parts) };
    let (Some(client_upgrade), Ok(request)) = (client_upgrade, handshake.request(&visit.server)) else {
        return response::problem(&visit, StatusCode::BAD_REQUEST, "this is not a WebSocket request");
    };
    let seat = match acquire_socket_permit(&visit) {
        Ok(seat) => seat,
        Err(refusal) => return *refusal,
    };
    visit.server.counters.streams.fetch_add(1, Ordering::Relaxed);
    if let Some(outage) = visit.server.origin.breaker.outage() {
        let accepted = outage::may_open_socket(&visit, &outage).then(|| accept(&parts.headers)).flatten();
        let Some(response) = accepted else {
            return outage::refuse(&visit, "the media server is down, and no socket can be opened");
        };
        let response = outage::record_offline_response(&visit, response);
        let owner = Relay::new(visit, handshake, seat);
        owner.visit.server.origin.tasks.clone().spawn(async move {
            if let Ok(client) = client_upgrade.await {
                owner.run(open(client, Role::Server).await, None).await;
            }
        });
        return response;
    }
    visit.app.upstream_requests.fetch_add(1, Ordering::Relaxed);
    access_log::record_reached(&visit);
    visit.server.record_passed(stats::STREAMS, &visit.app);
    let generation = visit.identity.generation();
    let asked = visit.server.origin.send(request, UpstreamRequestKind::Read, handshake.key());
    let Ok(Ok(mut response)) =
        visit.server.origin.clock.timeout(visit.server.origin.settings.load_timeout, asked).await
    else {
        visit.server.origin.record_failure();
        let message = "the media server cannot be reached";
        return response::problem(&visit, StatusCode::SERVICE_UNAVAILABLE, message);
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        invalidate::apply_refusal(&visit, response.status());
        return response::forwarded(forward::open(&visit, response), "socket");
    }
    let server_upgrade = hyper::upgrade::on(&mut response);
    let owner = Relay::new(visit, handshake, seat);
    owner.visit.server.origin.tasks.clone().spawn(async move {
        if let (Ok(client), Ok(server)) = (client_upgrade.await, server_upgrade.await) {
            let client = open(client, Role::Server).await;
            let socket = open(server, Role::Client).await;
            owner.run(client, Some(UpstreamSocket { socket, generation })).await;
        }
    });
    switch(&response)
}

/// The client's handshake, for opening further upstream sockets.
struct Handshake {
    target: String,
    headers: HeaderMap,
}

impl Handshake {
    fn request(&self, server: &Server) -> Result<Request<Body>, http::Error> {
        let mut request = Request::builder().uri(server.origin.client.uri(&self.target)?).body(Body::empty())?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
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
fn handshake_headers(visit: &ProxyRequest, parts: &request::Parts) -> HeaderMap {
    let mut headers = headers_for_server(visit, &parts.headers);
    headers.extend(headers::websocket_handshake(&parts.headers));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers
}

fn switch(from_server: &Response<Incoming>) -> Response<Body> {
    switching(headers::for_client(from_server.headers()))
}

/// Greenroom's own response to a handshake; `None` if it is invalid, or requests a protocol that only the server can
/// choose.
fn accept(asked: &HeaderMap) -> Option<Response<Body>> {
    let key = asked.get(SEC_WEBSOCKET_KEY).filter(|_| !asked.contains_key(SEC_WEBSOCKET_PROTOCOL))?;
    let mut headers = HeaderMap::new();
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
