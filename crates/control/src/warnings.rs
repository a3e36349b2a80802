//! Warnings, over the API: what a person should change, and what the program can do about it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::snapshot::ServerWarning;
use super::{Control, Plane, Shown};

/// What a person should change, the most urgent first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Warned {
    items: Vec<ServerWarning>,
}

/// What a person should change. An action is a request of this API that helps.
#[utoipa::path(get, path = "/api/v1/warnings", responses((status = 200, body = Warned)))]
pub(super) async fn list(State(plane): State<Arc<Plane>>) -> Json<Warned> {
    if let Some(advisor) = &plane.control.advisor {
        advisor.measure().await;
        advisor.look();
    }
    Json(Warned { items: plane.control.warned() })
}

impl Control {
    /// All warnings, the most urgent first.
    pub(super) fn warned(&self) -> Vec<ServerWarning> {
        let mut all: Vec<ServerWarning> =
            self.own_warnings().chain(self.servers.iter().flat_map(Shown::warnings)).collect();
        all.sort_by_key(|warned| warned.warning.severity);
        all
    }
}
