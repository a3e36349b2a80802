//! The API of matches: which item is meant, and what was decided.
//!
//! Rooms: [`look_up`] (tracks, paths and names), [`rulings`] (pins, rejections, what was confirmed), [`answers`] (what is
//! said of them). Here: which libraries
//! are meant, bodies that are longer than others, and how it is refused.

pub(super) mod lookup;
pub(super) mod overrides;
pub(super) mod responses;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use greenroom_dialect::crawl::Contents;
use greenroom_library::files::MapError;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Control;
use super::api::{object, whole};
use crate::error::Problem;
use greenroom_sync::index::{Library, LibraryId, State};
use greenroom_sync::matching::Refused;
use greenroom_sync::matching::store::NotKept;
use responses::Awaited;

/// How long a client may take to send a long body.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// Several libraries, and no word on which.
const WHICH_LIBRARY: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    code: "which-library",
    title: "Which library?",
    detail: "Several could be meant. Name one, \"library\": \"home:3\", or its \"server\".",
};
/// There is no snapshot yet.
const NO_SNAPSHOT: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "no-snapshot",
    title: "The library is not indexed yet",
    detail: "Nothing can be looked up before its first build is done. /api/v1/libraries tells how far it is and why it \
             does not run; POST /api/v1/libraries/ID/build starts it, and so does `greenroom build`.",
};
/// More than one call may ask for.
const TOO_MANY: Problem = Problem {
    status: StatusCode::PAYLOAD_TOO_LARGE,
    code: "too-many",
    title: "Too much for one call",
    detail: "One call may ask for 10,000 tracks, 50,000 paths or 50,000 ids. Split it into several.",
};
/// Searching acts on the server.
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
/// Nothing says what is looked for.
const NOTHING_ASKED: Problem = Problem {
    status: StatusCode::BAD_REQUEST,
    code: "nothing-asked",
    title: "What is it for?",
    detail: "Name one of these: a \"track\" (a title with its artist, or an id such as spotify:track:… or your own \
             source_id), a \"path\", or an \"id\". An ISRC alone is given to several recordings.",
};
/// A decision could not be kept.
const RULING_NOT_KEPT: Problem = Problem {
    status: StatusCode::INSUFFICIENT_STORAGE,
    code: "not-kept",
    title: "The decision cannot be kept",
    detail: "Nothing has changed. state.db in the data directory cannot be written; the log and the page say why.",
};
/// There are too many decisions.
const TOO_MANY_RULINGS: Problem = Problem {
    status: StatusCode::INSUFFICIENT_STORAGE,
    code: "too-many-decisions",
    title: "Too many decisions",
    detail: "As many pins and rejections are kept as matching.max_decisions allows. Take some back, or allow more.",
};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum No {
    Problem(Problem),
    Map(MapError),
    /// There is no snapshot of what was asked; how far each is.
    NotIndexed(String),
    /// A line that was to be read in.
    Line(usize),
}

impl From<Problem> for No {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Refused> for No {
    fn from(refused: Refused) -> Self {
        Self::Problem(match refused {
            Refused::NoSnapshot => NO_SNAPSHOT,
            Refused::UnknownItem => UNKNOWN_ITEM,
            Refused::Nothing => NOTHING_ASKED,
            Refused::NotKept(NotKept::Full) => TOO_MANY_RULINGS,
            Refused::NotKept(NotKept::TooLong) => Problem::BAD_BODY,
            Refused::NotKept(NotKept::Failing(_)) | Refused::NoStore => RULING_NOT_KEPT,
        })
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Map(error) => {
                let problem = Problem {
                    status: StatusCode::BAD_REQUEST,
                    code: error.word(),
                    title: "A path map is wrong",
                    detail: "",
                };
                problem.told(&error.to_string())
            }
            Self::NotIndexed(how) => NO_SNAPSHOT.told(&format!("{how} {}", NO_SNAPSHOT.detail)),
            Self::Line(number) => Problem::BAD_BODY.told(&format!(
                "Line {number} is no decision as GET /api/v1/match/decisions writes it. Nothing was kept."
            )),
        }
    }
}

impl Control {
    /// The one library that is meant for tracks.
    fn music_library(&self, library: Option<&str>, server: Option<&str>) -> Result<Arc<Library>, Problem> {
        let libraries = &self.playlists.libraries;
        if let Some(id) = library {
            let id: LibraryId = id.parse().map_err(|()| Problem::UNKNOWN_LIBRARY)?;
            return libraries.find(&id).ok_or(Problem::UNKNOWN_LIBRARY);
        }
        self.check_server(server)?;
        let mut music = self.chosen(server).filter_map(|server| libraries.music_of(server.name()));
        match (music.next(), music.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => Err(WHICH_LIBRARY),
            (None, _) => Err(NO_SNAPSHOT),
        }
    }

    /// The libraries that are meant for paths and names: all of one server.
    fn libraries(&self, library: Option<&str>, server: Option<&str>) -> Result<Vec<Arc<Library>>, Problem> {
        let known = &self.playlists.libraries;
        if library.is_some() {
            return self.music_library(library, server).map(|library| vec![library]);
        }
        self.check_server(server)?;
        if self.chosen(server).count() > 1 {
            return Err(Problem::WHICH_SERVER);
        }
        let is_of =
            |library: &Arc<Library>| self.chosen(server).any(|server| server.name() == library.id.server);
        Ok(known.all().into_iter().filter(is_of).collect())
    }
}

/// The libraries in which paths and names are looked up.
pub(super) struct Reach {
    /// These can be asked.
    indexed: Vec<Arc<Library>>,
    /// What is looked for may lie in these, and they cannot be asked yet.
    awaited: Vec<Arc<Library>>,
    /// The server has not said yet which libraries of films and shows it has.
    is_unseen: bool,
}

impl Reach {
    /// What can be asked of these libraries. The others are indexed from now on, if they may be. Unless it is named, a
    /// library of music is no place where anything is missed: films and shows are what is looked up by path and name.
    fn of(libraries: Vec<Arc<Library>>, is_named: bool) -> Result<Self, No> {
        let counts = |library: &Arc<Library>| is_named || library.contents() != Contents::Music;
        let is_unseen = !libraries.iter().any(counts)
            && libraries.iter().all(|library| library.state() == State::Unconfirmed);
        let (indexed, others): (Vec<_>, Vec<_>) =
            libraries.into_iter().partition(|library| library.generation().is_some());
        let awaited: Vec<_> = others.into_iter().filter(counts).collect();
        for library in &awaited {
            library.look_up();
        }
        if indexed.is_empty() {
            return Err(not_indexed(&awaited));
        }
        Ok(Self { indexed, awaited, is_unseen })
    }

    /// Whether what is not found is nowhere.
    fn is_whole(&self) -> bool {
        self.awaited.is_empty() && !self.is_unseen
    }

    /// Where nothing was found, and only music could be asked, there is no answer.
    fn check(&self, has_found: bool) -> Result<(), No> {
        let is_music = |library: &Arc<Library>| library.contents() == Contents::Music;
        if has_found || self.is_whole() || !self.indexed.iter().all(is_music) {
            return Ok(());
        }
        Err(not_indexed(&self.awaited))
    }

    /// Those that are awaited, and how far they are.
    fn awaited(&self) -> Vec<Awaited> {
        let awaited = |library: &Arc<Library>| {
            let progress = library.progress().borrow().clone();
            Awaited {
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

/// That nothing can be answered before these libraries are indexed, and how far they are.
fn not_indexed(libraries: &[Arc<Library>]) -> No {
    let told = |library: &Arc<Library>| {
        let progress = library.progress().borrow().clone();
        let percent = progress.percent().map_or_else(String::new, |percent| format!(", {percent} %"));
        let left =
            progress.left_ms.map_or_else(String::new, |left_ms| format!(", {} s left", left_ms / 1000));
        let (title, state) = (library.title.lock().clone(), library.state().word());
        format!("{title} ({}): {state}{percent}{left}.", library.id)
    };
    if libraries.is_empty() {
        return No::NotIndexed("The server has not said yet which libraries it has.".to_owned());
    }
    No::NotIndexed(libraries.iter().map(told).collect::<Vec<_>>().join(" "))
}

/// Long work of a processor, on a thread that may block. It is waited for, so it has an owner.
async fn apart<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// An answer that may be long: made and written on a thread that may block.
async fn written<T: Serialize>(make: impl FnOnce() -> T + Send + 'static) -> Response {
    let text = apart(move || serde_json::to_string(&make()).expect("an answer is always JSON")).await;
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// A body of at most so many bytes as JSON.
async fn read_up_to<T: DeserializeOwned + Send + 'static>(
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<T, Problem> {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !said.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(Problem::NOT_JSON);
    }
    let bytes = bytes_up_to(body, most).await?;
    apart(move || object(&bytes)?.ok_or(Problem::BAD_BODY)).await
}

async fn bytes_up_to(body: Body, most: usize) -> Result<bytes::Bytes, Problem> {
    whole(body, most, BODY_PATIENCE).await.map_err(|problem| match problem {
        Problem::TOO_LONG => TOO_MANY,
        other => other,
    })
}
