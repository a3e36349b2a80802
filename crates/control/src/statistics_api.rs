//! Honest statistics as they are asked for.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use greenroom_dialect::class::Class;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Plane;
use super::api::{Done, read};
use crate::error::Problem;
use greenroom_proxy::record::counts::{Count, Counts};
use greenroom_proxy::statistics::report::{Curve, Grouping, Span, Table};
use greenroom_proxy::statistics::{Today, WhatIf};

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
    params(Which),
    responses((status = 200, body = Today), (status = 404, description = "No such server"))
)]
pub(super) async fn today(
    State(plane): State<Arc<Plane>>,
    which: Asked<Which>,
) -> Result<Json<Today>, Problem> {
    let Query(Which { server }) = which.map_err(|_| Problem::BAD_QUERY)?;
    plane.control.check_server(server.as_deref())?;
    Ok(Json(plane.control.statistics.today(server.as_deref())))
}

/// Which rows are meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Rows {
    /// By what rows are told apart; classes if it is not said.
    #[serde(default = "by_class")]
    #[param(required = false)]
    by: Grouping,
    /// Only of this server.
    server: Option<String>,
    /// How far back; a day if it is not said.
    #[serde(default)]
    #[param(required = false)]
    #[param(inline)]
    range: Span,
}

fn by_class() -> Grouping {
    Grouping::Class
}

/// What was counted: by server, class, app or user.
#[utoipa::path(
    get,
    path = "/api/v1/statistics",
    params(Rows),
    responses(
        (status = 200, body = Table),
        (status = 404, description = "No such server"),
        (status = 503, description = "What is kept cannot be read"),
    )
)]
pub(super) async fn rows(
    State(plane): State<Arc<Plane>>,
    which: Asked<Rows>,
) -> Result<Json<Table>, Problem> {
    let Query(Rows { by, server, range }) = which.map_err(|_| Problem::BAD_QUERY)?;
    plane.control.check_server(server.as_deref())?;
    let table = plane.control.statistics.rows(by, server, range).await;
    table.map(Json).map_err(|_| Problem::STATISTICS_UNREADABLE)
}

/// Of what a curve is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Series {
    /// Only of this server; all together if it is not said.
    server: Option<String>,
    /// How far back; a day if it is not said.
    #[serde(default)]
    #[param(required = false)]
    #[param(inline)]
    range: Span,
}

/// A curve of what was asked.
#[utoipa::path(
    get,
    path = "/api/v1/statistics/series",
    params(Series),
    responses((status = 200, body = Curve), (status = 404, description = "No such server"))
)]
pub(super) async fn series(
    State(plane): State<Arc<Plane>>,
    which: Asked<Series>,
) -> Result<Json<Curve>, Problem> {
    let Query(Series { server, range }) = which.map_err(|_| Problem::BAD_QUERY)?;
    plane.control.check_server(server.as_deref())?;
    Ok(Json(plane.control.statistics.series(server.as_deref(), range)))
}

/// How spot checks came out.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct SpotChecks {
    /// Whether any are made.
    enabled: bool,
    /// One hit in so many is checked; 0: none.
    one_in: u64,
    #[serde(flatten)]
    found: Found,
    /// The same by class, within the last year.
    classes: Vec<ClassFound>,
}

/// What spot checks found.
#[derive(Debug, Default, Clone, Copy, Serialize, ToSchema)]
pub(super) struct Found {
    /// How many were made.
    made: u64,
    /// The server said the same.
    same: u64,
    /// The class moves by itself.
    moved: u64,
    /// Something changed on the server, within the age that its answers may have.
    changed: u64,
    /// Nothing explains the difference.
    wrong: u64,
    /// It was due and not made: the server was busy or down, or there had been enough in that minute.
    skipped: u64,
}

/// What spot checks found of one class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClassFound {
    server: String,
    class: String,
    #[serde(flatten)]
    found: Found,
}

impl Found {
    fn of(counts: &Counts) -> Self {
        let [same, moved, changed, wrong] =
            [Count::SpotSame, Count::SpotMoved, Count::SpotChanged, Count::SpotWrong]
                .map(|count| counts.of(count));
        let made = same + moved + changed + wrong;
        Self { made, same, moved, changed, wrong, skipped: counts.of(Count::SpotSkipped) }
    }

    fn add(&mut self, other: &Self) {
        self.made += other.made;
        self.same += other.same;
        self.moved += other.moved;
        self.changed += other.changed;
        self.wrong += other.wrong;
        self.skipped += other.skipped;
    }
}

/// How answers from the cache compared with what the server said at that moment.
#[utoipa::path(
    get,
    path = "/api/v1/statistics/spot-checks",
    responses((status = 200, body = SpotChecks), (status = 503, description = "What is kept cannot be read"))
)]
pub(super) async fn spot_checks(State(plane): State<Arc<Plane>>) -> Result<Json<SpotChecks>, Problem> {
    let statistics = &plane.control.statistics;
    let (enabled, one_in) = statistics.spot_checks();
    let rows = statistics.counted(Span::Year).await.map_err(|_| Problem::STATISTICS_UNREADABLE)?;
    let mut told = SpotChecks { enabled, one_in, ..SpotChecks::default() };
    for row in rows {
        let found = Found::of(&row.counts);
        if found.made + found.skipped > 0 {
            told.found.add(&found);
            told.classes.push(ClassFound { server: row.server, class: row.name, found });
        }
    }
    Ok(Json(told))
}

/// Whether spot checks are to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Enabled {
    enabled: bool,
}

/// Makes spot checks from now on, or none; kept over a restart.
#[utoipa::path(
    put,
    path = "/api/v1/statistics/spot-checks",
    request_body = Enabled,
    responses(
        (status = 200, body = Done),
        (status = 409, description = "The configuration turns them off"),
        (status = 507, description = "The change cannot be kept"),
    )
)]
pub(super) async fn enable_spot_checks(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let Enabled { enabled } = read(&headers, body).await?.ok_or(Problem::BAD_BODY)?;
    let (_, one_in) = plane.control.statistics.spot_checks();
    if enabled && one_in == 0 {
        return Err(Problem::NO_SPOT_CHECKS);
    }
    let changed = plane.control.statistics.enable_spot_checks(enabled).await;
    changed.map_err(|_| Problem::CHOICE_NOT_KEPT)?;
    let message = if enabled { "Spot checks are made." } else { "No spot checks are made any more." };
    Ok(Json(Done::said(message.to_owned())))
}

/// Of which class other lifetimes are to be tried.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Tried {
    /// The server.
    server: String,
    /// The class.
    class: String,
}

/// What other lifetimes of a class would have saved, by the traffic of the last day.
#[utoipa::path(
    get,
    path = "/api/v1/statistics/what-if",
    params(Tried),
    responses((status = 200, body = WhatIf), (status = 404, description = "No such server or class"))
)]
pub(super) async fn what_if(
    State(plane): State<Arc<Plane>>,
    which: Asked<Tried>,
) -> Result<Json<WhatIf>, Problem> {
    let Query(Tried { server, class }) = which.map_err(|_| Problem::BAD_QUERY)?;
    let class = Class::named(&class).ok_or(Problem::UNKNOWN_CLASS)?;
    plane.control.statistics.what_if(&server, class).map(Json).ok_or(Problem::UNKNOWN_SERVER)
}
