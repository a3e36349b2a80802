//! A Plex server.
//!
//! A request becomes a [`request::PlexReadRequest`] or a [`request::PlexWriteRequest`]; both result in one tree of
//! [`node::Node`]s, which is encoded as XML or JSON. So the two representations never differ in content. `read` and
//! `write` are structured like the paths they answer, `rows` like the things in responses, `query` is the query
//! language of lists. `account` is plex.tv, which real servers leave to a machine of the vendor. Behaviour that differs
//! between real servers, or is not known, is a switch.

#![expect(clippy::unnecessary_wraps, reason = "what answers a path has one type, whether it can fail or not")]

mod account;
mod class;
mod frame;
mod json;
mod kind;
mod link_pins;
mod node;
mod notifications;
mod params;
mod play_queues;
mod query;
mod read;
mod request;
mod response;
mod rows;
mod server;
mod switches;
mod write;
mod xml;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Method;
use http::header::{ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS};
use tokio_util::task::TaskTracker;

pub use switches::{PlexSwitches, SharedSessionsPolicy};

use greenroom_simulator_backend::class::RequestClass;
use greenroom_simulator_backend::serve::{Dialect, SimulatedRequest, SimulatedResponse, SimulatorContext, decoded};
use greenroom_simulator_backend::simulated_server::SimulatedServer;
use greenroom_simulator_backend::users::{SimulatedUser, UserId, UserRegistry};
use params::PlexParams;
use request::{PlexReadRequest, PlexWriteRequest};
use server::PlexServer;

/// Options of a simulated Plex.
pub type PlexOptions = greenroom_simulator_backend::options::SimulatorOptions<PlexSwitches>;

/// An expired token: it is answered with 498.
pub const EXPIRED_TOKEN: &str = "plx-expired";

/// A simulated Plex that has not been started.
#[derive(Debug, Clone)]
pub struct Plex {
    options: PlexOptions,
}

impl Plex {
    /// A Plex with these options.
    pub fn new(options: PlexOptions) -> Self {
        Self { options }
    }

    /// Starts it. Its tasks run on `tracker`.
    pub async fn start(self, address: SocketAddr, tracker: &TaskTracker) -> io::Result<SimulatedServer> {
        let users = self.options.users.clone().unwrap_or_else(|| UserRegistry::standard("plx"));
        let switches = self.options.switches.clone();
        SimulatedServer::start(&self.options, users, address, tracker, |ground| {
            let (chance, clock) = (ground.state.catalogue().rng(), ground.state.clock());
            PlexDialect { server: Arc::new(PlexServer::new(switches, chance, clock, ground.address().port())) }
        })
        .await
    }
}

#[derive(Debug)]
struct PlexDialect {
    server: Arc<PlexServer>,
}

impl Dialect for PlexDialect {
    fn class(&self, asked: &SimulatedRequest) -> RequestClass {
        let path = segments(&asked.path);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let searches = params::pairs(&asked.query).iter().any(|pair| pair.name.trim_end_matches(['=', '!']) == "title");
        class::classify(&asked.method, &path, searches)
    }

    fn secret(&self, asked: &SimulatedRequest) -> Option<String> {
        let query = params::pairs(&asked.query);
        let found = |name: &str| query.iter().find(|pair| pair.name.eq_ignore_ascii_case(name));
        let own = found("X-Plex-Token").map(|pair| pair.value.clone());
        own.or_else(|| asked.header("x-plex-token").map(str::to_owned))
            .or_else(|| found("url").and_then(|pair| read::inner_token(&pair.value)))
            .filter(|secret| !secret.is_empty())
    }

    fn answer(&self, asked: SimulatedRequest, ground: &Arc<SimulatorContext>) -> SimulatedResponse {
        let switches = &self.server.switches;
        if asked.method == Method::OPTIONS {
            let answer = response::done()
                .with_header(ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS, DELETE, PUT, HEAD")
                .with_header(ACCESS_CONTROL_ALLOW_HEADERS, "x-plex-token, accept, content-type");
            return response::dressed(&asked, switches, answer);
        }
        let mut asked = asked;
        let answer = self.answer_user(&mut asked, ground);
        response::dressed(&asked, switches, answer)
    }

    fn own_page(&self, asked: &SimulatedRequest, page: &str, ground: &SimulatorContext) -> Option<SimulatedResponse> {
        (asked.method == Method::POST && page == "link").then(|| account::link(asked, &self.server, ground))
    }

    fn start_page(&self) -> SimulatedResponse {
        response::start_page()
    }

    fn doubles_content_length(&self) -> bool {
        self.server.switches.double_content_length
    }
}

impl PlexDialect {
    fn answer_user(&self, asked: &mut SimulatedRequest, ground: &Arc<SimulatorContext>) -> SimulatedResponse {
        let path = segments(&asked.path);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        if read::is_public(&path) {
            let node = read::identity(&self.server);
            let node = if self.server.switches.marks { node.set("greenroomSeq", ground.state.seq()) } else { node };
            return response::tree(asked, &self.server.switches, &node, None);
        }
        if account::is_account_path(&path) {
            return account::answer(asked, &path, self.secret(asked).as_deref(), &self.server, ground);
        }
        let user = match self.user(asked, ground) {
            Ok(user) => user,
            Err(status) => return response::error(status),
        };
        if path.contains(&"") {
            return response::error(404);
        }
        if class::is_subscription(&path) {
            return notifications::follow(asked, &user, &self.server, ground);
        }
        let asked = &*asked;
        let params = PlexParams::new(&asked.query, &asked.headers).switched(&self.server.switches);
        let server = &self.server;
        if class::writes(&asked.method, &path) {
            let order = PlexWriteRequest { request: asked, params, user: &user, server, context: ground };
            return order.answer(write::answer(&order, &path));
        }
        let call = PlexReadRequest { request: asked, params, view: ground.state.view(), user: &user, server };
        call.answer(read::answer(&call, &path))
    }

    /// The caller; otherwise the error status.
    fn user(&self, asked: &SimulatedRequest, ground: &SimulatorContext) -> Result<Arc<SimulatedUser>, u16> {
        let Some(secret) = self.secret(asked) else {
            let neighbour = self.server.switches.trusts_neighbours.then_some(UserId::OWNER);
            return neighbour.and_then(|id| ground.state.user(id)).ok_or(401);
        };
        if secret == EXPIRED_TOKEN {
            return Err(498);
        }
        let token = ground.token(&secret).ok_or(401_u16)?;
        token.user.and_then(|id| ground.state.user(id)).ok_or(401)
    }
}

/// Decoded segments of a path. A trailing slash makes none; a doubled one makes an empty one.
fn segments(path: &str) -> Vec<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Vec::new();
    }
    path.split('/').map(|part| decoded(part).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_makes_no_part() {
        assert_eq!(segments("/"), Vec::<String>::new());
        assert_eq!(segments("/library/sections/"), ["library", "sections"]);
        assert_eq!(segments("/library//sections"), ["library", "", "sections"]);
    }
}
