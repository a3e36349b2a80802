//! Serialises runs that write the same playlist.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Locks shared by all playlists: two playlists with one lock wait for each other needlessly, which costs little.
const LOCK_COUNT: usize = 64;

/// Locks of all playlists.
#[derive(Debug)]
pub(super) struct PlaylistLocks(Vec<Arc<Mutex<()>>>);

impl Default for PlaylistLocks {
    fn default() -> Self {
        Self((0..LOCK_COUNT).map(|_| Arc::default()).collect())
    }
}

impl PlaylistLocks {
    /// Waits for the lock on the playlist of this name.
    pub(super) async fn lock(&self, server: &str, name: &str) -> OwnedMutexGuard<()> {
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
    async fn a_second_writer_waits_until_the_first_has_finished() {
        let turns = PlaylistLocks::default();
        let one = turns.lock("home", "Weekly").await;
        let mut other = pin!(turns.lock("home", "Weekly"));
        let is_waiting = poll_fn(|context| Poll::Ready(other.as_mut().poll(context).is_pending())).await;
        assert!(is_waiting);
        drop(one);
        drop(other.await);
    }
}
