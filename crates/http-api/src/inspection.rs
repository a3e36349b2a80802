//! Inspection of one read: its route, its key, its cache entry, and the server's current response. Leaves no trace
//! in the cache.

use std::sync::Arc;

use bytes::Bytes;
use greenroom_cache::{Diagnosis, Key, Policy};
use greenroom_http_caching::freshness::ExchangeTimes;
use greenroom_http_caching::storage::{self, Exchange, StorageRefusal};
use greenroom_http_caching::stored_head::StoredHead;
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_request_log::RouteName;
use http::{HeaderMap, Method, Request, StatusCode};

use crate::api_request::ApiRequest;
use crate::api_server::ApiServer;
use crate::forward::send_once;
use crate::graphql::operation::GraphqlRequest;

/// One inspected read.
#[derive(Debug)]
pub struct ReadInspection {
    /// Its route.
    pub route: RouteName,
    /// Whether the route is in the configuration.
    pub has_route: bool,
    /// Key of the variant that it selects.
    pub key: Key,
    /// State of that key.
    pub diagnosis: Diagnosis,
    /// The engine's policy for it.
    pub policy: Policy,
    request: ApiRequest,
}

/// The server's response.
#[derive(Debug)]
pub struct ServerResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
    /// Reason for which it may not be stored, if so.
    pub refusal: Option<StorageRefusal>,
}

impl ReadInspection {
    /// Inspects the `GET` of a path and query with these fields.
    ///
    /// # Errors
    /// It is no request.
    pub async fn new(server: &ApiServer, target: &str, headers: HeaderMap) -> Result<Self, &'static str> {
        let mut request = Request::builder().uri(target).body(()).map_err(|_| "not a URL or path")?;
        *request.headers_mut() = headers;
        let (parts, ()) = request.into_parts();
        let route = server.routes().find(&Method::GET, parts.uri.path());
        let is_graphql = route.settings().is_some_and(|route| route.graphql.is_some());
        let mut request = ApiRequest::new((&server.settings, &server.hash_key), &parts, target.to_owned(), route);
        if is_graphql {
            let query = GraphqlRequest::new(&Method::GET, target, &Bytes::new(), &server.documents);
            request = request.with_graphql_query(&query, None);
        } else {
            request = server.searched(request).await;
        }
        let fields = server.variants.fields(&server.cache, &request.resource).await;
        let key = request.variant_key(&fields);
        let route = &request.route;
        Ok(Self {
            route: route.route.name,
            has_route: route.settings().is_some(),
            diagnosis: server.cache.diagnose(&key),
            policy: server.policy(route.route.name.text(), false),
            key,
            request,
        })
    }

    /// Text of its resource: path and query without credentials, and without what the variants differ by.
    pub fn resource_text(&self) -> &str {
        self.request.resource.text()
    }

    /// Status and body of the stored response.
    pub fn stored(&self) -> Option<(StatusCode, Bytes)> {
        let entry = self.diagnosis.entry.as_ref()?;
        Some((StoredHead::decode(entry.meta())?.status, entry.body().clone()))
    }

    /// Asks the server once; nothing is stored.
    ///
    /// # Errors
    /// Why there is no response, as the end of a sentence.
    pub async fn ask_server(&self, server: &Arc<ApiServer>) -> Result<ServerResponse, String> {
        let request_ms = server.clock.now();
        let response = send_once(server, &self.request, Body::empty()).await?;
        let (parts, body) = response.into_parts();
        let evaluated = storage::evaluate(&Exchange {
            method: &Method::GET,
            request: &self.request.headers,
            request_forbids: false,
            status: parts.status,
            response: &parts.headers,
            times: ExchangeTimes { request_ms: request_ms.as_millis(), response_ms: server.clock.now().as_millis() },
            audience: self.request.audience,
            configured: self.request.lifetimes,
            default_error: server.settings.stale_if_error,
        });
        match collect(body, server.settings.max_body_bytes).await {
            CollectedBody::Whole(body) => Ok(ServerResponse { status: parts.status, body, refusal: evaluated.err() }),
            CollectedBody::TooLong(..) => Err("the response is longer than the cache stores".to_owned()),
            CollectedBody::Broken(_) => Err("the response ended early".to_owned()),
        }
    }
}
