//! The restart: Greenroom ends and starts again, and the apps go on reading for a minute. The reads are those of the
//! outage that follows; pointed at the servers nothing is started again, and they are asked for all of it.

use super::Plan;
use super::evening::Evening;
use super::figures::Side;
use super::way::Way;

/// Lets the apps read for a minute.
pub(super) async fn play(plan: &Plan, evening: &Evening, way: &Way) -> Side {
    let servers = &way.column.servers;
    let before = servers.reached();
    let book = way.read_on(plan, evening).await;
    book.whole(servers.reached() - before)
}
