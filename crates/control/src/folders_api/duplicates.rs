//! Files that seem to be duplicates.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use greenroom_folder::duplicates::DuplicateReason;
use greenroom_folder::list::FileRow;
use serde::Serialize;
use utoipa::ToSchema;

use super::content::{FileLink, LinkKind};
use crate::control::ApiState;
use crate::error::Problem;
use crate::pagination::PageParams;

/// Files that seem to be duplicates.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FolderDuplicates)]
pub(crate) struct DuplicatesResponse {
    folder: String,
    /// Number of groups.
    total: usize,
    groups: Vec<DuplicateGroupRow>,
}

/// Files that seem to be duplicates of each other.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FolderDuplicateGroup)]
struct DuplicateGroupRow {
    reason: DuplicateReason,
    files: Vec<FileRow>,
}

/// Files that seem to be duplicates, by content or by series and number: a proposal, nothing is marked by it.
#[utoipa::path(
    get,
    path = "/api/v1/folders/{name}/duplicates",
    params(("name" = String, Path, description = "Such as comics"), PageParams),
    responses((status = 200, body = DuplicatesResponse), (status = 404, description = "No such folder")),
)]
pub(crate) async fn list(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    Query(page): Query<PageParams>,
) -> Result<Json<DuplicatesResponse>, Problem> {
    let folder = state.folder(&name)?;
    let (duplicates, names) = (folder.duplicates(), folder.mark_names());
    let (signer, now_ms) = (&state.control.image_url_signer, state.control.clock.now_ms());
    let row = |file: &Arc<greenroom_folder::file_entry::FileEntry>| {
        let mut row = FileRow::new(file, &names);
        let link = FileLink { folder: name.clone(), file: row.id, kind: LinkKind::Cover };
        row.cover = row.pages.filter(|pages| *pages > 0).map(|_| link.sign(signer, now_ms));
        row
    };
    let groups = page
        .slice(&duplicates.groups)
        .iter()
        .map(|group| DuplicateGroupRow { reason: group.reason, files: group.files.iter().map(row).collect() });
    let groups = groups.collect();
    Ok(Json(DuplicatesResponse { folder: name.clone(), total: duplicates.groups.len(), groups }))
}
