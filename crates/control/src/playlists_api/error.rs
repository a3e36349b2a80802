//! What is wrong with a wish, and with which status that is said.

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::error::{Problem, ProblemBody};
use greenroom_sync::playlists::report::Failure;

/// Something is wrong with a wish; unlike a [`Problem`] it says what, in words made from the wish.
pub(crate) enum Refusal {
    /// It is what is wrong with other requests too.
    Problem(Problem),
    /// It is told so; with the run that it is about.
    Told(StatusCode, Failure, Option<String>),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let status = match failure.code.as_str() {
            "unknown-server" | "unknown-account" | "unknown-library" | "no-playlist" => StatusCode::NOT_FOUND,
            "library-not-built" | "library-off" | "no-token" | "already-running" | "several-playlists" => {
                StatusCode::CONFLICT
            }
            "too-many-runs" => StatusCode::SERVICE_UNAVAILABLE,
            "bad-wish" | "no-name" | "which-server" => StatusCode::BAD_REQUEST,
            "too-long" => StatusCode::PAYLOAD_TOO_LARGE,
            "unreadable" | "no-rows" => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::BAD_GATEWAY,
        };
        Self::Told(status, failure, None)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, failure, run) = match self {
            Self::Problem(problem) => return problem.into_response(),
            Self::Told(status, failure, run) => (status, failure, run),
        };
        let title = status.canonical_reason().unwrap_or("Refused");
        let mut problem = ProblemBody::new(status, &failure.code, title, &failure.message);
        problem.run = run.as_deref();
        problem.into_response()
    }
}
