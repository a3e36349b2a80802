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

use crate::router;
use greenroom_control::auth::policy::RouteAccess;
use greenroom_control::auth::session::COOKIE_NAME;
use greenroom_control::error::ProblemBody;
use greenroom_control::state::ApiState;

/// The introduction of the document.
const DESCRIPTION: &str = "The API of Greenroom's control plane. Times are milliseconds since 1970. Reads need no token on the same machine, and \
    elsewhere the control token or the read-only token; changes need the control token, or a session of the page. Every \
    path with GET also answers HEAD.";

/// The media type of a problem.
const PROBLEM: &str = "application/problem+json";

/// Security scheme of programs: the token.
const BEARER: &str = "token";
/// Security scheme of the page: its session.
const SESSION: &str = "session";

/// The document as JSON.
static DOCUMENT_JSON: LazyLock<String> = LazyLock::new(|| write(router::description()));

/// The OpenAPI document.
#[utoipa::path(get, path = "/api/v1/openapi.json", responses((status = 200, body = Object)))]
pub(super) async fn document(State(state): State<Arc<ApiState>>) -> impl IntoResponse {
    let base_path = &state.settings.base_path;
    let text = if base_path.is_empty() {
        Bytes::from_static(DOCUMENT_JSON.as_bytes())
    } else {
        let mut document = router::description().clone();
        document.servers = Some(vec![Server::new(base_path)]);
        Bytes::from(write(&document))
    };
    ([(CONTENT_TYPE, "application/json")], text)
}

/// The OpenAPI document as JSON.
pub fn as_json() -> &'static str {
    &DOCUMENT_JSON
}

fn write(description: &OpenApi) -> String {
    let text = description.to_pretty_json().expect("the document serializes to JSON");
    // The library's format names differ from those of the OpenAPI format registry.
    text.replace("\"format\": \"u-int", "\"format\": \"uint")
}

/// The document before any path is added.
pub(super) fn base_document() -> OpenApi {
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The control token; for reads, the read-only token as well."))
        .build();
    let cookie = ApiKeyValue::with_description(
        COOKIE_NAME,
        "The session of the page, opened with the control token. The port of the requested host is appended to the name, as in greenroom_session_8710.",
    );
    let components = ComponentsBuilder::new()
        .schema("Problem", ProblemBody::schema())
        .security_scheme(BEARER, SecurityScheme::Http(bearer))
        .security_scheme(SESSION, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    let info = InfoBuilder::new().title("Greenroom").version(env!("CARGO_PKG_VERSION")).description(Some(DESCRIPTION));
    OpenApiBuilder::new().info(info).components(Some(components.build())).build()
}

/// Completes every operation from its path and input.
pub(super) fn complete(description: &mut OpenApi) {
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(name(&method, path));
            operation.tags = Some(vec![tag(path).to_owned()]);
            let route = RouteAccess::classify(&method, path);
            operation.security = Some(security(route));
            for (status, description) in auth_responses(route).chain(input_responses(operation)) {
                let entry = operation.responses.responses.entry(status.as_str().to_owned());
                let entry = entry.or_insert_with(|| RefOr::T(Response::new(description)));
                if let RefOr::T(response) = entry {
                    response.content.entry(PROBLEM.to_owned()).or_insert_with(problem);
                }
            }
            for (status, entry) in &mut operation.responses.responses {
                if let RefOr::T(response) = entry {
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
fn security(route: RouteAccess) -> Vec<SecurityRequirement> {
    let credentials = || ["token", "session"].map(|scheme| SecurityRequirement::new(scheme, [""; 0]));
    match route {
        RouteAccess::Open | RouteAccess::Login => Vec::new(),
        RouteAccess::Whoami | RouteAccess::Read => {
            std::iter::once(SecurityRequirement::default()).chain(credentials()).collect()
        }
        RouteAccess::ReadEntries | RouteAccess::Change => credentials().into(),
    }
}

/// Responses of the middleware.
fn auth_responses(route: RouteAccess) -> impl Iterator<Item = (StatusCode, &'static str)> {
    let needs_token = route != RouteAccess::Open;
    let changes = matches!(route, RouteAccess::Login | RouteAccess::Change);
    let responses = [
        (true, StatusCode::MISDIRECTED_REQUEST, "The host name is not configured"),
        (changes, StatusCode::FORBIDDEN, "Request from another site"),
        (needs_token, StatusCode::UNAUTHORIZED, "The token is missing or wrong"),
        (needs_token, StatusCode::TOO_MANY_REQUESTS, "Too many wrong tokens"),
    ];
    responses.into_iter().filter(|(applies, ..)| *applies).map(|(_, status, description)| (status, description))
}

/// Error responses for malformed input.
fn input_responses(operation: &Operation) -> impl Iterator<Item = (StatusCode, &'static str)> + use<> {
    let has_body = operation.request_body.is_some();
    let has_input = has_body || operation.parameters.is_some();
    let responses = [
        (has_input, StatusCode::BAD_REQUEST, "Invalid input"),
        (has_body, StatusCode::PAYLOAD_TOO_LARGE, "Body too long"),
        (has_body, StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported content type"),
        (has_body, StatusCode::REQUEST_TIMEOUT, "Body timeout"),
    ];
    responses.into_iter().filter(|(applies, ..)| *applies).map(|(_, status, description)| (status, description))
}

/// Errors are problems unless declared otherwise; every response gets a description.
fn complete_response(status: &str, response: &mut Response) {
    let status = status.parse().unwrap_or(StatusCode::OK);
    if response.description.is_empty() {
        status.canonical_reason().unwrap_or("Other status").clone_into(&mut response.description);
    }
    if response.content.is_empty() && (status.is_client_error() || status.is_server_error()) {
        response.content.insert(PROBLEM.to_owned(), problem());
    }
}

fn problem() -> Content {
    Content::new(Some(Ref::from_schema_name("Problem")))
}
