//! The account service (plex.tv): codes that authorize a device, and the servers of an account.
//!
//! Real servers leave this to a machine of the vendor. Here the same address answers both, so that one simulated server
//! is enough to log in against. JSON only, as in the vendor's documentation.

mod resources;

use http::Method;
use serde_json::{Value, json};

use super::server::PlexServer;
use greenroom_simulator_backend::serve::{SimulatedRequest, SimulatedResponse, SimulatorContext};

/// Path prefix of the account service.
const PREFIX: &[&str] = &["api", "v2"];

/// Whether a path belongs to the account service.
pub(super) fn is_account_path(path: &[&str]) -> bool {
    path.starts_with(PREFIX)
}

/// Response of the account service; `secret` is the token of the request.
pub(super) fn answer(
    asked: &SimulatedRequest,
    path: &[&str],
    secret: Option<&str>,
    server: &PlexServer,
    ground: &SimulatorContext,
) -> SimulatedResponse {
    let Some(client) = client_field(asked, "X-Plex-Client-Identifier") else {
        return refused(400, 1000, "X-Plex-Client-Identifier is missing");
    };
    match (&asked.method, &path[PREFIX.len()..]) {
        (&Method::POST, ["pins"]) => {
            let strong = asked.param("strong").is_some_and(|word| matches!(word.as_str(), "true" | "1"));
            let product = client_field(asked, "X-Plex-Product").unwrap_or_default();
            let pin = server.pins.begin(&client, &product, strong, ground.state.clock().now_ms());
            json(201, &pin.written(ground.state.clock().now_ms()))
        }
        (&Method::GET, ["pins", id]) => {
            let now_ms = ground.state.clock().now_ms();
            let pin = id.parse().ok().and_then(|id| server.pins.get(id, &client, now_ms));
            pin.map_or_else(|| refused(404, 1020, "Code not found or expired"), |pin| json(200, &pin.written(now_ms)))
        }
        (&Method::GET, ["resources"]) => {
            let token = secret.and_then(|secret| ground.token(secret));
            let user = token.and_then(|token| ground.state.user(token.user?));
            match (token, user) {
                (Some(token), Some(user)) => json(200, &resources::list(&user, token, server)),
                _ => refused(401, 1001, "User could not be authenticated"),
            }
        }
        _ => refused(404, 1002, "Not found"),
    }
}

/// `POST /__simulator/link?code=CODE&token=LABEL`: simulates a person in a browser, as the owner if no token is named.
pub(super) fn link(asked: &SimulatedRequest, server: &PlexServer, ground: &SimulatorContext) -> SimulatedResponse {
    let label = asked.param("token").unwrap_or_else(|| "owner-a".into());
    let token = ground.state.users().tokens.iter().find(|token| token.label == label);
    let code = asked.param("code").unwrap_or_default();
    match token {
        Some(token) if server.pins.link(&code, &token.secret, ground.state.clock().now_ms()) => {
            SimulatedResponse::empty(204)
        }
        Some(_) => SimulatedResponse::text(404, "text/plain", "no such code waits"),
        None => SimulatedResponse::text(404, "text/plain", "no such token"),
    }
}

/// Client identification, from a header or the query.
fn client_field(asked: &SimulatedRequest, name: &str) -> Option<String> {
    let header = asked.header(name).map(str::to_owned);
    header.or_else(|| asked.param(name)).filter(|word| !word.is_empty())
}

fn json(status: u16, value: &Value) -> SimulatedResponse {
    SimulatedResponse::new(status, "application/json; charset=utf-8", value.to_string())
}

fn refused(status: u16, code: u32, message: &str) -> SimulatedResponse {
    json(status, &json!({"errors": [{"code": code, "message": message, "status": status}]}))
}
