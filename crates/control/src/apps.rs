//! Statistics of each app: its requests and their results.

use greenroom_cache::clock::millis;
use serde::Serialize;
use utoipa::ToSchema;

use crate::counters::{add, since};
use greenroom_origin::client_apps::ClientApps;
use greenroom_proxy::server::Server;

/// One app of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct AppStats {
    /// Name of the media server or HTTP API.
    pub server: String,
    /// Name of the app.
    pub name: String,
    /// Requests of the app.
    pub asked: u64,
    /// Requests that reached the server.
    pub reached: u64,
    /// Requests answered without the server.
    pub saved: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests waiting in the server's request queue now.
    pub waiting: usize,
    /// Total time its requests have waited there.
    pub waited_ms: u64,
    /// Requests rejected for lack of a valid token.
    pub unauthorised: u64,
    /// Requests whose response shows that their token is valid.
    pub let_in: u64,
    /// Those among them that were answered without asking the server.
    pub let_in_saved: u64,
    /// Request type of its first request.
    pub first_asked: Option<&'static str>,
    /// True if none of its requests had a valid token.
    pub is_stranger: bool,
}

impl AppStats {
    /// Counters since start of all apps of a server.
    pub fn from_server(server: &Server) -> impl Iterator<Item = Self> + use<> {
        Self::from_apps(server.name().to_owned(), &server.apps)
    }

    /// Counters since start of these apps of the server with this name.
    pub fn from_apps(server: String, apps: &ClientApps) -> impl Iterator<Item = Self> + use<> {
        apps.counters().into_iter().map(move |(name, counters)| Self {
            server: server.clone(),
            name,
            asked: counters.requests,
            reached: counters.upstream_requests,
            saved: counters.saved,
            failed: counters.failed,
            waiting: counters.waiting,
            waited_ms: millis(counters.waited_ms),
            unauthorised: counters.unauthorised,
            let_in: counters.authorized,
            let_in_saved: counters.authorized_saved,
            first_asked: counters.first_asked,
            is_stranger: counters.is_stranger,
        })
    }

    /// Adds another app's counters.
    pub fn add(&mut self, other: &Self) {
        add!(self, other; asked reached saved failed waited_ms unauthorised let_in let_in_saved);
    }

    /// The difference from an earlier snapshot.
    pub(crate) fn since(&self, before: &Self) -> Self {
        since!(self, before; asked reached saved failed waited_ms unauthorised let_in let_in_saved)
    }
}
