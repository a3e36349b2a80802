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
const LONGEST_WAIT: Duration = Duration::from_secs(3 * 3600);

/// The library, once it has a snapshot.
pub(super) async fn wait_for_library(
    playlists: &PlaylistService,
    run: &SyncRun,
    wish: &SyncRequest,
    server: &Arc<Server>,
) -> Result<Arc<Library>, SyncError> {
    let waits = async {
        let library = loop {
            match playlists.library(server, wish.library.as_deref()) {
                Some(library) => break library,
                None if !wish.wait || server.origin.settings.token.is_none() => {
                    return Err(no_library(server, wish));
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
        if !wish.wait {
            library.record_lookup();
            return Err(not_known_yet(&library));
        }
        let tells = async {
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
            ready = library.ready() => ready.map(drop).map_err(|_| not_known_yet(&library))?,
            () = tells => {}
        }
        Ok(library)
    };
    tokio::select! {
        () = run.cancel.cancelled() => Err(SyncError::Cancelled),
        waited = playlists.clock.timeout(LONGEST_WAIT, waits) => match waited {
            Ok(library) => library.map_err(SyncError::Failure),
            Err(_) => Err(match playlists.library(server, wish.library.as_deref()) {
                Some(library) => waited_long(&library),
                None => no_library(server, wish),
            }
            .into()),
        },
    }
}

fn waited_long(library: &Library) -> PlaylistFailure {
    let (id, hours) = (&library.id, LONGEST_WAIT.as_secs() / 3600);
    let far = library.progress().borrow().percent().map(|percent| format!("; {percent} % is read"));
    let message = format!(
        "library {id} was not read to its end within {hours} hours{}; see how far it is (GET /api/v1/libraries/{id}) \
         and run it again",
        far.unwrap_or_default()
    );
    PlaylistFailure::new("library-not-built", message)
}

fn no_library(server: &Server, wish: &SyncRequest) -> PlaylistFailure {
    let name = server.name();
    if server.origin.settings.token.is_none() {
        let message = format!("the music of {name} is not indexed, because the configuration has no token for it");
        return PlaylistFailure::new("no-token", message);
    }
    if wish.library.is_some() {
        return PlaylistFailure::new("unknown-library", format!("{name} has no such library that is kept here"));
    }
    let message =
        format!("it is not known yet which libraries {name} has; wait for it (wait), or try again in a moment");
    PlaylistFailure::new("library-not-built", message)
}

pub(super) fn not_known_yet(library: &Library) -> PlaylistFailure {
    let id = &library.id;
    match library.state() {
        LibraryState::Off => PlaylistFailure::new(
            "library-off",
            format!("the index of library {id} is turned off: turn it on (`greenroom build {id} --on`)"),
        ),
        LibraryState::Failed => {
            let why = library.failure().map(|(failure, _)| failure.to_string()).unwrap_or_default();
            PlaylistFailure::new("library-not-built", format!("library {id} could not be read: {why}"))
        }
        _ => {
            let far = library.progress().borrow().percent().map(|percent| format!(" ({percent} % is read)"));
            let message = format!(
                "library {id} is being read for the first time{}; wait for it (wait), or ask again later",
                far.unwrap_or_default()
            );
            PlaylistFailure::new("library-not-built", message)
        }
    }
}
