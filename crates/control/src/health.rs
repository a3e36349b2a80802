//! Health checks for supervisors of the process. They reveal no secret and no address.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::control::{ApiState, ManagedServer};
use crate::servers::ServerStatus as Wellbeing;

#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    ready: bool,
    servers: Vec<ServerReadiness>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerCondition)]
struct ServerReadiness {
    name: String,
    state: Wellbeing,
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
        (status = 503, description = "Every server is unwell", body = Readiness),
    ),
)]
pub(super) async fn ready(State(plane): State<Arc<ApiState>>) -> Response {
    let condition = |shown: &ManagedServer| ServerReadiness {
        name: shown.server.name().to_owned(),
        state: Wellbeing::from_server(&shown.server),
    };
    let servers: Vec<ServerReadiness> = plane.control.servers.iter().map(condition).collect();
    let ready = is_ready(servers.iter().map(|server| server.state));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, servers })).into_response()
}

fn is_ready(mut states: impl ExactSizeIterator<Item = Wellbeing>) -> bool {
    states.len() == 0 || states.any(|state| state != Wellbeing::Unwell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_that_is_not_known_to_be_bad_is_enough() {
        use Wellbeing::{Unknown, Unwell, Well};
        let cases: [(&[Wellbeing], bool); 6] = [
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
