//! Waits for the next number in the log, over a connection of its own: a command that waits keeps others from it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use redis::Value;

use crate::agreement::SequencePosition;
use crate::connection::StoreConnection;
use crate::store::RedisStore;

/// Time for which the store holds the question.
const BLOCK: Duration = Duration::from_secs(2);
/// Wait after a failure.
const RETRY: Duration = Duration::from_secs(1);

type LogQuestion<'a> = Pin<Box<dyn Future<Output = Option<StoreConnection>> + Send + 'a>>;

/// A question to the log that may be under way.
pub(crate) struct LogWatch<'a> {
    store: &'a RedisStore,
    connection: Option<StoreConnection>,
    /// It is never dropped before its answer: the connection would carry that answer to the next question.
    watching: Option<LogQuestion<'a>>,
}

impl<'a> LogWatch<'a> {
    pub(crate) fn new(store: &'a RedisStore) -> Self {
        Self { store, connection: None, watching: None }
    }

    /// Completes when there is a number above the standing's, and now and then without one. Never for a gateway that
    /// shares with no other.
    pub(crate) async fn changed(&mut self, standing: &SequencePosition) {
        if !self.store.settings.shared {
            return std::future::pending().await;
        }
        let watching = self
            .watching
            .get_or_insert_with(|| Box::pin(ask(self.store, self.connection.take(), format!("{}-1", standing.heard))));
        let connection = watching.as_mut().await;
        self.watching = None;
        self.connection = connection;
    }
}

async fn ask(store: &RedisStore, connection: Option<StoreConnection>, after: String) -> Option<StoreConnection> {
    let opened = match connection {
        Some(connection) => Ok(connection),
        None => StoreConnection::open(&store.settings, Some(BLOCK * 2)).await,
    };
    let Ok(mut connection) = opened else {
        tokio::time::sleep(RETRY).await;
        return None;
    };
    let mut command = redis::cmd("XREAD");
    command.arg("COUNT").arg(1).arg("BLOCK").arg(BLOCK.as_millis().to_string());
    command.arg("STREAMS").arg(store.agreement_key("log")).arg(after);
    if command.query_async::<Value>(&mut connection).await.is_ok() {
        return Some(connection);
    }
    tokio::time::sleep(RETRY).await;
    None
}
