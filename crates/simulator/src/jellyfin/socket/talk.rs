//! One open socket: what it waits for, and what it then sends.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::frame::{self, Said, Topic};
use super::{library, user_data};
use crate::jellyfin::ask::Caller;
use crate::jellyfin::house::{House, Notice};
use crate::jellyfin::journal::Wanted;
use crate::jellyfin::rooms::{WantedSessions, sessions};
use crate::jellyfin::scene::Scene;
use crate::serve::Ground;
use crate::serve::socket::{Message, Socket};
use crate::state::Change;

/// Entries of the journal in one frame at the most.
const MAX_ENTRIES: usize = 50;

type Bell = Pin<Box<dyn Future<Output = ()> + Send>>;
type Timer = Option<Bell>;

/// A conversation.
pub(super) struct Talk {
    ground: Arc<Ground>,
    house: Arc<House>,
    caller: Caller,
    changes: Receiver<Change>,
    notices: Receiver<Notice>,
    library: library::Gathered,
    library_due: Timer,
    user_data: user_data::Gathered,
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
}

/// Why a conversation ends.
struct Over;

impl Talk {
    /// A conversation that follows changes from now on.
    pub(super) fn new(ground: Arc<Ground>, house: Arc<House>, caller: Caller) -> Self {
        let seed = ground.ledger.sockets_opened() << 32 | ground.ledger.total();
        Self {
            changes: ground.state.follow(),
            notices: house.notices.subscribe(),
            entries_told: house.journal.read(Wanted::default()).1,
            ground,
            house,
            caller,
            library: library::Gathered::default(),
            library_due: None,
            user_data: user_data::Gathered::default(),
            user_data_due: None,
            heard_from: None,
            warned: false,
            subscriptions: Vec::new(),
            sent: 0,
            seed,
        }
    }

    /// Speaks until the client leaves, its token ends, or it is silent for too long.
    pub(super) async fn run(mut self, mut socket: Socket) {
        self.listen_again();
        let greeting = json!(self.house.switches.keep_alive.as_secs());
        if self.send(&mut socket, "ForceKeepAlive", Some(greeting)).await.is_err() {
            return;
        }
        while self.step(&mut socket).await.is_ok() {}
        // The client may have left already.
        let _ = socket.close(None).await;
    }

    /// Waits for the next thing to happen and does what follows from it. Changes come first, so that everything of
    /// one moment goes into one frame.
    async fn step(&mut self, socket: &mut Socket) -> Result<(), Over> {
        tokio::select! {
            biased;
            change = self.changes.recv() => self.changed(socket, change).await,
            notice = self.notices.recv() => self.noticed(socket, notice).await,
            () = due(&mut self.user_data_due) => self.tell_user_data(socket).await,
            () = due(&mut self.library_due) => {
                let data = self.library.written();
                self.send(socket, "LibraryChanged", Some(data)).await
            }
            at = first_due(&mut self.subscriptions) => self.tell(socket, at).await,
            message = socket.next() => match message {
                Some(Ok(message)) => self.said(socket, &message).await,
                Some(Err(_)) | None => Err(Over),
            },
            () = due(&mut self.heard_from) => self.silent(socket).await,
        }
    }

    async fn changed(&mut self, socket: &mut Socket, change: Result<Change, RecvError>) -> Result<(), Over> {
        let change = match change {
            Ok(change) => change,
            Err(RecvError::Lagged(_)) => return Ok(()),
            Err(RecvError::Closed) => return Err(Over),
        };
        if matches!(change, Change::ShuttingDown) {
            return self.send(socket, "ServerShuttingDown", None).await;
        }
        let Some(user) = self.caller.grant.user else { return Ok(()) };
        let (of_library, of_user) = {
            let view = self.ground.state.view();
            (self.library.take(&view, user, &change), self.user_data.take(&view, user, &change))
        };
        // Every change makes the wait for quiet begin again.
        if of_library {
            self.library_due = Some(self.timer(self.house.switches.library_changed_delay));
        }
        if of_user {
            self.user_data_due = Some(self.timer(self.house.switches.user_data_changed_delay));
        }
        Ok(())
    }

    async fn noticed(&mut self, socket: &mut Socket, notice: Result<Notice, RecvError>) -> Result<(), Over> {
        let for_admins = self.caller.admin && self.caller.grant.user.is_some();
        match notice {
            Ok(Notice::Revoked(secret)) if secret == self.caller.grant.secret => Err(Over),
            Ok(Notice::TaskEnded(result)) if for_admins => {
                self.send(socket, "ScheduledTaskEnded", Some(result)).await
            }
            Ok(Notice::Refreshing(item, percent)) if for_admins => {
                let data = json!({"ItemId": item, "Progress": percent});
                self.send(socket, "RefreshProgress", Some(data)).await
            }
            Ok(_) | Err(RecvError::Lagged(_)) => Ok(()),
            Err(RecvError::Closed) => Err(Over),
        }
    }

    async fn tell_user_data(&mut self, socket: &mut Socket) -> Result<(), Over> {
        let Some(user) = self.caller.grant.user else { return Ok(()) };
        let data = self.user_data.written(&self.ground.state.view(), user);
        self.send(socket, "UserDataChanged", Some(data)).await
    }

    async fn said(&mut self, socket: &mut Socket, message: &Message) -> Result<(), Over> {
        self.listen_again();
        let text = match message {
            Message::Text(text) => text.as_str(),
            Message::Close(_) => return Err(Over),
            _ => return Ok(()),
        };
        match frame::read(text) {
            Some(Said::KeepAlive) => self.send(socket, "KeepAlive", None).await,
            Some(Said::Start(topic, first, every)) => {
                self.subscriptions.retain(|held| held.topic != topic);
                if self.may_subscribe() {
                    let due = Some(self.timer(first));
                    self.subscriptions.push(Subscription { topic, every, due });
                }
                Ok(())
            }
            Some(Said::Stop(topic)) => {
                self.subscriptions.retain(|held| held.topic != topic);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Only administrators, and API keys where the switch says so.
    fn may_subscribe(&self) -> bool {
        self.caller.admin && (self.caller.grant.user.is_some() || self.house.switches.keys_may_subscribe)
    }

    async fn tell(&mut self, socket: &mut Socket, at: usize) -> Result<(), Over> {
        let (topic, every) = (self.subscriptions[at].topic, self.subscriptions[at].every);
        self.subscriptions[at].due = Some(self.timer(every));
        let now_ms = self.ground.state.clock().now_ms();
        let data = match topic {
            Topic::Sessions => self.sessions(now_ms),
            Topic::Tasks => Value::Array(self.house.tasks.written(now_ms)),
            Topic::Journal => {
                let newer = self.house.journal.read(Wanted::default()).1.saturating_sub(self.entries_told);
                if newer == 0 {
                    return Ok(());
                }
                self.entries_told += newer;
                let wanted = Wanted { limit: newer.min(MAX_ENTRIES), ..Wanted::default() };
                Value::Array(self.house.journal.read(wanted).0)
            }
        };
        self.send(socket, topic.name(), Some(data)).await
    }

    fn sessions(&self, now_ms: u64) -> Value {
        let view = self.ground.state.view();
        let scene = Scene {
            view: &view,
            user: self.caller.grant.user,
            moment_ms: now_ms,
            starting: false,
            server_id: &self.house.server_id,
            art: &self.house.art,
            switches: &self.house.switches,
        };
        Value::Array(sessions(&self.house, &scene, &WantedSessions::default()))
    }

    /// A client that is silent is reminded once, then it is gone.
    async fn silent(&mut self, socket: &mut Socket) -> Result<(), Over> {
        if self.warned {
            return Err(Over);
        }
        self.warned = true;
        let keep_alive = self.house.switches.keep_alive;
        self.heard_from = Some(self.timer(keep_alive / 4));
        self.send(socket, "ForceKeepAlive", Some(json!(keep_alive.as_secs()))).await
    }

    fn listen_again(&mut self) {
        self.warned = false;
        self.heard_from = Some(self.timer(self.house.switches.keep_alive * 3 / 4));
    }

    fn timer(&self, after: Duration) -> Bell {
        let clock = self.ground.state.clock();
        Box::pin(async move { clock.sleep(after).await })
    }

    async fn send(&mut self, socket: &mut Socket, kind: &str, data: Option<Value>) -> Result<(), Over> {
        self.sent += 1;
        let text = frame::written(kind, self.sent, self.seed, data);
        socket.send(Message::text(text)).await.map_err(|_| Over)
    }
}

/// Waits for a timer, for ever if there is none. It rings once.
async fn due(timer: &mut Timer) {
    match timer {
        Some(rings) => {
            rings.await;
            *timer = None;
        }
        None => std::future::pending().await,
    }
}

/// Waits for the first subscription whose time has come.
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
