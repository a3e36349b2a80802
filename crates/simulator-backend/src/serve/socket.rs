//! WebSockets, from the server's side.

use std::sync::Arc;

use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{Answer, Asked, Ground};

pub use tokio_tungstenite::tungstenite::Message;

/// An open WebSocket.
pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Whether a request wants to become a WebSocket.
pub fn is_asked(asked: &Asked) -> bool {
    asked.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
        && asked.headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// Makes a WebSocket of a request and lets `serve` speak over it, until that ends, the server stops or a fault cuts
/// it. A request that cannot become one is answered 400.
pub fn open<F>(
    asked: &mut Asked,
    ground: &Arc<Ground>,
    serve: impl FnOnce(Socket) -> F + Send + 'static,
) -> Answer
where
    F: Future<Output = ()> + Send + 'static,
{
    let (Some(key), Some(upgrade)) = (asked.headers.get(SEC_WEBSOCKET_KEY), asked.upgrade.take()) else {
        return Answer::text(400, "text/plain", "not a WebSocket handshake");
    };
    let accept = derive_accept_key(key.as_bytes());
    let held = ground.ledger.socket();
    let base = Arc::clone(ground);
    ground.spawn(async move {
        let talk = async {
            // A client that hangs up during the handshake gets no socket.
            let Ok(upgraded) = upgrade.await else { return };
            serve(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await).await;
        };
        tokio::select! {
            () = talk => {}
            () = base.faults.cut() => {}
        }
        drop(held);
    });
    Answer::empty(101)
        .with(UPGRADE, "websocket")
        .with(CONNECTION, "Upgrade")
        .with(SEC_WEBSOCKET_ACCEPT, &accept)
}
