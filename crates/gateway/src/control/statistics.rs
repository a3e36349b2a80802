//! Honest statistics as they are asked for.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Plane;
use super::problem::Problem;
use crate::statistics::Today;

/// Which server is meant.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only this one; all together if it is not said.
    server: Option<String>,
}

/// A query, or why it cannot be understood.
type Asked<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

/// What happened since midnight.
#[utoipa::path(
    get,
    path = "/api/v1/statistics/today",
    tag = "statistics",
    params(Which),
    responses((status = 200, body = Today), (status = 400, description = "A parameter is not valid"), (status = 404, description = "No such server"))
)]
pub(super) async fn today(
    State(plane): State<Arc<Plane>>,
    which: Asked<Which>,
) -> Result<Json<Today>, Problem> {
    let Query(Which { server }) = which.map_err(|_| Problem::BAD_QUERY)?;
    plane.control.check_server(server.as_deref())?;
    Ok(Json(plane.control.statistics.today(server.as_deref())))
}
