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
        if !is_alone || !was_alone {
            overheard.clone().listen().await;
        }
        was_alone = is_alone;
    }
}

impl Overheard {
    /// Takes up what holds on disk.
    async fn listen(self: Arc<Self>) {
        let Some(tasks) = self.servers.first().map(|server| server.tasks.clone()) else { return };
        let turn = Arc::clone(&self.lifetimes.turn);
        let _alone = turn.lock().await;
        let reading = tasks.spawn_blocking(move || {
            self.bypasses.hear();
            for server in &self.servers {
                match self.lifetimes.read(server.name()) {
                    Ok(all) => server.lifetimes.hear(&all),
                    Err(reason) => tracing::debug!(reason, "what another gateway was told cannot be read"),
                }
            }
        });
        // What broke off is read again in a second.
        drop(reading.await);
    }
}
