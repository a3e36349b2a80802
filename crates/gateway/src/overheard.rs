//! What another gateway on the same data directory was told: how long answers live, and what is bypassed. While one is
//! there, both are read again once a second; alone, nobody can have said anything but us.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use tokio_util::sync::CancellationToken;

use crate::bypass::Bypasses;
use crate::lifetimes::Book;
use crate::server::Server;
use crate::state::State;

/// Within this time what was said to one gateway holds in the other, too.
pub const LAG: Duration = Duration::from_secs(1);

/// Where it lies, and whom it concerns.
#[derive(Debug)]
pub struct Overheard {
    /// The servers.
    pub servers: Vec<Arc<Server>>,
    /// Lifetimes.
    pub lifetimes: Book,
    /// Bypasses.
    pub bypasses: Arc<Bypasses>,
    /// Knows whether another gateway is there.
    pub state: Arc<State>,
}

/// Listens until the process is told to stop.
pub async fn keep(overheard: Overheard, clock: Clock, stop: CancellationToken) {
    let overheard = Arc::new(overheard);
    let mut was_alone = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep(LAG) => {}
        }
        let is_alone = overheard.state.is_alone();
        // Once more after the other has gone: it may have been told something last.
        let is_heard = (was_alone && is_alone) || overheard.clone().listen().await;
        // What broke off is read again in a second, even if nobody is there by then.
        was_alone = is_alone && is_heard;
    }
}

impl Overheard {
    /// Takes up what holds on disk. Returns whether all of it could be read.
    async fn listen(self: Arc<Self>) -> bool {
        let Some(tasks) = self.servers.first().map(|server| server.tasks.clone()) else { return true };
        let turn = Arc::clone(&self.lifetimes.turn);
        let _alone = turn.lock().await;
        tasks.spawn_blocking(move || self.take_up()).await.unwrap_or(false)
    }

    fn take_up(&self) -> bool {
        let lifetimes =
            |server: &Arc<Server>| self.lifetimes.read(server.name()).map(|all| server.lifetimes.hear(&all));
        let heard: Vec<Result<(), String>> =
            std::iter::once(self.bypasses.hear()).chain(self.servers.iter().map(lifetimes)).collect();
        for reason in heard.iter().filter_map(|one| one.as_ref().err()) {
            tracing::debug!(reason, "what another gateway was told cannot be read");
        }
        heard.iter().all(Result::is_ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{BYPASS_FILE, DataDir};

    #[test]
    fn what_could_not_be_read_is_not_taken_for_heard() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(folder.path()).expect("it is there");
        let state = Arc::new(State::open(folder.path(), &Arc::default()));
        let (lifetimes, bypasses) = (Book::of(folder.path()), Bypasses::open(&dir));
        let overheard = Overheard { servers: Vec::new(), lifetimes, bypasses, state };
        assert!(overheard.take_up(), "nothing was said");
        dir.replace(BYPASS_FILE, b"{").expect("written");
        assert!(!overheard.take_up());
        dir.replace(BYPASS_FILE, b"{\"bypasses\": [{}]}").expect("written");
        assert!(overheard.take_up() && overheard.bypasses.covers("home", "lists", "x"));
    }
}
