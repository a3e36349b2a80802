//! The Unix socket of the caches for apps. It has the paths of the caches only, with the same tokens as the control port.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::router;
use crate::server::{ACCEPT_PAUSE, BasePathRouter, log_task_end, serve_connection};
use greenroom_control::ControlPlane;
use greenroom_control::auth::caller::ConnectionInfo;
use greenroom_control::connections::ConnectionTable;
use greenroom_control::state::ApiState;

/// Address of a caller on the socket, in rate limits and in the access policy: this machine.
const CALLER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// File of the groups of this machine.
const GROUPS: &str = "/etc/group";

/// A socket that listens. Its file goes when this is dropped, unless another process has replaced it.
#[derive(Debug)]
pub struct UnixSocket {
    listener: UnixListener,
    file: SocketFile,
}

/// The file of a socket.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl UnixSocket {
    /// Listens at a path, with mode 0600, or 0660 for a group. A socket that is there already is replaced in one step.
    ///
    /// # Errors
    /// One line that says what is wrong: the folder, another file, the group.
    pub fn bind(path: &Path, group: Option<&str>) -> Result<Self, String> {
        let said = |error: io::Error| format!("apps.socket {}: {error}", path.display());
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(format!("apps.socket {}: there is another file at this path", path.display()));
            }
            _ => {}
        }
        let group = group.map(find_group).transpose()?;
        let made = path.with_extension(format!("new-{}", std::process::id()));
        let _ = fs::remove_file(&made); // Of an earlier attempt.
        let listener = UnixListener::bind(&made).map_err(said)?;
        let prepare = || {
            // No client knows this name; the final one appears with its rights.
            fs::set_permissions(&made, fs::Permissions::from_mode(if group.is_some() { 0o660 } else { 0o600 }))?;
            if group.is_some() {
                chown(&made, None, group)?;
            }
            fs::rename(&made, path)?;
            let found = fs::symlink_metadata(path)?;
            Ok((found.dev(), found.ino()))
        };
        let identity = prepare().map_err(|error| {
            let _ = fs::remove_file(&made); // The error is reported.
            said(error)
        })?;
        Ok(Self { listener, file: SocketFile { path: path.to_owned(), identity } })
    }

    /// Serves the caches until it is stopped and the requests in progress have ended. Once `draining` is set, it accepts no
    /// new connections.
    pub async fn serve(
        self,
        control: Arc<ControlPlane>,
        settings: greenroom_config::ControlSettings,
        (stop, draining): (CancellationToken, CancellationToken),
    ) {
        let Self { listener, file } = self;
        // All callers have one address.
        let per_peer = settings.max_connections;
        let settings = greenroom_config::ControlSettings { max_connections_per_peer: per_peer, ..settings };
        let connections = ConnectionTable::new(settings.clone());
        let listen = settings.listen;
        let state = Arc::new(ApiState { control, settings, listen, stop: stop.clone() });
        let routes = BasePathRouter { router: router::caches_router(Arc::clone(&state)), base_path: "".into() };
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = draining.cancelled() => break,
                Some(ended) = tasks.join_next() => log_task_end(ended),
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => match connections.accept(CALLER.ip(), &state.control.connection_refusals) {
                        Ok(connection) => {
                            let peer = (ConnectionInfo::new(CALLER, false), Arc::new(connection));
                            let shutdown = (stop.clone(), draining.clone());
                            tasks.spawn(serve_connection(routes.clone(), stream, peer, shutdown));
                        }
                        Err(bound) => tracing::debug!(limit = bound.name(), "connection to the socket refused"),
                    },
                    Err(error) => {
                        tracing::warn!(%error, "connection to the socket not accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop((listener, file));
        while let Some(ended) = tasks.join_next().await {
            log_task_end(ended);
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path).map(|found| (found.dev(), found.ino()));
        if found.is_ok_and(|found| found == self.identity) {
            let _ = fs::remove_file(&self.path); // A left-over is replaced at the next start.
        }
    }
}

/// Number of a group, which is given by name or number.
fn find_group(group: &str) -> Result<u32, String> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let text = fs::read_to_string(GROUPS).map_err(|error| format!("apps.socket_group: {GROUPS}: {error}"))?;
    number_of_group(&text, group).ok_or_else(|| format!("apps.socket_group: there is no group \"{group}\""))
}

fn number_of_group(text: &str, group: &str) -> Option<u32> {
    let mut lines = text.lines().map(|line| line.split(':'));
    lines.find_map(|mut parts| (parts.next()? == group).then(|| parts.nth(1)?.parse().ok()).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_name() {
        let text = "root:x:0:\nmedia:x:1005:anna,ben\nbroken\n";
        assert_eq!(number_of_group(text, "media"), Some(1005));
        assert_eq!((number_of_group(text, "medi"), number_of_group(text, "broken")), (None, None));
        assert_eq!(find_group("77"), Ok(77));
    }

    #[tokio::test]
    async fn a_socket_is_its_owners_replaces_one_that_is_there_and_removes_only_its_own_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("apps.sock");
        let first = UnixSocket::bind(&path, None).expect("it listens");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let second = UnixSocket::bind(&path, None).expect("it takes over");
        drop(first);
        assert!(path.exists(), "it is the other's");
        drop(second);
        assert!(!path.exists());
        let own_group = fs::metadata(folder.path()).expect("there").gid().to_string();
        let shared = UnixSocket::bind(&path, Some(&own_group)).expect("it listens");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o660);
        drop(shared);
        fs::write(&path, "a file of somebody's").expect("written");
        assert!(UnixSocket::bind(&path, None).expect_err("refused").contains("another file"));
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1, "nothing is left over");
    }
}
