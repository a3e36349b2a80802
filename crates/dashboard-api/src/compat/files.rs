//! `/api/files` and `/api/cache/prewarm`: the list of the folder with `compat = true`, field by field as a comic app's
//! page reads it. Of two defects of the original nothing is kept: a list is never empty because it is being built, and
//! a page beyond the end shows the last one.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use greenroom_folder::Folder;
use greenroom_folder::file_entry::FileEntry;
use greenroom_folder::index::{FolderGeneration, SortOrder};
use greenroom_folder::list::{ListFilter, ListQuery};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use greenroom_control::blocking::run_blocking;
use greenroom_control::json_body::to_json;
use greenroom_control::state::ApiState;
use greenroom_library_api::folders_api::files::not_yet;
use greenroom_library_api::folders_api::problems::{BAD_LIST_QUERY, FolderProblem, NO_COMPAT_FOLDER};

/// Files on a page where none are asked for, and the least and most.
const PER_PAGE: (i64, i64, i64) = (100, 10, 500);

/// Query of the app's page. Unknown parameters do no harm, as with the app itself.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CompatListParams {
    page: Option<i64>,
    /// 10 to 500; 0 or less for all.
    per_page: Option<i64>,
    search: Option<String>,
    /// `all`, `marked`, `unmarked`, `duplicates`.
    filter: Option<String>,
    /// `name`, `date`, `size`.
    sort: Option<String>,
    /// `asc`, `desc`.
    direction: Option<String>,
    /// `true`: a scan is asked for, and the list as it is is answered at once, with the marks of the app's own files.
    refresh: Option<String>,
}

/// A page of the list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ComicFiles)]
pub(crate) struct CompatListResponse {
    files: Vec<CompatFile>,
    page: usize,
    per_page: i64,
    total_files: usize,
    total_pages: usize,
    /// Unprocessed files of the whole folder.
    unmarked_count: usize,
}

/// A file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ComicFile)]
struct CompatFile {
    /// Its whole path.
    path: String,
    name: String,
    /// Its path below the root.
    relative_path: String,
    size: u64,
    /// Time of its last change, in seconds since 1970.
    modified: f64,
    processed: bool,
    duplicate: bool,
}

/// Result of a prewarm.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ComicPrewarm)]
pub(crate) struct CompatPrewarmResponse {
    success: bool,
    message: &'static str,
}

/// A page of the comic app's list.
#[utoipa::path(get, path = "/api/files", tag = "compatible", params(CompatListParams), responses(
    (status = 200, description = "The files", body = CompatListResponse),
    (status = 202, description = "The first scan still runs", body = greenroom_library_api::folders_api::files::NotYetResponse),
    (status = 404, description = "No folder has compat = true")))]
pub(crate) async fn list(
    State(state): State<Arc<ApiState>>,
    params: Result<Query<CompatListParams>, QueryRejection>,
) -> Result<Response, FolderProblem> {
    let Query(params) = params.map_err(|_| BAD_LIST_QUERY)?;
    let folder = Arc::clone(state.control.folders.compat().ok_or(NO_COMPAT_FOLDER)?);
    if params.refresh.as_deref().is_some_and(|refresh| refresh.eq_ignore_ascii_case("true")) {
        folder.refresh();
        folder.look_at_markers().await;
    }
    let query = params.query()?;
    let Some(generation) = folder.wait_for_first().await else { return Ok(not_yet(&folder)) };
    folder.count_list();
    let body = run_blocking(move || to_json(&page(&folder, &generation, &params, &query)));
    Ok(([(http::header::CONTENT_TYPE, "application/json")], body.await).into_response())
}

/// Asks for a scan of the comic app's list.
#[utoipa::path(post, path = "/api/cache/prewarm", tag = "compatible", responses(
    (status = 200, description = "A scan was requested", body = CompatPrewarmResponse),
    (status = 404, description = "No folder has compat = true")))]
pub(crate) async fn prewarm(State(state): State<Arc<ApiState>>) -> Result<Json<CompatPrewarmResponse>, FolderProblem> {
    state.control.folders.compat().ok_or(NO_COMPAT_FOLDER)?.request_scan(false);
    Ok(Json(CompatPrewarmResponse { success: true, message: "Metadata cache prewarmed successfully" }))
}

fn page(
    folder: &Folder,
    generation: &FolderGeneration,
    params: &CompatListParams,
    query: &ListQuery,
) -> CompatListResponse {
    let selection = folder.select(query, generation);
    let (usual, least, most) = PER_PAGE;
    let per_page = params.per_page.unwrap_or(usual);
    let total_files = selection.places.len();
    let (page, total_pages, range) = if per_page <= 0 {
        (1, 1, 0..total_files)
    } else {
        let size = usize::try_from(per_page.clamp(least, most)).unwrap_or(100);
        let pages = total_files.div_ceil(size).max(1);
        let page = usize::try_from(params.page.unwrap_or(1)).unwrap_or(1).clamp(1, pages);
        let start = (page - 1) * size;
        (page, pages, start..(start + size).min(total_files))
    };
    let names = folder.mark_names();
    let bit = |mark: &str| names.iter().position(|name| name == mark).map_or(0, |bit| 1_u32 << bit);
    let (processed, duplicate) = (bit("processed"), bit("duplicate"));
    let place = |at: usize| selection.places[if query.is_descending { total_files - 1 - at } else { at }];
    let row = |file: &FileEntry| row(file, &folder.settings.path, processed, duplicate);
    let files = range.map(|at| row(&generation.files[place(at) as usize])).collect();
    let per_page = if per_page <= 0 { per_page } else { per_page.clamp(least, most) };
    CompatListResponse { files, page, per_page, total_files, total_pages, unmarked_count: selection.counts.unmarked }
}

#[expect(clippy::cast_precision_loss, reason = "seconds with a fraction, as the app has them")]
fn row(file: &FileEntry, root: &Path, processed: u32, duplicate: u32) -> CompatFile {
    let bits = file.marks.bits();
    CompatFile {
        path: root.join(&*file.path).display().to_string(),
        name: file.name().to_owned(),
        relative_path: file.path.to_string(),
        size: file.stat.size,
        modified: file.stat.mtime_ns as f64 / 1e9,
        processed: bits & processed != 0,
        duplicate: bits & duplicate != 0,
    }
}

impl CompatListParams {
    /// Words that the app does not know mean the default, as there.
    fn query(&self) -> Result<ListQuery, FolderProblem> {
        let filter = match self.filter.as_deref() {
            Some("marked") => ListFilter::Marked,
            Some("unmarked") => ListFilter::Unmarked,
            Some("duplicates") => ListFilter::Mark("duplicate".into()),
            _ => ListFilter::All,
        };
        let sort = match self.sort.as_deref() {
            Some("date") => SortOrder::Date,
            Some("size") => SortOrder::Size,
            _ => SortOrder::Name,
        };
        Ok(ListQuery {
            words: ListQuery::search_words(self.search.as_deref().unwrap_or_default())?,
            filter,
            sort,
            is_descending: self.direction.as_deref() == Some("desc"),
            ..ListQuery::default()
        })
    }
}
