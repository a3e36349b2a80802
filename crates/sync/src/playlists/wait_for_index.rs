//! The library a wish is about, once something is known of it.

use std::sync::Arc;
use std::time::Duration;

use super::Playlists;
use super::report::Failure;
use super::run::{Progress, Run};
use super::sync::Stop;
use crate::index::{Library, State};
use crate::playlists::request::Wish;
use greenroom_proxy::server::Server;

/// How often it is looked whether a server has told its libraries.
const LOOK: Duration = Duration::from_millis(500);
/// How long a first build is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(3 * 3600);

/// The library, once something is known of it.
pub(super) async fn await_library(
    playlists: &Playlists,
    run: &Run,
    wish: &Wish,
    server: &Arc<Server>,
) -> Result<Arc<Library>, Stop> {
    let waits = async {
        let library = loop {
            match playlists.library(server, wish.library.as_deref()) {
                Some(library) => break library,
                None if !wish.wait || server.origin.settings.token.is_none() => {
                    return Err(no_library(server, wish));
                }
                // The server was not asked yet which libraries it has, or does not answer.
                None => {}
            }
            run.tell(Progress::WaitingForLibrary { percent: None, left_ms: None });
            playlists.clock.sleep(LOOK).await;
        };
        Playlists::warn_of(&library);
        if library.generation().is_some() {
            return Ok(library);
        }
        if !wish.wait {
            library.look_up();
            return Err(not_known_yet(&library));
        }
        let tells = async {
            let mut progress = library.progress();
            loop {
                let (percent, left_ms) = {
                    let now = progress.borrow_and_update();
                    (now.percent(), now.left_ms)
                };
                run.tell(Progress::WaitingForLibrary { percent, left_ms });
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
        () = run.cancel.cancelled() => Err(Stop::Cancelled),
        waited = playlists.clock.timeout(LONGEST_WAIT, waits) => match waited {
            Ok(library) => library.map_err(Stop::Failure),
            Err(_) => Err(match playlists.library(server, wish.library.as_deref()) {
                Some(library) => waited_long(&library),
                None => no_library(server, wish),
            }
            .into()),
        },
    }
}

fn waited_long(library: &Library) -> Failure {
    let (id, hours) = (&library.id, LONGEST_WAIT.as_secs() / 3600);
    let far = library.progress().borrow().percent().map(|percent| format!("; {percent} % is read"));
    let message = format!(
        "library {id} was not read to its end within {hours} hours{}; see how far it is (GET /api/v1/libraries/{id}) \
         and run it again",
        far.unwrap_or_default()
    );
    Failure::new("library-not-built", message)
}

fn no_library(server: &Server, wish: &Wish) -> Failure {
    let name = server.name();
    if server.origin.settings.token.is_none() {
        let message =
            format!("the music of {name} is not indexed, because the configuration has no token for it");
        return Failure::new("no-token", message);
    }
    if wish.library.is_some() {
        return Failure::new("unknown-library", format!("{name} has no such library that is kept here"));
    }
    let message = format!(
        "it is not known yet which libraries {name} has; wait for it (wait), or try again in a moment"
    );
    Failure::new("library-not-built", message)
}

pub(super) fn not_known_yet(library: &Library) -> Failure {
    let id = &library.id;
    match library.state() {
        State::Off => Failure::new(
            "library-off",
            format!("the index of library {id} is turned off: turn it on (`greenroom build {id} --on`)"),
        ),
        State::Failed => {
            let why = library.failure().map(|(failure, _)| failure.to_string()).unwrap_or_default();
            Failure::new("library-not-built", format!("library {id} could not be read: {why}"))
        }
        _ => {
            let far = library.progress().borrow().percent().map(|percent| format!(" ({percent} % is read)"));
            let message = format!(
                "library {id} is being read for the first time{}; wait for it (wait), or ask again later",
                far.unwrap_or_default()
            );
            Failure::new("library-not-built", message)
        }
    }
}
