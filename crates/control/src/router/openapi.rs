//! The OpenAPI document, generated from the handlers and the body types.
//!
//! A handler declares its input and responses. This module adds what all of them share: responses of the middleware,
//! errors of malformed bodies, the problem format, and operation ids.

use std::sync::{Arc, LazyLock};

use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use utoipa::PartialSchema;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response, Server};

use crate::auth::policy::RouteAccess;
use crate::auth::session::COOKIE_NAME;
use crate::control::ApiState;
use crate::error::ProblemBody;
use crate::router;

/// The introduction of the document.
const INTRODUCTION: &str = "Everything the control plane of Greenroom shows and steers. Times are milliseconds since 1970. \
    Reading needs no token on the machine itself, and anywhere else one of both; whatever changes something needs the \
    control token, or the session of the page. HEAD is answered wherever GET is.";

/// The media type of a problem.
const PROBLEM: &str = "application/problem+json";

/// Security scheme of programs: the token.
const BEARER: &str = "token";
/// Security scheme of the page: its session.
const SESSION: &str = "session";

/// The document as JSON.
static WRITTEN: LazyLock<String> = LazyLock::new(|| write(router::description()));

/// The OpenAPI document.
#[utoipa::path(get, path = "/api/v1/openapi.json", responses((status = 200, body = Object)))]
pub(super) async fn document(State(plane): State<Arc<ApiState>>) -> impl IntoResponse {
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

/// The OpenAPI document as JSON.
pub fn as_json() -> &'static str {
    &WRITTEN
}

fn write(description: &OpenApi) -> String {
    let text = description.to_pretty_json().expect("a description is always JSON");
    // The library's format names differ from those of the OpenAPI format registry.
    text.replace("\"format\": \"u-int", "\"format\": \"uint")
}

/// The document before any path is added.
pub(super) fn base_document() -> OpenApi {
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
    let info = InfoBuilder::new().title("Greenroom").version(env!("CARGO_PKG_VERSION")).description(Some(INTRODUCTION));
    OpenApiBuilder::new().info(info).components(Some(components.build())).build()
}

/// Completes every operation from its path and input.
pub(super) fn complete(description: &mut OpenApi) {
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(name(&method, path));
            operation.tags = Some(vec![tag(path).to_owned()]);
            let route = RouteAccess::classify(&method, path);
            operation.security = Some(keys(route));
            for (status, description) in auth_responses(route).chain(input_responses(operation)) {
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

/// A unique operation id: method and path in words.
fn name(method: &Method, path: &str) -> String {
    let words =
        path.trim_start_matches("/api/v1").split(['/', '{', '}', '-', '.', '_']).filter(|word| !word.is_empty());
    words.fold(method.as_str().to_lowercase(), |name, word| name + "_" + word)
}

/// The tag of a path; the compatibility paths have their own.
fn tag(path: &str) -> &str {
    match (path.strip_prefix("/api/v1/"), path.starts_with("/api/")) {
        (Some(rest), _) => rest.split(['/', '.']).next().unwrap_or(rest),
        (None, true) => "compatible",
        (None, false) => "health",
    }
}

/// The accepted credentials.
fn keys(route: RouteAccess) -> Vec<SecurityRequirement> {
    let shown = || ["token", "session"].map(|scheme| SecurityRequirement::new(scheme, [""; 0]));
    match route {
        RouteAccess::Open | RouteAccess::Login => Vec::new(),
        RouteAccess::Whoami | RouteAccess::Read => {
            std::iter::once(SecurityRequirement::default()).chain(shown()).collect()
        }
        RouteAccess::Change => shown().into(),
    }
}

/// Responses of the middleware.
fn auth_responses(route: RouteAccess) -> impl Iterator<Item = (StatusCode, &'static str)> {
    let needs_key = route != RouteAccess::Open;
    let changes = matches!(route, RouteAccess::Login | RouteAccess::Change);
    let answers = [
        (true, StatusCode::MISDIRECTED_REQUEST, "The host is not one of ours"),
        (changes, StatusCode::FORBIDDEN, "Another page asks"),
        (needs_key, StatusCode::UNAUTHORIZED, "The token is missing, or wrong"),
        (needs_key, StatusCode::TOO_MANY_REQUESTS, "Too many wrong tokens were shown"),
    ];
    answers.into_iter().filter(|(may_come, ..)| *may_come).map(|(_, status, description)| (status, description))
}

/// Error responses for malformed input.
fn input_responses(operation: &Operation) -> impl Iterator<Item = (StatusCode, &'static str)> + use<> {
    let has_body = operation.request_body.is_some();
    let takes = has_body || operation.parameters.is_some();
    let answers = [
        (takes, StatusCode::BAD_REQUEST, "It cannot be understood"),
        (has_body, StatusCode::PAYLOAD_TOO_LARGE, "The body is too long"),
        (has_body, StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is of another kind"),
        (has_body, StatusCode::REQUEST_TIMEOUT, "The body did not come in time"),
    ];
    answers.into_iter().filter(|(may_come, ..)| *may_come).map(|(_, status, description)| (status, description))
}

/// Errors are problems unless declared otherwise; every response gets a description.
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
