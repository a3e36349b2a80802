//! All displayed values at one moment: servers, apps, request types, totals.

use serde::Serialize;
use utoipa::ToSchema;

use super::apps::AppStats;
use super::disk::DiskTierStats;
use super::servers::ServerStats;
use crate::stats::{ClassCacheStats, MemoryTierStats};
use greenroom_state::bypass::Bypass;
use greenroom_state::warnings::Warning;
use greenroom_statistics::TodaySummary;
use greenroom_sync::index;

/// The statistics at one moment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Figures)]
pub struct StatsSnapshot {
    /// The time of these values.
    pub(crate) as_of_ms: u64,
    /// Start of the counts.
    pub(crate) since_ms: u64,
    /// The version of this program.
    pub(crate) version: &'static str,
    pub(crate) totals: StatsTotals,
    pub(crate) memory: MemoryTierStats,
    /// The disk tier, if configured.
    pub(crate) disk: Option<DiskTierStats>,
    /// Active warnings with their remedies.
    pub(crate) warnings: Vec<ServerWarning>,
    /// The servers.
    pub servers: Vec<ServerStats>,
    pub(crate) apps: Vec<AppStats>,
    pub(crate) classes: Vec<ClassCacheStats>,
    /// Active bypasses.
    pub(crate) bypasses: Vec<Bypass>,
    /// Library indexes.
    pub(crate) libraries: Vec<index::LibraryReport>,
    /// Jobs that run now, index builds left out.
    pub(crate) jobs_running: usize,
    /// Index builds that run now.
    pub(crate) builds_running: usize,
    /// Statistics since midnight.
    pub(crate) today: Option<TodaySummary>,
    /// Time of the dashboard statistics; 0 before there are any. A page reloads them when it changes.
    pub(crate) dashboard_ms: u64,
}

/// Sums over all servers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct StatsTotals {
    /// Requests of apps.
    pub(crate) asked: u64,
    /// Requests that reached a server, own requests included.
    pub(crate) reached: u64,
    /// Requests that were answered without asking the server.
    pub(crate) saved: u64,
    /// Requests that reached a server and that no app waited for.
    pub(crate) own: u64,
    /// Hit rate of cacheable reads.
    pub(crate) hit_rate: Option<f64>,
}

/// A warning for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServerWarning {
    /// Its identifier: the server, if it concerns one, and the code.
    pub(crate) id: String,
    /// The server concerned; absent if it concerns the process.
    pub server: Option<String>,
    /// The warning.
    #[serde(flatten)]
    pub warning: Warning,
}

impl ServerWarning {
    /// This warning, about this server or about the process.
    pub fn new(server: Option<&str>, warning: Warning) -> Self {
        let id = match server {
            Some(server) => format!("{server}/{}", warning.name()),
            None => warning.name(),
        };
        Self { id, server: server.map(str::to_owned), warning }
    }
}
