//! The restart: Greenroom ends and starts again, and the apps go on reading for a minute. The reads are those of the
//! outage that follows; pointed at the servers nothing is started again, and they are asked for all of it.

use std::sync::Arc;

use super::Plan;
use super::book::Book;
use super::evening::{Doors, Evening, read_on};
use super::figures::Side;
use super::servers::Servers;

/// Lets the apps read for a minute. `written` is the book of the evening before.
pub(super) async fn play(
    plan: &Plan,
    evening: &Evening,
    servers: &Arc<Servers>,
    doors: Doors,
    written: &Book,
) -> Side {
    let before = servers.reached();
    let book = read_on(plan, evening, servers, doors, written).await;
    book.whole(servers.reached() - before)
}
