//! Requests of checks: at their own priority, counted as own requests.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use greenroom_dialect::class::Class;
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderName, Request, StatusCode};

use crate::server::Server;
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_origin::scheduler::QueueRequest;

/// Longest response that is read.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Asks with one account's credential.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    server: Arc<Server>,
    credential: Arc<Vec<(HeaderName, HeaderValue)>>,
}

impl Asker {
    /// Asks with this credential.
    pub(super) fn new(server: &Arc<Server>, credential: &Arc<Vec<(HeaderName, HeaderValue)>>) -> Self {
        Self { server: Arc::clone(server), credential: Arc::clone(credential) }
    }

    /// Asks with the configured token; `None` without one.
    pub(super) fn owner(server: &Arc<Server>) -> Option<Self> {
        let credential = server.origin.own_credential()?;
        Some(Self::new(server, &Arc::new(server.origin.settings.kind.credential_headers(&credential, true))))
    }

    /// The body of a response with status 200.
    pub(super) async fn get(&self, target: &str) -> Option<Bytes> {
        let origin = &self.server.origin;
        // Clients wait for the answer, so it is as urgent as what they ask for.
        let request = QueueRequest::read(&self.server.own_app, Class::Item, target, origin.clock.now());
        let exchange = async {
            let _permit = origin.queue.acquire(request).await.ok()?;
            origin.counters.own.fetch_add(1, Ordering::Relaxed);
            let key = breaker::key_of(target.split('?').next().unwrap_or_default());
            let response = origin.send(self.request(target)?, UpstreamRequestKind::Read, key).await.ok()?;
            if response.status() != StatusCode::OK {
                return None;
            }
            match collect(response.into_body(), MAX_BYTES).await {
                CollectedBody::Whole(body) => Some(body),
                CollectedBody::TooLong(..) | CollectedBody::Broken(_) => None,
            }
        };
        let body = origin.clock.timeout(origin.settings.load_timeout, exchange).await.ok().flatten()?;
        origin.record_success();
        Some(body)
    }

    fn request(&self, target: &str) -> Option<Request<Body>> {
        let uri = self.server.origin.client.uri(target).ok()?;
        let mut request = Request::builder().uri(uri).body(Body::empty()).ok()?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in self.credential.iter() {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        Some(request)
    }
}
