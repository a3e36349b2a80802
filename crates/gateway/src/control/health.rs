//! Health, for whatever supervises the process. No secret, no address.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use super::Plane;
use super::snapshot::State as Wellbeing;

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    servers: Vec<Condition>,
}

#[derive(Debug, Serialize)]
struct Condition {
    name: String,
    state: Wellbeing,
}

/// The process runs.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// All listeners are up (they are before this one answers), and not every server is unwell.
pub(super) async fn ready(State(plane): State<Arc<Plane>>) -> Response {
    let condition = |shown: &super::Shown| Condition {
        name: shown.server.name().to_owned(),
        state: Wellbeing::of(&shown.server),
    };
    let servers: Vec<Condition> = plane.control.servers.iter().map(condition).collect();
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
