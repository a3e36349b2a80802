//! The demo's two simulated servers, and the requests that arrived at them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use greenroom_dialect::request::ServerKind;
use greenroom_simulator::class::RequestClass;
use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::plex::{self, Plex};
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::users::{UserId, UserRegistry, UserToken};
use tokio_util::task::TaskTracker;

use super::DemoPlan;
use super::apps::DemoApp;

/// Label of Greenroom's own token, and of requests without a token.
const GREENROOM: &str = "greenroom";
/// Start of an evening on the servers' own clocks, in seconds since the epoch: the same in both runs.
pub(super) const EVENING_BEGINS_AT: u64 = 1_760_000_000;

/// A Plex and a Jellyfin that run until dropped.
#[derive(Debug)]
pub(super) struct DemoServers {
    pub plex: SimulatedServer,
    pub jellyfin: SimulatedServer,
}

/// Requests that arrived at both servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ArrivalCounts {
    /// All requests.
    pub(super) total: u64,
    /// Requests with each app's token, in the order of [`DemoApp::EVERY`].
    by_app: [u64; DemoApp::EVERY.len()],
}

impl ArrivalCounts {
    /// Requests with this app's token.
    pub(super) fn for_app(&self, app: DemoApp) -> u64 {
        DemoApp::EVERY.iter().zip(self.by_app).find(|(one, _)| **one == app).map_or(0, |(_, count)| count)
    }

    /// Requests since an earlier count.
    pub(super) fn since(&self, before: &Self) -> Self {
        self.with(before, u64::saturating_sub)
    }

    /// Sum of two counts.
    pub(super) fn plus(&self, more: &Self) -> Self {
        self.with(more, u64::saturating_add)
    }

    fn with(&self, other: &Self, both: fn(u64, u64) -> u64) -> Self {
        let mut by_app = self.by_app;
        for (one, other) in by_app.iter_mut().zip(other.by_app) {
            *one = both(*one, other);
        }
        Self { total: both(self.total, other.total), by_app }
    }
}

impl DemoServers {
    /// Starts both on free ports of this machine, at the time of every evening.
    pub(super) async fn start(plan: &DemoPlan, tasks: &TaskTracker) -> Result<Arc<Self>, String> {
        Self::start_at(plan, EVENING_BEGINS_AT, tasks).await
    }

    /// Starts both on free ports of this machine; their clocks show `now`, in seconds since 1970.
    pub(super) async fn start_at(plan: &DemoPlan, now: u64, tasks: &TaskTracker) -> Result<Arc<Self>, String> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let size = plan.size();
        let plex_options = plex::PlexOptions {
            seed: plan.seed,
            size,
            users: Some(users(ServerKind::Plex)),
            time_factor: plan.time_factor,
            newest_at: now,
            now: Some(now),
            switches: plex::PlexSwitches {
                // As real servers do.
                playing_every_second: true,
                playlist_takes_one: true,
                marks: false,
                ..plex::PlexSwitches::default()
            },
            ..plex::PlexOptions::default()
        };
        let jellyfin_options = jellyfin::JellyfinOptions {
            switches: jellyfin::JellyfinSwitches { marks: false, ..jellyfin::JellyfinSwitches::default() },
            seed: plan.seed,
            size,
            users: Some(users(ServerKind::Jellyfin)),
            time_factor: plan.time_factor,
            newest_at: now,
            now: Some(now),
            ..jellyfin::JellyfinOptions::default()
        };
        let started = |error: std::io::Error| format!("a simulated server cannot be started: {error}");
        let plex = Plex::new(plex_options).start(anywhere, tasks).await.map_err(started)?;
        let jellyfin = Jellyfin::new(jellyfin_options).start(anywhere, tasks).await.map_err(started)?;
        Ok(Arc::new(Self { plex, jellyfin }))
    }

    /// The server of this kind.
    pub(super) fn get(&self, kind: ServerKind) -> &SimulatedServer {
        match kind {
            ServerKind::Plex => &self.plex,
            ServerKind::Jellyfin => &self.jellyfin,
        }
    }

    /// Address of the server of this kind.
    pub(super) fn address(&self, kind: ServerKind) -> SocketAddr {
        self.get(kind).address()
    }

    /// Token of an app.
    pub(super) fn token(&self, app: DemoApp) -> &str {
        self.get(app.server()).tokens().secret(app.label())
    }

    /// Greenroom's token for the server of this kind.
    pub(super) fn own_token(&self, kind: ServerKind) -> &str {
        self.get(kind).tokens().secret(GREENROOM)
    }

    /// Arrived requests so far, answered or not.
    pub(super) fn arrival_counts(&self) -> ArrivalCounts {
        let (plex, jellyfin) = (self.plex.request_log().stats(), self.jellyfin.request_log().stats());
        let by_app = DemoApp::EVERY.map(|app| {
            let counted = if app.server() == ServerKind::Plex { &plex } else { &jellyfin };
            counted.by_token.get(app.label()).copied().unwrap_or(0)
        });
        ArrivalCounts { total: plex.total + jellyfin.total, by_app }
    }

    /// Requests with this app's token that reached its server.
    pub(super) fn reached_by(&self, app: DemoApp) -> u64 {
        self.get(app.server()).request_log().by_token().get(app.label()).copied().unwrap_or(0)
    }

    /// All requests that reached either server.
    pub(super) fn reached(&self) -> u64 {
        self.plex.request_log().total() + self.jellyfin.request_log().total()
    }

    /// Writes among them.
    pub(super) fn writes(&self) -> u64 {
        self.plex.request_log().count_of_class(RequestClass::Write)
            + self.jellyfin.request_log().count_of_class(RequestClass::Write)
    }

    /// Makes both servers unreachable.
    pub(super) fn take_down(&self) {
        self.plex.faults().set(Fault::Down);
        self.jellyfin.faults().set(Fault::Down);
    }

    /// Makes both reachable again.
    pub(super) fn restore(&self) {
        self.plex.faults().clear();
        self.jellyfin.faults().clear();
    }
}

/// The standard users, with an additional token for each app and for Greenroom, so that requests are counted by app.
fn users(kind: ServerKind) -> UserRegistry {
    let mut users = UserRegistry::standard("demo");
    let token = |label: &str, user: Option<u32>| UserToken {
        label: label.to_owned(),
        secret: format!("demo-{label}"),
        user: user.map(UserId),
    };
    let apps = DemoApp::EVERY.into_iter().filter(|app| app.server() == kind);
    users.tokens.extend(apps.map(|app| token(app.label(), app.user())));
    users.tokens.push(token(GREENROOM, Some(UserId::OWNER.0)));
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_app_and_greenroom_have_a_token_of_their_own() {
        for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
            let users = users(kind);
            let mut secrets: Vec<&str> = users.tokens.iter().map(|token| token.secret.as_str()).collect();
            secrets.sort_unstable();
            secrets.dedup();
            assert_eq!(secrets.len(), users.tokens.len());
            for app in DemoApp::EVERY.into_iter().filter(|app| app.server() == kind) {
                assert!(users.token(users.secret(app.label())).is_some());
            }
        }
    }
}
