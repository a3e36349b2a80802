//! What the demo's page is made of, the board as it lives, and the plug.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::board::{Board, Looking, Shown};
use super::super::plug::NotNow;
use super::gate::Pass;
use greenroom_control::protect;

use greenroom_control::ICON;

const DOCUMENT: &str = include_str!("demo.html");
const STYLE: &str = include_str!("demo.css");
const SCRIPT: &str = include_str!("demo.js");
/// Where the page's token goes in the document.
const TOKEN_PLACE: &str = "{{token}}";
/// How often those who look are told. Real time: it is for people.
const PERIOD: Duration = Duration::from_millis(250);
/// An order for the plug is a word.
const MAX_BODY_BYTES: usize = 256;

/// What all answers are made from.
#[derive(Debug, Clone)]
struct Stand {
    board: Arc<Board>,
    pass: Arc<Pass>,
    stop: CancellationToken,
}

/// Where the plug is to be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    pulled: bool,
}

/// Everything that is answered here.
pub(super) fn router(board: Arc<Board>, pass: Pass, stop: CancellationToken) -> Router {
    let stand = Stand { board, pass: Arc::new(pass), stop };
    Router::new()
        .route("/", get(document))
        .route("/demo.css", get(|| async { whole("text/css; charset=utf-8", STYLE) }))
        .route("/demo.js", get(|| async { whole("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/favicon.svg", get(|| async { whole("image/svg+xml", ICON) }))
        .route("/board", get(board_now))
        .route("/events", get(watch))
        .route("/plug", post(move_plug))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(stand.clone(), admit))
        .with_state(stand)
}

/// Lets the request in, or says why not.
async fn admit(State(stand): State<Stand>, request: Request, next: Next) -> Response {
    let decision = stand.pass.judge(request.method(), request.headers());
    let mut response = match decision.refusal() {
        Some((status, reason)) => refused(status, reason),
        None => next.run(request).await,
    };
    protect(response.headers_mut());
    response
}

async fn document(State(stand): State<Stand>) -> impl IntoResponse {
    whole("text/html; charset=utf-8", DOCUMENT.replace(TOKEN_PLACE, stand.pass.token()))
}

/// The board as it is now.
async fn board_now(State(stand): State<Stand>) -> Json<Shown> {
    Json(stand.board.shown())
}

/// The board as it lives: whole every time, so whoever comes late misses nothing.
async fn watch(State(stand): State<Stand>) -> Response {
    let Some(looking) = stand.board.look() else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "Too many pages look at this demo.");
    };
    let frames = stream::unfold((looking, stand.stop, true), |(looking, stop, is_first)| async move {
        if !is_first {
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
        let frame = frame(&looking);
        Some((Ok::<_, Infallible>(frame), (looking, stop, false)))
    });
    let mut response = Response::new(Body::from_stream(frames));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn frame(looking: &Looking) -> String {
    let json = serde_json::to_string(&looking.board().shown()).expect("a board is always JSON");
    format!("event: board\ndata: {json}\n\n")
}

async fn move_plug(State(stand): State<Stand>, Json(wish): Json<Wish>) -> Response {
    let moved = if wish.pulled { stand.board.pull_plug() } else { stand.board.put_plug_back() };
    match moved {
        Ok(()) => Json(stand.board.shown()).into_response(),
        Err(NotNow::Held) => {
            refused(StatusCode::CONFLICT, "The evening holds the plug itself for this minute.")
        }
        Err(NotNow::AppsWake) => {
            refused(StatusCode::CONFLICT, "The apps are waking up, and ask the servers first.")
        }
    }
}

fn refused(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({"title": reason}))).into_response()
}

/// Asked for anew every time: nobody sees parts of an earlier demo's page.
fn whole<T: IntoResponse>(content_type: &'static str, text: T) -> ([(HeaderName, &'static str); 2], T) {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")], text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of the first view; it is no more than a person on a telephone would wait for.
    const MAX_FIRST_VIEW: usize = 40 * 1024;

    #[test]
    fn the_first_view_is_small() {
        let bytes = DOCUMENT.len() + STYLE.len() + SCRIPT.len() + ICON.len();
        assert!(bytes < MAX_FIRST_VIEW, "{bytes}");
    }

    #[test]
    fn nothing_becomes_markup_is_inline_or_fetched_from_elsewhere() {
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
        for word in ["<style", " style=", "onclick", "onload", "javascript:"] {
            assert!(!DOCUMENT.contains(word), "{word}");
        }
        for text in [DOCUMENT, STYLE, SCRIPT] {
            assert!(!text.contains("://") && !text.contains("url(") && !text.contains("@import"));
        }
    }

    #[test]
    fn the_token_has_one_place_in_the_document() {
        assert_eq!(DOCUMENT.matches(TOKEN_PLACE).count(), 1);
    }

    #[test]
    fn every_element_the_script_looks_for_is_in_the_document() {
        let mut found = 0;
        let literal =
            SCRIPT.split("$(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
        let of_a_side = SCRIPT.split("$(way + \"").skip(1).filter_map(|rest| rest.split('"').next());
        let figures = ["-reached", "-asked", "-answered", "-failed"];
        let of_both =
            of_a_side.chain(figures).flat_map(|end| ["direct", "through"].map(|way| format!("{way}{end}")));
        for id in literal.chain(of_both) {
            assert!(DOCUMENT.contains(&format!("id=\"{id}\"")), "{id}");
            found += 1;
        }
        assert!(found > 30, "the script looks elements up in another way now: {found}");
    }

    #[test]
    fn the_script_knows_every_phase() {
        use super::super::super::phase::Phase::*;
        for phase in [
            Preparing,
            DirectEvening,
            DirectReadsOn,
            DirectOutage,
            ThroughEvening,
            ThroughRestart,
            ThroughOutage,
            Afterwards,
        ] {
            let name = serde_json::to_string(&phase).expect("it is a word");
            assert!(SCRIPT.contains(&format!("{name}: ")), "{name}");
        }
    }
}
