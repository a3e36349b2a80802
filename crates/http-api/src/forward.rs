//! Requests that are not answered from the cache: writes, which are sent once and invalidate what they change, and all
//! that is neither a read nor a write.

use std::sync::Arc;

use bytes::Bytes;
use greenroom_cache::Tag;
use greenroom_http_caching::cache_groups::{CACHE_GROUP_INVALIDATION, groups};
use greenroom_http_caching::cache_status::{CacheStatusField, ForwardReason};
use greenroom_http_caching::invalidation::{WriteOutcome, named_targets, write_outcome};
use greenroom_http_caching::validation;
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::client::UpstreamRequestKind;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::access_log;
use crate::added_secrets::{hide_added_query, with_added_headers, with_added_query};
use crate::api_request::{ANY_OBJECT, ApiRequest, group_tag, object_tag, resource_tag, route_tag, search_tag};
use crate::api_server::ApiServer;
use crate::graphql::result::{GraphqlResult, MutationEffect, mutation_effect};
use crate::resource_name::resource_name;
use crate::response;
use crate::upstream::{BudgetPatience, SendError, may_have_reached};

/// Sends a write, in a task that the client's disconnect does not cancel, and invalidates what it changes before the
/// client gets the response.
pub(crate) async fn write(server: Arc<ApiServer>, request: Arc<ApiRequest>, body: Body) -> Response<Body> {
    let (sender, receiver) = oneshot::channel();
    let tasks = server.tasks.clone();
    tasks.spawn(async move {
        // The client may have left; the write is completed all the same.
        let _ = sender.send(write_once(&server, &request, body).await);
    });
    receiver
        .await
        .unwrap_or_else(|_| response::problem(StatusCode::INTERNAL_SERVER_ERROR, "Greenroom failed; see its log", None))
}

async fn write_once(server: &ApiServer, request: &ApiRequest, body: Body) -> Response<Body> {
    let response = match send(server, request, body, UpstreamRequestKind::Write).await {
        Ok(response) if request.route.settings().is_some_and(|route| route.graphql.is_some()) => {
            pass_on_mutation(server, request, response).await
        }
        Ok(response) => pass_on_write(server, request, response).await,
        Err(error) => {
            if may_have_reached(&error) {
                server.invalidate_uncertain(written_tags(server, request, &HeaderMap::new(), &[]));
            }
            unsent(&error)
        }
    };
    server.cache.flush_invalidations().await;
    response
}

/// Invalidates what a write changed.
async fn pass_on_write(server: &ApiServer, request: &ApiRequest, answer: Response<Incoming>) -> Response<Body> {
    let (parts, body) = answer.into_parts();
    let (body, read) = if request.route.reads_write_responses() {
        match collect(body, server.settings.max_body_bytes).await {
            CollectedBody::Whole(body) => (Body::from(body.clone()), body),
            CollectedBody::TooLong(read, rest) => (Body::Resumed { read, rest }, Bytes::new()),
            CollectedBody::Broken(_) => {
                server.invalidate_uncertain(written_tags(server, request, &parts.headers, &[]));
                return response::problem(StatusCode::BAD_GATEWAY, "the response of the server ended early", None);
            }
        }
    } else {
        (Body::Stream(body), Bytes::new())
    };
    match write_outcome(parts.status) {
        WriteOutcome::Confirmed => {
            let tags = written_tags(server, request, &parts.headers, &read);
            server.invalidate_written(tags, &request.own_partition);
        }
        WriteOutcome::Unknown => {
            server.invalidate_uncertain(written_tags(server, request, &parts.headers, &read));
        }
        WriteOutcome::Rejected => {}
    }
    pass_on(Response::from_parts(parts, body), ForwardReason::Method)
}

/// Invalidates what a mutation changed, which its response says.
async fn pass_on_mutation(server: &ApiServer, request: &ApiRequest, answer: Response<Incoming>) -> Response<Body> {
    let (parts, body) = answer.into_parts();
    let writer = &request.own_partition;
    let (body, read, result) = match collect(body, server.settings.max_body_bytes).await {
        CollectedBody::Whole(body) => {
            let result = GraphqlResult::of_body(&body);
            (Body::from(body.clone()), body, Some(result))
        }
        CollectedBody::TooLong(read, rest) => (Body::Resumed { read, rest }, Bytes::new(), None),
        CollectedBody::Broken(_) => {
            server.invalidate_uncertain(written_tags(server, request, &parts.headers, &[]));
            return response::problem(StatusCode::BAD_GATEWAY, "the response of the server ended early", None);
        }
    };
    let tags_objects =
        request.route.settings().and_then(|route| route.graphql.as_ref()).is_some_and(|graphql| graphql.tag_objects);
    match mutation_effect(parts.status, result.as_ref(), tags_objects) {
        MutationEffect::None => {}
        MutationEffect::Uncertain => {
            server.invalidate_uncertain(written_tags(server, request, &parts.headers, &read));
        }
        MutationEffect::Route => {
            server.invalidate_written(written_tags(server, request, &parts.headers, &read), writer);
        }
        MutationEffect::Objects => {
            let objects = result.and_then(|result| result.objects).unwrap_or_default();
            let names = objects.iter().map(String::as_str).chain([ANY_OBJECT]).map(object_tag);
            let route = request.route.invalidates(&read);
            let named_groups = groups(&parts.headers, &CACHE_GROUP_INVALIDATION);
            let groups = named_groups.iter().map(|group| group_tag(group));
            server.invalidate_written(names.chain(groups).chain(route.iter().map(|tag| route_tag(tag))), writer);
        }
    }
    pass_on(Response::from_parts(parts, body), ForwardReason::Method)
}

/// Tags of what a write may have changed: its own resource, those that the response names, cache groups, and what its
/// route says.
fn written_tags(server: &ApiServer, request: &ApiRequest, response: &HeaderMap, body: &[u8]) -> Vec<Tag> {
    let authority = server.upstream.client.authority().as_str();
    let base = &server.settings.base_path;
    let own_target = format!("{base}{}", request.target);
    let named = named_targets(&own_target, authority, response);
    let named = named.iter().filter_map(|target| target.strip_prefix(base.as_str()));
    let name_of = |target: &str| {
        let path = target.split('?').next().unwrap_or_default();
        resource_name(&server.settings, &server.routes().find(&Method::GET, path), target)
    };
    let own = std::iter::once(name_of(&request.target));
    // Queries of a GraphQL route have the tag of its path.
    let graphql =
        request.route.settings().is_some_and(|route| route.graphql.is_some()).then(|| request.path().to_owned());
    let resources = own.chain(named.map(name_of)).chain(graphql);
    // A response for several queries of a path may be one for this query.
    let resources = resources.flat_map(|name| [resource_tag(&name), search_tag(&name)]);
    let named_groups = groups(response, &CACHE_GROUP_INVALIDATION);
    let route = request.route.invalidates(body);
    let tags = named_groups.iter().map(|group| group_tag(group)).chain(route.iter().map(|tag| route_tag(tag)));
    resources.chain(tags).collect()
}

/// Forwards a request that nothing is stored of. A `HEAD` whose answer differs from the stored response marks that
/// stale.
pub(crate) async fn pass(server: &Arc<ApiServer>, request: &ApiRequest, body: Body) -> Response<Body> {
    match send(server, request, body, UpstreamRequestKind::Stream).await {
        Ok(response) => {
            if request.method == Method::HEAD && response.status() == StatusCode::OK {
                check_stored(server, request, response.headers()).await;
            }
            pass_on(response.map(Body::Stream), ForwardReason::Method)
        }
        Err(error) => unsent(&error),
    }
}

async fn check_stored(server: &ApiServer, request: &ApiRequest, told: &HeaderMap) {
    let fields = server.variants.fields(&server.cache, &request.resource).await;
    let Some(entry) = server.cache.peek(&request.variant_key(&fields)) else { return };
    let stored = greenroom_http_caching::stored_head::StoredHead::decode(entry.meta());
    if stored.is_some_and(|stored| validation::contradicts(told, &stored.headers)) {
        server.invalidate([resource_tag(&request.resource_name)]);
    }
}

/// Sends a request of Greenroom's own.
///
/// # Errors
/// Why there is no response, as the end of a sentence.
pub(crate) async fn send_once(
    server: &ApiServer,
    request: &ApiRequest,
    body: Body,
) -> Result<Response<Incoming>, String> {
    send(server, request, body, UpstreamRequestKind::Stream).await.map_err(|error| match error {
        SendError::Down => "the server is down".to_owned(),
        SendError::QueueFull => "too many requests wait for the server".to_owned(),
        SendError::OverBudget(_) => "the budget of requests is used up".to_owned(),
        SendError::TimedOut => "the server did not respond in time".to_owned(),
        SendError::Failed(error) => error.message.clone(),
    })
}

async fn send(
    server: &ApiServer,
    request: &ApiRequest,
    body: Body,
    kind: UpstreamRequestKind,
) -> Result<Response<Incoming>, SendError> {
    let failed =
        |_| SendError::Failed(greenroom_origin::client::UpstreamError::from_reason(&"the request cannot be forwarded"));
    let target = with_added_query(&server.settings, &request.target);
    let uri = server.upstream.client.uri(&target).map_err(failed)?;
    let mut upstream = Request::new(body);
    *upstream.method_mut() = request.method.clone();
    *upstream.uri_mut() = uri;
    *upstream.headers_mut() = with_added_headers(&server.settings, &request.headers);
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING] {
        upstream.headers_mut().remove(name);
    }
    if let Some(interim) = request.interim.clone() {
        hyper::ext::on_informational(&mut upstream, move |told| interim.send(told.status(), told.headers()));
    }
    let mut sent = server.upstream.send(upstream, kind, BudgetPatience::Wait).await;
    access_log::record_sent(server, request.caller.as_ref(), &sent);
    if let Ok((response, _permit)) = &mut sent {
        hide_added_query(&server.settings, response.headers_mut());
    }
    sent.map(|(response, _permit)| response)
}

fn pass_on(response: Response<Body>, reason: ForwardReason) -> Response<Body> {
    let mut response = response::passed(response);
    CacheStatusField::Forwarded { reason, status: None, is_stored: false, is_collapsed: false, detail: None }
        .append_to(response.headers_mut());
    response
}

fn unsent(error: &SendError) -> Response<Body> {
    match error {
        SendError::Down => response::problem(StatusCode::SERVICE_UNAVAILABLE, "the server is down", Some(2)),
        SendError::QueueFull => {
            response::problem(StatusCode::SERVICE_UNAVAILABLE, "too many requests wait for the server", Some(1))
        }
        SendError::OverBudget(wait) => response::problem(
            StatusCode::TOO_MANY_REQUESTS,
            "the budget of requests to the server is used up",
            Some(wait.as_secs().saturating_add(1)),
        ),
        SendError::TimedOut => {
            response::problem(StatusCode::GATEWAY_TIMEOUT, "the server is slow; a write may have happened", None)
        }
        SendError::Failed(error) if error.never_sent => {
            response::problem(StatusCode::BAD_GATEWAY, "the server cannot be reached", None)
        }
        SendError::Failed(_) => response::problem(
            StatusCode::BAD_GATEWAY,
            "the server closed the connection; a write may have happened",
            None,
        ),
    }
}
