//! Notifications of changes, over a socket or as an event stream.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, Stream, StreamExt};
use http::header::CACHE_CONTROL;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::frame::{self, NotificationFrame};
use super::server::PlexServer;
use greenroom_simulator_backend::request_log::GaugeGuard;
use greenroom_simulator_backend::serve::socket::{self, Message, ServerSocket};
use greenroom_simulator_backend::serve::{SimulatedRequest, SimulatedResponse, SimulatorContext};
use greenroom_simulator_backend::state::StateChange;
use greenroom_simulator_backend::users::SimulatedUser;

/// Interval of notifications during playback, if they are sent at all.
const PLAYING_EVERY: Duration = Duration::from_secs(1);

/// A subscriber to notifications.
#[derive(Clone)]
struct NotificationSubscriber {
    user: SimulatedUser,
    server: Arc<PlexServer>,
    context: Arc<SimulatorContext>,
    filter: EventFilter,
}

/// Requested types of events: all but these, or only these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct EventFilter {
    only: Vec<String>,
    not: Vec<String>,
}

impl EventFilter {
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
        !self.not.iter().any(|not| not == name) && (self.only.is_empty() || self.only.iter().any(|only| only == name))
    }
}

/// Subscribes `user`, over a socket or as an event stream as requested.
pub(super) fn follow(
    asked: &mut SimulatedRequest,
    user: &SimulatedUser,
    server: &Arc<PlexServer>,
    ground: &Arc<SimulatorContext>,
) -> SimulatedResponse {
    if server.switches.sockets_for_owner_only && !user.admin {
        return super::response::error(403);
    }
    let wanted = asked.param("filters").or_else(|| asked.param("filter"));
    let follower = NotificationSubscriber {
        user: user.clone(),
        server: Arc::clone(server),
        context: Arc::clone(ground),
        filter: EventFilter::parsed(wanted.as_deref().unwrap_or("-log")),
    };
    // Subscribe before the handshake, so that no change is missed.
    let changes = ground.state.subscribe();
    if socket::is_upgrade(asked) {
        return socket::open(asked, ground, move |socket| talk(socket, follower, changes));
    }
    let held = ground.request_log.track_socket();
    SimulatedResponse::stream(200, "text/event-stream", None, events(follower, changes, held))
        .with_header(CACHE_CONTROL, "no-cache")
}

impl NotificationSubscriber {
    fn frames(&self, change: &StateChange) -> Vec<NotificationFrame> {
        let frames = frame::frames_for(change, &self.user, &self.server.switches);
        frames.into_iter().filter(|frame| self.filter.lets(frame.kind)).collect()
    }

    /// Current playbacks.
    fn playing(&self) -> Vec<NotificationFrame> {
        let view = self.context.state.view();
        let seen = view.sessions().iter().filter(|session| self.user.admin || session.user == self.user.id);
        seen.map(frame::playing_now).filter(|frame| self.filter.lets(frame.kind)).collect()
    }
}

async fn talk(mut socket: ServerSocket, follower: NotificationSubscriber, mut changes: Receiver<StateChange>) {
    let every = follower.context.state.clock().to_real(PLAYING_EVERY);
    let mut tick = tokio::time::interval(every.max(Duration::from_millis(1)));
    loop {
        let frames = tokio::select! {
            change = changes.recv() => match change {
                Ok(change) => follower.frames(&change),
                // A slow subscriber misses events, as with the real server.
                Err(RecvError::Lagged(_)) => Vec::new(),
                Err(RecvError::Closed) => return,
            },
            _ = tick.tick(), if follower.server.switches.playing_every_second => follower.playing(),
            said = socket.next() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // The library answers pings, and clients send nothing else.
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

fn events(
    follower: NotificationSubscriber,
    changes: Receiver<StateChange>,
    held: GaugeGuard,
) -> impl Stream<Item = Bytes> + Send {
    let greeting = futures_util::stream::iter([Bytes::from_static(b"event: ping\ndata: {}\n\n")]);
    let news = futures_util::stream::unfold((follower, changes, held), |(follower, mut changes, held)| async move {
        let text = match changes.recv().await {
            Ok(change) => follower.frames(&change).iter().map(event).collect::<String>(),
            Err(RecvError::Lagged(_)) => String::new(),
            Err(RecvError::Closed) => return None,
        };
        Some((Bytes::from(text), (follower, changes, held)))
    });
    greeting.chain(news.filter(|text| std::future::ready(!text.is_empty())))
}

/// A frame as an event: without its envelope, and one object instead of the socket's list.
fn event(frame: &NotificationFrame) -> String {
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
        assert!(EventFilter::parsed("-log").lets("playing"));
        assert!(!EventFilter::parsed("-log").lets("log"));
        assert!(EventFilter::parsed("playing,timeline").lets("timeline"));
        assert!(!EventFilter::parsed("playing").lets("timeline"));
        assert!(EventFilter::parsed("").lets("anything"));
    }
}
