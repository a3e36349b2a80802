//! What apps asked, as far as it was counted: since this process began.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::figures::{TopApp, Traffic};
use crate::server::Server;

/// So far back it is counted.
const DAYS: u64 = 30;
/// Apps that are listed.
const MAX_APPS: usize = 10;

/// What was asked of all servers.
pub fn of(servers: &[Arc<Server>]) -> Traffic {
    let sum = |pick: fn(&Server) -> u64| servers.iter().map(|server| pick(server)).sum();
    Traffic {
        days: DAYS,
        asked: sum(|server| server.counters.asked.load(Ordering::Relaxed)),
        reached: sum(|server| server.origin.requests()),
        saved: sum(|server| server.counters.saved.load(Ordering::Relaxed)),
        bytes: 0,
        last_day_bytes: 0,
    }
}

/// The apps that were spared most requests.
pub fn top_apps(servers: &[Arc<Server>]) -> Vec<TopApp> {
    let of_server = |server: &Arc<Server>| {
        let name = server.name().to_owned();
        let row = move |(app, counted): (String, crate::apps::Counted)| TopApp {
            server: name.clone(),
            app,
            asked: counted.asked,
            saved: counted.saved,
        };
        server.apps.figures().into_iter().map(row).collect::<Vec<_>>()
    };
    let mut apps: Vec<TopApp> = servers.iter().flat_map(of_server).filter(|app| app.asked > 0).collect();
    apps.sort_by(|one, other| (other.saved, &one.app).cmp(&(one.saved, &other.app)));
    apps.truncate(MAX_APPS);
    apps
}

/// What was asked today.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Today {
    /// Requests that apps made.
    pub asked: u64,
    /// Requests that reached a server.
    pub reached: u64,
    /// Requests that were answered without asking one.
    pub saved: u64,
    /// Seconds that apps did not have to wait.
    pub seconds_saved: u64,
    /// Answers that were older than they should be.
    pub stale: u64,
}

impl Today {
    /// Of all these servers together.
    pub fn of(servers: &[Arc<Server>]) -> Self {
        let traffic = of(servers);
        Self {
            asked: traffic.asked,
            reached: traffic.reached,
            saved: traffic.saved,
            seconds_saved: 0,
            stale: 0,
        }
    }

    /// The share that did not reach a server, from 0 to 1.
    pub fn saved_share(&self) -> Option<f64> {
        share(self.saved, self.asked)
    }

    /// The share that was older than it should be, from 0 to 1.
    pub fn stale_share(&self) -> Option<f64> {
        share(self.stale, self.asked)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}
