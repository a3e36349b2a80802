//! Checks whether Jellyfin trusts a proxy, which it reports to administrators. If it trusts none, it takes all clients
//! for this machine.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::class::Class;
use greenroom_dialect::request::ServerKind;
use serde::Deserialize;

use crate::server::Server;
use greenroom_origin::body::{CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_origin::scheduler::QueueRequest;
pub use greenroom_origin::trusted_proxies::ProxyTrust;

/// Interval of the check.
const INTERVAL: Duration = Duration::from_secs(60 * 60);
/// Timeout for the response.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Endpoint with the setting.
const NETWORK_CONFIG_PATH: &str = "/System/Configuration/network";
const MAX_BYTES: u64 = 256 * 1024;

#[derive(Deserialize)]
struct NetworkConfig {
    #[serde(rename = "KnownProxies", alias = "knownProxies")]
    known_proxies: Vec<String>,
}

/// Checks a Jellyfin server now and every hour with the configured token, until shutdown.
pub async fn watch(server: Arc<Server>) {
    if server.origin.settings.kind != ServerKind::Jellyfin || server.origin.settings.token.is_none() {
        return;
    }
    loop {
        // Without a response the warning stays as it was.
        if let Some((status, body)) = server.origin.clock.timeout(TIMEOUT, fetch(&server)).await.ok().flatten() {
            server.proxy_trust.set(parse(status, &body));
        }
        tokio::select! {
            () = server.origin.stop.cancelled() => return,
            () = server.origin.clock.sleep(INTERVAL) => {}
        }
    }
}

fn parse(status: u16, body: &[u8]) -> ProxyTrust {
    match serde_json::from_slice::<NetworkConfig>(body) {
        Ok(network) if status == 200 && network.known_proxies.is_empty() => ProxyTrust::None,
        Ok(_) if status == 200 => ProxyTrust::Some,
        _ => ProxyTrust::Unknown,
    }
}

/// Status and body; `None` if the server cannot be asked now.
async fn fetch(server: &Server) -> Option<(u16, Vec<u8>)> {
    let credential = server.origin.own_credential()?;
    if !server.origin.breaker.allows_requests() {
        return None;
    }
    let request = server.origin.own_request(NETWORK_CONFIG_PATH, &credential)?;
    let _permit = server.origin.queue.acquire(QueueRequest::background(None, Class::Server)).await.ok()?;
    server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
    let response =
        server.origin.send(request, UpstreamRequestKind::Read, breaker::key_of(NETWORK_CONFIG_PATH)).await.ok()?;
    let status = response.status().as_u16();
    match collect(response.into_body(), MAX_BYTES).await {
        CollectedBody::Whole(body) => Some((status, body.to_vec())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_list_means_no_trusted_proxy() {
        for (status, body, expected) in [
            (200, r#"{"KnownProxies":[]}"#, ProxyTrust::None),
            (200, r#"{"knownProxies":["10.0.0.2"]}"#, ProxyTrust::Some),
            (403, r#"{"KnownProxies":[]}"#, ProxyTrust::Unknown),
            (200, "{}", ProxyTrust::Unknown),
            (200, "<html>", ProxyTrust::Unknown),
        ] {
            assert_eq!(parse(status, body.as_bytes()), expected, "{status} {body}");
        }
    }
}
