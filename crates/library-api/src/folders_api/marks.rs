//! Marks: setting and unsetting them on many files, undoing that, export and import.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use greenroom_folder::Folder;
use greenroom_folder::index::FolderGeneration;
use greenroom_folder::list::{ListFilter, ListQuery};
use greenroom_folder::marks::mark_export::MAX_IMPORT_BYTES;
use greenroom_folder::marks::{MarkAction, MarkChange, MarkError, MarkExport, MarkReceipt};
use http::header::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problems::{BAD_LIST_QUERY, FolderProblem};
use greenroom_control::blocking::run_blocking;
use greenroom_control::error::Problem;
use greenroom_control::json_body::{is_json, parse_object, read_body};
use greenroom_control::state::ApiState;

/// Max bytes of a change.
const MAX_CHANGE_BYTES: usize = 16 * 1024 * 1024;
/// Max time in which a body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// A change of one mark.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FolderMarkChange)]
pub(crate) struct MarkRequest {
    /// Name of the mark; a new one is made.
    mark: String,
    action: MarkAction,
    /// Paths of the files.
    paths: Option<Vec<String>>,
    /// Instead of paths: all files of this filter …
    filter: Option<String>,
    /// … and of this search.
    search: Option<String>,
}

/// Result of a change, once it is on disk.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FolderMarksChanged)]
pub(crate) struct MarkResponse {
    success: bool,
    #[serde(flatten)]
    receipt: MarkReceipt,
}

/// Parameters of the import of a marker file.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportParams {
    /// The mark that a list of paths stands for. Default: `processed`.
    mark: Option<String>,
}

/// All marks of a folder.
#[utoipa::path(
    get,
    path = "/api/v1/folders/{name}/marks",
    params(("name" = String, Path, description = "Such as comics")),
    responses((status = 200, body = MarkExport), (status = 404, description = "No such folder")),
)]
pub(crate) async fn export_marks(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
) -> Result<Json<MarkExport>, FolderProblem> {
    let folder = crate::folders_api::folder(&state, &name)?;
    Ok(Json(run_blocking(move || folder.export_marks()).await))
}

/// Sets or unsets a mark. It is on disk when this responds, and can be undone.
#[utoipa::path(
    post,
    path = "/api/v1/folders/{name}/marks",
    params(("name" = String, Path, description = "Such as comics")),
    request_body = MarkRequest,
    responses(
        (status = 200, body = MarkResponse),
        (status = 404, description = "No such folder"),
        (status = 409, description = "There are 32 marks already"),
        (status = 503, description = "The folder has no list yet"),
        (status = 507, description = "The marks cannot be written"),
    ),
)]
pub(crate) async fn change(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<MarkResponse>, FolderProblem> {
    let request = read(&headers, body).await?;
    let folder = crate::folders_api::folder(&state, &name)?;
    let request = request.ok_or(Problem::BAD_BODY)?;
    let receipt = run_blocking(move || request.apply(&folder)).await?;
    Ok(Json(MarkResponse { success: true, receipt }))
}

/// Undoes the last change of marks.
#[utoipa::path(
    post,
    path = "/api/v1/folders/{name}/marks/undo",
    params(("name" = String, Path, description = "Such as comics")),
    responses(
        (status = 200, body = MarkResponse),
        (status = 404, description = "No such folder"),
        (status = 409, description = "There is nothing to undo"),
        (status = 507, description = "The marks cannot be written"),
    ),
)]
pub(crate) async fn undo(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
) -> Result<Json<MarkResponse>, FolderProblem> {
    let folder = crate::folders_api::folder(&state, &name)?;
    let receipt = run_blocking(move || folder.undo_marks()).await?;
    Ok(Json(MarkResponse { success: true, receipt }))
}

/// Sets the marks of an export, or of a list of paths such as the comic app's marker files. None is unset.
#[utoipa::path(
    put,
    path = "/api/v1/folders/{name}/marks/import",
    params(("name" = String, Path, description = "Such as comics"), ImportParams),
    request_body(content = MarkExport, content_type = "application/json"),
    responses(
        (status = 200, body = MarkResponse),
        (status = 404, description = "No such folder"),
        (status = 409, description = "There are 32 marks already"),
        (status = 503, description = "The folder has no list yet"),
        (status = 507, description = "The marks cannot be written"),
    ),
)]
pub(crate) async fn import_marks(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    Query(params): Query<ImportParams>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<MarkResponse>, FolderProblem> {
    let bytes = read_body(body, MAX_IMPORT_BYTES, BODY_TIMEOUT).await?;
    if bytes.is_empty() {
        crate::folders_api::folder(&state, &name)?;
        return Err(Problem::BAD_BODY.into());
    }
    if !is_json(&headers) {
        return Err(Problem::NOT_JSON.into());
    }
    let mark = params.mark.unwrap_or_else(|| "processed".to_owned());
    let export = run_blocking(move || MarkExport::parse(&bytes, &mark)).await;
    let mut export = export.map_err(FolderProblem::Import)?;
    let folder = crate::folders_api::folder(&state, &name)?;
    let receipt = run_blocking(move || {
        // Other programs write whole paths.
        let root = format!("{}/", folder.settings.path.display());
        for row in &mut export.files {
            if let Some(relative) = row.path.strip_prefix(&root) {
                row.path = relative.to_owned();
            }
        }
        folder.import_marks(&export)
    });
    Ok(Json(MarkResponse { success: true, receipt: receipt.await? }))
}

/// `None` if the body is empty.
async fn read(headers: &HeaderMap, body: Body) -> Result<Option<MarkRequest>, Problem> {
    let bytes = read_body(body, MAX_CHANGE_BYTES, BODY_TIMEOUT).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if !is_json(headers) {
        return Err(Problem::NOT_JSON);
    }
    parse_object(&bytes)
}

impl MarkRequest {
    fn apply(self, folder: &Folder) -> Result<MarkReceipt, FolderProblem> {
        let paths = match (self.paths, self.filter.is_some() || self.search.is_some()) {
            (Some(paths), false) => paths,
            (None, true) => {
                let query = ListQuery {
                    words: ListQuery::search_words(self.search.as_deref().unwrap_or_default())?,
                    filter: ListFilter::parse(self.filter.as_deref().unwrap_or_default()).ok_or(BAD_LIST_QUERY)?,
                    ..ListQuery::default()
                };
                let generation = folder.current().ok_or(MarkError::NotReady)?;
                paths_of(folder, &query, &generation)
            }
            _ => return Err(Problem::BAD_BODY.into()),
        };
        Ok(folder.change_marks(&MarkChange { mark: self.mark, action: self.action, paths })?)
    }
}

/// Paths of all files of a query.
fn paths_of(folder: &Folder, query: &ListQuery, generation: &FolderGeneration) -> Vec<String> {
    let selection = folder.select(query, generation);
    selection.places.iter().map(|place| generation.files[*place as usize].path.to_string()).collect()
}
