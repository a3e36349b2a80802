//! Decides how a client's request is answered.

use std::sync::Arc;

use greenroom_http_caching::invalidation::is_safe;
use greenroom_http_caching::validation::is_for_the_server;
use greenroom_http_server::connection::{BodyFraming, ClientConnection};
use greenroom_http_server::interim::InterimSender;
use greenroom_http_server::limits::LimitKind;
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_request_log::{PassReason, RequestCategory};
use http::header::{CONTENT_LENGTH, HOST, UPGRADE};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};

use crate::access_log::{self, InFlightRequest};
use crate::api_request::ApiRequest;
use crate::api_server::ApiServer;
use crate::graphql::operation::{GraphqlRequest, OperationKind};
use crate::{fast_path, forward, observed_read, prefetch, read, response};

/// Max bytes of a request whose body is read to be understood. A longer one is passed on as one that is not understood,
/// and counted.
const MAX_KEY_BODY_BYTES: u64 = 1024 * 1024;

/// Kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestKind {
    /// It may be answered from the cache.
    Read,
    /// It may change something.
    Write,
    /// It is passed on, and nothing is stored of it.
    Pass,
}

/// Answers one request.
pub(crate) async fn handle(
    server: Arc<ApiServer>,
    request: Request<Incoming>,
    connection: &Arc<ClientConnection>,
    interim: InterimSender,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if let Some(problem) = rejection(&parts, connection) {
        let response = response::problem(StatusCode::BAD_REQUEST, problem, None);
        return access_log::refused(&server, &parts.headers, response);
    }
    if parts.method == Method::TRACE {
        // The server would show the client the secrets that are added for it.
        let response = response::problem(StatusCode::METHOD_NOT_ALLOWED, "TRACE is not forwarded", None);
        return access_log::refused(&server, &parts.headers, response);
    }
    let target = parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let route = server.routes().find(&parts.method, parts.uri.path());
    let mut api_request = ApiRequest::new((&server.settings, &server.hash_key), &parts, target, route);
    let kind = request_kind(&api_request, !body.is_end_stream());
    let category = match kind {
        RequestKind::Write if !is_graphql(&api_request) => RequestCategory::Write,
        _ => RequestCategory::Route(api_request.route.route.name),
    };
    let caller = access_log::caller_of(&server, &parts.headers, Some(api_request.resource.partition()), category);
    let in_flight = InFlightRequest::new(&server, caller.clone());
    api_request.caller = Some(caller);
    let interim = Arc::new(interim);
    if parts.version >= Version::HTTP_11 {
        api_request.interim = Some(Arc::clone(&interim));
    }
    if is_graphql(&api_request) || is_body_read(&api_request, !body.is_end_stream()) {
        let response = handle_with_body(&server, api_request, body).await;
        interim.close();
        return in_flight.finish(response);
    }
    let api_request = Arc::new(server.searched(api_request).await);
    let response = match kind {
        RequestKind::Read => {
            let head = fast_path::unknown_head(&server, &api_request, connection, (&parts.uri, &parts.headers));
            let response = answer_read(&server, &api_request).await;
            if let Some(head) = head.filter(|_| fast_path::is_learnable(&response)) {
                fast_path::learn(&server, &api_request, head).await;
            }
            response
        }
        RequestKind::Write => write(server, api_request, Body::Stream(body)).await,
        RequestKind::Pass => match answer_head(&server, &api_request).await {
            Some(response) if body.is_end_stream() => response,
            _ => forward::pass(&server, &api_request, Body::Stream(body)).await,
        },
    };
    interim.close();
    in_flight.finish(response)
}

fn is_graphql(request: &ApiRequest) -> bool {
    request.route.settings().is_some_and(|route| route.graphql.is_some())
        && matches!(request.method, Method::POST | Method::GET)
}

/// Sends a write.
async fn write(server: Arc<ApiServer>, request: Arc<ApiRequest>, body: Body) -> Response<Body> {
    let response = forward::write(server, request, body).await;
    access_log::with_default_outcome(response, access_log::passed_outcome(PassReason::Write))
}

/// Answers a read, and loads what its client is likely to read next.
async fn answer_read(server: &Arc<ApiServer>, request: &Arc<ApiRequest>) -> Response<Body> {
    prefetch::remember(server, request);
    let response = answer_in_mode(server, request).await;
    prefetch::load_next(server, request, &response);
    response
}

/// Answers a read in the server's mode.
async fn answer_in_mode(server: &Arc<ApiServer>, request: &Arc<ApiRequest>) -> Response<Body> {
    if is_bypassed(server, request) {
        let body = request.body.clone().map_or_else(Body::empty, Body::from);
        let response = forward::pass(server, request, body).await;
        return access_log::with_default_outcome(response, access_log::passed_outcome(PassReason::Bypassed));
    }
    match server.running_observation() {
        Some(observation) => observed_read::read(server, request, &observation).await,
        None => read::read(server, request).await,
    }
}

/// The response to a `HEAD`, if the cache may give it.
async fn answer_head(server: &Arc<ApiServer>, request: &Arc<ApiRequest>) -> Option<Response<Body>> {
    if is_bypassed(server, request) || server.running_observation().is_some() {
        return None;
    }
    read::stored_head(server, request).await
}

fn is_bypassed(server: &ApiServer, request: &ApiRequest) -> bool {
    let app = request.caller.as_ref().map_or("", |caller| caller.app.name.as_str());
    server.bypasses.covers(server.name(), request.route.route.name.text(), app)
}

/// Answers a request whose body says what it asks for: from the cache if it is a read, else by the server.
async fn handle_with_body(server: &Arc<ApiServer>, request: ApiRequest, body: Incoming) -> Response<Body> {
    let collecting = server.clock.timeout(server.settings.load_timeout, collect(body, MAX_KEY_BODY_BYTES)).await;
    let body = match collecting {
        Ok(CollectedBody::Whole(body)) => body,
        Ok(CollectedBody::TooLong(read, rest)) => {
            server.limits.counters.record(LimitKind::BodyLength);
            tracing::debug!(
                server = server.name(),
                max_bytes = MAX_KEY_BODY_BYTES,
                "body of a request too long to be read"
            );
            let body = Body::Resumed { read, rest };
            let is_safe = is_safe(&request.method);
            let request = Arc::new(request);
            return if is_safe {
                forward::pass(server, &request, body).await
            } else {
                write(Arc::clone(server), request, body).await
            };
        }
        Ok(CollectedBody::Broken(_)) | Err(_) => {
            return response::problem(StatusCode::BAD_REQUEST, "the body of the request is incomplete", None);
        }
    };
    if !is_graphql(&request) {
        return answer_read(server, &Arc::new(request.with_key_body(body))).await;
    }
    let asked = GraphqlRequest::new(&request.method, &request.target, &body, &server.documents);
    match graphql_request_kind(&request.method, asked.kind, !body.is_empty()) {
        RequestKind::Read => {
            let is_post = request.method == Method::POST;
            let request = request.with_graphql_query(&asked, is_post.then_some(body));
            answer_read(server, &Arc::new(request)).await
        }
        RequestKind::Write => write(Arc::clone(server), Arc::new(request), body.into()).await,
        RequestKind::Pass => forward::pass(server, &request, body.into()).await,
    }
}

/// Whether it is a read of a route on which the body is a part of what is asked for.
fn is_body_read(request: &ApiRequest, has_body: bool) -> bool {
    let is_read = request.method == Method::POST || (is_safe(&request.method) && request.method != Method::HEAD);
    has_body
        && is_read
        && !is_for_the_server(&request.headers)
        && request.route.settings().is_some_and(|route| route.key_body)
}

/// Kind of a GraphQL request. One that is not understood may be a mutation, but not by `GET`, which must not change
/// anything (hashes of persisted queries come by it).
fn graphql_request_kind(method: &Method, operation: OperationKind, has_body: bool) -> RequestKind {
    match (operation, *method == Method::GET) {
        (OperationKind::Mutation, _) | (OperationKind::Other, false) => RequestKind::Write,
        (OperationKind::Query, true) if has_body => RequestKind::Pass,
        (OperationKind::Query, _) => RequestKind::Read,
        (OperationKind::Subscription, _) | (OperationKind::Other, true) => RequestKind::Pass,
    }
}

fn request_kind(request: &ApiRequest, has_body: bool) -> RequestKind {
    if !is_safe(&request.method) {
        RequestKind::Write
    } else if request.method == Method::GET && !has_body && !is_for_the_server(&request.headers) {
        // A body is no part of the key, so what it asks for is not known.
        RequestKind::Read
    } else {
        RequestKind::Pass
    }
}

/// Reason for which a request is not understood, if so.
fn rejection(parts: &http::request::Parts, connection: &ClientConnection) -> Option<&'static str> {
    if connection.has_conflicting_length(BodyFraming::from_headers(&parts.headers)) {
        return Some("the request has both a length and chunks");
    }
    if parts.headers.get_all(HOST).iter().nth(1).is_some()
        || parts.headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some()
    {
        return Some("the request has two Host or Content-Length fields");
    }
    if parts.headers.contains_key(UPGRADE) && parts.method == Method::CONNECT {
        return Some("tunnels are not opened");
    }
    let path = parts.uri.path();
    let is_dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    (parts.method == Method::CONNECT || path.split('/').any(is_dots)).then_some("the path of the request is not plain")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graphql_request_is_a_write_if_it_may_change_something() {
        for (method, operation, has_body, wanted) in [
            (Method::POST, OperationKind::Query, true, RequestKind::Read),
            (Method::POST, OperationKind::Mutation, true, RequestKind::Write),
            (Method::POST, OperationKind::Subscription, true, RequestKind::Pass),
            (Method::POST, OperationKind::Other, true, RequestKind::Write),
            (Method::POST, OperationKind::Other, false, RequestKind::Write),
            (Method::GET, OperationKind::Query, false, RequestKind::Read),
            (Method::GET, OperationKind::Query, true, RequestKind::Pass),
            (Method::GET, OperationKind::Mutation, false, RequestKind::Write),
            (Method::GET, OperationKind::Subscription, false, RequestKind::Pass),
            (Method::GET, OperationKind::Other, false, RequestKind::Pass),
        ] {
            assert_eq!(graphql_request_kind(&method, operation, has_body), wanted, "{method} {operation:?} {has_body}");
        }
    }
}
