//! Replaces a running gateway on the same data directory without a failed request: the running process hands over its
//! listening sockets, so that connections wait in the kernel instead of being refused. Then it answers requests in
//! flight, closes each client's connection, writes pending data, and releases the directory.
//!
//! 1. The new process connects to a socket in the data directory (0600) and receives names and listening sockets.
//! 2. It confirms them; only from then on the old process stops accepting. Until then either may give up.
//! 3. The old process answers with `Connection: close` for [`greenroom_config::TakeoverSettings::idle`], so that busy
//!    clients leave by themselves; then it closes idle connections, event streams and sockets. When nothing is in
//!    flight but pass-through bodies (films), it writes pending data and releases the directory; then it waits for
//!    those bodies.
//! 4. The new process waits for the lock, opens the data, and accepts on the same sockets.

pub mod listening;

use greenroom_cache::clock::millis;
use std::collections::HashMap;
use std::fs::Permissions;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixListener;

use greenroom_state::secrets::TAKEOVER_SOCKET as SOCKET;

/// Max sockets handed over: the system accepts 253 per message.
const MAX_SOCKETS: usize = 128;
/// Space for them in a message.
const CONTROL_MESSAGE_BYTES: usize = rustix::cmsg_space!(ScmRights(MAX_SOCKETS));
/// Largest list of names, in bytes.
const MAX_NAMES_BYTES: usize = 64 * 1024;
/// Timeout of the other process's part of the exchange.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after a failed attempt.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Confirmation by the new process that it has the sockets.
const ACKNOWLEDGED: u8 = b'+';

/// Inherited listening sockets by name.
#[derive(Debug, Default)]
pub struct InheritedListeners(HashMap<String, TcpListener>);

impl InheritedListeners {
    /// Whether none was handed over.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the socket that listens at the wanted address, whatever its name was before. A port of 0 matches any port
    /// of the same name. Sockets that conflict with the wanted address are closed, because the port is ours.
    pub fn take(&mut self, name: &str, wanted: SocketAddr) -> Option<TcpListener> {
        let address_of = |socket: &TcpListener| socket.local_addr().ok();
        let found = if wanted.port() == 0 {
            let own = self.0.get(name).and_then(address_of);
            own.filter(|address| address.ip() == wanted.ip()).map(|_| name.to_owned())
        } else {
            let mut sockets = self.0.iter();
            sockets.find(|(_, socket)| address_of(socket) == Some(wanted)).map(|(name, _)| name.clone())
        };
        if let Some(name) = found {
            return self.0.remove(&name);
        }
        let overlaps = |address: SocketAddr| {
            wanted.port() != 0
                && address.port() == wanted.port()
                && (address.ip().is_unspecified() || wanted.ip().is_unspecified())
        };
        self.0.retain(|_, socket| !address_of(socket).is_some_and(overlaps));
        None
    }
}

/// Listening sockets of this process, to be handed over.
#[derive(Debug, Default)]
pub struct ListenerHandover(Vec<(String, OwnedFd)>);

/// Message sent beside the sockets.
#[derive(Debug, Serialize, Deserialize)]
struct HandoverMessage {
    /// Name of each socket, in their order.
    places: Vec<String>,
    /// Time until the old process will have released the data directory, in milliseconds.
    patience_ms: u64,
}

impl ListenerHandover {
    /// Offers a socket under a name. The kernel keeps it listening while a copy of it is open.
    ///
    /// # Errors
    /// If there is no file descriptor left.
    pub fn add(&mut self, name: &str, socket: &impl AsFd) -> io::Result<()> {
        self.0.push((name.to_owned(), socket.as_fd().try_clone_to_owned()?));
        Ok(())
    }

    /// Waits until another process has taken the sockets and tells it that this one may take up to `timeout` to leave.
    /// Never completes where the socket cannot be created: then no take-over is possible.
    pub async fn wait_for_takeover(self, data_dir: &Path, timeout: Duration) {
        let path = data_dir.join(SOCKET);
        let _socket_file = SocketFileGuard(path.clone());
        let listener = match listen(&path) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(socket = %path.display(), %error, "the take-over socket cannot be opened: no other process can take over from this one");
                return std::future::pending().await;
            }
        };
        loop {
            let result = match listener.accept().await {
                Ok((stream, _)) => tokio::time::timeout(HANDOVER_TIMEOUT, self.send_to(stream, timeout)).await,
                Err(error) => Ok(Err(error)),
            };
            match result {
                Ok(Ok(())) => break,
                Ok(Err(error)) => tracing::warn!(%error, "a take-over by another process failed"),
                Err(_) => tracing::warn!("another process started a take-over and did not finish it in time"),
            }
            // An immediate failure would repeat at once.
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    async fn send_to(&self, mut stream: tokio::net::UnixStream, timeout: Duration) -> io::Result<()> {
        let places = self.0.iter().map(|(name, _)| name.clone()).collect();
        let patience_ms = millis(timeout);
        let names = serde_json::to_vec(&HandoverMessage { places, patience_ms })?;
        let sockets: Vec<BorrowedFd<'_>> = self.0.iter().map(|(_, socket)| socket.as_fd()).collect();
        let send = || {
            let mut space = [MaybeUninit::uninit(); CONTROL_MESSAGE_BYTES];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if sockets.len() > MAX_SOCKETS || !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
                return Err(io::Error::other("there are too many listeners to hand over"));
            }
            Ok(sendmsg(&stream, &[IoSlice::new(&names)], &mut control, SendFlags::empty())?)
        };
        let sent = stream.async_io(Interest::WRITABLE, send).await?;
        if sent != names.len() {
            return Err(io::Error::other("the names of the listeners are too long"));
        }
        match stream.read_u8().await? {
            ACKNOWLEDGED => Ok(()),
            _ => Err(io::Error::other("the other process speaks another protocol")),
        }
    }
}

/// Removes the socket's file on drop.
struct SocketFileGuard(PathBuf);

impl Drop for SocketFileGuard {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0); // It may be gone.
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    // The lock is ours, so a file there is a leftover.
    let _ = std::fs::remove_file(path); // There may be none.
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Requests the listening sockets from the process that owns a data directory. That process then drains, at most for
/// the returned time. Blocks.
///
/// # Errors
/// One line that says what is in the way: nothing has changed then.
pub fn request_takeover(data_dir: &Path) -> Result<(InheritedListeners, Duration), String> {
    let path = data_dir.join(SOCKET);
    let refused = |error: io::Error| {
        format!(
            "{}: the process that owns this directory does not hand over ({error}); stop it, then start this one again",
            path.display()
        )
    };
    let mut stream = UnixStream::connect(&path).map_err(refused)?;
    stream.set_read_timeout(Some(HANDOVER_TIMEOUT)).map_err(refused)?;
    let received = receive(&stream).map_err(refused)?;
    stream.write_all(&[ACKNOWLEDGED]).map_err(refused)?;
    Ok(received)
}

fn receive(stream: &UnixStream) -> io::Result<(InheritedListeners, Duration)> {
    let mut names = vec![0; MAX_NAMES_BYTES];
    let mut space = [MaybeUninit::uninit(); CONTROL_MESSAGE_BYTES];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(stream, &mut [IoSliceMut::new(&mut names)], &mut control, RecvFlags::empty())?.bytes;
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            sockets.extend(files);
        }
    }
    let HandoverMessage { places: names, patience_ms } = serde_json::from_slice(&names[..received])?;
    if names.is_empty() || names.len() != sockets.len() {
        return Err(io::Error::other("the other process handed over no sockets"));
    }
    let listener = |socket: OwnedFd| -> io::Result<TcpListener> {
        fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
        Ok(TcpListener::from(socket))
    };
    let listeners: io::Result<Vec<TcpListener>> = sockets.into_iter().map(listener).collect();
    Ok((InheritedListeners(names.into_iter().zip(listeners?).collect()), Duration::from_millis(patience_ms)))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_socket_that_is_handed_over_keeps_the_connections_in_its_backlog() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
        let address = listener.local_addr().expect("read the address");
        let mut handover = ListenerHandover::default();
        handover.add("server \"home\"", &listener).expect("add the listener");
        let dir = folder.path().to_owned();
        let take_over = handover.wait_for_takeover(&dir, Duration::from_secs(7));
        let request = async {
            let socket = dir.join(SOCKET);
            assert!(socket.as_os_str().len() < 100, "a socket's path must be short");
            let appears = async {
                while !socket.exists() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(Duration::from_mins(1), appears).await.expect("the socket appears");
            assert_eq!(std::fs::metadata(&socket).expect("read the socket's metadata").mode() & 0o777, 0o600);
            let data_dir = dir.clone();
            tokio::task::spawn_blocking(move || request_takeover(&data_dir)).await.expect("the request ends")
        };
        let ((), sockets) = tokio::join!(take_over, request);
        let (mut sockets, timeout) = sockets.expect("the listeners are handed over");
        assert_eq!(timeout, Duration::from_secs(7));
        let mut waiting = TcpStream::connect(address).expect("connect to the listener");
        drop(listener);
        assert!(sockets.take("server \"home\"", "127.0.0.2:0".parse().expect("parse the address")).is_none());
        let result = sockets.take("server \"renamed\"", address).expect("take the listener with the same address");
        let (mut accepted, _) = result.accept().expect("accept the waiting connection");
        accepted.write_all(b"x").expect("write a byte");
        let mut byte = [0];
        waiting.read_exact(&mut byte).expect("read a byte");
        assert_eq!(&byte, b"x");
        let reason = request_takeover(&dir).expect_err("nothing listens any more");
        assert!(reason.contains("does not hand over"), "{reason}");
    }

    #[test]
    fn an_inherited_socket_that_overlaps_a_changed_address_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
        let address = listener.local_addr().expect("read the address");
        let mut sockets = InheritedListeners(HashMap::from([("the control plane".to_owned(), listener)]));
        let everywhere = SocketAddr::from(([0, 0, 0, 0], address.port()));
        assert!(sockets.take("the control plane", everywhere).is_none());
        TcpListener::bind(everywhere).expect("the port is free");
    }
}
