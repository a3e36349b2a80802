//! Files of a folder by paths as other programs see them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use greenroom_folder::Folder;
use greenroom_folder::list::FileRow;
use greenroom_folder::path_index::FoundPaths;
use greenroom_library::files::{CaseSensitivity, FileMatchReason, FileMatchResult, FileQuery, PathMaps};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::files::not_yet;
use crate::matching_api::lookup::{PathMapParams, compile_maps};
use crate::matching_api::responses::ConfidenceLevel;
use crate::matching_api::{MatchApiError, TOO_MANY, bytes_up_to, json_response_blocking, parse};
use greenroom_control::error::Problem;
use greenroom_control::state::ApiState;

/// Limits of one call: body size and number of paths.
const MAX_BYTES: usize = 16 * 1024 * 1024;
const MAX_PATHS: usize = 50_000;

/// Paths to look up in a folder.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FolderMatch)]
pub(crate) struct FolderMatchRequest {
    /// Whole paths, suffixes or names of files.
    paths: Vec<String>,
    /// `exact` (default) or `ignore`.
    case: Option<String>,
    /// Beginnings of the caller's paths, and those of the same paths here.
    maps: Option<Vec<PathMapParams>>,
}

/// Files by path.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FolderMatches)]
pub(crate) struct FolderMatchResponse {
    folder: String,
    /// Number of the list that was searched.
    generation: u64,
    high: usize,
    low: usize,
    none: usize,
    /// One result per path, in the order of the request.
    paths: Vec<FilePathMatch>,
}

/// The result for one path.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FolderPathMatch)]
struct FilePathMatch {
    confidence: ConfidenceLevel,
    reasons: Vec<String>,
    /// The file, if it is certain.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileRow>,
    /// Possible files, if none is certain.
    candidates: Vec<FileCandidateRow>,
}

/// A possible file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FolderPathCandidate)]
struct FileCandidateRow {
    #[serde(flatten)]
    file: FileRow,
    reasons: Vec<String>,
}

/// Finds files of a folder by path, with what is known of each: as `/api/v1/match/paths` does for a server's items.
#[utoipa::path(
    post,
    path = "/api/v1/folders/{name}/match",
    params(("name" = String, Path, description = "Such as comics")),
    request_body = FolderMatchRequest,
    responses(
        (status = 200, body = FolderMatchResponse),
        (status = 202, description = "The first scan still runs; try again later", body = super::files::NotYetResponse),
        (status = 404, description = "No such folder"),
    ),
)]
pub(crate) async fn find(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, MatchApiError> {
    let bytes = bytes_up_to(body, MAX_BYTES).await?;
    if bytes.is_empty() {
        crate::folders_api::folder(&state, &name)?;
        return Err(Problem::BAD_BODY.into());
    }
    let request: FolderMatchRequest = parse(&headers, bytes).await?;
    let folder = crate::folders_api::folder(&state, &name)?;
    if request.paths.len() > MAX_PATHS {
        return Err(TOO_MANY.into());
    }
    let case = match request.case.as_deref() {
        None | Some("exact") => CaseSensitivity::Exact,
        Some("ignore") => CaseSensitivity::Ignore,
        Some(_) => return Err(Problem::BAD_BODY.into()),
    };
    let maps = request.maps.as_deref().map(compile_maps).transpose()?.unwrap_or_default();
    if folder.wait_for_first().await.is_none() {
        return Ok(not_yet(&folder));
    }
    Ok(json_response_blocking(move || respond(&folder, &request.paths, &maps, case)).await)
}

fn respond(folder: &Folder, paths: &[String], maps: &PathMaps, case: CaseSensitivity) -> Option<FolderMatchResponse> {
    let queries: Vec<_> = paths.iter().map(|path| FileQuery { path, ..FileQuery::default() }).collect();
    let FoundPaths { generation, results } = folder.find_paths(&queries, maps, case)?;
    let names = folder.mark_names();
    let row = |row: u32| generation.files.get(row as usize).map(|file| FileRow::new(file, &names));
    let to_match = |found: &FileMatchResult| FilePathMatch {
        confidence: ConfidenceLevel::from_confidence(found.confidence, true),
        reasons: sentences(&found.reasons),
        file: found.rows.first().and_then(|found| row(*found)),
        candidates: found
            .candidates
            .iter()
            .filter_map(|found| Some(FileCandidateRow { file: row(found.row)?, reasons: sentences(&found.reasons) }))
            .collect(),
    };
    let paths: Vec<FilePathMatch> = results.iter().map(to_match).collect();
    let count = |confidence| paths.iter().filter(|path| path.confidence == confidence).count();
    Some(FolderMatchResponse {
        folder: folder.settings.name.clone(),
        generation: generation.number,
        high: count(ConfidenceLevel::High),
        low: count(ConfidenceLevel::Low),
        none: count(ConfidenceLevel::None),
        paths,
    })
}

fn sentences(reasons: &[FileMatchReason]) -> Vec<String> {
    reasons.iter().map(ToString::to_string).collect()
}
