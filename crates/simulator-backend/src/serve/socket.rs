//! WebSockets, server side.

use std::sync::Arc;

use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{SimulatedRequest, SimulatedResponse, SimulatorContext};

pub use tokio_tungstenite::tungstenite::Message;

/// An open WebSocket.
pub type ServerSocket = WebSocketStream<TokioIo<Upgraded>>;

/// Whether a request is a WebSocket upgrade.
pub fn is_upgrade(asked: &SimulatedRequest) -> bool {
    asked.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
        && asked.headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// Upgrades a request to a WebSocket and runs `serve` on it, until that ends, the server stops or a fault cuts it. A
/// request that is no valid upgrade gets 400.
pub fn open<F>(
    asked: &mut SimulatedRequest,
    ground: &Arc<SimulatorContext>,
    serve: impl FnOnce(ServerSocket) -> F + Send + 'static,
) -> SimulatedResponse
where
    F: Future<Output = ()> + Send + 'static,
{
    let (Some(key), Some(upgrade)) = (asked.headers.get(SEC_WEBSOCKET_KEY), asked.upgrade.take()) else {
        return SimulatedResponse::text(400, "text/plain", "not a WebSocket handshake");
    };
    let accept = derive_accept_key(key.as_bytes());
    let held = ground.request_log.track_socket();
    let base = Arc::clone(ground);
    ground.spawn(async move {
        let talk = async {
            // A client that disconnects during the handshake gets no socket.
            let Ok(upgraded) = upgrade.await else { return };
            serve(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await).await;
        };
        tokio::select! {
            () = talk => {}
            () = base.faults.wait_for_cut() => {}
        }
        drop(held);
    });
    SimulatedResponse::empty(101)
        .with_header(UPGRADE, "websocket")
        .with_header(CONNECTION, "Upgrade")
        .with_header(SEC_WEBSOCKET_ACCEPT, &accept)
}
