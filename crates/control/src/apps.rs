//! The apps as they are shown: what each asked for, and what came of it.

use serde::Serialize;
use utoipa::ToSchema;

use greenroom_proxy::server::Server;

/// One app of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct AppFigures {
    pub(super) server: String,
    pub(super) name: String,
    pub(super) asked: u64,
    pub(super) reached: u64,
    pub(super) saved: u64,
    pub(super) failed: u64,
    /// Requests that wait for a place in the server's queue now.
    pub(super) waiting: usize,
    /// How long its requests have waited there, all together.
    pub(super) waited_ms: u64,
    /// Requests refused for want of a valid token.
    pub(super) unauthorised: u64,
    /// Requests whose answer shows that their token is valid.
    pub(super) let_in: u64,
    /// Those among them that were answered without asking the server.
    pub(super) let_in_saved: u64,
    /// What its first request asked for.
    pub(super) first_asked: Option<&'static str>,
    /// Whether none of its requests was let in by a valid token.
    pub(super) is_stranger: bool,
}

impl AppFigures {
    /// Reads what was counted since start for all apps of a server.
    pub(super) fn read(server: &Server) -> impl Iterator<Item = Self> {
        server.apps.figures().into_iter().map(|(name, counted)| Self {
            server: server.name().to_owned(),
            name,
            asked: counted.asked,
            reached: counted.reached,
            saved: counted.saved,
            failed: counted.failed,
            waiting: counted.waiting,
            waited_ms: counted.waited_ms,
            unauthorised: counted.unauthorised,
            let_in: counted.let_in,
            let_in_saved: counted.let_in_saved,
            first_asked: counted.first_asked,
            is_stranger: counted.is_stranger,
        })
    }

    /// Takes what another counted to its own.
    pub(super) fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.reached += other.reached;
        self.saved += other.saved;
        self.failed += other.failed;
        self.waited_ms += other.waited_ms;
        self.unauthorised += other.unauthorised;
        self.let_in += other.let_in;
        self.let_in_saved += other.let_in_saved;
    }

    /// What was counted since it stood so.
    pub(super) fn since(&self, before: &Self) -> Self {
        let less = |pick: fn(&Self) -> u64| pick(self).saturating_sub(pick(before));
        Self {
            asked: less(|app| app.asked),
            reached: less(|app| app.reached),
            saved: less(|app| app.saved),
            failed: less(|app| app.failed),
            waited_ms: less(|app| app.waited_ms),
            unauthorised: less(|app| app.unauthorised),
            let_in: less(|app| app.let_in),
            let_in_saved: less(|app| app.let_in_saved),
            ..self.clone()
        }
    }
}
