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

/// Address of a listener as reached from this machine.
pub fn local_address(address: SocketAddr) -> SocketAddr {
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
    listener.local_addr().map_err(|error| format!("the address of a listener cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_over_loopback() {
        for (listen, local) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("192.168.1.2:1", "192.168.1.2:1")]
        {
            assert_eq!(local_address(listen.parse().expect("parse the address")).to_string(), local);
        }
    }
}
