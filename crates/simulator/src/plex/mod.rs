//! Plex.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::class::Class;
use crate::running::Running;
use crate::serve::{Answer, Asked, Dialect, Ground};
use crate::users::Users;

/// Points on which Plex servers differ, or are not known.
#[derive(Debug, Clone, Default)]
pub struct Switches {}

/// How a simulated Plex is set up.
pub type Options = crate::options::Options<Switches>;

/// A simulated Plex that has not been started.
#[derive(Debug, Clone)]
pub struct Plex {
    options: Options,
}

impl Plex {
    /// A Plex with these options.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Starts it. Its tasks run on `tracker`.
    pub async fn start(self, address: SocketAddr, tracker: &TaskTracker) -> io::Result<Running> {
        let users = self.options.users.clone().unwrap_or_else(|| Users::standard("plx"));
        Running::start(&self.options, users, address, tracker, |_| Language).await
    }
}

struct Language;

impl Dialect for Language {
    fn class(&self, _asked: &Asked) -> Class {
        Class::Other
    }

    fn secret(&self, asked: &Asked) -> Option<String> {
        asked.header("x-plex-token").map(str::to_owned).or_else(|| asked.param("X-Plex-Token"))
    }

    fn answer(&self, _asked: Asked, _ground: &Arc<Ground>) -> Answer {
        Answer::empty(404)
    }

    fn start_page(&self) -> Answer {
        Answer::empty(503)
    }
}
