//! Input of the checks. Holds no token.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use greenroom_dialect::permissions::Permissions;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_identity::ServerIdentity;
use greenroom_remote_store::probe::StoreFacts;
use serde::Deserialize;

use greenroom_config::{Endpoint, HttpRouteSettings};
use greenroom_origin::probe_client::ProbeError;

/// Facts on one media server.
#[derive(Debug, Clone)]
pub struct ServerFacts {
    /// Its configured name.
    pub name: String,
    /// Configured kind.
    pub kind: ServerKind,
    /// Configured address.
    pub endpoint: Endpoint,
    /// Source of that address: `--plex`, `GREENROOM_SERVER_HOME_URL`, `greenroom.toml:12:8`.
    pub url_place: String,
    /// Data directory of the gateway, where `greenroom login` puts tokens.
    pub data_dir: PathBuf,
    /// Whether this process runs in a container.
    pub container: bool,
    /// Resolved addresses of its name.
    pub addresses: Result<Vec<SocketAddr>, ProbeError>,
    /// Response to the identity request.
    pub identity_response: Result<IdentityResponse, ProbeError>,
    /// Result of a TLS attempt, where one was made.
    pub encryption: Option<Result<(), ProbeError>>,
    /// Base path at which a media server answers, and its kind, if the configured one does not answer where it should.
    pub server_elsewhere: Option<(String, ServerKind)>,
    /// Whether a token is configured.
    pub has_token: bool,
    /// Permissions of that token.
    pub permissions: Option<Result<Permissions, ProbeError>>,
    /// Status where a token is required and none is sent.
    pub without_token: Option<u16>,
    /// Status there for an invented token.
    pub with_invented_token: Option<u16>,
}

/// Response to an identity request.
#[derive(Debug, Clone)]
pub struct IdentityResponse {
    /// The server, or what it is instead.
    pub identity: ServerIdentity,
    /// Response time, in milliseconds.
    pub took_ms: u64,
    /// Seconds by which its clock is ahead of ours, if it sends a date.
    pub clock_ahead_s: Option<i64>,
}

/// Facts on a folder of files.
#[derive(Debug, Clone)]
pub struct FolderFacts {
    /// Its configured name.
    pub name: String,
    /// Its root.
    pub path: PathBuf,
    /// Entries of the root, or why it cannot be read.
    pub entries: Result<usize, String>,
    /// Kind of network file system it is on, if it is.
    pub remote: Option<String>,
    /// Folders in the tree, as far as they were counted.
    pub directories: u64,
    /// The system's limit of watches, if it tells.
    pub watch_limit: Option<u64>,
}

/// Facts on the caches for apps.
#[derive(Debug, Clone, Default)]
pub struct AppCacheFacts {
    /// Their Unix socket, if one is configured.
    pub socket: Option<AppSocketFacts>,
    /// Tokens of apps that open caches.
    pub tokens: Vec<AppTokenFacts>,
    /// The caches, if the running process tells.
    pub caches: Option<Vec<AppCacheFill>>,
}

/// Facts on the Unix socket of the caches for apps.
#[derive(Debug, Clone)]
pub struct AppSocketFacts {
    /// Its path.
    pub path: PathBuf,
    /// Its state.
    pub state: AppSocketState,
    /// The configured group, if this machine has none of that name.
    pub unknown_group: Option<String>,
}

/// State of a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppSocketState {
    /// It is there.
    Present {
        /// Its permission bits.
        mode: u32,
    },
    /// It is not there.
    Absent,
    /// Its folder is not there.
    NoDirectory,
    /// Another kind of file is in its place.
    OtherFile,
}

/// An app's token that opens caches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppTokenFacts {
    /// Its name.
    pub name: String,
    /// The caches.
    pub caches: Vec<String>,
}

/// Size of a cache for apps, and its limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AppCacheFill {
    /// Its name.
    pub name: String,
    /// Entries.
    pub entries: u64,
    /// Max entries.
    pub max_entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Max bytes.
    pub max_bytes: u64,
    /// Name of its eviction.
    pub eviction: String,
}

/// Facts on this machine.
#[derive(Debug, Clone)]
pub struct MachineFacts {
    /// Folders of files.
    pub folders: Vec<FolderFacts>,
    /// Caches for apps.
    pub app_caches: AppCacheFacts,
    /// Whether this process runs in a container.
    pub container: bool,
    /// Data directory and the user of this process.
    pub directory: DirectoryFacts,
    /// Ports to listen on.
    pub ports: Vec<PortFacts>,
    /// The gateway that runs on the data directory, if any.
    pub gateway: Option<GatewayFacts>,
}

/// A running gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayFacts {
    /// Its process id, where its lock on the data directory tells it.
    pub pid: Option<u32>,
    /// Addresses at which it is known to listen.
    pub addresses: Vec<SocketAddr>,
}

/// The data directory.
#[derive(Debug, Clone)]
pub struct DirectoryFacts {
    /// Its path.
    pub path: PathBuf,
    /// User and group of this process.
    pub own_ids: (u32, u32),
    /// Type of the network file system it lies on, if any.
    pub remote: Option<String>,
    /// Its state.
    pub state: DirectoryState,
}

/// State of the data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryState {
    /// It exists and is writable.
    Writable,
    /// It does not exist and can be created.
    CanBeMade,
    /// It does not exist and cannot be created below this folder.
    CannotBeMade(PathBuf),
    /// The path is no directory.
    NotADirectory,
    /// Its file system is read-only.
    ReadOnly,
    /// This user may not write there.
    Denied {
        /// Its user.
        uid: u32,
        /// Name of that user, where known.
        user: Option<String>,
        /// Its group.
        gid: u32,
        /// Its permission bits.
        mode: u32,
        /// Its content.
        contents: DirectoryContents,
    },
    /// No space is left.
    Full,
    /// Another error.
    Other(String),
}

/// Content of a directory that is not writable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryContents {
    /// Nothing, or only files that this program writes.
    OnlyOwnFiles,
    /// Files of others as well.
    ForeignFiles,
    /// It cannot be read.
    Unreadable,
}

/// A port to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortFacts {
    /// Its purpose.
    pub purpose: String,
    /// The setting that chooses it.
    pub setting: &'static str,
    /// Its address.
    pub address: SocketAddr,
    /// Its state.
    pub state: PortState,
}

/// State of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortState {
    /// It is free.
    Free,
    /// Another program uses it: which, if that can be seen.
    InUse(Option<PortHolder>),
    /// This user may not bind it.
    Denied,
    /// This machine has no such address.
    NoSuchAddress(IpAddr),
    /// Another error.
    Other(String),
}

/// A program that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortHolder {
    /// Process id.
    pub pid: u32,
    /// Process name.
    pub name: String,
    /// Whether it is this program, though perhaps not the gateway of this data directory.
    pub is_greenroom: bool,
}

/// Facts on the remote store.
#[derive(Debug, Clone)]
pub struct RemoteStoreFacts {
    /// The prefix of this gateway's keys.
    pub prefix: String,
    /// Longest wait of a request for an entry.
    pub read_timeout: Duration,
    /// Its report of itself, or the reason for which there is none.
    pub answer: Result<StoreFacts, String>,
}

/// Facts about a server of any HTTP API.
#[derive(Debug)]
pub struct HttpApiFacts {
    /// Its address.
    pub endpoint: Endpoint,
    /// The path of its probe.
    pub probe: String,
    /// Its answer to the probe.
    pub answer: Result<ProbeAnswer, ProbeError>,
    /// Whether its certificate is trusted; `None` if its URL is not encrypted.
    pub certificate: Option<Result<(), ProbeError>>,
    /// Its routes, in order.
    pub routes: Vec<HttpRouteSettings>,
}

/// An answer to a probe.
#[derive(Debug, Clone, Copy)]
pub struct ProbeAnswer {
    /// Its status.
    pub status: u16,
    /// Its duration.
    pub took_ms: u64,
    /// Seconds by which the server's clock is ahead of this machine's, if it says the time.
    pub clock_ahead_s: Option<i64>,
}
