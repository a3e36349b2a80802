//! Waits for a snapshot of the request's library.

use std::sync::Arc;
use std::time::Duration;

use super::PlaylistService;
use super::report::PlaylistFailure;
use super::run::{PlaylistProgress, SyncRun};
use super::sync::SyncError;
use crate::index::{Library, LibraryState};
use crate::playlists::request::SyncRequest;
use greenroom_proxy::server::Server;

/// Poll interval for a server's list of libraries.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Max wait for a first build.
const INDEX_TIMEOUT: Duration = Duration::from_secs(3 * 3600);

/// The library, once it has a snapshot.
pub(super) async fn wait_for_library(
    playlists: &PlaylistService,
    run: &SyncRun,
    request: &SyncRequest,
    server: &Arc<Server>,
) -> Result<Arc<Library>, SyncError> {
    let wait_for_ready = async {
        let library = loop {
            match playlists.library(server, request.library.as_deref()) {
                Some(library) => break library,
                None if !request.wait || server.origin.settings.token.is_none() => {
                    return Err(no_library(server, request));
                }
                // The server's libraries were not listed yet, or it does not answer.
                None => {}
            }
            run.set_progress(PlaylistProgress::WaitingForLibrary { percent: None, left_ms: None });
            playlists.clock.sleep(POLL_INTERVAL).await;
        };
        PlaylistService::warn_if_off(&library);
        if library.generation().is_some() {
            return Ok(library);
        }
        if !request.wait {
            library.record_lookup();
            return Err(index_not_ready(&library));
        }
        let report_progress = async {
            let mut progress = library.progress();
            loop {
                let (percent, left_ms) = {
                    let now = progress.borrow_and_update();
                    (now.percent(), now.left_ms)
                };
                run.set_progress(PlaylistProgress::WaitingForLibrary { percent, left_ms });
                if progress.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            ready = library.ready() => ready.map(drop).map_err(|_| index_not_ready(&library))?,
            () = report_progress => {}
        }
        Ok(library)
    };
    tokio::select! {
        () = run.cancel.cancelled() => Err(SyncError::Cancelled),
        waited = playlists.clock.timeout(INDEX_TIMEOUT, wait_for_ready) => match waited {
            Ok(library) => library.map_err(SyncError::Failure),
            Err(_) => Err(match playlists.library(server, request.library.as_deref()) {
                Some(library) => index_timed_out(&library),
                None => no_library(server, request),
            }
            .into()),
        },
    }
}

fn index_timed_out(library: &Library) -> PlaylistFailure {
    let (id, hours) = (&library.id, INDEX_TIMEOUT.as_secs() / 3600);
    let progress_text = library.progress().borrow().percent().map(|percent| format!("; {percent} % is read"));
    let message = format!(
        "the index of library {id} was not built within {hours} hours{}; see its progress (GET /api/v1/libraries/{id}) \
         and run the sync again",
        progress_text.unwrap_or_default()
    );
    PlaylistFailure::new("library-not-built", message)
}

fn no_library(server: &Server, request: &SyncRequest) -> PlaylistFailure {
    let name = server.name();
    if server.origin.settings.token.is_none() {
        let message = format!("the music of {name} is not indexed, because the configuration has no token for it");
        return PlaylistFailure::new("no-token", message);
    }
    if request.library.is_some() {
        return PlaylistFailure::new("unknown-library", format!("{name} has no such library"));
    }
    let message = format!("the libraries of {name} are not known yet; set wait, or try again in a moment");
    PlaylistFailure::new("library-not-built", message)
}

pub(super) fn index_not_ready(library: &Library) -> PlaylistFailure {
    let id = &library.id;
    match library.state() {
        LibraryState::Off => PlaylistFailure::new(
            "library-off",
            format!("the index of library {id} is turned off: turn it on (`greenroom build {id} --on`)"),
        ),
        LibraryState::Failed => {
            let reason = library.failure().map(|(failure, _)| failure.to_string()).unwrap_or_default();
            PlaylistFailure::new("library-not-built", format!("library {id} could not be read: {reason}"))
        }
        _ => {
            let progress_text = library.progress().borrow().percent().map(|percent| format!(" ({percent} % is read)"));
            let message = format!(
                "library {id} is being read for the first time{}; set wait, or try again later",
                progress_text.unwrap_or_default()
            );
            PlaylistFailure::new("library-not-built", message)
        }
    }
}
