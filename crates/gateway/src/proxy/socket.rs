//! A client's notification socket: passed through message by message, each applied before it is passed on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{SinkExt, StreamExt};
use http::header::{CONNECTION, SEC_WEBSOCKET_EXTENSIONS, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode, request};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::tap::{Watching, hear};
use super::{Visit, answer, headers, stream};
use crate::body::Body;
use crate::origin::Lane;
use crate::stale::By;

/// Longest message in either direction.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Passes a socket through.
pub async fn pass(visit: Visit, target: &str, mut parts: request::Parts, _body: Incoming) -> Response<Body> {
    visit.server.counters.streams.fetch_add(1, Ordering::Relaxed);
    visit.app.reached.fetch_add(1, Ordering::Relaxed);
    let client_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let (Some(client_upgrade), Ok(request)) = (client_upgrade, rebuild(&visit, target, &parts)) else {
        return answer::problem(&visit, StatusCode::BAD_REQUEST, "this is not a WebSocket request");
    };
    let mut response = match visit.server.origin.send(request, Lane::Read).await {
        Ok(response) => response,
        Err(error) => {
            visit.server.note_failure();
            tracing::debug!(server = visit.server.name(), reason = error.message, "no socket");
            return answer::problem(
                &visit,
                StatusCode::SERVICE_UNAVAILABLE,
                "the media server cannot be reached",
            );
        }
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return answer::passed(response.map(Body::Stream), "socket");
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
    let watching = Watching::begin(Arc::clone(&visit.server), Arc::clone(&visit.identity));
    let (mut to_client, mut from_client) = client.split();
    let (mut to_server, mut from_server) = server.split();
    let down = async {
        while let Some(Ok(message)) = from_server.next().await {
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
            if to_server.send(message).await.is_err() {
                break;
            }
        }
        drop(to_server.close().await);
    };
    tokio::select! {
        () = down => {}
        () = up => {}
        () = visit.server.stop.cancelled() => {}
    }
    drop(watching);
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
