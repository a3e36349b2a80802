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
pub(super) struct StatsSnapshot {
    /// The time of these values.
    pub(super) as_of_ms: u64,
    /// Start of the counts.
    pub(super) since_ms: u64,
    /// The version of this program.
    pub(super) version: &'static str,
    pub(super) totals: StatsTotals,
    pub(super) memory: MemoryTierStats,
    /// The disk tier, if configured.
    pub(super) disk: Option<DiskTierStats>,
    /// Active warnings with their remedies.
    pub(super) warnings: Vec<ServerWarning>,
    pub(super) servers: Vec<ServerStats>,
    pub(super) apps: Vec<AppStats>,
    pub(super) classes: Vec<ClassCacheStats>,
    /// Active bypasses.
    pub(super) bypasses: Vec<Bypass>,
    /// Library indexes.
    pub(super) libraries: Vec<index::LibraryReport>,
    /// Jobs that run now, index builds left out.
    pub(super) jobs_running: usize,
    /// Index builds that run now.
    pub(super) builds_running: usize,
    /// Statistics since midnight.
    pub(super) today: Option<TodaySummary>,
    /// Time of the dashboard statistics; 0 before there are any. A page reloads them when it changes.
    pub(super) dashboard_ms: u64,
}

/// Sums over all servers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(super) struct StatsTotals {
    /// Requests of apps.
    pub(super) asked: u64,
    /// Requests that reached a server, own requests included.
    pub(super) reached: u64,
    /// Requests that were answered without asking the server.
    pub(super) saved: u64,
    /// Requests that reached a server and that no app waited for.
    pub(super) own: u64,
    /// Hit rate of cacheable reads.
    pub(super) hit_rate: Option<f64>,
}

/// A warning for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ServerWarning {
    /// Its identifier: the server, if it concerns one, and the code.
    pub(super) id: String,
    /// The server concerned; absent if it concerns the process.
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
