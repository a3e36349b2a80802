//! Gathers facts on this machine: the data directory, the ports, whether it is a container.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use greenroom_cache::disk::network_file_system;

use super::control::ControlPlaneError;
use super::facts::{
    DirectoryContents, DirectoryFacts, DirectoryState, FolderFacts, GatewayFacts, MachineFacts, PortFacts, PortState,
};
use super::{app_caches, control, socket};
use greenroom_config::{FolderSettings, Settings};
use greenroom_folder::scan::{Root, ScanControl, ScanLimits, ScanRules, scan_tree};
use greenroom_origin::probe_client::ProbeClient;
use greenroom_state::ownership;
use greenroom_state::secrets::{self, DataDir};

/// Files that container engines put into every container.
const CONTAINER_MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];
/// Words in the list of control groups that show a container.
const CONTAINER_GROUPS: [&str; 5] = ["docker", "kubepods", "containerd", "libpod", "lxc"];

/// Gathers the facts.
pub async fn inspect(settings: &Settings, enquirer: &ProbeClient) -> MachineFacts {
    let mut ports = vec![port("the control plane", "control.listen", settings.control.listen)];
    for server in &settings.servers {
        ports.push(port(&format!("apps of \"{}\"", server.name), "listen", server.listen));
    }
    let gateway = find_gateway(settings, enquirer).await;
    let folders = settings.folders.iter().map(folder).collect();
    let app_caches = app_caches::inspect(settings, enquirer).await;
    let directory = directory(&settings.data_dir);
    MachineFacts { folders, app_caches, container: is_container(), directory, ports, gateway }
}

/// The gateway that runs with these settings: by its lock on the data directory, and by what its control plane answers.
async fn find_gateway(settings: &Settings, enquirer: &ProbeClient) -> Option<GatewayFacts> {
    let (listen, certificate) = (settings.control.listen, settings.control.certificate.as_ref());
    let enquirer = enquirer.with_trust(control::trust_own_certificate(certificate));
    let token = DataDir::control_token_in(&settings.data_dir);
    let stats = match control::endpoint(listen, certificate.is_some()) {
        Some(endpoint) if listen.port() != 0 => control::fetch_stats(&enquirer, &endpoint, token.as_ref()).await,
        _ => Err(ControlPlaneError::UnexpectedStatus(0)),
    };
    let addresses: Vec<SocketAddr> = match stats {
        Ok(stats) => {
            let servers = stats.servers.iter().filter_map(|server| server.listen.parse().ok());
            std::iter::once(listen).chain(servers).collect()
        }
        Err(ControlPlaneError::Unauthorized) => vec![listen],
        Err(ControlPlaneError::NoResponse(_) | ControlPlaneError::UnexpectedStatus(_)) => Vec::new(),
    };
    let holder = ownership::holder(&settings.data_dir);
    (holder.is_some() || !addresses.is_empty())
        .then(|| GatewayFacts { pid: holder.and_then(|holder| holder.pid), addresses })
}

fn folder(settings: &FolderSettings) -> FolderFacts {
    let entries = fs::read_dir(&settings.path).map(Iterator::count).map_err(|error| error.to_string());
    let remote = network_file_system(&settings.path);
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").ok();
    let control = ScanControl::default();
    // A tree on a network is polled, whatever the number of its folders.
    if remote.is_none()
        && let Ok(root) = Root::open(&settings.path)
    {
        let limits = ScanLimits { threads: 2, max_files: 0 };
        // The facts are the counts so far; a scan that fails is found by the check of the folder's path.
        let _ = scan_tree(&root, &ScanRules::new(settings).0, limits, &control, &|_| {});
    }
    FolderFacts {
        name: settings.name.clone(),
        path: settings.path.clone(),
        entries,
        remote,
        directories: control.directories(),
        watch_limit: limit.and_then(|limit| limit.trim().parse().ok()),
    }
}

/// Whether this process runs in a container.
pub fn is_container() -> bool {
    let groups = fs::read_to_string("/proc/1/cgroup").unwrap_or_default();
    CONTAINER_MARKS.iter().any(|mark| Path::new(mark).exists())
        || CONTAINER_GROUPS.iter().any(|word| groups.contains(word))
}

/// Gathers the facts on a data directory.
pub fn directory(path: &Path) -> DirectoryFacts {
    // A process owns its own entry there; on systems without it any numbers will do.
    let us = fs::metadata("/proc/self").map_or((0, 0), |meta| (meta.uid(), meta.gid()));
    DirectoryFacts { path: path.to_owned(), own_ids: us, remote: network_file_system(path), state: state_of(path) }
}

fn state_of(path: &Path) -> DirectoryState {
    match fs::metadata(path) {
        Ok(meta) if !meta.is_dir() => DirectoryState::NotADirectory,
        // A file without a name: nothing is left behind, whatever happens.
        Ok(_) => match tempfile::tempfile_in(path) {
            Ok(_) => DirectoryState::Writable,
            Err(error) => refused(path, &error),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let nearest = nearest(path);
            match state_of_existing(&nearest) {
                DirectoryState::Writable => DirectoryState::CanBeMade,
                DirectoryState::ReadOnly => DirectoryState::ReadOnly,
                _ => DirectoryState::CannotBeMade(nearest),
            }
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory => DirectoryState::NotADirectory,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => DirectoryState::CannotBeMade(nearest(path)),
        Err(error) => DirectoryState::Other(error.to_string()),
    }
}

fn state_of_existing(folder: &Path) -> DirectoryState {
    match tempfile::tempfile_in(folder) {
        Ok(_) => DirectoryState::Writable,
        Err(error) => refused(folder, &error),
    }
}

fn refused(path: &Path, error: &io::Error) -> DirectoryState {
    match error.kind() {
        ErrorKind::PermissionDenied => match fs::metadata(path) {
            Ok(meta) => {
                let user = name_of(meta.uid(), &fs::read_to_string("/etc/passwd").unwrap_or_default());
                let (mode, contents) = (meta.mode() & 0o7777, contents(path));
                DirectoryState::Denied { uid: meta.uid(), user, gid: meta.gid(), mode, contents }
            }
            Err(error) => DirectoryState::Other(error.to_string()),
        },
        ErrorKind::ReadOnlyFilesystem => DirectoryState::ReadOnly,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => DirectoryState::Full,
        _ => DirectoryState::Other(error.to_string()),
    }
}

/// Name of a user in the list of users.
fn name_of(uid: u32, users: &str) -> Option<String> {
    let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.find(|words| words.get(2).and_then(|id| id.parse().ok()) == Some(uid)).map(|words| words[0].to_owned())
}

fn contents(path: &Path) -> DirectoryContents {
    let Ok(mut entries) = fs::read_dir(path) else { return DirectoryContents::Unreadable };
    let is_ours = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(secrets::is_ours))
    };
    if entries.all(is_ours) { DirectoryContents::OnlyOwnFiles } else { DirectoryContents::ForeignFiles }
}

/// The nearest parent folder that can be seen.
fn nearest(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = absolute.ancestors().skip(1).find(|folder| folder.is_dir());
    found.unwrap_or(Path::new("/")).to_owned()
}

fn port(whose: &str, setting: &'static str, address: SocketAddr) -> PortFacts {
    let state = match TcpListener::bind(address) {
        Ok(_) => PortState::Free,
        Err(error) => match error.kind() {
            ErrorKind::AddrInUse => PortState::InUse(socket::find_holder(address.port())),
            ErrorKind::PermissionDenied => PortState::Denied,
            ErrorKind::AddrNotAvailable => PortState::NoSuchAddress(address.ip()),
            _ => PortState::Other(error.to_string()),
        },
    };
    PortFacts { purpose: whose.to_owned(), setting, address, state }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_directory_is_writable_makeable_or_neither_and_stays_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        assert_eq!(state_of(path), DirectoryState::Writable);
        assert_eq!(state_of(&path.join("new/deeper")), DirectoryState::CanBeMade);
        let file = path.join("file");
        fs::write(&file, "x").expect("written");
        assert_eq!(state_of(&file), DirectoryState::NotADirectory);
        assert_eq!(state_of(&file.join("below")), DirectoryState::NotADirectory);
        assert_eq!(fs::read_dir(path).expect("it can be read").count(), 1, "nothing was left behind");
    }

    #[test]
    fn a_folder_that_is_closed_says_whose_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).expect("set");
        let us = directory(folder.path()).own_ids;
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let expected = if us.0 == 0 {
            // The superuser may write everywhere.
            DirectoryState::Writable
        } else {
            let (user, contents) = (name_of(us.0, &users), DirectoryContents::OnlyOwnFiles);
            DirectoryState::Denied { uid: us.0, user, gid: us.1, mode: 0o500, contents }
        };
        assert_eq!(state_of(folder.path()), expected);
    }

    #[test]
    fn a_folder_is_ours_if_nothing_of_others_is_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(contents(folder.path()), DirectoryContents::OnlyOwnFiles);
        fs::write(folder.path().join("control.token"), "x").expect("written");
        assert_eq!(contents(folder.path()), DirectoryContents::OnlyOwnFiles);
        fs::create_dir(folder.path().join("photos")).expect("made");
        assert_eq!(contents(folder.path()), DirectoryContents::ForeignFiles);
        assert_eq!(contents(&folder.path().join("nothing")), DirectoryContents::Unreadable);
    }

    #[test]
    fn a_user_is_called_as_the_list_says() {
        let users = "root:x:0:0::/root:/bin/sh\nolga:x:1000:1000::/home/olga:/bin/sh\n";
        assert_eq!(name_of(1000, users).as_deref(), Some("olga"));
        assert_eq!(name_of(7, users), None);
    }

    #[test]
    fn a_port_that_is_taken_names_the_program() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("an address");
        let facts = port("x", "listen", address);
        let PortState::InUse(Some(holder)) = facts.state else { panic!("{:?}", facts.state) };
        assert_eq!(holder.pid, std::process::id());
        assert!(matches!(
            port("x", "listen", "192.0.2.77:1".parse().expect("an address")).state,
            PortState::NoSuchAddress(_) | PortState::Denied
        ));
    }
}
