//! The description of the API, for programs and people: made from the handlers and the bodies themselves.
//!
//! A handler says what it takes and what comes of it. What holds for all of them is added here: what the gate answers,
//! what becomes of a body that cannot be read, how a problem looks, and by what name an operation goes.

use std::sync::{Arc, LazyLock};

use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use utoipa::PartialSchema;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response, Server,
};

use crate::Plane;
use crate::auth::policy::Route;
use crate::auth::session::COOKIE_NAME;
use crate::error::ProblemBody;
use crate::router;

/// What the description says of the whole.
const INTRODUCTION: &str = "Everything the control plane of Greenroom shows and steers. Times are milliseconds since 1970. \
    Reading needs no token on the machine itself, and anywhere else one of both; whatever changes something needs the \
    control token, or the session of the page. HEAD is answered wherever GET is.";

/// The media type of a problem.
const PROBLEM: &str = "application/problem+json";

/// How a program shows the token.
const BEARER: &str = "token";
/// How the page does.
const SESSION: &str = "session";

/// The description as it is written out.
static WRITTEN: LazyLock<String> = LazyLock::new(|| write(router::description()));

/// The description of the API.
#[utoipa::path(get, path = "/api/v1/openapi.json", responses((status = 200, body = Object)))]
pub(super) async fn document(State(plane): State<Arc<Plane>>) -> impl IntoResponse {
    let base_path = &plane.settings.base_path;
    let text = if base_path.is_empty() {
        Bytes::from_static(WRITTEN.as_bytes())
    } else {
        let mut moved = router::description().clone();
        moved.servers = Some(vec![Server::new(base_path)]);
        Bytes::from(write(&moved))
    };
    ([(CONTENT_TYPE, "application/json")], text)
}

/// The description of the API, for people and files.
pub fn written() -> &'static str {
    &WRITTEN
}

fn write(description: &OpenApi) -> String {
    let text = description.to_pretty_json().expect("a description is always JSON");
    // The library spells them otherwise than the registry of formats does.
    text.replace("\"format\": \"u-int", "\"format\": \"uint")
}

/// What is said before any path is.
pub(super) fn beginning() -> OpenApi {
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The control token, or for what is only read the read-only one."))
        .build();
    let cookie = ApiKeyValue::with_description(
        COOKIE_NAME,
        "The session of the page, opened with the control token. The port by which we are called follows the name, as in greenroom_session_8710.",
    );
    let components = ComponentsBuilder::new()
        .schema("Problem", ProblemBody::schema())
        .security_scheme(BEARER, SecurityScheme::Http(bearer))
        .security_scheme(SESSION, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    let info = InfoBuilder::new()
        .title("Greenroom")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(INTRODUCTION));
    OpenApiBuilder::new().info(info).components(Some(components.build())).build()
}

/// Adds to every operation what holds for it because of where it is and what it takes.
pub(super) fn complete(description: &mut OpenApi) {
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(name(&method, path));
            operation.tags = Some(vec![tag(path).to_owned()]);
            let route = Route::of(&method, path);
            operation.security = Some(keys(route));
            for (status, description) in of_the_gate(route).chain(of_what_is_taken(operation)) {
                let said = operation.responses.responses.entry(status.as_str().to_owned());
                let said = said.or_insert_with(|| RefOr::T(Response::new(description)));
                if let RefOr::T(response) = said {
                    response.content.entry(PROBLEM.to_owned()).or_insert_with(problem);
                }
            }
            for (status, said) in &mut operation.responses.responses {
                if let RefOr::T(response) = said {
                    complete_response(status, response);
                }
            }
        }
    }
}

/// The operations of a path.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::PATCH, &mut item.patch),
    ];
    all.into_iter().filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// A name no other operation has: method and path in words.
fn name(method: &Method, path: &str) -> String {
    let words = path
        .trim_start_matches("/api/v1")
        .split(['/', '{', '}', '-', '.', '_'])
        .filter(|word| !word.is_empty());
    words.fold(method.as_str().to_lowercase(), |name, word| name + "_" + word)
}

/// The noun a path is about; what has the shape other programs gave it is one of its own.
fn tag(path: &str) -> &str {
    match (path.strip_prefix("/api/v1/"), path.starts_with("/api/")) {
        (Some(rest), _) => rest.split(['/', '.']).next().unwrap_or(rest),
        (None, true) => "compatible",
        (None, false) => "health",
    }
}

/// What has to be shown: one of these.
fn keys(route: Route) -> Vec<SecurityRequirement> {
    let shown = || ["token", "session"].map(|scheme| SecurityRequirement::new(scheme, [""; 0]));
    match route {
        Route::Open | Route::Login => Vec::new(),
        Route::Whoami | Route::Read => {
            std::iter::once(SecurityRequirement::default()).chain(shown()).collect()
        }
        Route::Change => shown().into(),
    }
}

/// What the gate may answer.
fn of_the_gate(route: Route) -> impl Iterator<Item = (StatusCode, &'static str)> {
    let needs_key = route != Route::Open;
    let changes = matches!(route, Route::Login | Route::Change);
    let answers = [
        (true, StatusCode::MISDIRECTED_REQUEST, "The host is not one of ours"),
        (changes, StatusCode::FORBIDDEN, "Another page asks"),
        (needs_key, StatusCode::UNAUTHORIZED, "The token is missing, or wrong"),
        (needs_key, StatusCode::TOO_MANY_REQUESTS, "Too many wrong tokens were shown"),
    ];
    answers
        .into_iter()
        .filter(|(may_come, ..)| *may_come)
        .map(|(_, status, description)| (status, description))
}

/// What becomes of input that cannot be understood.
fn of_what_is_taken(operation: &Operation) -> impl Iterator<Item = (StatusCode, &'static str)> + use<> {
    let has_body = operation.request_body.is_some();
    let takes = has_body || operation.parameters.is_some();
    let answers = [
        (takes, StatusCode::BAD_REQUEST, "It cannot be understood"),
        (has_body, StatusCode::PAYLOAD_TOO_LARGE, "The body is too long"),
        (has_body, StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is of another kind"),
        (has_body, StatusCode::REQUEST_TIMEOUT, "The body did not come in time"),
    ];
    answers
        .into_iter()
        .filter(|(may_come, ..)| *may_come)
        .map(|(_, status, description)| (status, description))
}

/// What is refused is a problem unless it says otherwise; and nothing is without a word.
fn complete_response(status: &str, response: &mut Response) {
    let status = status.parse().unwrap_or(StatusCode::OK);
    if response.description.is_empty() {
        status.canonical_reason().unwrap_or("Something else").clone_into(&mut response.description);
    }
    if response.content.is_empty() && (status.is_client_error() || status.is_server_error()) {
        response.content.insert(PROBLEM.to_owned(), problem());
    }
}

fn problem() -> Content {
    Content::new(Some(Ref::from_schema_name("Problem")))
}
