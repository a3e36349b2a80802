//! The outage: the servers are down for a minute, and the apps go on reading.

use super::DemoPlan;
use super::comparison::ReadCounts;
use super::live_view::LiveView;
use super::phase::DemoPhase;
use super::target::DemoTarget;
use super::workload::Workload;

/// Takes the servers down, lets the apps read for a minute, and restores the servers. The reads are the same whether
/// they are answered or not.
pub(super) async fn play(
    plan: &DemoPlan,
    evening: &Workload,
    board: &LiveView,
    phase: DemoPhase,
    way: &DemoTarget,
) -> ReadCounts {
    board.begin_measured_outage(phase);
    let book = way.repeat_reads(plan, evening).await;
    board.end_measured_outage();
    ReadCounts { reads: book.requests(), failed: book.failed() }
}
