//! Listening sockets of this process: inherited from its predecessor, or new.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::{InheritedListeners, ListenerHandover};

/// Returns the listener of this name: the inherited one, or a new one. It can be handed over in turn.
///
/// # Errors
/// One line that says what is in the way and what to do.
pub async fn bind(
    address: SocketAddr,
    name: &str,
    sockets: &mut InheritedListeners,
    handover: &mut ListenerHandover,
) -> Result<TcpListener, String> {
    let listener = match sockets.take(name, address) {
        Some(socket) => socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket)),
        None => TcpListener::bind(address).await,
    };
    let listener = listener.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("{name}: {address} is in use by another program; stop it, or choose another port")
        }
        std::io::ErrorKind::PermissionDenied => {
            format!("{name}: this user may not listen on {address}; choose a port above 1023")
        }
        _ => format!("{name}: cannot listen on {address}: {error}"),
    })?;
    handover.add(name, &listener).map_err(|error| format!("{name}: the listener cannot be duplicated: {error}"))?;
    Ok(listener)
}

/// Address of a listener.
///
/// # Errors
/// If the system does not tell.
pub fn address_of(listener: &TcpListener) -> Result<SocketAddr, String> {
    listener.local_addr().map_err(|error| format!("the address of a listener cannot be read: {error}"))
}
