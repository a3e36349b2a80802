//! The restart: Greenroom stops and starts again, and the apps read on for a minute. The reads are those of the outage
//! that follows; pointed at the servers nothing restarts, and the servers receive all reads.

use super::DemoPlan;
use super::comparison::RunStats;
use super::target::DemoTarget;
use super::workload::Workload;

/// Lets the apps read for a minute.
pub(super) async fn play(plan: &DemoPlan, evening: &Workload, way: &DemoTarget) -> RunStats {
    let servers = &way.stats.servers;
    let before = servers.reached();
    let book = way.repeat_reads(plan, evening).await;
    book.total(servers.reached() - before)
}
