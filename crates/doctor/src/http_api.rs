//! Gathers facts on a server of any HTTP API by one or two requests.

use bytes::Bytes;
use greenroom_cache::Clock;
use greenroom_config::{Endpoint, HttpApiSettings};
use greenroom_origin::probe_client::{ProbeClient, ProbeTrust};
use http::Request;

use crate::facts::{HttpApiFacts, ProbeAnswer};
use crate::server::clock_ahead_s;

/// Gathers the facts that the checks need. The request is that of the gateway's own probe, without credentials.
pub async fn gather(server: &HttpApiSettings, enquirer: &ProbeClient) -> HttpApiFacts {
    let client = enquirer.with_trust(ProbeTrust::for_http_api(server));
    let endpoint = Endpoint::from_http_api(server);
    let clock = Clock::system();
    let began_ms = clock.now_ms();
    let request = Request::get(server.probe.as_str()).body(Bytes::new()).unwrap_or_default();
    let answer = client.send(&endpoint, request).await.map(|response| {
        let now_ms = clock.now_ms();
        ProbeAnswer {
            status: response.status,
            took_ms: now_ms.saturating_sub(began_ms),
            clock_ahead_s: clock_ahead_s(&response, began_ms.midpoint(now_ms)),
        }
    });
    let certificate = if endpoint.is_encrypted() { Some(client.check_certificate(&endpoint).await) } else { None };
    HttpApiFacts { endpoint, probe: server.probe.clone(), answer, certificate, routes: server.routes.clone() }
}
