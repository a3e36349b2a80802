//! Responses of the demo's page: the document, its files, the live state as JSON and as an event stream, and the outage
//! switch.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use futures_util::stream;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::live_view::{LiveView, LiveViewSnapshot, ViewerGuard};
use super::super::outage_switch::SwitchError;
use super::auth::{PageAccessDecision, PageToken};
use super::greenroom;
use greenroom_control::set_security_headers;

use greenroom_control::ICON;

const DOCUMENT: &str = include_str!("demo.html");
const STYLE: &str = include_str!("demo.css");
const SCRIPT: &str = include_str!("demo.js");
/// Placeholder for the page's token in the document.
const TOKEN_PLACE: &str = "{{token}}";
/// Interval of live updates. Real time, because it is for people.
const PERIOD: Duration = Duration::from_millis(250);
/// The body of a switch request is one word.
const MAX_BODY_BYTES: usize = 256;

/// State shared by all responses.
#[derive(Debug, Clone)]
struct PageState {
    live_view: Arc<LiveView>,
    page_token: Arc<PageToken>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Wanted state of the servers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutageRequest {
    pulled: bool,
}

pub(super) fn router(
    live_view: Arc<LiveView>,
    page_token: PageToken,
    tasks: TaskTracker,
    stop: CancellationToken,
) -> Router {
    let stand = PageState { live_view, page_token: Arc::new(page_token), tasks, stop };
    let gateway = Router::new()
        .route("/greenroom", get(|| async { Redirect::permanent("/greenroom/") }))
        .route("/greenroom/", any(forward))
        .route("/greenroom/{*rest}", any(forward))
        .layer(from_fn_with_state(stand.clone(), admit_own_host));
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
        .merge(gateway)
        .with_state(stand)
}

/// Checks access; rejects with a reason.
async fn admit(State(stand): State<PageState>, request: Request, next: Next) -> Response {
    let decision = stand.page_token.decide(request.method(), request.headers());
    answer(decision, request, next).await
}

/// The same for Greenroom's own page, which checks everything but the host itself.
async fn admit_own_host(State(stand): State<PageState>, request: Request, next: Next) -> Response {
    let decision = stand.page_token.decide_host(request.headers());
    answer(decision, request, next).await
}

async fn answer(decision: PageAccessDecision, request: Request, next: Next) -> Response {
    let mut response = match decision.refusal() {
        Some((status, reason)) => refused(status, reason),
        None => next.run(request).await,
    };
    set_security_headers(response.headers_mut());
    response
}

async fn document(State(stand): State<PageState>) -> impl IntoResponse {
    whole("text/html; charset=utf-8", DOCUMENT.replace(TOKEN_PLACE, stand.page_token.token()))
}

/// Current live state.
async fn board_now(State(stand): State<PageState>) -> Json<LiveViewSnapshot> {
    Json(stand.live_view.snapshot())
}

/// Live state as an event stream: complete every time, so that a viewer who connects late misses nothing.
async fn watch(State(stand): State<PageState>) -> Response {
    let Some(looking) = stand.live_view.add_viewer() else {
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

fn frame(looking: &ViewerGuard) -> String {
    let json = serde_json::to_string(&looking.view().snapshot()).expect("a board is always JSON");
    format!("event: board\ndata: {json}\n\n")
}

/// Greenroom's own page and API.
async fn forward(State(stand): State<PageState>, request: Request) -> Response {
    let Some(address) = stand.live_view.gateway_address() else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "The demo's Greenroom is not there yet.");
    };
    let viewer = greenroom::opens_event_stream(request.headers()).then(|| stand.live_view.add_viewer()).flatten();
    greenroom::forward(address, request, viewer, &stand.tasks, stand.stop).await
}

async fn move_plug(State(stand): State<PageState>, Json(wish): Json<OutageRequest>) -> Response {
    let moved = if wish.pulled { stand.live_view.cut_servers() } else { stand.live_view.restore_servers() };
    match moved {
        Ok(()) => Json(stand.live_view.snapshot()).into_response(),
        Err(SwitchError::Held) => refused(StatusCode::CONFLICT, "The race holds the switch itself for a moment."),
        Err(SwitchError::AppsWarmingUp) => {
            refused(StatusCode::CONFLICT, "The apps are warming up, and ask the servers first.")
        }
    }
}

fn refused(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({"title": reason}))).into_response()
}

/// Uncacheable, so that no part of an earlier demo's page is shown.
fn whole<T: IntoResponse>(content_type: &'static str, text: T) -> ([(HeaderName, &'static str); 2], T) {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")], text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Max bytes of the first view: as much as a person with a telephone would wait for.
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
        let literal = SCRIPT.split("$(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
        let of_a_side = SCRIPT.split("$(way + \"").skip(1).filter_map(|rest| rest.split('"').next());
        let figures = ["-reached", "-asked", "-failed"];
        let of_both = of_a_side.chain(figures).flat_map(|end| ["direct", "through"].map(|way| format!("{way}{end}")));
        for id in literal.chain(of_both) {
            assert!(DOCUMENT.contains(&format!("id=\"{id}\"")), "{id}");
            found += 1;
        }
        assert!(found > 30, "the script looks elements up in another way now: {found}");
    }

    #[test]
    fn the_script_knows_every_phase() {
        use super::super::super::phase::DemoPhase::*;
        for phase in [Preparing, Race, Outage, Afterwards] {
            let name = serde_json::to_string(&phase).expect("it is a word");
            assert!(SCRIPT.contains(&format!("{name}: ")), "{name}");
        }
    }
}
