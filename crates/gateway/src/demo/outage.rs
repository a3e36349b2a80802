//! The outage: both servers are down for a minute, and the apps go on reading.

use std::sync::Arc;

use super::Plan;
use super::book::Book;
use super::evening::{Doors, Evening, read_on};
use super::figures::Reads;
use super::servers::Servers;

/// Takes the servers down, lets the apps read for a minute, and brings the servers back.
///
/// The reads are the same whether they are answered or not: `written` is the book of the evening before.
pub(super) async fn play(
    plan: &Plan,
    evening: &Evening,
    servers: &Arc<Servers>,
    doors: Doors,
    written: &Book,
) -> Reads {
    servers.go_down();
    let book = read_on(plan, evening, servers, doors, written).await;
    servers.come_back();
    Reads { reads: book.requests(), failed: book.failed() }
}
