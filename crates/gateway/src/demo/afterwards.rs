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
            // Each minute has a book of its own, which is closed with it: only the columns go on counting.
            tokio::join!(direct.read_on(plan, evening), through.read_on(plan, evening));
        }
    }
}
