//! Errors of playlist requests and their statuses.

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use greenroom_control::error::{Problem, ProblemBody};
use greenroom_sync::playlists::report::PlaylistFailure;

/// A failed playlist request; unlike a [`Problem`], its text is made from the request.
pub(crate) enum PlaylistApiError {
    /// A problem that other requests have too.
    Problem(Problem),
    /// Status and failure, with the run concerned.
    Failed(StatusCode, PlaylistFailure, Option<String>),
}

impl From<Problem> for PlaylistApiError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<PlaylistFailure> for PlaylistApiError {
    fn from(failure: PlaylistFailure) -> Self {
        let status = match failure.code.as_str() {
            "unknown-server" | "unknown-account" | "unknown-library" | "no-playlist" => StatusCode::NOT_FOUND,
            "library-not-built" | "library-off" | "no-token" | "already-running" | "several-playlists" => {
                StatusCode::CONFLICT
            }
            "too-many-runs" => StatusCode::SERVICE_UNAVAILABLE,
            "bad-wish" | "no-name" | "which-server" | "which-playlist" => StatusCode::BAD_REQUEST,
            "too-long" => StatusCode::PAYLOAD_TOO_LARGE,
            "unreadable" | "no-rows" => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::BAD_GATEWAY,
        };
        Self::Failed(status, failure, None)
    }
}

impl IntoResponse for PlaylistApiError {
    fn into_response(self) -> Response {
        let (status, failure, run) = match self {
            Self::Problem(problem) => return problem.into_response(),
            Self::Failed(status, failure, run) => (status, failure, run),
        };
        let title = status.canonical_reason().unwrap_or("Rejected");
        let mut problem = ProblemBody::new(status, &failure.code, title, &failure.message);
        problem.run = run.as_deref();
        problem.into_response()
    }
}
