//! The last decisions: how each request was answered, and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Control, Plane};
use crate::error::Problem;
use greenroom_proxy::record::recent_decisions::{MAX_DECISIONS, Told};
use greenroom_proxy::statistics::Filter;

/// Decisions told at once to who watches.
const MAX_NEWS: usize = 50;
/// Decisions told unless more are asked for.
const USUAL: usize = 100;

/// Which decisions are meant.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// How many at most: 1 to 500.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Only of this class.
    class: Option<String>,
    /// Only of this app.
    app: Option<String>,
    /// Only of this server.
    server: Option<String>,
}

/// The last decisions, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Decisions {
    /// At most 500 are kept.
    items: Vec<Decided>,
}

/// How one request was answered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Decided {
    /// Greater than that of every earlier one, also over restarts; one more than that of the one before it.
    number: u64,
    /// When it was answered.
    at_ms: u64,
    server: String,
    app: String,
    /// Who asked: the beginning of a keyed hash; none before the server is known to accept the token.
    #[schema(value_type = Option<String>)]
    user: Option<greenroom_proxy::record::User>,
    /// The class of reads; "writes", "streams" or "refused" where it is none.
    class: &'static str,
    /// In which way it was answered.
    verdict: &'static str,
    /// Why, in a word.
    reason: Option<&'static str>,
    status: u16,
    /// How old the answer may have been, if it was kept.
    age_s: Option<u64>,
    /// How long it took until the answer began, in microseconds.
    elapsed_us: u64,
    /// The length of its body, as far as it was known when it began.
    bytes: u64,
}

impl Decided {
    fn of((server, told): (&str, Told)) -> Self {
        let Told { number, decision } = told;
        Self {
            number,
            at_ms: decision.at_ms,
            server: server.to_owned(),
            app: decision.app.name.clone(),
            user: decision.user,
            class: decision.subject.name(),
            verdict: decision.outcome.verdict.name(),
            reason: decision.outcome.why.map(greenroom_proxy::record::Why::name),
            status: decision.status,
            age_s: decision.outcome.age_ms.map(|age_ms| age_ms / 1000),
            elapsed_us: decision.elapsed_us,
            bytes: decision.bytes,
        }
    }
}

/// The last decisions: which app asked for what class, how it was answered, and why.
#[utoipa::path(
    get,
    path = "/api/v1/decisions",
    params(Which),
    responses((status = 200, body = Decisions), (status = 404, description = "No such server"))
)]
pub(super) async fn last(
    State(plane): State<Arc<Plane>>,
    which: Result<Query<Which>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Decisions>, Problem> {
    let Query(Which { limit, class, app, server }) = which.map_err(|_| Problem::BAD_QUERY)?;
    let most = limit.unwrap_or(USUAL);
    if !(1..=MAX_DECISIONS).contains(&most) {
        return Err(Problem::BAD_QUERY);
    }
    plane.control.check_server(server.as_deref())?;
    Ok(Json(plane.control.decided(&Filter { server, class, app }, 0, most)))
}

impl Control {
    fn decided(&self, filter: &Filter, after: u64, most: usize) -> Decisions {
        let told = self.statistics.decisions(filter, after, most);
        Decisions { items: told.into_iter().map(Decided::of).collect() }
    }

    /// What was decided since that number, the newest first, as a frame for who watches; with the newest number.
    pub(super) fn news(&self, after: u64) -> Option<(u64, bytes::Bytes)> {
        let decisions = self.decided(&Filter::default(), after, MAX_NEWS);
        let newest = decisions.items.first()?.number;
        let json = serde_json::to_string(&decisions).ok()?;
        Some((newest, bytes::Bytes::from(format!("event: decisions\ndata: {json}\n\n"))))
    }
}
