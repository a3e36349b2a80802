//! Health checks for supervisors of the process. They reveal no secret and no address.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use greenroom_control::control::ManagedServer;
use greenroom_control::http_apis::ManagedApi;
use greenroom_control::servers::ServerStatus;
use greenroom_control::state::ApiState;

#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    ready: bool,
    servers: Vec<ServerReadiness>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerCondition)]
struct ServerReadiness {
    name: String,
    state: ServerStatus,
}

/// The process runs.
#[utoipa::path(get, path = "/healthz", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// All listeners are up (they are before this one answers), and not every server has failed.
#[utoipa::path(
    get,
    path = "/readyz",
    responses(
        (status = 200, body = Readiness),
        (status = 503, description = "Every server is down", body = Readiness),
    ),
)]
pub(super) async fn ready(State(state): State<Arc<ApiState>>) -> Response {
    let readiness = |managed: &ManagedServer| ServerReadiness {
        name: managed.server.name().to_owned(),
        state: ServerStatus::from_server(&managed.server),
    };
    let of_api = |api: &ManagedApi| ServerReadiness { name: api.server.name().to_owned(), state: api.status() };
    let control = &state.control;
    let servers: Vec<ServerReadiness> =
        control.servers.iter().map(readiness).chain(control.apis.iter().map(of_api)).collect();
    let ready = is_ready(servers.iter().map(|server| server.state));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, servers })).into_response()
}

fn is_ready(mut states: impl ExactSizeIterator<Item = ServerStatus>) -> bool {
    states.len() == 0 || states.any(|state| state != ServerStatus::Unwell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_that_is_not_known_to_be_down_is_enough() {
        use ServerStatus::{Unknown, Unwell, Well};
        let cases: [(&[ServerStatus], bool); 6] = [
            (&[], true),
            (&[Unknown], true),
            (&[Well], true),
            (&[Unwell], false),
            (&[Unwell, Unwell], false),
            (&[Unwell, Well], true),
        ];
        for (states, expected) in cases {
            assert_eq!(is_ready(states.iter().copied()), expected, "{states:?}");
        }
    }
}
