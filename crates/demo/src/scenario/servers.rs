//! The two simulated servers the demo plays against, and what was counted at them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use greenroom_dialect::ask::Kind;
use greenroom_simulator::class::Class;
use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::plex::{self, Plex};
use greenroom_simulator::running::Running;
use greenroom_simulator::users::{Token, UserId, Users};
use tokio_util::task::TaskTracker;

use super::Plan;
use super::apps::App;

/// Label of Greenroom's own token, and of what carries none.
const GREENROOM: &str = "greenroom";
/// What time it is when an evening begins, on the servers' own clocks: the same in both runs.
pub(super) const EVENING_BEGINS_AT: u64 = 1_760_000_000;

/// A Plex and a Jellyfin that run until nobody holds them any more.
#[derive(Debug)]
pub(super) struct Servers {
    /// The Plex.
    pub plex: Running,
    /// The Jellyfin.
    pub jellyfin: Running,
}

/// Requests that came to both servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Arrivals {
    /// All of them.
    pub(super) total: u64,
    /// Those with each app's token, in the order of [`App::EVERY`].
    by_app: [u64; App::EVERY.len()],
}

impl Arrivals {
    /// Those with this app's token.
    pub(super) fn of(&self, app: App) -> u64 {
        App::EVERY.iter().zip(self.by_app).find(|(one, _)| **one == app).map_or(0, |(_, count)| count)
    }

    /// What came after `before`, which was counted earlier.
    pub(super) fn since(&self, before: &Self) -> Self {
        self.with(before, u64::saturating_sub)
    }

    /// Both together.
    pub(super) fn and(&self, more: &Self) -> Self {
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

impl Servers {
    /// Starts both on free ports of this machine.
    pub(super) async fn start(plan: &Plan, tasks: &TaskTracker) -> Result<Arc<Self>, String> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let size = plan.size();
        let plex_options = plex::Options {
            seed: plan.seed,
            size,
            users: Some(users(Kind::Plex)),
            time_factor: plan.time_factor,
            newest_at: EVENING_BEGINS_AT,
            now: Some(EVENING_BEGINS_AT),
            switches: plex::Switches {
                // As real servers do.
                playing_every_second: true,
                playlist_takes_one: true,
                marks: false,
                ..plex::Switches::default()
            },
            ..plex::Options::default()
        };
        let jellyfin_options = jellyfin::Options {
            switches: jellyfin::Switches { marks: false, ..jellyfin::Switches::default() },
            seed: plan.seed,
            size,
            users: Some(users(Kind::Jellyfin)),
            time_factor: plan.time_factor,
            newest_at: EVENING_BEGINS_AT,
            now: Some(EVENING_BEGINS_AT),
            ..jellyfin::Options::default()
        };
        let started = |error: std::io::Error| format!("a simulated server cannot be started: {error}");
        let plex = Plex::new(plex_options).start(anywhere, tasks).await.map_err(started)?;
        let jellyfin = Jellyfin::new(jellyfin_options).start(anywhere, tasks).await.map_err(started)?;
        Ok(Arc::new(Self { plex, jellyfin }))
    }

    /// The server of this kind.
    pub(super) fn of(&self, kind: Kind) -> &Running {
        match kind {
            Kind::Plex => &self.plex,
            Kind::Jellyfin => &self.jellyfin,
        }
    }

    /// Where the server of this kind is found.
    pub(super) fn address(&self, kind: Kind) -> SocketAddr {
        self.of(kind).address()
    }

    /// What an app shows the server it talks to.
    pub(super) fn token(&self, app: App) -> &str {
        self.of(app.server()).tokens().secret(app.label())
    }

    /// What Greenroom shows the server of this kind.
    pub(super) fn own_token(&self, kind: Kind) -> &str {
        self.of(kind).tokens().secret(GREENROOM)
    }

    /// What has come so far, whether it was answered or not.
    pub(super) fn arrivals(&self) -> Arrivals {
        let (plex, jellyfin) = (self.plex.ledger().figures(), self.jellyfin.ledger().figures());
        let by_app = App::EVERY.map(|app| {
            let counted = if app.server() == Kind::Plex { &plex } else { &jellyfin };
            counted.by_token.get(app.label()).copied().unwrap_or(0)
        });
        Arrivals { total: plex.total + jellyfin.total, by_app }
    }

    /// Requests with this app's token that reached its server.
    pub(super) fn reached_by(&self, app: App) -> u64 {
        self.of(app.server()).ledger().by_token().get(app.label()).copied().unwrap_or(0)
    }

    /// All requests that reached either server.
    pub(super) fn reached(&self) -> u64 {
        self.plex.ledger().total() + self.jellyfin.ledger().total()
    }

    /// Requests among them that changed something.
    pub(super) fn written(&self) -> u64 {
        self.plex.ledger().of(Class::Write) + self.jellyfin.ledger().of(Class::Write)
    }

    /// From now on neither server can be reached.
    pub(super) fn go_down(&self) {
        self.plex.faults().set(Fault::Down);
        self.jellyfin.faults().set(Fault::Down);
    }

    /// Both are back.
    pub(super) fn come_back(&self) {
        self.plex.faults().clear();
        self.jellyfin.faults().clear();
    }
}

/// The standard users, with one more token for each app and one for Greenroom, so that the count says who asked.
fn users(kind: Kind) -> Users {
    let mut users = Users::standard("demo");
    let token = |label: &str, user: Option<u32>| Token {
        label: label.to_owned(),
        secret: format!("demo-{label}"),
        user: user.map(UserId),
    };
    let apps = App::EVERY.into_iter().filter(|app| app.server() == kind);
    users.tokens.extend(apps.map(|app| token(app.label(), app.user())));
    users.tokens.push(token(GREENROOM, Some(UserId::OWNER.0)));
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_app_and_greenroom_have_a_token_of_their_own() {
        for kind in [Kind::Plex, Kind::Jellyfin] {
            let users = users(kind);
            let mut secrets: Vec<&str> = users.tokens.iter().map(|token| token.secret.as_str()).collect();
            secrets.sort_unstable();
            secrets.dedup();
            assert_eq!(secrets.len(), users.tokens.len());
            for app in App::EVERY.into_iter().filter(|app| app.server() == kind) {
                assert!(users.token(users.secret(app.label())).is_some());
            }
        }
    }
}
