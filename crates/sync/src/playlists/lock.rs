//! Runs take turns: a playlist is written by one at a time.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Locks that stand for all playlists there can be: two in one wait for each other without need, which costs little.
const WRITERS: usize = 64;

/// The turns of all playlists.
#[derive(Debug)]
pub(super) struct Turns(Vec<Arc<Mutex<()>>>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..WRITERS).map(|_| Arc::default()).collect())
    }
}

impl Turns {
    /// Waits for the turn to write the playlist of this name.
    pub(super) async fn to_write(&self, server: &str, name: &str) -> OwnedMutexGuard<()> {
        let hash = blake3::hash(format!("{server}\0{name}").as_bytes());
        let lock = &self.0[usize::from(hash.as_bytes()[0]) % self.0.len()];
        Arc::clone(lock).lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn one_has_the_turn_and_the_other_when_the_first_is_done() {
        let turns = Turns::default();
        let one = turns.to_write("home", "Weekly").await;
        let mut other = pin!(turns.to_write("home", "Weekly"));
        let waits = poll_fn(|context| Poll::Ready(other.as_mut().poll(context).is_pending())).await;
        assert!(waits);
        drop(one);
        drop(other.await);
    }
}
