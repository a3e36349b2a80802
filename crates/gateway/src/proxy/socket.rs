//! A client's notification socket: passed through message by message, each applied before it is passed on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::header::{CONNECTION, SEC_WEBSOCKET_EXTENSIONS, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::tap::{Watching, hear};
use super::{Visit, answer, headers, stream};
use crate::body::Body;
use crate::observe::tally;
use crate::origin::Lane;
use crate::server::Server;
use crate::stale::By;

/// Longest message in either direction.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// A socket on which nobody says anything for so long is closed. Both servers and all clients known ping more often.
const SILENCE: Duration = Duration::from_secs(30 * 60);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Passes a socket through.
pub async fn pass(visit: Visit, target: &str, mut parts: request::Parts, _body: Incoming) -> Response<Body> {
    visit.server.counters.streams.fetch_add(1, Ordering::Relaxed);
    visit.app.reached.fetch_add(1, Ordering::Relaxed);
    visit.server.note_passing(tally::STREAMS, &visit.app);
    let client_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let client_upgrade = client_upgrade.filter(|_| parts.method == Method::GET);
    let (Some(client_upgrade), Ok(request)) = (client_upgrade, rebuild(&visit, target, &parts)) else {
        return answer::problem(&visit, StatusCode::BAD_REQUEST, "this is not a WebSocket request");
    };
    let asked = visit.server.origin.send(request, Lane::Read);
    let Ok(Ok(mut response)) = visit.server.clock.timeout(visit.server.settings.load_timeout, asked).await
    else {
        visit.server.note_failure();
        let message = "the media server cannot be reached";
        return answer::problem(&visit, StatusCode::SERVICE_UNAVAILABLE, message);
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return answer::passed(stream::open(&visit, response), "socket");
    }
    let server_upgrade = hyper::upgrade::on(&mut response);
    let owner = visit.clone();
    visit.server.tasks.spawn(async move {
        if let (Ok(client), Ok(server)) = (client_upgrade.await, server_upgrade.await) {
            let client = open(client, Role::Server).await;
            let server = open(server, Role::Client).await;
            relay(&owner, client, server).await;
        }
    });
    switch(&response)
}

/// Passes messages both ways until either side ends it.
async fn relay(visit: &Visit, client: Socket, server: Socket) {
    let watching = Watching::begin(&visit.server, &visit.identity);
    let heard_ms = AtomicU64::new(visit.server.clock.now_ms());
    let (mut to_client, mut from_client) = client.split();
    let (mut to_server, mut from_server) = server.split();
    let down = async {
        while let Some(Ok(message)) = from_server.next().await {
            heard_ms.store(visit.server.clock.now_ms(), Ordering::Relaxed);
            match &message {
                Message::Text(text) => hear(&visit.server, text.as_bytes(), By::Client(&visit.identity)),
                Message::Binary(bytes) => hear(&visit.server, bytes, By::Client(&visit.identity)),
                _ => {}
            }
            if to_client.send(message).await.is_err() {
                break;
            }
        }
        drop(to_client.close().await);
    };
    let up = async {
        while let Some(Ok(message)) = from_client.next().await {
            heard_ms.store(visit.server.clock.now_ms(), Ordering::Relaxed);
            if to_server.send(message).await.is_err() {
                break;
            }
        }
        drop(to_server.close().await);
    };
    tokio::select! {
        () = down => {}
        () = silence(&visit.server, &heard_ms) => {}
        () = up => {}
        () = visit.server.stop.cancelled() => {}
    }
    drop(watching);
}

/// Ends when neither side has said anything for [`SILENCE`]: one of them is gone without a word.
async fn silence(server: &Server, heard_ms: &AtomicU64) {
    let silence_ms = u64::try_from(SILENCE.as_millis()).unwrap_or(u64::MAX);
    loop {
        let quiet_ms = server.clock.now_ms().saturating_sub(heard_ms.load(Ordering::Relaxed));
        if quiet_ms >= silence_ms {
            return;
        }
        server.clock.sleep(Duration::from_millis(silence_ms - quiet_ms)).await;
    }
}

async fn open(upgraded: Upgraded, role: Role) -> Socket {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), role, Some(config)).await
}

/// The client's handshake as the server gets it; compression is not offered, so that frames can be read.
fn rebuild(visit: &Visit, target: &str, parts: &request::Parts) -> Result<Request<Body>, http::Error> {
    let mut request = Request::builder()
        .method(parts.method.clone())
        .uri(visit.server.origin.uri(target)?)
        .body(Body::empty())?;
    *request.headers_mut() = stream::headers_for_server(visit, &parts.headers);
    request.headers_mut().remove(SEC_WEBSOCKET_EXTENSIONS);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    request.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    Ok(request)
}

fn switch(from_server: &Response<Incoming>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers::for_client(from_server.headers());
    response.headers_mut().remove(SEC_WEBSOCKET_EXTENSIONS);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}
