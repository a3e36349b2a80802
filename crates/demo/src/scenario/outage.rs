//! The outage: the servers are down for a minute, and the apps go on reading.

use super::Plan;
use super::board::Board;
use super::evening::Evening;
use super::figures::Reads;
use super::phase::Phase;
use super::way::Way;

/// Takes the servers down, lets the apps read for a minute, and brings the servers back. The reads are the same
/// whether they are answered or not.
pub(super) async fn play(plan: &Plan, evening: &Evening, board: &Board, phase: Phase, way: &Way) -> Reads {
    board.hold_plug(phase);
    let book = way.read_on(plan, evening).await;
    board.let_go_of_plug();
    Reads { reads: book.requests(), failed: book.failed() }
}
