//! Statistics over the API.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use greenroom_dialect::class::Class;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use greenroom_control::error::Problem;
use greenroom_control::json_body::{ActionResponse, JsonBody};
use greenroom_control::state::ApiState;
use greenroom_request_log::UserHash;
use greenroom_request_log::counts::{RequestCounter, RequestCounts};
use greenroom_statistics::report::{Curve, StatisticsGrouping, StatisticsTable, TimeSpan};
use greenroom_statistics::{TodaySummary, WhatIfReport};

/// Selects a server.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StatisticsQuery {
    /// Only this server; all together if absent.
    server: Option<String>,
}

/// Statistics since midnight.
#[utoipa::path(
    get,
    path = "/api/v1/statistics/today",
    params(StatisticsQuery),
    responses((status = 200, body = TodaySummary), (status = 404, description = "No such server"))
)]
pub(super) async fn today(
    State(plane): State<Arc<ApiState>>,
    Query(StatisticsQuery { server }): Query<StatisticsQuery>,
) -> Result<Json<TodaySummary>, Problem> {
    plane.control.check_server(server.as_deref())?;
    Ok(Json(plane.control.statistics.today(server.as_deref())))
}

/// Selects rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StatisticsRowsQuery {
    /// Grouping of the rows; request types if absent.
    #[serde(default = "by_class")]
    #[param(required = false)]
    by: StatisticsGrouping,
    /// Only of this server.
    server: Option<String>,
    /// Time range; a day if absent.
    #[serde(default)]
    #[param(required = false)]
    #[param(inline)]
    range: TimeSpan,
}

fn by_class() -> StatisticsGrouping {
    StatisticsGrouping::Class
}

/// Statistics by server, request type, app or user.
#[utoipa::path(
    get,
    path = "/api/v1/statistics",
    params(StatisticsRowsQuery),
    responses(
        (status = 200, body = StatisticsTable),
        (status = 404, description = "No such server"),
        (status = 503, description = "The stored statistics cannot be read"),
    )
)]
pub(super) async fn rows(
    State(plane): State<Arc<ApiState>>,
    Query(StatisticsRowsQuery { by, server, range }): Query<StatisticsRowsQuery>,
) -> Result<Json<StatisticsTable>, Problem> {
    plane.control.check_server(server.as_deref())?;
    let table = plane.control.statistics.rows(by, server, range).await;
    let mut table = table.map_err(|_| Problem::STATISTICS_UNREADABLE)?;
    if by == StatisticsGrouping::User {
        plane.control.refresh_user_names().await;
        for row in &mut table.rows {
            row.user_name = UserHash::parse(&row.name).and_then(|user| plane.control.user_names.get(&row.server, user));
        }
    }
    Ok(Json(table))
}

/// Selects a time series.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TimeSeriesQuery {
    /// Only of this server; all together if absent.
    server: Option<String>,
    /// Time range; a day if absent.
    #[serde(default)]
    #[param(required = false)]
    #[param(inline)]
    range: TimeSpan,
}

/// A time series of requests.
#[utoipa::path(
    get,
    path = "/api/v1/statistics/series",
    params(TimeSeriesQuery),
    responses((status = 200, body = Curve), (status = 404, description = "No such server"))
)]
pub(super) async fn series(
    State(plane): State<Arc<ApiState>>,
    Query(TimeSeriesQuery { server, range }): Query<TimeSeriesQuery>,
) -> Result<Json<Curve>, Problem> {
    plane.control.check_server(server.as_deref())?;
    Ok(Json(plane.control.statistics.series(server.as_deref(), range)))
}

/// Results of spot checks.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct SpotChecksResponse {
    /// True if spot checks are enabled.
    enabled: bool,
    /// One in this many hits is checked; 0: none.
    one_in: u64,
    #[serde(flatten)]
    found: SpotCheckCounts,
    /// Results by request type, within the last year.
    classes: Vec<ClassSpotCheckCounts>,
}

/// Counts of spot checks.
#[derive(Debug, Default, Clone, Copy, Serialize, ToSchema)]
pub(super) struct SpotCheckCounts {
    /// Checks made.
    made: u64,
    /// The server's response was the same.
    same: u64,
    /// Different, as expected: responses of this request type always change.
    moved: u64,
    /// Different: something changed on the server, within the allowed age.
    changed: u64,
    /// Different without explanation.
    wrong: u64,
    /// Skipped although due: the server was busy or down, or the limit per minute was reached.
    skipped: u64,
}

/// Spot checks of one request type.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClassSpotCheckCounts {
    server: String,
    class: String,
    #[serde(flatten)]
    found: SpotCheckCounts,
}

impl SpotCheckCounts {
    fn from_counts(counts: &RequestCounts) -> Self {
        let [same, moved, changed, wrong] = [
            RequestCounter::SpotSame,
            RequestCounter::SpotMoved,
            RequestCounter::SpotChanged,
            RequestCounter::SpotWrong,
        ]
        .map(|count| counts.get(count));
        let made = same + moved + changed + wrong;
        Self { made, same, moved, changed, wrong, skipped: counts.get(RequestCounter::SpotSkipped) }
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

/// Results of comparing cached responses with the server's at the same moment.
#[utoipa::path(
    get,
    path = "/api/v1/statistics/spot-checks",
    responses((status = 200, body = SpotChecksResponse), (status = 503, description = "The stored statistics cannot be read"))
)]
pub(super) async fn spot_checks(State(plane): State<Arc<ApiState>>) -> Result<Json<SpotChecksResponse>, Problem> {
    let statistics = &plane.control.statistics;
    let (enabled, one_in) = statistics.spot_checks();
    let rows = statistics.class_rows(TimeSpan::Year).await.map_err(|_| Problem::STATISTICS_UNREADABLE)?;
    let mut told = SpotChecksResponse { enabled, one_in, ..SpotChecksResponse::default() };
    for row in rows {
        let found = SpotCheckCounts::from_counts(&row.counts);
        if found.made + found.skipped > 0 {
            told.found.add(&found);
            told.classes.push(ClassSpotCheckCounts { server: row.server, class: row.name, found });
        }
    }
    Ok(Json(told))
}

/// Turns spot checks on or off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetSpotChecksRequest {
    enabled: bool,
}

/// Turns spot checks on or off. The setting survives a restart.
#[utoipa::path(
    put,
    path = "/api/v1/statistics/spot-checks",
    request_body = SetSpotChecksRequest,
    responses(
        (status = 200, body = ActionResponse),
        (status = 409, description = "The configuration turns them off"),
        (status = 507, description = "The change cannot be kept"),
    )
)]
pub(super) async fn enable_spot_checks(
    State(plane): State<Arc<ApiState>>,
    body: JsonBody<SetSpotChecksRequest>,
) -> Result<Json<ActionResponse>, Problem> {
    let SetSpotChecksRequest { enabled } = body.required()?;
    let (_, one_in) = plane.control.statistics.spot_checks();
    if enabled && one_in == 0 {
        return Err(Problem::SPOT_CHECKS_DISABLED);
    }
    let changed = plane.control.statistics.enable_spot_checks(enabled).await;
    changed.map_err(|_| Problem::CHANGE_NOT_SAVED)?;
    let message = if enabled { "Spot checks are made." } else { "No spot checks are made any more." };
    Ok(Json(ActionResponse::succeeded(message.to_owned())))
}

/// Selects the request type to try other TTLs on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WhatIfQuery {
    /// The server.
    server: String,
    /// The request type.
    class: String,
}

/// Savings that other TTLs of a request type would have made, by the traffic of the last day.
#[utoipa::path(
    get,
    path = "/api/v1/statistics/what-if",
    params(WhatIfQuery),
    responses((status = 200, body = WhatIfReport), (status = 404, description = "No such server or class"))
)]
pub(super) async fn what_if(
    State(plane): State<Arc<ApiState>>,
    Query(WhatIfQuery { server, class }): Query<WhatIfQuery>,
) -> Result<Json<WhatIfReport>, Problem> {
    let class = Class::parse(&class).ok_or(Problem::UNKNOWN_CLASS)?;
    plane.control.statistics.what_if(&server, class).map(Json).ok_or(Problem::UNKNOWN_SERVER)
}
