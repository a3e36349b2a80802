//! Follows a server's own events, and asks it what changed while its events are late or do not arrive.
//!
//! Plex reports library changes and playback to its owner over one socket; Jellyfin reports to each user. Jellyfin
//! announces an edit half a minute late; so while reads are answered from the cache, the server is asked every few
//! seconds what changed. Modules: `connection` (the socket), `pulse` (what changed), `users` (whose rights changed).

mod connection;
mod pulse;
mod users;

use std::sync::Arc;

use crate::server::Server;

/// Follows the server's events until stopped.
pub async fn run(server: Arc<Server>) {
    let stop = server.origin.stop.clone();
    // What changes until the last fingerprints are taken must be heard.
    let stopped = async {
        stop.cancelled().await;
        server.confirmation.wait_last_taken().await;
    };
    let work = async { tokio::join!(connection::subscribe(&server), pulse::run(&server)) };
    tokio::select! {
        () = stopped => {}
        _ = work => {}
    }
}
