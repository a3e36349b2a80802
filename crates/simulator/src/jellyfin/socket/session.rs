//! One open socket: the events it waits for, and the frames it sends.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::frame::{self, ClientMessage, Topic};
use super::registry::SessionKey;
use super::{library, user_data};
use crate::jellyfin::activity_log::ActivityLogQuery;
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::request::Caller;
use crate::jellyfin::response_context::ResponseContext;
use crate::jellyfin::routes::{WantedSessions, sessions};
use crate::jellyfin::server::{JellyfinServer, SocketEvent};
use crate::jellyfin::tasks::SCAN;
use crate::serve::SimulatorContext;
use crate::serve::socket::{Message, ServerSocket};
use crate::state::{SimulatedActivity, StateChange};

/// Max log entries per frame.
const MAX_ENTRIES: usize = 50;

/// Time from a change of a session to the frame that tells it.
const SESSIONS_TOLD_AFTER: Duration = Duration::from_millis(30);

type SleepFuture = Pin<Box<dyn Future<Output = ()> + Send>>;
type Timer = Option<SleepFuture>;

/// A socket session.
pub(super) struct SocketSession {
    context: Arc<SimulatorContext>,
    server: Arc<JellyfinServer>,
    caller: Caller,
    session: SessionKey,
    number: u64,
    changes: Receiver<StateChange>,
    events: Receiver<SocketEvent>,
    library: library::SocketLibraryChanges,
    library_due: Timer,
    user_data: user_data::SocketUserDataChanges,
    user_data_due: Timer,
    heard_from: Timer,
    warned: bool,
    subscriptions: Vec<Subscription>,
    entries_told: usize,
    sent: u64,
    seed: u64,
}

struct Subscription {
    topic: Topic,
    every: Duration,
    due: Timer,
    /// Time of the last frame, in milliseconds.
    sent_ms: u64,
}

/// Ends a session.
struct SocketClosed;

impl SocketSession {
    /// A session that follows changes from now on.
    pub(super) fn new(
        ground: Arc<SimulatorContext>,
        house: Arc<JellyfinServer>,
        caller: Caller,
        session: SessionKey,
    ) -> Self {
        let seed = ground.request_log.sockets_opened() << 32 | ground.request_log.total();
        Self {
            changes: ground.state.subscribe(),
            events: house.events.subscribe(),
            number: house.sockets.open(&session),
            session,
            entries_told: house.activity_log.read(&ActivityLogQuery::default()).1,
            context: ground,
            server: house,
            caller,
            library: library::SocketLibraryChanges::default(),
            library_due: None,
            user_data: user_data::SocketUserDataChanges::default(),
            user_data_due: None,
            heard_from: None,
            warned: false,
            subscriptions: Vec::new(),
            sent: 0,
            seed,
        }
    }

    /// Runs until the client leaves, its token is revoked, or it is silent for too long.
    pub(super) async fn run(mut self, mut socket: ServerSocket) {
        self.listen_again();
        let greeting = json!(self.server.switches.keep_alive.as_secs());
        if self.send(&mut socket, "ForceKeepAlive", Some(greeting)).await.is_err() {
            return;
        }
        while self.step(&mut socket).await.is_ok() {}
        // The client may have left already.
        let _ = socket.close(None).await;
    }

    /// Handles the next event. Changes come first, so that all changes of one moment go into one frame.
    async fn step(&mut self, socket: &mut ServerSocket) -> Result<(), SocketClosed> {
        tokio::select! {
            biased;
            change = self.changes.recv() => self.changed(socket, change).await,
            notice = self.events.recv() => self.noticed(socket, notice).await,
            () = due(&mut self.user_data_due) => self.send_user_data(socket).await,
            () = due(&mut self.library_due) => {
                let data = self.library.drain_json();
                self.send_to_session(socket, "LibraryChanged", Some(data)).await
            }
            at = first_due(&mut self.subscriptions) => self.send_subscription(socket, at).await,
            message = socket.next() => match message {
                Some(Ok(message)) => self.handle_message(socket, &message).await,
                Some(Err(_)) | None => Err(SocketClosed),
            },
            () = due(&mut self.heard_from) => self.silent(socket).await,
        }
    }

    async fn changed(
        &mut self,
        socket: &mut ServerSocket,
        change: Result<StateChange, RecvError>,
    ) -> Result<(), SocketClosed> {
        let change = match change {
            Ok(change) => change,
            Err(RecvError::Lagged(_)) => return Ok(()),
            Err(RecvError::Closed) => return Err(SocketClosed),
        };
        if matches!(change, StateChange::ShuttingDown) {
            return self.send_to_session(socket, "ServerShuttingDown", None).await;
        }
        match change {
            StateChange::Playing { .. } => self.sessions_changed(true),
            StateChange::UsersChanged if !self.may_stay() => return Err(SocketClosed),
            _ => {}
        }
        let Some(user) = self.caller.grant.user else { return Ok(()) };
        if let StateChange::Activity(activity) = &change {
            return self.scan_changed(socket, activity).await;
        }
        let (of_library, of_user) = {
            let view = self.context.state.view();
            (self.library.record(&view, user, &change), self.user_data.record(&view, user, &change))
        };
        // Every change restarts the quiet time.
        if of_library {
            self.library_due = Some(self.timer(self.server.switches.library_changed_delay));
        }
        if of_user {
            self.user_data_due = Some(self.timer(self.server.switches.user_data_changed_delay));
        }
        Ok(())
    }

    /// A scan that a test begins or ends.
    async fn scan_changed(
        &mut self,
        socket: &mut ServerSocket,
        activity: &SimulatedActivity,
    ) -> Result<(), SocketClosed> {
        let Some(section) = activity.scanned_section().filter(|_| self.caller.admin) else {
            return Ok(());
        };
        if activity.event == "ended" {
            let result = self.server.tasks.result(SCAN, self.context.state.clock().now_ms());
            return self.send_to_session(socket, "ScheduledTaskEnded", result).await;
        }
        let data = json!({"ItemId": JellyfinLibrary::Section(section).id().hex(), "Progress": "0"});
        self.send_to_session(socket, "RefreshProgress", Some(data)).await
    }

    async fn noticed(
        &mut self,
        socket: &mut ServerSocket,
        notice: Result<SocketEvent, RecvError>,
    ) -> Result<(), SocketClosed> {
        let for_admins = self.caller.admin && self.caller.grant.user.is_some();
        match notice {
            Ok(SocketEvent::Revoked(secret)) if secret == self.caller.grant.secret => Err(SocketClosed),
            Ok(SocketEvent::Revoked(_)) => {
                self.sessions_changed(true);
                Ok(())
            }
            Ok(SocketEvent::SessionsChanged { at_once }) => {
                self.sessions_changed(at_once);
                Ok(())
            }
            Ok(SocketEvent::TaskEnded(result)) if for_admins => {
                self.send_to_session(socket, "ScheduledTaskEnded", Some(result)).await
            }
            Ok(SocketEvent::Refreshing(item, percent)) if for_admins => {
                let data = json!({"ItemId": item, "Progress": percent});
                self.send_to_session(socket, "RefreshProgress", Some(data)).await
            }
            Ok(SocketEvent::LibrariesChanged) if self.caller.grant.user.is_some() => {
                self.library_due = Some(self.timer(self.server.switches.library_changed_delay));
                Ok(())
            }
            Ok(_) | Err(RecvError::Lagged(_)) => Ok(()),
            Err(RecvError::Closed) => Err(SocketClosed),
        }
    }

    async fn send_user_data(&mut self, socket: &mut ServerSocket) -> Result<(), SocketClosed> {
        let Some(user) = self.caller.grant.user else { return Ok(()) };
        let data = self.user_data.drain_json(&self.context.state.view(), user);
        self.send_to_session(socket, "UserDataChanged", Some(data)).await
    }

    async fn handle_message(&mut self, socket: &mut ServerSocket, message: &Message) -> Result<(), SocketClosed> {
        self.listen_again();
        self.server.sockets.record_activity(&self.session, self.number);
        let text = match message {
            Message::Text(text) => text.as_str(),
            Message::Close(_) => return Err(SocketClosed),
            _ => return Ok(()),
        };
        match frame::read(text) {
            Some(ClientMessage::KeepAlive) => self.send(socket, "KeepAlive", None).await,
            Some(ClientMessage::Start(topic, first, every)) => {
                self.subscriptions.retain(|held| held.topic != topic);
                if self.may_subscribe() {
                    let due = Some(self.timer(first));
                    self.subscriptions.push(Subscription { topic, every, due, sent_ms: 0 });
                }
                Ok(())
            }
            Some(ClientMessage::Stop(topic)) => {
                self.subscriptions.retain(|held| held.topic != topic);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Only administrators, and API keys where the switch says so.
    fn may_subscribe(&self) -> bool {
        self.caller.admin && (self.caller.grant.user.is_some() || self.server.switches.keys_may_subscribe)
    }

    async fn send_subscription(&mut self, socket: &mut ServerSocket, at: usize) -> Result<(), SocketClosed> {
        let (topic, every) = (self.subscriptions[at].topic, self.subscriptions[at].every);
        let now_ms = self.context.state.clock().now_ms();
        self.subscriptions[at].sent_ms = now_ms;
        // Sessions are told when they change.
        self.subscriptions[at].due = (topic != Topic::Sessions).then(|| self.timer(every));
        let data = match topic {
            Topic::Sessions => self.sessions(now_ms),
            Topic::Tasks => Value::Array(self.server.tasks.written(now_ms)),
            Topic::Journal => {
                let newer =
                    self.server.activity_log.read(&ActivityLogQuery::default()).1.saturating_sub(self.entries_told);
                if newer == 0 {
                    return Ok(());
                }
                self.entries_told += newer;
                let wanted = ActivityLogQuery { limit: newer.min(MAX_ENTRIES), ..ActivityLogQuery::default() };
                Value::Array(self.server.activity_log.read(&wanted).0)
            }
        };
        self.send(socket, topic.name(), Some(data)).await
    }

    /// Lets a subscriber to sessions know of a change: soon, or when the interval since the last frame has passed.
    fn sessions_changed(&mut self, at_once: bool) {
        let now_ms = self.context.state.clock().now_ms();
        let Some(at) = self.subscriptions.iter().position(|held| held.topic == Topic::Sessions) else { return };
        let held = &self.subscriptions[at];
        let since = Duration::from_millis(now_ms.saturating_sub(held.sent_ms));
        let wait = if at_once { SESSIONS_TOLD_AFTER } else { held.every.saturating_sub(since) };
        if at_once || held.due.is_none() {
            self.subscriptions[at].due = Some(self.timer(wait));
        }
    }

    /// Whether the user may still use the server.
    fn may_stay(&self) -> bool {
        let state = &self.context.state;
        self.caller.grant.user.is_none_or(|user| state.user(user).is_some() && !state.is_disabled(user))
    }

    fn sessions(&self, now_ms: u64) -> Value {
        let view = self.context.state.view();
        let scene = ResponseContext {
            view: &view,
            user: self.caller.grant.user,
            rating_limit: None,
            now_ms,
            draw: self.server.next_draw(),
            starting: false,
            server_id: &self.server.server_id,
            images: &self.server.images,
            removed_sections: &self.server.removed_sections,
            switches: &self.server.switches,
        };
        Value::Array(sessions(&self.server, &scene, &WantedSessions::default()))
    }

    /// A silent client is reminded once, then disconnected.
    async fn silent(&mut self, socket: &mut ServerSocket) -> Result<(), SocketClosed> {
        if self.warned {
            return Err(SocketClosed);
        }
        self.warned = true;
        let keep_alive = self.server.switches.keep_alive;
        self.heard_from = Some(self.timer(keep_alive / 4));
        self.send(socket, "ForceKeepAlive", Some(json!(keep_alive.as_secs()))).await
    }

    fn listen_again(&mut self) {
        self.warned = false;
        self.heard_from = Some(self.timer(self.server.switches.keep_alive * 3 / 4));
    }

    fn timer(&self, after: Duration) -> SleepFuture {
        let clock = self.context.state.clock();
        Box::pin(async move { clock.sleep(after).await })
    }

    /// Sends what concerns the session, unless another of its sockets was active later.
    async fn send_to_session(
        &mut self,
        socket: &mut ServerSocket,
        kind: &str,
        data: Option<Value>,
    ) -> Result<(), SocketClosed> {
        let elsewhere = self.server.switches.one_socket_per_session
            && !self.server.sockets.is_last_active(&self.session, self.number);
        if elsewhere { Ok(()) } else { self.send(socket, kind, data).await }
    }

    async fn send(&mut self, socket: &mut ServerSocket, kind: &str, data: Option<Value>) -> Result<(), SocketClosed> {
        self.sent += 1;
        let text = frame::written(kind, self.sent, self.seed, data);
        socket.send(Message::text(text)).await.map_err(|_| SocketClosed)
    }
}

impl Drop for SocketSession {
    fn drop(&mut self) {
        self.server.sockets.close(&self.session, self.number);
    }
}

/// Waits for a timer, for ever if there is none. It fires once.
async fn due(timer: &mut Timer) {
    match timer {
        Some(rings) => {
            rings.await;
            *timer = None;
        }
        None => std::future::pending().await,
    }
}

/// Waits for the first due subscription.
async fn first_due(subscriptions: &mut [Subscription]) -> usize {
    std::future::poll_fn(|context| {
        let ready = subscriptions
            .iter_mut()
            .position(|held| held.due.as_mut().is_some_and(|due| due.as_mut().poll(context).is_ready()));
        match ready {
            Some(at) => {
                subscriptions[at].due = None;
                std::task::Poll::Ready(at)
            }
            None => std::task::Poll::Pending,
        }
    })
    .await
}
