//! One answer out of several servers', with what is known of its age.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{iso, seconds};
use greenroom_proxy::internal_client::{Asker, Found, Inside, Missing};
use greenroom_proxy::server::Server;

/// What several servers said to the same question.
#[derive(Debug)]
pub(super) struct Merged<T> {
    /// What those said that said anything, in their order.
    pub(super) said: Vec<(Arc<Server>, T)>,
    /// Those that said nothing, and of which nothing is kept.
    pub(super) unavailable: Vec<String>,
    /// Why, of the first of them.
    pub(super) why: Option<Missing>,
    /// What is known of its age.
    pub(super) marks: Marks,
}

/// What is known of an answer's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// Whether all of it was kept.
    pub(super) is_cached: bool,
    /// Whether any of it is older than it should be.
    pub(super) is_stale: bool,
    /// How old the oldest of it is, in milliseconds.
    pub(super) age_ms: u64,
    /// When the oldest of it was loaded, in milliseconds since 1970.
    pub(super) at_ms: u64,
}

impl Marks {
    fn of(found: &Found) -> Self {
        Self {
            is_cached: found.is_cached,
            is_stale: found.is_stale,
            age_ms: u64::try_from(found.age.as_millis()).unwrap_or(u64::MAX),
            at_ms: found.at_ms,
        }
    }

    /// Of both together.
    #[must_use]
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            is_cached: self.is_cached && other.is_cached,
            is_stale: self.is_stale || other.is_stale,
            age_ms: self.age_ms.max(other.age_ms),
            at_ms: self.at_ms.min(other.at_ms),
        }
    }

    /// Of nothing.
    pub(super) fn none(now_ms: u64) -> Self {
        Self { is_cached: false, is_stale: false, age_ms: 0, at_ms: now_ms }
    }

    /// When it was loaded, as it is shown.
    pub(super) fn timestamp(&self) -> String {
        iso(self.at_ms)
    }

    /// How old it is, as it is shown.
    pub(super) fn age_s(&self) -> f64 {
        seconds(self.age_ms)
    }
}

/// Asks every server and reads what it says. `target` says what a server is asked for, `read` what that means.
pub(super) async fn ask<T>(
    inside: &Inside,
    servers: &[&Arc<Server>],
    asker: Asker<'_>,
    target: impl Fn(&Server) -> String,
    read: impl Fn(&Server, &[u8]) -> Option<T>,
) -> Merged<T> {
    let asked = servers.iter().map(|server| {
        let target = target(server);
        async move { inside.ask(server, &target, asker).await }
    });
    let answers = join_all(asked).await;
    let now_ms = servers.first().map_or(0, |server| server.origin.clock.now_ms());
    let mut merged =
        Merged { said: Vec::new(), unavailable: Vec::new(), why: None, marks: Marks::none(now_ms) };
    for (server, answer) in servers.iter().zip(answers) {
        let understood = answer.and_then(|found| {
            let rows = read(server, &found.body).ok_or(Missing::NoRead)?;
            Ok((rows, Marks::of(&found)))
        });
        match understood {
            Ok((rows, marks)) => {
                merged.marks = if merged.said.is_empty() { marks } else { merged.marks.with(marks) };
                merged.said.push((Arc::clone(server), rows));
            }
            Err(missing) => {
                merged.unavailable.push(server.name().to_owned());
                merged.why.get_or_insert(missing);
            }
        }
    }
    merged
}

impl<T> Merged<T> {
    /// Whether no server said anything.
    pub(super) fn is_error(&self) -> bool {
        self.said.is_empty()
    }

    /// What to tell a person, if no server said anything.
    pub(super) fn message(&self) -> Option<&'static str> {
        self.is_error().then(|| self.why.map_or("no media server is configured", Missing::sentence))
    }
}
