//! The part of the API about media: libraries, tracks, playlists and folders of files.
//!
//! Modules, bottom up: a module uses only modules of its own line and of earlier lines.
//! - [`matching_api`]: tracks, paths and ids, found in a library's index; decisions of people about matches.
//! - [`libraries`] (libraries and builds of their indexes), [`library_pictures`], [`playlists_api`] (playlist syncs),
//!   [`folders_api`] (folders of files).

pub mod folders_api;
mod libraries;
mod library_pictures;
mod matching_api;
mod playlists_api;

use std::sync::Arc;

use greenroom_control::state::ApiState;
use utoipa_axum::router::OpenApiRouter;

/// The routes of libraries, tracks and playlists.
pub fn routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .merge(matching_api::routes())
        .merge(matching_api::overrides::routes())
        .merge(libraries::routes())
        .merge(playlists_api::routes())
}
