//! Folders of files over the API: their states and lists, scans, marks, duplicates, covers and files.
//!
//! Modules: [`files`] (lists), [`scans`], [`marks`], [`duplicates`], [`changes`] (what changed lately), [`path_match`] (files by path),
//! [`events`] (changes as server-sent events),
//! [`content`] (covers and files by signed links), `entity_tag` (conditional requests), `problems`.

pub(crate) mod changes;
pub(crate) mod content;
pub(crate) mod duplicates;
mod entity_tag;
pub(crate) mod events;
pub mod files;
pub(crate) mod marks;
pub(crate) mod path_match;
pub mod problems;
pub(crate) mod scans;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use greenroom_folder::Folder;
use greenroom_folder::folder_status::FolderReport;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use greenroom_control::error::Problem;
use greenroom_control::state::ApiState;
use problems::UNKNOWN_FOLDER;

/// All folders.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Folders)]
pub(crate) struct FoldersResponse {
    folders: Vec<FolderReport>,
}

/// Routes of all folders.
pub fn routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(all))
        .routes(routes!(one))
        .routes(routes!(files::list))
        .routes(routes!(scans::scan))
        .routes(routes!(scans::cancel))
        .routes(routes!(marks::export_marks, marks::change))
        .routes(routes!(marks::undo))
        .routes(routes!(marks::import_marks))
        .routes(routes!(duplicates::list))
        .routes(routes!(changes::list))
        .routes(routes!(path_match::find))
        .routes(routes!(events::watch))
        .routes(routes!(content::show))
}

/// All folders.
#[utoipa::path(get, path = "/api/v1/folders", responses((status = 200, body = FoldersResponse)))]
pub(crate) async fn all(State(state): State<Arc<ApiState>>) -> Json<FoldersResponse> {
    Json(FoldersResponse { folders: state.control.folders.all().iter().map(|folder| folder.report()).collect() })
}

/// One folder.
#[utoipa::path(
    get,
    path = "/api/v1/folders/{name}",
    params(("name" = String, Path, description = "Such as comics")),
    responses((status = 200, body = FolderReport), (status = 404, description = "No such folder")),
)]
pub(crate) async fn one(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
) -> Result<Json<FolderReport>, Problem> {
    Ok(Json(folder(&state, &name)?.report()))
}

/// The folder with this name.
pub(crate) fn folder(state: &ApiState, name: &str) -> Result<Arc<Folder>, Problem> {
    state.control.folders.find(name).cloned().ok_or(UNKNOWN_FOLDER)
}
