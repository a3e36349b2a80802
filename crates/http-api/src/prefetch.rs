//! Prefetch rules of routes: after a list, the details of its first rows are loaded, by repeating the client's own last
//! request of that kind with each row's value in it.

use std::sync::Arc;

use bytes::Bytes;
use greenroom_cache::PrefetchResult;
use greenroom_config::http_prefetch::{PrefetchRule, PrefetchTarget};
use greenroom_origin::body::Body;
use greenroom_prefetch::policy::SkipReason;
use http::header::{CACHE_CONTROL, PRAGMA, RANGE};
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::Value;

use crate::api_request::ApiRequest;
use crate::api_server::ApiServer;
use crate::graphql::operation::GraphqlRequest;
use crate::graphql::strict_json;
use crate::json_pointer;
use crate::loader::{ApiLoader, LoadTarget};
use crate::prefetch_queue::RequestTemplate;
use crate::resource_name::{credential_pairs, without_credentials};

/// Max bytes of a request that is remembered to be repeated.
const MAX_TEMPLATE_BYTES: usize = 64 * 1024;

/// Remembers a client's read if a rule repeats reads of its kind.
pub(crate) fn remember(server: &ApiServer, request: &ApiRequest) {
    let Some(route) = request.route.settings() else { return };
    let name = match &request.operation {
        Some(name) if route.prefetch.iter().any(|rule| repeats_operation(rule, name)) => name.as_str(),
        None if request.route.route.is_prefetched => "",
        _ => return,
    };
    let body = request.body.as_deref().unwrap_or_default();
    let operation = strict_json::parse(body).filter(Value::is_object);
    let is_complete = request.operation.is_none() || operation.is_some();
    if !is_complete || body.len() + request.target.len() > MAX_TEMPLATE_BYTES {
        return;
    }
    let mut headers = request.headers.clone();
    let conditions = greenroom_http_caching::validation::CONDITIONS.iter();
    for field in conditions.chain(&server.settings.credential_headers).chain(&[CACHE_CONTROL, PRAGMA, RANGE]) {
        headers.remove(field);
    }
    let template = RequestTemplate {
        method: request.method.clone(),
        target: without_credentials(&server.settings, &request.target),
        headers,
        operation: operation.filter(|_| request.operation.is_some()),
    };
    server.prefetches.remember(&request.own_partition, &route.name, name, template);
}

fn repeats_operation(rule: &PrefetchRule, operation: &str) -> bool {
    matches!(&rule.target, PrefetchTarget::Operation { name, .. } if name == operation)
}

/// Loads what a client is likely to read after this response.
pub(crate) fn load_next(server: &Arc<ApiServer>, request: &Arc<ApiRequest>, response: &Response<Body>) {
    let Some(route) = request.route.settings().filter(|route| !route.prefetch.is_empty()) else { return };
    // While it is observed, the server should get what clients ask, and nothing more.
    if response.status() != StatusCode::OK || server.running_observation().is_some() {
        return;
    }
    let (Body::Whole(Some(body)) | Body::Trailed(Some(body), _)) = response.body() else { return };
    let mut rules = route.prefetch.iter().filter(|rule| rule.after == request.operation);
    if !rules.any(|rule| template(server, request, &route.name, rule).is_some()) {
        // A client that never asked for details gets none.
        return;
    }
    if !server.prefetches.acts_on(&request.resource, server.clock.now()) {
        return;
    }
    let (owner, request, body) = (Arc::clone(server), Arc::clone(request), body.clone());
    server.tasks.spawn(async move {
        tokio::select! {
            () = owner.stop.cancelled() => {}
            () = load_all(&owner, &request, &body) => {}
        }
    });
}

async fn load_all(server: &Arc<ApiServer>, request: &Arc<ApiRequest>, body: &Bytes) {
    let Some(_place) = server.prefetches.acquire().await else { return };
    let Some(route) = request.route.settings() else { return };
    for rule in route.prefetch.iter().filter(|rule| rule.after == request.operation) {
        let Some(template) = template(server, request, &route.name, rule) else { continue };
        let values = json_pointer::first_values(body, &rule.values, rule.first);
        for (at, value) in values.iter().enumerate() {
            let Some(next) = repeated(server, request, (&template, &rule.target), value).await else { continue };
            match load_one(server, next).await {
                None => {}
                Some(reason @ (SkipReason::AlreadyCached | SkipReason::InFlight)) => {
                    server.prefetches.counters.record_skipped(reason, 1);
                }
                Some(reason) => return server.prefetches.counters.record_skipped(reason, values.len() - at),
            }
        }
    }
}

/// The request that a rule of a route repeats for this client.
fn template(
    server: &ApiServer,
    request: &ApiRequest,
    route: &str,
    rule: &PrefetchRule,
) -> Option<Arc<RequestTemplate>> {
    let (name, detail) = match &rule.target {
        PrefetchTarget::Operation { name, .. } => (name.as_str(), route),
        PrefetchTarget::Route { name, .. } => ("", name.as_str()),
    };
    server.prefetches.template(&request.own_partition, detail, name)
}

/// Loads one request; returns why it was not loaded, if so. All but a hit and a load in progress end the batch.
async fn load_one(server: &Arc<ApiServer>, next: ApiRequest) -> Option<SkipReason> {
    let fields = server.variants.fields(&server.cache, &next.resource).await;
    let key = next.variant_key(&fields);
    let policy = server.policy(next.route.route.name.text(), next.route.settings().is_some_and(|route| route.warm));
    if server.cache.is_cached(&key, &policy).await {
        return Some(SkipReason::AlreadyCached);
    }
    if !server.breaker().allows_requests() {
        return Some(SkipReason::Down);
    }
    if !server.prefetches.try_spend(server.clock.now()) {
        return Some(SkipReason::Budget);
    }
    server.prefetches.counters.record_started();
    let loader = || ApiLoader { server: Arc::clone(server), request: Arc::new(next), target: LoadTarget::Whole };
    match server.cache.prefetch(&key, &policy, loader).await {
        Ok(PrefetchResult::Loaded(_) | PrefetchResult::Passed(_)) => None,
        Ok(PrefetchResult::AlreadyCached) => Some(SkipReason::AlreadyCached),
        Ok(PrefetchResult::InFlight) => Some(SkipReason::InFlight),
        Ok(PrefetchResult::Skipped) => Some(SkipReason::Withheld),
        Err(_) => {
            server.prefetches.counters.record_failed();
            Some(SkipReason::Stopped)
        }
    }
}

/// The remembered request with this value, and with the credentials of the request after which it is repeated.
async fn repeated(
    server: &ApiServer,
    request: &ApiRequest,
    (template, target): (&RequestTemplate, &PrefetchTarget),
    value: &str,
) -> Option<ApiRequest> {
    let path = template.target.split('?').next().unwrap_or_default();
    let route = server.routes().find(&template.method, path);
    let (next_target, body) = match target {
        PrefetchTarget::Operation { variable, .. } => {
            let mut operation = template.operation.clone()?;
            let variables = operation.get_mut("variables")?.as_object_mut()?;
            let known = variables.get(variable)?;
            let next =
                if known.is_number() { serde_json::from_str(value).ok()? } else { Value::String(value.to_owned()) };
            variables.insert(variable.clone(), next);
            (template.target.clone(), Some(Bytes::from(operation.to_string())))
        }
        PrefetchTarget::Route { capture, .. } => {
            let next = route.path_with(path, capture, value).filter(|_| !matches!(value, "." | ".."))?;
            // An earlier route may have this value in its path, and be another one's.
            let is_same = Arc::ptr_eq(&server.routes().find(&template.method, &next).route, &route.route);
            (format!("{next}{}", &template.target[path.len()..]), is_same.then_some(None)?)
        }
    };
    let next_target = with_pairs(next_target, &credential_pairs(&server.settings, &request.target));
    let mut parts = Request::builder().method(&template.method).uri(&next_target).body(()).ok()?.into_parts().0;
    parts.headers = with_credentials(server, &template.headers, &request.headers);
    let next = ApiRequest::new((&server.settings, &server.hash_key), &parts, next_target, route);
    if next.own_partition != request.own_partition {
        return None;
    }
    let Some(body) = body else { return Some(server.searched(next).await) };
    let asked = GraphqlRequest::of_body(&body, &server.documents);
    Some(next.with_graphql_query(&asked, Some(body)))
}

fn with_credentials(server: &ApiServer, template: &HeaderMap, request: &HeaderMap) -> HeaderMap {
    let mut headers = template.clone();
    for name in &server.settings.credential_headers {
        for value in request.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

fn with_pairs(target: String, pairs: &[&str]) -> String {
    if pairs.is_empty() {
        return target;
    }
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}{}", pairs.join("&"))
}
