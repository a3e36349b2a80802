//! Listening sockets of this process: inherited from its predecessor, or new.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use super::{InheritedListeners, ListenerHandover};

/// Returns the listener of this name: the inherited one, or a new one. It can be handed over in turn.
///
/// # Errors
/// One line that says what is in the way and what to do.
pub async fn bind(
    address: SocketAddr,
    place: &str,
    sockets: &mut InheritedListeners,
    offer: &mut ListenerHandover,
) -> Result<TcpListener, String> {
    let listener = match sockets.take(place, address) {
        Some(socket) => socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket)),
        None => TcpListener::bind(address).await,
    };
    let listener = listener.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("{place}: {address} is in use by another program; stop it, or choose another port")
        }
        std::io::ErrorKind::PermissionDenied => {
            format!("{place}: this user may not listen on {address}; choose a port above 1023")
        }
        _ => format!("{place}: cannot listen on {address}: {error}"),
    })?;
    offer.add(place, &listener).map_err(|error| format!("{place}: no file descriptor is left: {error}"))?;
    Ok(listener)
}

/// Address of a listener as reached from this machine.
pub fn on_this_machine(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Address of a listener.
///
/// # Errors
/// If the system does not tell.
pub fn address_of(listener: &TcpListener) -> Result<SocketAddr, String> {
    listener.local_addr().map_err(|error| format!("a listener has no address: {error}"))
}
