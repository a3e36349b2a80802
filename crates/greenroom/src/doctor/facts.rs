//! What the checks look at. Holds no token.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use greenroom_dialect::ask::Kind;
use greenroom_dialect::rights::Rights;
use greenroom_dialect::server_identity::ServerIdentity;

use greenroom_config::Place;
use greenroom_origin::probe_client::Silence;

/// What is known of one media server.
#[derive(Debug, Clone)]
pub struct ServerFacts {
    /// What it is called here.
    pub name: String,
    /// What was configured.
    pub kind: Kind,
    /// Where it is to be.
    pub place: Place,
    /// Whether this process runs in a container.
    pub container: bool,
    /// The addresses behind its name.
    pub addresses: Result<Vec<SocketAddr>, Silence>,
    /// What it said of itself.
    pub said: Result<Said, Silence>,
    /// What comes of encryption, where it was tried.
    pub encryption: Option<Result<(), Silence>>,
    /// A path before all paths at which it does answer, if it does not at the configured one.
    pub base_path_that_answers: Option<String>,
    /// Whether a token is configured.
    pub has_token: bool,
    /// What that token may do.
    pub rights: Option<Result<Rights, Silence>>,
    /// What it answers where a token is needed and none is sent.
    pub without_token: Option<u16>,
    /// What it answers there to a token that nobody gave out.
    pub with_invented_token: Option<u16>,
}

/// An answer to the question who is there.
#[derive(Debug, Clone)]
pub struct Said {
    /// The server, or what it is instead.
    pub identity: ServerIdentity,
    /// How long the answer took.
    pub took_ms: u64,
    /// By how many seconds its clock is ahead of ours, where it tells the time.
    pub clock_ahead_s: Option<i64>,
}

/// What is known of this machine.
#[derive(Debug, Clone)]
pub struct MachineFacts {
    /// Whether this process runs in a container.
    pub container: bool,
    /// Who runs it, and where it would keep its state.
    pub directory: DirectoryFacts,
    /// The ports it would listen on.
    pub ports: Vec<PortFacts>,
    /// Whether a Greenroom already answers at the control plane's address.
    pub runs_already: bool,
}

/// The data directory.
#[derive(Debug, Clone)]
pub struct DirectoryFacts {
    /// Its path.
    pub path: PathBuf,
    /// Who we are: user and group.
    pub us: (u32, u32),
    /// The kind of network file system it lies on, if it does.
    pub remote: Option<String>,
    /// How it stands with it.
    pub state: DirectoryState,
}

/// How it stands with the data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryState {
    /// It is there and can be written.
    Writable,
    /// It is not there, and can be made.
    CanBeMade,
    /// It is not there, and cannot be made below this folder.
    CannotBeMade(PathBuf),
    /// Something that is no directory is in its place.
    NotADirectory,
    /// Its file system is read-only.
    ReadOnly,
    /// We may not write there: its user, its group, its mode.
    Denied {
        /// The user it belongs to.
        uid: u32,
        /// What that user is called, where it is known.
        user: Option<String>,
        /// The group it belongs to.
        gid: u32,
        /// Its permissions.
        mode: u32,
        /// What is in it.
        contents: Contents,
    },
    /// No space is left.
    Full,
    /// Something else.
    Other(String),
}

/// What is in a directory that we may not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Nothing, or only what this program writes.
    OursAtMost,
    /// Files of others as well.
    OfOthers,
    /// It cannot be seen.
    Unseen,
}

/// A port we would listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortFacts {
    /// For what.
    pub whose: String,
    /// The setting that chooses it.
    pub setting: &'static str,
    /// Where.
    pub address: SocketAddr,
    /// How it stands with it.
    pub state: PortState,
}

/// How it stands with a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortState {
    /// It can be had.
    Free,
    /// A program has it: which, if that can be seen.
    Taken(Option<Holder>),
    /// This user may not have it.
    Denied,
    /// This machine has no such address.
    NoSuchAddress(IpAddr),
    /// Something else.
    Other(String),
}

/// A program that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Whether it is this program, running.
    pub is_greenroom: bool,
}
