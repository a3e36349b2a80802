//! One of the two ways the apps are pointed: at the servers themselves, or at Greenroom in front of servers of its own.

use std::sync::Arc;

use super::book::Book;
use super::column::Column;
use super::evening::{self, Doors, Evening};
use super::figures::Side;
use super::leftovers;
use super::pace::Pace;
use super::servers::Servers;
use super::{Plan, Tell};

/// A way, and what its apps did in the evening.
#[derive(Debug)]
pub(super) struct Way {
    /// What is counted on it.
    pub(super) column: Arc<Column>,
    /// Where its apps are told that their servers are.
    pub(super) doors: Doors,
    /// The evening as it was written down.
    pub(super) book: Arc<Book>,
}

/// The evening on one way.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) sides: Vec<(&'static str, Side)>,
    pub(super) reached: u64,
    pub(super) writes: u64,
    pub(super) leftovers: String,
}

impl Way {
    /// A way to these doors, before these servers, on which nothing was asked yet.
    pub(super) fn to(doors: Doors, servers: Arc<Servers>) -> Self {
        let column = Arc::new(Column::new(servers));
        let book = Arc::new(Book::new(Arc::clone(&column)));
        Self { column, doors, book }
    }

    /// Plays the evening.
    pub(super) async fn play(&self, evening: &Evening, pace: &Pace, tell: Tell) -> Run {
        let servers = &self.column.servers;
        let news = || {
            let (asked, reached) = (self.book.requests(), servers.reached());
            format!("the apps asked {asked} times, {reached} requests reached the servers")
        };
        tokio::join!(
            evening::play(evening, &self.column, &self.doors, pace, &self.book),
            evening::report(evening, pace, tell, news)
        );
        // Read before the restart and the outage, which do not belong to the evening.
        let (sides, reached, writes) = (self.book.figures(), servers.reached(), servers.written());
        Run { sides, reached, writes, leftovers: leftovers::render(servers) }
    }

    /// Lets the apps go on reading for a minute. Tells what was written down.
    pub(super) async fn read_on(&self, plan: &Plan, evening: &Evening) -> Arc<Book> {
        evening::read_on(plan, evening, &self.column, &self.doors, &evening::visit(&self.book)).await
    }
}
