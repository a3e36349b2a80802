//! A server whose requests are counted: a media server, or one of any HTTP API.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use greenroom_cache::Cache;
use greenroom_dialect::class::Class;
use greenroom_proxy::server::Server;
use greenroom_request_log::{RequestCategory, RequestRecorder, RouteName};

/// A server whose requests are counted.
#[derive(Debug, Clone)]
pub enum RecordedServer {
    /// A media server.
    Media(Arc<Server>),
    /// A server of any HTTP API.
    Api {
        /// Its name.
        name: String,
        /// Its recorder.
        recorder: Arc<RequestRecorder>,
        /// The cache engine.
        cache: Cache,
    },
}

impl RecordedServer {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Media(server) => server.name(),
            Self::Api { name, .. } => name,
        }
    }

    /// Records its requests.
    pub fn recorder(&self) -> &RequestRecorder {
        match self {
            Self::Media(server) => &server.recorders.requests,
            Self::Api { recorder, .. } => recorder,
        }
    }

    /// The media server, if it is one.
    pub fn media(&self) -> Option<&Arc<Server>> {
        match self {
            Self::Media(server) => Some(server),
            Self::Api { .. } => None,
        }
    }

    pub(crate) fn cache(&self) -> &Cache {
        match self {
            Self::Media(server) => &server.cache,
            Self::Api { cache, .. } => cache,
        }
    }

    /// The category of the engine's class; `None` for classes that are not counted.
    pub(crate) fn category(&self, class: &str) -> Option<RequestCategory> {
        match self {
            Self::Media(_) => Class::parse(class).map(RequestCategory::Read),
            Self::Api { .. } => Some(RequestCategory::Route(RouteName::new(class))),
        }
    }

    /// Records own requests that are counted elsewhere.
    pub(crate) fn record_own_requests(&self, now_ms: Timestamp) {
        if let Self::Media(server) = self {
            server.record_own_requests(now_ms);
        }
    }
}

impl From<Arc<Server>> for RecordedServer {
    fn from(server: Arc<Server>) -> Self {
        Self::Media(server)
    }
}
