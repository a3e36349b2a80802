//! The restart: Greenroom ends and starts again, and the apps go on reading for a minute. The reads are those of the
//! outage that follows; pointed at the servers nothing is started again, and they are asked for all of it.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Plan;
use super::apps::{App, SECOND_VISIT};
use super::book::Book;
use super::evening::{Doors, Evening, finish};
use super::figures::Side;
use super::pace::Pace;
use super::servers::Servers;
use super::visitor::Visitor;

/// Lets the apps read for a minute. `written` is the book of the evening before.
pub(super) async fn play(
    plan: &Plan,
    evening: &Evening,
    servers: &Arc<Servers>,
    doors: Doors,
    written: &Book,
) -> Side {
    let visit: Arc<[String]> = written.read_on(SECOND_VISIT).into();
    let (book, before) = (Arc::new(Book::new(Arc::clone(servers))), servers.reached());
    let pace = Pace::begin(plan.time_factor, evening.length);
    let mut apps = JoinSet::new();
    for app in App::EVERY {
        let visitor =
            Visitor::new(app, doors.to(app.server()), servers.token(app), Arc::clone(&book), pace.clone());
        apps.spawn(app.read_on(visitor, evening.clone(), Arc::clone(&visit)));
    }
    finish(apps).await;
    book.whole(servers.reached() - before)
}
