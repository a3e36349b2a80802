//! `GET history` and `POST history/sync`: what was played, from the mirror.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Plane;
use super::api::Done;
use crate::error::Problem;
use crate::history::page::Asked;
use crate::history::row::View;
use crate::jobs::{Awaited, Outcome};

/// Rows of a page unless it is said otherwise, and at most.
const USUAL: u64 = 100;
const MOST: u64 = 500;
/// A search longer than this is none, in characters.
const MAX_SEARCH: usize = 200;

const BAD_QUESTION: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    code: "bad-question",
    title: "The question cannot be understood",
    detail: "server, user, search, since_ms, offset and limit may be asked for; search is at most 200 characters long, since_ms and offset are numbers, and limit is one from 1 to 500.",
};
const OFF: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "history-off",
    title: "The history is turned off",
    detail: "history.max_rows is 0 in the configuration. Say how many playbacks are to be kept, or take the line out, and start again.",
};
const NOT_READABLE: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "history-not-readable",
    title: "The history cannot be read",
    detail: "state.db in the data directory cannot be used; the log says why.",
};
const NOT_SYNCED: Problem = Problem {
    status: StatusCode::BAD_GATEWAY,
    code: "history-not-synced",
    title: "The history could not be mirrored",
    detail: "A server does not answer, does not offer it, or refuses the configured token. What came until then is kept.",
};

/// Which playbacks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Of this server; of all if it is not said.
    server: Option<String>,
    /// Of this user, by name or by the server's id.
    user: Option<String>,
    /// Those of which a title or the user's name holds this; A to Z are the same as a to z.
    #[param(max_length = 200)]
    search: Option<String>,
    /// Those that ended since then, in milliseconds since 1970.
    since_ms: Option<u64>,
    /// So many of the newest are passed over.
    offset: Option<u64>,
    /// At most so many: 1 to 500, 100 if it is not said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u64>,
}

/// A page of what was played.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page {
    /// How many there are.
    total: u64,
    /// How many of the newest were passed over.
    offset: u64,
    /// When the mirror was last brought up to what the servers have, in milliseconds since 1970: the oldest of those asked
    /// for; `null` if one never was.
    synced_ms: Option<u64>,
    /// The others, the newest first.
    items: Vec<View>,
}

/// What was played.
#[utoipa::path(get, path = "/api/v1/history", tag = "dashboard", params(Wanted), responses(
    (status = 200, description = "What was played, the newest first", body = Page),
    (status = 400, description = "The question cannot be understood"),
    (status = 404, description = "No such server"),
    (status = 503, description = "It is turned off, or cannot be read")))]
pub(super) async fn page(
    State(plane): State<Arc<Plane>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let Query(wanted) = wanted.map_err(|_| BAD_QUESTION)?;
    let limit = wanted.limit.unwrap_or(USUAL);
    let is_too_long = wanted.search.as_ref().is_some_and(|search| search.chars().count() > MAX_SEARCH);
    if !(1..=MOST).contains(&limit) || is_too_long {
        return Err(BAD_QUESTION);
    }
    plane.control.check_server(wanted.server.as_deref())?;
    if plane.control.history.is_off() {
        return Err(OFF);
    }
    let only = wanted.server.as_deref();
    let offset = wanted.offset.unwrap_or_default();
    let asked = Asked {
        servers: plane.control.chosen(only).map(|server| server.name().to_owned()).collect(),
        user: wanted.user,
        search: wanted.search,
        since_ms: wanted.since_ms,
        offset,
        limit,
        skips_total: false,
    };
    let page = plane.control.history.page(asked).await.map_err(|reason| {
        tracing::warn!(reason, "what was played cannot be read");
        NOT_READABLE
    })?;
    let synced_ms = plane.control.history.synced_ms(plane.control.chosen(only));
    Ok(Json(Page { total: page.total, offset, synced_ms, items: page.views }))
}

/// Brings the mirror up to what the servers have: runs the job `history`, and waits a while for its end.
#[utoipa::path(post, path = "/api/v1/history/sync", tag = "dashboard", responses(
    (status = 200, description = "What came of it", body = Done),
    (status = 202, description = "It goes on, or ran already", body = Done),
    (status = 502, description = "A server could not be mirrored")))]
pub(super) async fn sync(State(plane): State<Arc<Plane>>) -> Result<(StatusCode, Json<Done>), Problem> {
    let (status, said) = match plane.control.sync_history().await {
        Awaited::Ended(last) if matches!(last.outcome, Outcome::Done | Outcome::CaughtUp) => {
            (StatusCode::OK, last.message)
        }
        Awaited::GoesOn => (StatusCode::ACCEPTED, "It goes on.".to_owned()),
        Awaited::Already => (StatusCode::ACCEPTED, "It runs already.".to_owned()),
        Awaited::Ended(_) | Awaited::Unknown => return Err(NOT_SYNCED),
    };
    Ok((status, Json(Done::said(said))))
}
