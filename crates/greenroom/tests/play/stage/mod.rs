//! The stage on which tests play: a media server, the whole process in front of it, a client. When it is taken down,
//! every task has to have ended.

pub mod client;
pub mod encrypted;
pub mod hung;
pub mod raw;
pub mod receiver;
pub mod scripted;
pub mod waiting;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use greenroom::app::Process;
use greenroom_cache::Clock;
use greenroom_config::{Settings, Tree};
use tempfile::TempDir;

pub use client::{Answer, Client};
pub use raw::Raw;

/// Configuration of a stage: lines of TOML for servers on loopback, every listener on a free port.
pub struct Script {
    toml: String,
    data_dir: Option<PathBuf>,
}

impl Script {
    pub fn new() -> Self {
        Self::with_control("")
    }

    /// `more` holds further lines of the control plane's table.
    pub fn with_control(more: &str) -> Self {
        Self { toml: format!("[control]\nlisten = \"127.0.0.1:0\"\n{more}\n"), data_dir: None }
    }

    /// State is kept in this folder, and outlives the stage.
    #[must_use]
    pub fn data_dir(mut self, path: &Path) -> Self {
        self.data_dir = Some(path.to_owned());
        self
    }

    /// One more table, as it is written.
    #[must_use]
    pub fn table(mut self, table: &str) -> Self {
        self.toml += table;
        self.toml += "\n";
        self
    }

    /// A line above all tables.
    #[must_use]
    pub fn top(mut self, line: &str) -> Self {
        self.toml = format!("{line}\n{}", self.toml);
        self
    }

    /// One more server; `more` holds further lines of its table.
    #[must_use]
    pub fn server(mut self, name: &str, kind: &str, url: &str, more: &str) -> Self {
        let head = format!("[[server]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"{url}\"\n");
        self.toml += &head;
        self.toml += "listen = \"127.0.0.1:0\"\n";
        self.toml += more;
        self.toml += "\n";
        self
    }

    pub async fn start(self) -> Stage {
        self.start_at(Clock::system()).await
    }

    pub async fn start_at(self, clock: Clock) -> Stage {
        let folder = tempfile::tempdir().expect("a folder");
        let mut tree = Tree::default();
        tree.add_toml("stage", &self.toml);
        let data_dir = self.data_dir.as_deref().unwrap_or(folder.path());
        tree.set("data_dir", data_dir.display().to_string(), "stage".into());
        let settings = Settings::read(tree).unwrap_or_else(|problems| panic!("{problems:?}"));
        let process = Process::start(settings, clock).await.expect("it starts");
        process.servers.iter().for_each(|(server, _)| waiting::remember(server));
        Stage { process, folder }
    }
}

/// A running process.
pub struct Stage {
    pub process: Process,
    folder: TempDir,
}

impl Stage {
    /// Where clients find the server.
    pub fn address(&self, index: usize) -> SocketAddr {
        self.process.servers[index].1
    }

    /// A client of the first server.
    pub fn client(&self) -> Client {
        Client::new(self.address(0))
    }

    /// A program that shows the control token.
    pub fn control(&self) -> Client {
        let bearer = format!("Bearer {}", self.process.token.secret.expose());
        let client = Client::new(self.process.control).with("content-type", "application/json");
        client.with("authorization", &bearer)
    }

    /// Where its files are.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A connection to the first server's listener on which anything can be said.
    pub async fn raw(&self) -> Raw {
        Raw::connect(self.address(0)).await
    }

    /// Takes it down; everything that was started has to end.
    pub async fn down(self) {
        assert!(self.process.stop().await, "something that was started did not end");
        drop(self.folder);
    }
}
