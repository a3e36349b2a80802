//! The outage: both servers are down for a minute, and the apps go on reading.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Plan;
use super::apps::{App, SECOND_VISIT};
use super::book::Book;
use super::evening::{Doors, Evening, finish};
use super::figures::Reads;
use super::pace::Pace;
use super::servers::Servers;
use super::visitor::Visitor;

/// How long it lasts.
pub(super) const LENGTH: Duration = Duration::from_secs(60);

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
    let visit: Arc<[String]> = written.read_on(SECOND_VISIT).into();
    let book = Arc::new(Book::new(Arc::clone(servers)));
    servers.go_down();
    let pace = Pace::begin(plan.time_factor, evening.length);
    let mut apps = JoinSet::new();
    for app in App::EVERY {
        let visitor =
            Visitor::new(app, doors.to(app.server()), servers.token(app), Arc::clone(&book), pace.clone());
        apps.spawn(app.read_on(visitor, evening.clone(), Arc::clone(&visit)));
    }
    finish(apps).await;
    servers.come_back();
    Reads { reads: book.requests(), failed: book.failed() }
}
