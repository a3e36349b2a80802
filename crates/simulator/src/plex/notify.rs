//! Notifications: what followers are told, over a socket or as an event stream.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, Stream, StreamExt};
use http::header::CACHE_CONTROL;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::frame::{self, Frame};
use super::server::Server;
use crate::ledger::Held;
use crate::serve::socket::{self, Message, Socket};
use crate::serve::{Answer, Asked, Ground};
use crate::state::Change;
use crate::users::User;

/// While something plays, followers hear of it this often, if they do at all.
const PLAYING_EVERY: Duration = Duration::from_secs(1);

/// Somebody who is told of changes.
#[derive(Clone)]
struct Follower {
    user: User,
    server: Arc<Server>,
    ground: Arc<Ground>,
    wanted: Filter,
}

/// Which types of events are wanted: all but these, or only these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Filter {
    only: Vec<String>,
    not: Vec<String>,
}

impl Filter {
    /// `playing,timeline`, or `-log`.
    fn parsed(text: &str) -> Self {
        let (not, only): (Vec<&str>, Vec<&str>) =
            text.split(',').filter(|name| !name.is_empty()).partition(|name| name.starts_with('-'));
        Self {
            only: only.into_iter().map(str::to_owned).collect(),
            not: not.into_iter().map(|name| name[1..].to_owned()).collect(),
        }
    }

    fn lets(&self, name: &str) -> bool {
        !self.not.iter().any(|not| not == name)
            && (self.only.is_empty() || self.only.iter().any(|only| only == name))
    }
}

/// Lets `user` follow, in the way the request asks for.
pub(super) fn follow(asked: &mut Asked, user: &User, server: &Arc<Server>, ground: &Arc<Ground>) -> Answer {
    if server.switches.sockets_for_owner_only && !user.admin {
        return super::reply::error(403);
    }
    let wanted = asked.param("filters").or_else(|| asked.param("filter"));
    let follower = Follower {
        user: user.clone(),
        server: Arc::clone(server),
        ground: Arc::clone(ground),
        wanted: Filter::parsed(wanted.as_deref().unwrap_or("-log")),
    };
    // From here on nothing is missed, also before the client knows that it follows.
    let changes = ground.state.follow();
    if socket::is_asked(asked) {
        return socket::open(asked, ground, move |socket| talk(socket, follower, changes));
    }
    let held = ground.ledger.socket();
    Answer::flow(200, "text/event-stream", None, events(follower, changes, held))
        .with(CACHE_CONTROL, "no-cache")
}

impl Follower {
    fn frames(&self, change: &Change) -> Vec<Frame> {
        let frames = frame::of(change, &self.user, &self.server.switches);
        frames.into_iter().filter(|frame| self.wanted.lets(frame.kind)).collect()
    }

    /// What plays now.
    fn playing(&self) -> Vec<Frame> {
        let view = self.ground.state.view();
        let seen = view.sessions().iter().filter(|session| self.user.admin || session.user == self.user.id);
        seen.map(frame::playing_now).filter(|frame| self.wanted.lets(frame.kind)).collect()
    }
}

async fn talk(mut socket: Socket, follower: Follower, mut changes: Receiver<Change>) {
    let every = follower.ground.state.clock().real(PLAYING_EVERY);
    let mut tick = tokio::time::interval(every.max(Duration::from_millis(1)));
    loop {
        let frames = tokio::select! {
            change = changes.recv() => match change {
                Ok(change) => follower.frames(&change),
                // Too slow: what was missed is missed, as with the real one.
                Err(RecvError::Lagged(_)) => Vec::new(),
                Err(RecvError::Closed) => return,
            },
            _ = tick.tick(), if follower.server.switches.playing_every_second => follower.playing(),
            said = socket.next() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // Pings are answered by the library, and clients have nothing else to say.
                Some(Ok(_)) => Vec::new(),
            },
        };
        for frame in frames {
            if socket.send(Message::text(frame.enveloped())).await.is_err() {
                return;
            }
        }
    }
}

fn events(follower: Follower, changes: Receiver<Change>, held: Held) -> impl Stream<Item = Bytes> + Send {
    let greeting = futures_util::stream::iter([Bytes::from_static(b"event: ping\ndata: {}\n\n")]);
    let news =
        futures_util::stream::unfold((follower, changes, held), |(follower, mut changes, held)| async move {
            let text = match changes.recv().await {
                Ok(change) => follower.frames(&change).iter().map(event).collect::<String>(),
                Err(RecvError::Lagged(_)) => String::new(),
                Err(RecvError::Closed) => return None,
            };
            Some((Bytes::from(text), (follower, changes, held)))
        });
    greeting.chain(news.filter(|text| std::future::ready(!text.is_empty())))
}

/// A frame as an event: without its envelope, and one object where the socket sends a list.
fn event(frame: &Frame) -> String {
    let mut text = String::new();
    for row in &frame.rows {
        let data: Value = json!({ frame.list: row });
        write!(text, "event: {}\ndata: {data}\n\n", frame.kind).expect("a String takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_in_or_leaves_out() {
        assert!(Filter::parsed("-log").lets("playing"));
        assert!(!Filter::parsed("-log").lets("log"));
        assert!(Filter::parsed("playing,timeline").lets("timeline"));
        assert!(!Filter::parsed("playing").lets("timeline"));
        assert!(Filter::parsed("").lets("anything"));
    }
}
