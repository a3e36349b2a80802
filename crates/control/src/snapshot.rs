//! Everything that is shown, at one moment: servers, apps, classes, totals.

use serde::Serialize;
use utoipa::ToSchema;

use super::apps::AppFigures;
use super::disk::DiskFigures;
use super::servers::ServerFigures;
use crate::stats::{ClassFigures, Memory};
use greenroom_proxy::bypass::Bypass;
use greenroom_proxy::statistics::Today;
use greenroom_state::warnings::Warning;
use greenroom_sync::index;

/// The figures of one moment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Figures)]
pub(super) struct Snapshot {
    /// Of when these figures are.
    pub(super) as_of_ms: u64,
    /// Since when they count.
    pub(super) since_ms: u64,
    /// The version of this program.
    pub(super) version: &'static str,
    pub(super) totals: Totals,
    pub(super) memory: Memory,
    /// The disk tier, where there is one.
    pub(super) disk: Option<DiskFigures>,
    /// What is set up badly, and what to do about it.
    pub(super) warnings: Vec<ServerWarning>,
    pub(super) servers: Vec<ServerFigures>,
    pub(super) apps: Vec<AppFigures>,
    pub(super) classes: Vec<ClassFigures>,
    /// What goes past the cache.
    pub(super) bypasses: Vec<Bypass>,
    /// What is kept whole of libraries.
    pub(super) libraries: Vec<index::Report>,
    /// Jobs that run now.
    pub(super) jobs_running: usize,
    /// What happened since midnight.
    pub(super) today: Option<Today>,
    /// Of when the figures of the dashboard are; 0 before there were any. Whoever shows them asks for them when this moves.
    pub(super) dashboard_ms: u64,
}

/// Sums over all servers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(super) struct Totals {
    /// Requests that apps made.
    pub(super) asked: u64,
    /// Requests that reached a server, ours included.
    pub(super) reached: u64,
    /// Requests that were answered without asking the server.
    pub(super) saved: u64,
    /// Of those that reached a server, the ones that no app waited for.
    pub(super) own: u64,
    /// The share of keepable reads that was answered at once.
    pub(super) hit_rate: Option<f64>,
}

/// Something a person should change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ServerWarning {
    /// What it goes by: the server, if it is about one, and the word for it.
    pub(super) id: String,
    /// Which server it is about; none if it is about the process.
    pub(super) server: Option<String>,
    #[serde(flatten)]
    pub(super) warning: Warning,
}

impl ServerWarning {
    pub(super) fn new(server: Option<&str>, warning: Warning) -> Self {
        let id = match server {
            Some(server) => format!("{server}/{}", warning.name()),
            None => warning.name(),
        };
        Self { id, server: server.map(str::to_owned), warning }
    }
}
