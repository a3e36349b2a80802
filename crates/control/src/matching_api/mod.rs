//! The matching API: lookups and match overrides.
//!
//! Modules: [`lookup`] (tracks, paths and external ids), [`overrides`] (pins, rejections, confirmed matches),
//! [`responses`] (response bodies). Here: selection of libraries, large bodies, errors.

pub(super) mod lookup;
pub(super) mod overrides;
pub(super) mod responses;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use greenroom_dialect::crawl::LibraryContents;
use greenroom_library::files::PathMapError;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::api::{is_json, parse_object, read_body};
use crate::control::ControlPlane;
use crate::error::Problem;
use greenroom_sync::index::{Library, LibraryId, LibraryState};
use greenroom_sync::matching::OverrideError;
use greenroom_sync::matching::overrides_store::OverrideStoreError;
use responses::PendingLibrary;

/// Time limit for receiving a large body.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// Several libraries, and the request names none.
const WHICH_LIBRARY: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    code: "which-library",
    title: "Which library?",
    detail: "Several could be meant. Name one, \"library\": \"home:3\", or its \"server\".",
};
/// No snapshot exists yet.
const NO_SNAPSHOT: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "no-snapshot",
    title: "The library is not indexed yet",
    detail: "Nothing can be looked up before its first build is done. /api/v1/libraries tells how far it is and why it \
             does not run; POST /api/v1/libraries/ID/build starts it, and so does `greenroom build`.",
};
/// The call exceeds the item limit.
const TOO_MANY: Problem = Problem {
    status: StatusCode::PAYLOAD_TOO_LARGE,
    code: "too-many",
    title: "Too much for one call",
    detail: "One call may ask for 10,000 tracks, 50,000 paths or 50,000 ids. Split it into several.",
};
/// Live search sends requests to the server, so it needs the token.
const LIVE_NEEDS_TOKEN: Problem = Problem {
    status: StatusCode::UNAUTHORIZED,
    code: "token-missing",
    title: "The control token is needed",
    detail: "Searching the server (\"live\") needs it: send it as \"Authorization: Bearer TOKEN\". \
             \"greenroom token show\" prints it.",
};
/// The item is not in the library.
const UNKNOWN_ITEM: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    code: "unknown-item",
    title: "No such item",
    detail: "The library's snapshot has no item with this key. Keys are those of the media server.",
};
/// The request has nothing to look up.
const NOTHING_ASKED: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    code: "nothing-asked",
    title: "What is it for?",
    detail: "Name one of these: a \"track\" (a title with its artist, or an id such as spotify:track:… or your own \
             source_id), a \"path\", or an \"id\". An ISRC alone is given to several recordings.",
};
/// A match override could not be persisted.
const RULING_NOT_KEPT: Problem = Problem {
    status: StatusCode::INSUFFICIENT_STORAGE,
    code: "not-kept",
    title: "The decision cannot be kept",
    detail: "Nothing has changed. state.db in the data directory cannot be written; the log and the page say why.",
};
/// The limit of match overrides is reached.
const TOO_MANY_RULINGS: Problem = Problem {
    status: StatusCode::INSUFFICIENT_STORAGE,
    code: "too-many-decisions",
    title: "Too many decisions",
    detail: "As many pins and rejections are kept as matching.max_decisions allows. Take some back, or allow more.",
};

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum MatchApiError {
    Problem(Problem),
    BadPathMap(PathMapError),
    /// The libraries have no snapshot yet; the text tells their progress.
    NotIndexed(String),
    /// The number of a malformed import line.
    BadLine(usize),
}

impl From<Problem> for MatchApiError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<OverrideError> for MatchApiError {
    fn from(refused: OverrideError) -> Self {
        Self::Problem(match refused {
            OverrideError::NoSnapshot => NO_SNAPSHOT,
            OverrideError::UnknownItem => UNKNOWN_ITEM,
            OverrideError::EmptyQuery => NOTHING_ASKED,
            OverrideError::NotSaved(OverrideStoreError::Full) => TOO_MANY_RULINGS,
            OverrideError::NotSaved(OverrideStoreError::TooLong) => Problem::BAD_BODY,
            OverrideError::NotSaved(OverrideStoreError::Storage(_)) | OverrideError::NoStore => RULING_NOT_KEPT,
        })
    }
}

impl IntoResponse for MatchApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::BadPathMap(error) => {
                let problem = Problem {
                    status: StatusCode::BAD_REQUEST,
                    code: error.word(),
                    title: "A path map is wrong",
                    detail: "",
                };
                problem.response_with_detail(&error.to_string())
            }
            Self::NotIndexed(how) => NO_SNAPSHOT.response_with_detail(&format!("{how} {}", NO_SNAPSHOT.detail)),
            Self::BadLine(number) => Problem::BAD_BODY.response_with_detail(&format!(
                "Line {number} is no decision as GET /api/v1/match/decisions writes it. Nothing was kept."
            )),
        }
    }
}

impl ControlPlane {
    /// The one library to match tracks in.
    fn music_library(&self, library: Option<&str>, server: Option<&str>) -> Result<Arc<Library>, Problem> {
        let libraries = &self.playlists.libraries;
        if let Some(id) = library {
            let id: LibraryId = id.parse().map_err(|()| Problem::UNKNOWN_LIBRARY)?;
            return libraries.find(&id).ok_or(Problem::UNKNOWN_LIBRARY);
        }
        self.check_server(server)?;
        let mut music = self.select_servers(server).filter_map(|server| libraries.music_library(server.name()));
        match (music.next(), music.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => Err(WHICH_LIBRARY),
            (None, _) => Err(NO_SNAPSHOT),
        }
    }

    /// The libraries to search for paths and ids: all of one server.
    fn libraries(&self, library: Option<&str>, server: Option<&str>) -> Result<Vec<Arc<Library>>, Problem> {
        let known = &self.playlists.libraries;
        if library.is_some() {
            return self.music_library(library, server).map(|library| vec![library]);
        }
        self.check_server(server)?;
        if self.select_servers(server).count() > 1 {
            return Err(Problem::WHICH_SERVER);
        }
        let is_of =
            |library: &Arc<Library>| self.select_servers(server).any(|server| server.name() == library.id.server);
        Ok(known.all().into_iter().filter(is_of).collect())
    }
}

/// The libraries in which paths and ids are looked up.
pub(super) struct SearchScope {
    /// Indexed and searchable.
    indexed: Vec<Arc<Library>>,
    /// Not indexed yet, although they may hold the item.
    awaited: Vec<Arc<Library>>,
    /// True if the server has not reported its film and show libraries yet.
    is_unseen: bool,
}

impl SearchScope {
    /// Splits the libraries by whether they are indexed, and requests an index of the others. A music library counts as
    /// missing only if it is named, because lookups by path and id are for films and shows.
    fn new(libraries: Vec<Arc<Library>>, is_named: bool) -> Result<Self, MatchApiError> {
        let counts = |library: &Arc<Library>| is_named || library.contents() != LibraryContents::Music;
        let is_unseen = !libraries.iter().any(counts)
            && libraries.iter().all(|library| library.state() == LibraryState::Unconfirmed);
        let (indexed, others): (Vec<_>, Vec<_>) =
            libraries.into_iter().partition(|library| library.generation().is_some());
        let awaited: Vec<_> = others.into_iter().filter(counts).collect();
        for library in &awaited {
            library.record_lookup();
        }
        if indexed.is_empty() {
            return Err(not_indexed(&awaited));
        }
        Ok(Self { indexed, awaited, is_unseen })
    }

    /// True if a missing item is certainly absent.
    fn is_complete(&self) -> bool {
        self.awaited.is_empty() && !self.is_unseen
    }

    /// Fails if nothing was found and only music libraries could be searched.
    fn check(&self, has_found: bool) -> Result<(), MatchApiError> {
        let is_music = |library: &Arc<Library>| library.contents() == LibraryContents::Music;
        if has_found || self.is_complete() || !self.indexed.iter().all(is_music) {
            return Ok(());
        }
        Err(not_indexed(&self.awaited))
    }

    /// The libraries not indexed yet, with their progress.
    fn pending_libraries(&self) -> Vec<PendingLibrary> {
        let awaited = |library: &Arc<Library>| {
            let progress = library.progress().borrow().clone();
            PendingLibrary {
                library: library.id.to_string(),
                title: library.title.lock().clone(),
                state: library.state(),
                percent: progress.percent(),
                left_s: progress.left_ms.map(|left_ms| left_ms / 1000),
            }
        };
        self.awaited.iter().map(awaited).collect()
    }
}

/// The error for libraries without an index, with their progress.
fn not_indexed(libraries: &[Arc<Library>]) -> MatchApiError {
    let told = |library: &Arc<Library>| {
        let progress = library.progress().borrow().clone();
        let percent = progress.percent().map_or_else(String::new, |percent| format!(", {percent} %"));
        let left = progress.left_ms.map_or_else(String::new, |left_ms| format!(", {} s left", left_ms / 1000));
        let (title, state) = (library.title.lock().clone(), library.state().name());
        format!("{title} ({}): {state}{percent}{left}.", library.id)
    };
    if libraries.is_empty() {
        return MatchApiError::NotIndexed("The server has not said yet which libraries it has.".to_owned());
    }
    MatchApiError::NotIndexed(libraries.iter().map(told).collect::<Vec<_>>().join(" "))
}

/// Runs CPU-bound work on a blocking thread and waits for it.
async fn run_blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Builds and serialises a possibly large response on a blocking thread.
async fn json_response_blocking<T: Serialize>(make: impl FnOnce() -> T + Send + 'static) -> Response {
    let text = run_blocking(move || serde_json::to_string(&make()).expect("an answer is always JSON")).await;
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// Reads a JSON body up to a size limit.
async fn read_up_to<T: DeserializeOwned + Send + 'static>(
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<T, Problem> {
    if !is_json(headers) {
        return Err(Problem::NOT_JSON);
    }
    let bytes = bytes_up_to(body, most).await?;
    run_blocking(move || parse_object(&bytes)?.ok_or(Problem::BAD_BODY)).await
}

async fn bytes_up_to(body: Body, most: usize) -> Result<bytes::Bytes, Problem> {
    read_body(body, most, BODY_PATIENCE).await.map_err(|problem| match problem {
        Problem::TOO_LONG => TOO_MANY,
        other => other,
    })
}
