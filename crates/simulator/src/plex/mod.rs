//! A Plex server.
//!
//! A request is turned into a [`call::Call`] (it reads) or a [`call::Order`] (it writes); both end in one tree of
//! [`node::Node`]s, which is written as XML or JSON. So the two representations can never tell different things.
//! `read` and `write` are laid out like the paths they answer, `rows` like the things that are shown, `query` is the
//! language lists are asked in. `account` is what plex.tv says, which real servers leave to a machine of the vendor. What real servers disagree on, or nobody knows, is a switch.

#![expect(clippy::unnecessary_wraps, reason = "what answers a path has one type, whether it can fail or not")]

mod account;
mod call;
mod class;
mod frame;
mod json;
mod kind;
mod node;
mod notify;
mod params;
mod query;
mod read;
mod reply;
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

pub use switches::{SharedSessions, Switches};

use crate::class::Class;
use crate::running::Running;
use crate::serve::{Answer, Asked, Dialect, Ground, decoded};
use crate::users::{User, UserId, Users};
use call::{Call, Order};
use params::Params;
use server::Server;

/// How a simulated Plex is set up.
pub type Options = crate::options::Options<Switches>;

/// A token that was good once: it is answered 498.
pub const EXPIRED_TOKEN: &str = "plx-expired";

/// A simulated Plex that has not been started.
#[derive(Debug, Clone)]
pub struct Plex {
    options: Options,
}

impl Plex {
    /// A Plex with these options.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Starts it. Its tasks run on `tracker`.
    pub async fn start(self, address: SocketAddr, tracker: &TaskTracker) -> io::Result<Running> {
        let users = self.options.users.clone().unwrap_or_else(|| Users::standard("plx"));
        let switches = self.options.switches.clone();
        Running::start(&self.options, users, address, tracker, |ground| {
            let (chance, clock) = (ground.state.catalogue().chance(), ground.state.clock());
            Language { server: Arc::new(Server::new(switches, chance, clock, ground.address().port())) }
        })
        .await
    }
}

/// The dialect.
#[derive(Debug)]
struct Language {
    server: Arc<Server>,
}

impl Dialect for Language {
    fn class(&self, asked: &Asked) -> Class {
        let path = segments(&asked.path);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let searches =
            params::pairs(&asked.query).iter().any(|pair| pair.name.trim_end_matches(['=', '!']) == "title");
        class::of(&asked.method, &path, searches)
    }

    fn secret(&self, asked: &Asked) -> Option<String> {
        let query = params::pairs(&asked.query);
        let found = |name: &str| query.iter().find(|pair| pair.name.eq_ignore_ascii_case(name));
        let own = found("X-Plex-Token").map(|pair| pair.value.clone());
        own.or_else(|| asked.header("x-plex-token").map(str::to_owned))
            .or_else(|| found("url").and_then(|pair| read::inner_token(&pair.value)))
            .filter(|secret| !secret.is_empty())
    }

    fn answer(&self, asked: Asked, ground: &Arc<Ground>) -> Answer {
        let switches = &self.server.switches;
        if asked.method == Method::OPTIONS {
            let answer = reply::done()
                .with(ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS, DELETE, PUT, HEAD")
                .with(ACCESS_CONTROL_ALLOW_HEADERS, "x-plex-token, accept, content-type");
            return reply::dressed(&asked, switches, answer);
        }
        let mut asked = asked;
        let answer = self.known(&mut asked, ground);
        reply::dressed(&asked, switches, answer)
    }

    fn own_page(&self, asked: &Asked, page: &str, ground: &Ground) -> Option<Answer> {
        (asked.method == Method::POST && page == "link").then(|| account::link(asked, &self.server, ground))
    }

    fn start_page(&self) -> Answer {
        reply::start_page()
    }

    fn doubles_content_length(&self) -> bool {
        self.server.switches.double_content_length
    }
}

impl Language {
    fn known(&self, asked: &mut Asked, ground: &Arc<Ground>) -> Answer {
        let path = segments(&asked.path);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        if read::is_public(&path) {
            let node = read::identity(&self.server);
            let node =
                if self.server.switches.marks { node.set("greenroomSeq", ground.state.seq()) } else { node };
            return reply::tree(asked, &self.server.switches, &node, None);
        }
        if account::is_asked(&path) {
            return account::answer(asked, &path, self.secret(asked).as_deref(), &self.server, ground);
        }
        let user = match self.user(asked, ground) {
            Ok(user) => user.clone(),
            Err(status) => return reply::error(status),
        };
        if path.contains(&"") {
            return reply::error(404);
        }
        if class::follows(&path) {
            return notify::follow(asked, &user, &self.server, ground);
        }
        let asked = &*asked;
        let params = Params::new(&asked.query, &asked.headers);
        let server = &self.server;
        if class::writes(&asked.method, &path) {
            let order = Order { asked, params, user: &user, server, ground };
            return order.answer(write::answer(&order, &path));
        }
        let call = Call { asked, params, view: ground.state.view(), user: &user, server };
        call.answer(read::answer(&call, &path))
    }

    /// Who asks; otherwise the status that says why that is not known.
    fn user<'a>(&self, asked: &Asked, ground: &'a Ground) -> Result<&'a User, u16> {
        let Some(secret) = self.secret(asked) else {
            let neighbour = self.server.switches.trusts_neighbours.then_some(UserId::OWNER);
            return neighbour.and_then(|id| ground.state.users().user(id)).ok_or(401);
        };
        if secret == EXPIRED_TOKEN {
            return Err(498);
        }
        let token = ground.token(&secret).ok_or(401_u16)?;
        token.user.and_then(|id| ground.state.users().user(id)).ok_or(401)
    }
}

/// The parts of a path, decoded. A slash at the end makes none; a doubled one makes an empty one.
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
