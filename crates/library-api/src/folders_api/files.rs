//! Lists of files.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use greenroom_folder::Folder;
use greenroom_folder::folder::ListAnswer;
use greenroom_folder::folder_status::{EnrichmentProgress, FolderState, ScanProgress};
use greenroom_folder::index::SortOrder;
use greenroom_folder::list::{ListCounts, ListFilter, ListPage, ListQuery, PageSize, QueryError};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::{IntoParams, ToSchema};

use super::content::{FileLink, LinkKind};
use super::entity_tag;
use super::problems::{BAD_LIST_QUERY, FolderProblem};
use greenroom_control::ControlPlane;
use greenroom_control::blocking::run_blocking;
use greenroom_control::image_urls;
use greenroom_control::json_body::to_json;
use greenroom_control::state::ApiState;

/// Whole lists are made by at most two requests at a time: each holds a row and a link of every file.
static WHOLE_LISTS: Semaphore = Semaphore::const_new(2);

/// Query of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileListParams {
    /// The page, from 1; the last one if there are fewer.
    #[param(minimum = 1)]
    page: Option<usize>,
    /// Files on a page: 10 to 500, or `all`. Default 100.
    per_page: Option<String>,
    /// Words that must all be in path, series, title or writer, in any order; case and accents do not count.
    search: Option<String>,
    /// `all`, `marked` (with the main mark), `unmarked`, `duplicates`, `unread` (metadata not read yet) or `mark:NAME`.
    filter: Option<String>,
    /// `name` (natural order), `date`, `size` or `series`.
    sort: Option<String>,
    /// `asc` or `desc`.
    direction: Option<String>,
    /// Start of the page: `next_cursor` of the page before. Unlike page numbers it neither skips nor repeats files
    /// while the list changes.
    cursor: Option<String>,
    /// Asks for a scan; this answer is the list as it is.
    refresh: Option<bool>,
}

/// A page of a folder's list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FolderFiles)]
pub(crate) struct FileListResponse {
    folder: String,
    /// Number of the list; it grows with each change of the tree.
    generation: u64,
    /// Time since the list was last compared with the tree.
    age_ms: u64,
    state: FolderState,
    /// A scan that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ScanProgress>,
    enriched: EnrichmentProgress,
    counts: ListCounts,
    #[serde(flatten)]
    page: ListPage,
}

/// There is no list yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FolderNotYet)]
pub struct NotYetResponse {
    folder: String,
    state: FolderState,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ScanProgress>,
    /// Reason for which there is none.
    message: String,
}

/// A page of a folder's list. It is the last complete list, also while a scan runs.
#[utoipa::path(
    get,
    path = "/api/v1/folders/{name}/files",
    params(("name" = String, Path, description = "Such as comics"), FileListParams),
    responses(
        (status = 200, body = FileListResponse, headers(("etag" = String, description = "Changes with the list, its marks and its links"))),
        (status = 202, description = "The first scan still runs; try again later", body = NotYetResponse),
        (status = 304, description = "The list is as it was"),
        (status = 404, description = "No such folder"),
    ),
)]
pub(crate) async fn list(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    params: Result<Query<FileListParams>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, FolderProblem> {
    let Query(params) = params.map_err(|_| BAD_LIST_QUERY)?;
    let query = params.query()?;
    let folder = crate::folders_api::folder(&state, &name)?;
    if params.refresh == Some(true) {
        folder.refresh();
    }
    if folder.wait_for_first().await.is_none() {
        return Ok(not_yet(&folder));
    }
    let tag = list_tag(&folder, &query, state.control.clock.now());
    if entity_tag::is_known(&headers, &tag) {
        return Ok(tagged(StatusCode::NOT_MODIFIED.into_response(), &tag));
    }
    let control = Arc::clone(&state.control);
    let listed = Arc::clone(&folder);
    let is_whole = query.per_page == PageSize::All;
    let _turn = if is_whole { WHOLE_LISTS.acquire().await.ok() } else { None };
    let body = run_blocking(move || page(&control, &listed, &query)).await?;
    let Some(body) = body else { return Ok(not_yet(&folder)) };
    let mut response = Body::from(body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(tagged(response, &tag))
}

fn page(control: &ControlPlane, folder: &Folder, query: &ListQuery) -> Result<Option<String>, QueryError> {
    let Some(generation) = folder.current() else { return Ok(None) };
    folder.count_list();
    let ListAnswer::Page(mut page, selection) = folder.page(query, &generation)? else { return Ok(None) };
    let now_ms = control.clock.now();
    for row in &mut page.files {
        let link =
            |kind| FileLink { folder: folder.settings.name.clone(), file: row.id, kind, version: row.modified_ms };
        if row.metadata == greenroom_folder::file_details::MetadataState::Read && row.pages > Some(0) {
            row.cover = Some(link(LinkKind::Cover).sign(&control.image_url_signer, now_ms));
        }
        row.link = Some(link(LinkKind::File).sign(&control.image_url_signer, now_ms));
    }
    Ok(Some(to_json(&FileListResponse {
        folder: folder.settings.name.clone(),
        generation: generation.number,
        age_ms: millis(folder.age_ms().unwrap_or_default()),
        state: folder.state(),
        progress: folder.progress(),
        enriched: folder.enriched(),
        counts: (*selection.counts).clone(),
        page: *page,
    })))
}

/// The answer while there is no list yet.
pub fn not_yet(folder: &Folder) -> Response {
    let report = folder.report();
    let message = report.problem.unwrap_or_else(|| "The folder is being read for the first time.".to_owned());
    let body = NotYetResponse { folder: report.name, state: report.state, progress: report.progress, message };
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
    response
}

fn list_tag(folder: &Folder, query: &ListQuery, now_ms: Timestamp) -> String {
    let generation = folder.current().map_or(0, |current| current.number);
    let text = format!("{query:?} {:?} {:?}", folder.state(), folder.settings.name);
    let (links, query) = (image_urls::period(now_ms), xxhash_rust::xxh3::xxh3_64(text.as_bytes()));
    format!("W/\"{generation:x}-{:x}-{links:x}-{query:x}\"", folder.marks_version())
}

fn tagged(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

impl FileListParams {
    fn query(&self) -> Result<ListQuery, FolderProblem> {
        let is_descending = match self.direction.as_deref() {
            None | Some("" | "asc") => false,
            Some("desc") => true,
            Some(_) => return Err(BAD_LIST_QUERY.into()),
        };
        let sort = self.sort.as_deref().map_or(Some(SortOrder::Name), SortOrder::parse).ok_or(BAD_LIST_QUERY)?;
        let filter = ListFilter::parse(self.filter.as_deref().unwrap_or_default()).ok_or(BAD_LIST_QUERY)?;
        let usual = ListQuery::default();
        Ok(ListQuery {
            words: ListQuery::search_words(self.search.as_deref().unwrap_or_default())?,
            filter,
            sort,
            is_descending,
            page: self.page.unwrap_or(1),
            per_page: self.per_page.as_deref().map_or(Ok(usual.per_page), PageSize::parse)?,
            cursor: self.cursor.clone(),
        })
    }
}
