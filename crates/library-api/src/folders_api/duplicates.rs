//! Files that seem to be duplicates.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use greenroom_folder::Folder;
use greenroom_folder::duplicates::{DuplicateGroup, DuplicateReason};
use greenroom_folder::file_entry::FileEntry;
use greenroom_folder::list::FileRow;
use serde::Serialize;
use utoipa::ToSchema;

use super::content::{FileLink, LinkKind};
use greenroom_control::ControlPlane;
use greenroom_control::blocking::run_blocking;
use greenroom_control::error::Problem;
use greenroom_control::pagination::PageParams;
use greenroom_control::state::ApiState;

/// Max files of a group that are listed.
const MAX_GROUP_FILES: usize = 50;

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
    /// The first 50 of them.
    files: Vec<FileRow>,
    /// Number of files.
    total_files: usize,
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
    let folder = crate::folders_api::folder(&state, &name)?;
    Ok(Json(run_blocking(move || respond(&state.control, &folder, page)).await))
}

fn respond(control: &ControlPlane, folder: &Folder, page: PageParams) -> DuplicatesResponse {
    let (duplicates, names, now_ms) = (folder.duplicates(), folder.mark_names(), control.clock.now());
    let name = &folder.settings.name;
    let row = |file: &Arc<FileEntry>| {
        let mut row = FileRow::new(file, &names);
        let (kind, version) = (LinkKind::Cover, row.modified_ms);
        let link = FileLink { folder: name.clone(), file: row.id, kind, version };
        row.cover = row.pages.filter(|pages| *pages > 0).map(|_| link.sign(&control.image_url_signer, now_ms));
        row
    };
    let group = |group: &DuplicateGroup| DuplicateGroupRow {
        reason: group.reason,
        files: group.files.iter().take(MAX_GROUP_FILES).map(row).collect(),
        total_files: group.files.len(),
    };
    let groups = page.slice(&duplicates.groups).iter().map(group).collect();
    DuplicatesResponse { folder: name.clone(), total: duplicates.groups.len(), groups }
}
