//! Problems of the folders' API.

use axum::response::{IntoResponse, Response};
use greenroom_folder::list::QueryError;
use greenroom_folder::marks::MarkError;
use http::StatusCode;

use greenroom_control::error::Problem;

/// No folder has this name.
pub(crate) const UNKNOWN_FOLDER: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    code: "unknown-folder",
    title: "No such folder",
    detail: "No folder with this name is configured. /api/v1/folders lists them.",
};
/// No folder answers the paths of the comic app.
pub const NO_COMPAT_FOLDER: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    code: "no-compat-folder",
    title: "No folder for this path",
    detail: "Set compat = true on the one [[folder]] that answers these paths.",
};
/// A list was asked for with parameters that it does not know.
pub const BAD_LIST_QUERY: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    code: "bad-list-query",
    title: "Invalid list query",
    detail: "The parameters are page, per_page (10 to 500, or all), search, filter (all, marked, unmarked, duplicates, \
             unread, mark:NAME), sort (name, date, size, series), direction (asc, desc), cursor and refresh.",
};
/// Changes were asked for with parameters that are not known.
pub(crate) const BAD_CHANGES_QUERY: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    code: "bad-changes-query",
    title: "Invalid query for changes",
    detail: "The parameters are days (1 to 31), limit (1 to 500) and before (a number).",
};
/// The changes of a folder cannot be read.
pub(crate) const HISTORY_UNREADABLE: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "history-unreadable",
    title: "The changes cannot be read",
    detail: "state.db cannot be read at present; the log says why.",
};
/// A signed link is wrong or old.
pub(crate) const BAD_LINK: Problem = Problem {
    status: StatusCode::FORBIDDEN,
    code: "bad-link",
    title: "Invalid link",
    detail: "Its signature is wrong, or it has expired. Load the list again, which has new links.",
};
/// A file is not in the list any more.
pub(crate) const UNKNOWN_FILE: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    code: "unknown-file",
    title: "No such file",
    detail: "The file is not in the folder's list any more, or has no cover.",
};
/// Too many covers are being made.
pub(crate) const COVERS_BUSY: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "covers-busy",
    title: "Too many covers at once",
    detail: "Covers are made one at a time; load this one again in a few seconds.",
};

/// Reason to refuse a request about a folder's list or marks.
#[derive(Debug)]
pub enum FolderProblem {
    /// A fixed problem.
    Fixed(Problem),
    /// The list's query.
    Query(QueryError),
    /// The marks.
    Mark(MarkError),
    /// An import.
    Import(String),
}

impl From<Problem> for FolderProblem {
    fn from(problem: Problem) -> Self {
        Self::Fixed(problem)
    }
}

impl From<QueryError> for FolderProblem {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl From<MarkError> for FolderProblem {
    fn from(error: MarkError) -> Self {
        Self::Mark(error)
    }
}

impl IntoResponse for FolderProblem {
    fn into_response(self) -> Response {
        let with = |status, code, title, detail: &str| {
            Problem { status, code, title, detail: "" }.response_with_detail(detail)
        };
        match self {
            Self::Fixed(problem) => problem.into_response(),
            Self::Query(error) => BAD_LIST_QUERY.response_with_detail(error.sentence()),
            Self::Import(reason) => {
                with(StatusCode::BAD_REQUEST, "bad-import", "The marks cannot be imported", &reason)
            }
            Self::Mark(error) => {
                let (status, code) = match &error {
                    MarkError::Name => (StatusCode::BAD_REQUEST, "bad-mark"),
                    MarkError::TooMany => (StatusCode::CONFLICT, "too-many-marks"),
                    MarkError::NothingToUndo => (StatusCode::CONFLICT, "nothing-to-undo"),
                    MarkError::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "folder-not-ready"),
                    MarkError::Database(_) => (StatusCode::INSUFFICIENT_STORAGE, "not-kept"),
                };
                with(status, code, "The marks cannot be changed", &error.to_string())
            }
        }
    }
}
