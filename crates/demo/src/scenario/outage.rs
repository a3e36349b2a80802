//! The outage: the servers are down for a minute, and the apps go on reading.

use super::DemoPlan;
use super::comparison::ReadCounts;
use super::target::DemoTarget;
use super::workload::Workload;

/// Takes the servers down, lets the apps read for a minute, and restores the servers. The reads are the same whether
/// they are answered or not.
pub(super) async fn play(plan: &DemoPlan, evening: &Workload, target: &DemoTarget) -> ReadCounts {
    target.stats.take_servers_down();
    let records = target.repeat_reads(plan, evening).await;
    target.stats.restore_servers();
    ReadCounts { reads: records.requests(), failed: records.failed() }
}
