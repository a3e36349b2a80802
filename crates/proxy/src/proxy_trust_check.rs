//! Whether Jellyfin trusts anybody as a proxy: it says so to its administrators. Without that it takes whoever comes
//! through here for this machine.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::ask::Kind;
use greenroom_dialect::class::Class;
use serde::Deserialize;

use crate::server::Server;
pub use crate::trusted_proxies::Proxies;
use greenroom_origin::body::{Collected, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::Lane;
use greenroom_origin::scheduler::Errand;

/// How often it is asked again.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What tells it.
const ASKED_FOR: &str = "/System/Configuration/network";
const MAX_BYTES: u64 = 256 * 1024;

#[derive(Deserialize)]
struct Network {
    #[serde(rename = "KnownProxies", alias = "knownProxies")]
    known_proxies: Vec<String>,
}

/// Asks a Jellyfin now and every hour with the configured token, until the process stops.
pub async fn watch(server: Arc<Server>) {
    if server.origin.settings.kind != Kind::Jellyfin || server.origin.settings.token.is_none() {
        return;
    }
    loop {
        // A server that does not answer says nothing either way.
        if let Some((status, body)) = server.origin.clock.timeout(PATIENCE, ask(&server)).await.ok().flatten()
        {
            server.proxies.note(understood(status, &body));
        }
        tokio::select! {
            () = server.origin.stop.cancelled() => return,
            () = server.origin.clock.sleep(EVERY) => {}
        }
    }
}

fn understood(status: u16, body: &[u8]) -> Proxies {
    match serde_json::from_slice::<Network>(body) {
        Ok(network) if status == 200 && network.known_proxies.is_empty() => Proxies::None,
        Ok(_) if status == 200 => Proxies::Some,
        _ => Proxies::Unknown,
    }
}

/// Status and body; `None` if it cannot be asked now.
async fn ask(server: &Server) -> Option<(u16, Vec<u8>)> {
    let credential = server.origin.own_credential()?;
    if !server.origin.breaker.admits() {
        return None;
    }
    let request = server.origin.own_request(ASKED_FOR, &credential)?;
    let _place = server.origin.queue.place(Errand::own(None, Class::Server)).await.ok()?;
    server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
    let response = server.origin.send(request, Lane::Read, breaker::key_of(ASKED_FOR)).await.ok()?;
    let status = response.status().as_u16();
    match collect(response.into_body(), MAX_BYTES).await {
        Collected::Whole(body) => Some((status, body.to_vec())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_list_means_nobody() {
        for (status, body, wanted) in [
            (200, r#"{"KnownProxies":[]}"#, Proxies::None),
            (200, r#"{"knownProxies":["10.0.0.2"]}"#, Proxies::Some),
            (403, r#"{"KnownProxies":[]}"#, Proxies::Unknown),
            (200, "{}", Proxies::Unknown),
            (200, "<html>", Proxies::Unknown),
        ] {
            assert_eq!(understood(status, body.as_bytes()), wanted, "{status} {body}");
        }
    }
}
