//! After the evening: both ways' apps read on, minute by minute, as long as somebody looks at the page. While nobody
//! does, nothing is asked: a demo that was forgotten costs nothing.

use std::sync::Arc;

use super::Plan;
use super::board::Board;
use super::evening::Evening;
use super::way::Way;

/// What reads on.
#[derive(Debug)]
pub(super) struct Afterwards {
    pub(super) plan: Plan,
    pub(super) evening: Evening,
    pub(super) board: Arc<Board>,
    pub(super) direct: Way,
    pub(super) through: Way,
}

impl Afterwards {
    /// Lets the apps read on. Never ends.
    pub(super) async fn play(&self) {
        let Self { plan, evening, board, direct, through } = self;
        loop {
            board.somebody_looks().await;
            let began = board.begin_round();
            // Each minute has a book of its own, which is closed with it: only the columns go on counting.
            tokio::join!(direct.read_on(plan, evening), through.read_on(plan, evening));
            board.end_round(began);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;
    use tokio_util::task::TaskTracker;

    use super::super::evening::Doors;
    use super::super::servers::Servers;
    use super::*;

    async fn way() -> Way {
        let servers =
            Servers::start(&Plan::SMALLEST, &TaskTracker::new()).await.expect("there are free ports");
        Way::to(Doors::of(&servers), servers)
    }

    #[tokio::test]
    async fn both_sides_read_on_as_soon_as_somebody_looks_and_not_before() {
        let board = Arc::new(Board::new(&Plan::SMALLEST));
        let plan = Plan::SMALLEST;
        let evening = Evening::new(&plan);
        let (direct, through) = (way().await, way().await);
        let afterwards = Afterwards { plan, evening, board: Arc::clone(&board), direct, through };
        let mut playing = pin!(afterwards.play());
        assert!(poll!(playing.as_mut()).is_pending());
        let asked = |way: &Way| way.column.shown().asked();
        assert_eq!((asked(&afterwards.direct), asked(&afterwards.through)), (0, 0));
        let _looking = board.look().expect("there is room");
        let both_are_asked = async {
            for way in [&afterwards.direct, &afterwards.through] {
                way.column.servers.plex.ledger().reached(1).await;
            }
        };
        tokio::select! {
            () = playing.as_mut() => panic!("it never ends"),
            () = both_are_asked => {}
        }
    }
}
