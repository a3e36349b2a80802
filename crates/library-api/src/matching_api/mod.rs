//! The matching API: lookups and match overrides.
//!
//! Modules: [`lookup`] (tracks, paths and external ids), [`overrides`] (pins, rejections, confirmed matches),
//! [`responses`] (response bodies). Here: selection of libraries, large bodies, errors.

pub(crate) mod lookup;
pub(super) mod overrides;
pub(crate) mod responses;

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

use greenroom_control::ControlPlane;
use greenroom_control::blocking::run_blocking;
use greenroom_control::error::Problem;
use greenroom_control::json_body::{is_json, read_body, to_json};
use greenroom_control::json_key_error;
use greenroom_control::state::ApiState;
use greenroom_sync::index::{Library, LibraryId, LibraryState};
use greenroom_sync::matching::OverrideError;
use greenroom_sync::matching::overrides_store::OverrideStoreError;
use responses::PendingLibrary;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of tracks, paths and ids.
pub(crate) fn routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new().routes(routes!(lookup::tracks)).routes(routes!(lookup::paths)).routes(routes!(lookup::ids))
}

/// Time limit for receiving a large body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Several libraries, and the request names none.
const LIBRARY_REQUIRED: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    code: "which-library",
    title: "Library required",
    detail: "Several libraries match. Name one, \"library\": \"home:3\", or its \"server\".",
};
/// No snapshot exists yet.
const NO_SNAPSHOT: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "no-snapshot",
    title: "The library is not indexed yet",
    detail: "Lookups need a completed build. /api/v1/libraries shows its progress, or why it does not run; \
             POST /api/v1/libraries/ID/build and `greenroom build` start it.",
};
/// The servers were asked for their libraries, and none holds music.
const NO_MUSIC_LIBRARY: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    code: "no-music-library",
    title: "No music library",
    detail: "Tracks are looked up in a music library, and the server lists none to the configured token. Check that this \
             account may see the music library. Films and shows are found by path or id: POST /api/v1/match/paths and \
             /api/v1/match/ids.",
};
/// The call exceeds the item limit.
pub(crate) const TOO_MANY: Problem = Problem {
    status: StatusCode::PAYLOAD_TOO_LARGE,
    code: "too-many",
    title: "Too many items",
    detail: "One request may hold 10,000 tracks, 50,000 paths or 50,000 ids. Split it into several.",
};
/// Live search sends requests to the server, so it needs the token.
const LIVE_NEEDS_TOKEN: Problem = Problem {
    status: StatusCode::UNAUTHORIZED,
    code: "token-missing",
    title: "Control token required",
    detail: "A live search of the server needs the control token: send it as \"Authorization: Bearer TOKEN\". \
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
const EMPTY_QUERY: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    code: "nothing-asked",
    title: "Subject required",
    detail: "Send one of these: a \"track\" (a title with its artist, or an id such as spotify:track:… or your own \
             source_id), a \"path\", or an \"id\". An ISRC alone can belong to several recordings.",
};
/// A match override could not be persisted.
const OVERRIDE_NOT_SAVED: Problem = Problem {
    status: StatusCode::INSUFFICIENT_STORAGE,
    code: "not-kept",
    title: "The override cannot be saved",
    detail: "Nothing changed: state.db in the data directory cannot be written. The log and the page say why.",
};
/// The limit of match overrides is reached.
const TOO_MANY_OVERRIDES: Problem = Problem {
    status: StatusCode::INSUFFICIENT_STORAGE,
    code: "too-many-decisions",
    title: "Too many match overrides",
    detail: "The limit matching.max_decisions is reached. Delete some overrides, or raise the limit.",
};

/// Reason of a failed request.
#[derive(Debug)]
pub(crate) enum MatchApiError {
    Problem(Problem),
    BadPathMap(PathMapError),
    /// The libraries have no snapshot yet; the text tells their progress.
    NotIndexed(String),
    /// Error of the body, which names the key.
    BadKey(String),
    /// The number of a malformed import line.
    BadLine(usize),
}

impl MatchApiError {
    fn bad_policy() -> Self {
        let expected = "strict, prefer-version-else-any or ids-only";
        Self::BadKey(format!("the value of policy is not valid; expected is {expected}"))
    }
}

impl From<Problem> for MatchApiError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<OverrideError> for MatchApiError {
    fn from(error: OverrideError) -> Self {
        Self::Problem(match error {
            OverrideError::NoSnapshot => NO_SNAPSHOT,
            OverrideError::UnknownItem => UNKNOWN_ITEM,
            OverrideError::EmptyQuery => EMPTY_QUERY,
            OverrideError::NotSaved(OverrideStoreError::Full) => TOO_MANY_OVERRIDES,
            OverrideError::NotSaved(OverrideStoreError::TooLong) => Problem::BAD_BODY,
            OverrideError::NotSaved(OverrideStoreError::Storage(_)) | OverrideError::NoStore => OVERRIDE_NOT_SAVED,
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
                    title: "Invalid path map",
                    detail: "",
                };
                problem.response_with_detail(&error.to_string())
            }
            Self::NotIndexed(progress) => {
                NO_SNAPSHOT.response_with_detail(&format!("{progress} {}", NO_SNAPSHOT.detail))
            }
            Self::BadKey(fault) => Problem::BAD_BODY.response_with_detail(&format!("Invalid body: {fault}.")),
            Self::BadLine(number) => Problem::BAD_BODY.response_with_detail(&format!(
                "Line {number} is not an override as GET /api/v1/match/decisions exports it. Nothing was imported."
            )),
        }
    }
}

/// The one library to match tracks in.
fn music_library(control: &ControlPlane, library: Option<&str>, server: Option<&str>) -> Result<Arc<Library>, Problem> {
    let libraries = &control.playlists.libraries;
    if let Some(id) = library {
        let id: LibraryId = id.parse().map_err(|()| Problem::UNKNOWN_LIBRARY)?;
        return libraries.find(&id).ok_or(Problem::UNKNOWN_LIBRARY);
    }
    control.check_server(server)?;
    let mut music = control.select_servers(server).filter_map(|server| libraries.music_library(server.name()));
    match (music.next(), music.next()) {
        (Some(library), None) => Ok(library),
        (Some(_), Some(_)) => Err(LIBRARY_REQUIRED),
        (None, _) if control.select_servers(server).all(|server| libraries.is_listed(server.name())) => {
            Err(NO_MUSIC_LIBRARY)
        }
        (None, _) => Err(NO_SNAPSHOT),
    }
}

/// The libraries to search for paths and ids: all of one server.
fn libraries(
    control: &ControlPlane,
    library: Option<&str>,
    server: Option<&str>,
) -> Result<Vec<Arc<Library>>, Problem> {
    let registry = &control.playlists.libraries;
    if library.is_some() {
        return music_library(control, library, server).map(|library| vec![library]);
    }
    control.check_server(server)?;
    if control.select_servers(server).count() > 1 {
        return Err(Problem::SERVER_REQUIRED);
    }
    let is_selected =
        |library: &Arc<Library>| control.select_servers(server).any(|server| server.name() == library.id.server);
    Ok(registry.all().into_iter().filter(is_selected).collect())
}

/// The libraries in which paths and ids are looked up.
pub(super) struct SearchScope {
    /// Indexed and searchable.
    indexed: Vec<Arc<Library>>,
    /// Not indexed yet, although they may hold the item.
    pending: Vec<Arc<Library>>,
    /// True if the server has not reported its film and show libraries yet.
    is_undiscovered: bool,
}

impl SearchScope {
    /// Splits the libraries by whether they are indexed, and requests an index of the others. A music library counts as
    /// missing only if it is named, because lookups by path and id are for films and shows.
    fn new(libraries: Vec<Arc<Library>>, is_named: bool) -> Result<Self, MatchApiError> {
        let is_relevant = |library: &Arc<Library>| is_named || library.contents() != LibraryContents::Music;
        let is_undiscovered = !libraries.iter().any(is_relevant)
            && libraries.iter().all(|library| library.state() == LibraryState::Unconfirmed);
        let (indexed, others): (Vec<_>, Vec<_>) =
            libraries.into_iter().partition(|library| library.generation().is_some());
        let pending: Vec<_> = others.into_iter().filter(is_relevant).collect();
        for library in &pending {
            library.record_lookup();
        }
        if indexed.is_empty() {
            return Err(not_indexed(&pending));
        }
        Ok(Self { indexed, pending, is_undiscovered })
    }

    /// True if a missing item is certainly absent.
    fn is_complete(&self) -> bool {
        self.pending.is_empty() && !self.is_undiscovered
    }

    /// Fails if nothing was found and only music libraries could be searched.
    fn check(&self, has_found: bool) -> Result<(), MatchApiError> {
        let is_music = |library: &Arc<Library>| library.contents() == LibraryContents::Music;
        if has_found || self.is_complete() || !self.indexed.iter().all(is_music) {
            return Ok(());
        }
        Err(not_indexed(&self.pending))
    }

    /// The libraries not indexed yet, with their progress.
    fn pending_libraries(&self) -> Vec<PendingLibrary> {
        let pending = |library: &Arc<Library>| {
            let progress = library.progress().borrow().clone();
            PendingLibrary {
                library: library.id.to_string(),
                title: library.title.lock().clone(),
                state: library.state(),
                percent: progress.percent(),
                left_s: progress.left_ms.map(|left_ms| left_ms / 1000),
            }
        };
        self.pending.iter().map(pending).collect()
    }
}

/// The error for libraries without an index, with their progress.
fn not_indexed(libraries: &[Arc<Library>]) -> MatchApiError {
    let describe = |library: &Arc<Library>| {
        let progress = library.progress().borrow().clone();
        let percent = progress.percent().map_or_else(String::new, |percent| format!(", {percent} %"));
        let remaining = progress.left_ms.map_or_else(String::new, |left_ms| format!(", {} s left", left_ms / 1000));
        let (title, state) = (library.title.lock().clone(), library.state().name());
        format!("{title} ({}): {state}{percent}{remaining}.", library.id)
    };
    if libraries.is_empty() {
        return MatchApiError::NotIndexed("The server has not listed its libraries yet.".to_owned());
    }
    MatchApiError::NotIndexed(libraries.iter().map(describe).collect::<Vec<_>>().join(" "))
}

/// Builds and serialises a possibly large response on a blocking thread.
pub(crate) async fn json_response_blocking<T: Serialize>(build: impl FnOnce() -> T + Send + 'static) -> Response {
    let json = run_blocking(move || to_json(&build())).await;
    ([(CONTENT_TYPE, "application/json")], json).into_response()
}

/// Reads a JSON body up to a size limit.
async fn read_up_to<T: DeserializeOwned + Send + 'static>(
    headers: &HeaderMap,
    body: Body,
    max_bytes: usize,
) -> Result<T, MatchApiError> {
    if !is_json(headers) {
        return Err(Problem::NOT_JSON.into());
    }
    parse(headers, bytes_up_to(body, max_bytes).await?).await
}

/// Parses a JSON body.
pub(crate) async fn parse<T: DeserializeOwned + Send + 'static>(
    headers: &HeaderMap,
    bytes: bytes::Bytes,
) -> Result<T, MatchApiError> {
    if !is_json(headers) {
        return Err(Problem::NOT_JSON.into());
    }
    run_blocking(move || json_key_error::parse(&bytes)).await.map_err(MatchApiError::BadKey)
}

/// The bytes of a body, up to a size limit.
pub(crate) async fn bytes_up_to(body: Body, max_bytes: usize) -> Result<bytes::Bytes, Problem> {
    read_body(body, max_bytes, BODY_TIMEOUT).await.map_err(|problem| match problem {
        Problem::TOO_LONG => TOO_MANY,
        other => other,
    })
}
