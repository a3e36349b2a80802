//! After the race: the apps of both targets read on, round by round, while the page has viewers. Without viewers
//! no request is sent, so that a forgotten demo costs nothing.

use std::sync::Arc;

use super::DemoPlan;
use super::live_view::LiveView;
use super::target::DemoTarget;
use super::workload::Workload;

/// Plans and targets that read on.
#[derive(Debug)]
pub(super) struct PostRun {
    pub(super) plan: DemoPlan,
    pub(super) workload: Workload,
    pub(super) live_view: Arc<LiveView>,
    pub(super) direct: DemoTarget,
    pub(super) through: DemoTarget,
}

impl PostRun {
    /// Lets the apps read on. Never completes.
    pub(super) async fn run(&self) {
        let Self { plan, workload: evening, live_view: board, direct, through } = self;
        loop {
            board.wait_for_viewer().await;
            let began = board.begin_round();
            // Each round has its own recorder; only the live figures continue.
            tokio::join!(direct.repeat_reads(plan, evening), through.repeat_reads(plan, evening));
            board.end_round(began);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use futures_util::poll;
    use tokio_util::task::TaskTracker;

    use super::super::servers::DemoServers;
    use super::super::workload::ServerAddresses;
    use super::*;

    async fn target() -> DemoTarget {
        let servers = DemoServers::start(&DemoPlan::SMALLEST, &TaskTracker::new()).await.expect("there are free ports");
        DemoTarget::new(ServerAddresses::direct(&servers), servers)
    }

    #[tokio::test]
    async fn both_sides_read_on_as_soon_as_a_page_is_open_and_not_before() {
        let board = Arc::new(LiveView::new(Duration::from_secs(90)));
        let plan = DemoPlan::SMALLEST;
        let workload = Workload::new(&plan);
        let (direct, through) = (target().await, target().await);
        let afterwards = PostRun { plan, workload, live_view: Arc::clone(&board), direct, through };
        let mut playing = pin!(afterwards.run());
        assert!(poll!(playing.as_mut()).is_pending());
        let asked = |way: &DemoTarget| way.stats.snapshot().requests();
        assert_eq!((asked(&afterwards.direct), asked(&afterwards.through)), (0, 0));
        let _looking = board.add_viewer().expect("there is room");
        let both_are_asked = async {
            for way in [&afterwards.direct, &afterwards.through] {
                way.stats.servers.plex.request_log().wait_for_total(1).await;
            }
        };
        tokio::select! {
            () = playing.as_mut() => panic!("it never ends"),
            () = both_are_asked => {}
        }
    }
}
