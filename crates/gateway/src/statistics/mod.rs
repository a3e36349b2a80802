//! Honest statistics: what was asked, in which way it was answered, and what that spared the servers.
//!
//! | room | is |
//! |---|---|
//! | [`decision`] | how one request was answered |
//! | [`passage`] | why a request goes past the cache |
//! | [`counts`] | what is counted of some requests; rows add up |
//! | [`histogram`] | how often each size came |
//! | [`ledger`] | what one server was asked, as it happens |
//! | [`page`] | the rows of one minute |
//! | [`points`] | sums by minute, hour and day |
//! | [`ring`] | the last decisions |
//! | [`midnight`] | when the day began |
//!
//! Every request that a client makes counts once, under the way in which it was answered. What we ask for ourselves
//! (refreshes, warming, loads ahead, events, spot checks) is counted apart and is never a hit. Nothing here knows a
//! path, a query or a token; users are the beginnings of keyed hashes.

pub mod counts;
pub mod decision;
pub mod histogram;
pub mod ledger;
pub mod midnight;
pub mod page;
pub mod passage;
pub mod points;
pub mod ring;

use std::sync::Arc;

use greenroom_cache::Clock;
use serde::Serialize;
use utoipa::ToSchema;

pub use decision::{Decision, Outcome, Subject, User, Verdict, Why};
pub use ledger::Ledger;
pub use passage::Passage;

use crate::server::Server;
use midnight::Midnight;
use ring::Told;

/// The statistics of all servers.
#[derive(Debug)]
pub struct Statistics {
    servers: Vec<Arc<Server>>,
    clock: Clock,
    midnight: Midnight,
}

/// What happened since midnight, where this machine is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Today {
    /// When the day began.
    pub since_ms: u64,
    /// Requests that apps made.
    pub asked: u64,
    /// Requests to the servers that these caused.
    pub reached: u64,
    /// Requests that we made for ourselves.
    pub own: u64,
    /// Requests that were answered without asking the server.
    pub saved: u64,
    /// What asking would have taken, all together, by how long loads of each class took on average.
    pub seconds_saved: u64,
    /// Answers that were older than fresh.
    pub stale: u64,
    /// The same as a share of what was asked; `null` before anybody asked.
    pub stale_share: Option<f64>,
    /// The oldest answer that was given, pictures and the web client's own files aside.
    pub oldest_s: u64,
    /// Answers that were compared with what the server said at that moment.
    pub spot_checks: SpotSum,
}

/// How spot checks came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpotSum {
    /// How many were made.
    pub made: u64,
    /// Those that found an answer which nothing explains.
    pub wrong: u64,
}

/// Which decisions are meant; what is not said is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this server.
    pub server: Option<String>,
    /// Of this class.
    pub class: Option<String>,
    /// Of this app.
    pub app: Option<String>,
}

impl Statistics {
    /// The statistics of these servers.
    pub fn new(servers: Vec<Arc<Server>>, clock: Clock) -> Self {
        Self { servers, clock, midnight: Midnight::default() }
    }

    /// What happened since midnight, at one server or at all.
    pub fn today(&self, only: Option<&str>) -> Today {
        let now_ms = self.clock.now_ms();
        let since_ms = self.midnight.before(now_ms);
        let mut sum = points::Point::default();
        for server in self.chosen(only) {
            server.settle_own(now_ms);
            sum.add(&server.ledger.sum(since_ms));
        }
        Today {
            since_ms,
            asked: sum.asked,
            reached: sum.reached,
            own: sum.own,
            saved: sum.saved,
            seconds_saved: sum.saved_ms / 1000,
            stale: sum.stale,
            stale_share: (sum.asked > 0).then(|| sum.stale as f64 / sum.asked as f64),
            oldest_s: sum.oldest_ms / 1000,
            spot_checks: SpotSum { made: sum.spots, wrong: sum.spots_wrong },
        }
    }

    /// The last decisions with a greater number than this, the newest first, each with its server's name.
    pub fn decisions<'a>(&'a self, filter: &'a Filter, after: u64, most: usize) -> Vec<(&'a str, Told)> {
        let is_meant = |decision: &Decision| {
            filter.class.as_deref().is_none_or(|class| class == decision.subject.name())
                && filter.app.as_deref().is_none_or(|app| app == decision.app.name)
        };
        let mut told: Vec<_> = self
            .chosen(filter.server.as_deref())
            .flat_map(|server| {
                let told = server.ledger.decisions(after, most, is_meant).into_iter();
                told.map(|told| (server.name(), told))
            })
            .collect();
        told.sort_by_key(|(_, told)| std::cmp::Reverse(told.number));
        told.truncate(most);
        told
    }

    fn chosen<'a>(&'a self, only: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Server>> {
        self.servers.iter().filter(move |server| only.is_none_or(|only| only == server.name()))
    }
}
