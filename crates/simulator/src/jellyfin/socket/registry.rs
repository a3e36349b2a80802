//! The open sockets of each session: only the one that was active last gets the session's messages.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::jellyfin::credential::ClientCredential;
use crate::jellyfin::tokens::TokenGrant;

/// A session: a client on a device, whatever its token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey {
    client: String,
    device_id: String,
}

impl SessionKey {
    /// The session of a request: what its headers say, else what its token was issued to.
    pub(crate) fn of_request(says: &ClientCredential, grant: &TokenGrant) -> Self {
        let word = |said: &Option<String>, known: &str| said.as_deref().unwrap_or(known).to_lowercase();
        Self { client: word(&says.client, &grant.client), device_id: word(&says.device_id, &grant.device_id) }
    }
}

/// The open sockets, each with the moment of its last activity.
#[derive(Debug, Default)]
pub(crate) struct SocketRegistry {
    held: Mutex<OpenSockets>,
}

#[derive(Debug, Default)]
struct OpenSockets {
    moment: u64,
    number: u64,
    active_at: HashMap<SessionKey, HashMap<u64, u64>>,
}

impl SocketRegistry {
    /// Adds a socket, which is the last active one of its session, and returns its number.
    pub(crate) fn open(&self, key: &SessionKey) -> u64 {
        let mut held = self.held.lock();
        held.number += 1;
        let number = held.number;
        held.touch(key, number);
        number
    }

    /// Records that a socket said something.
    pub(crate) fn record_activity(&self, key: &SessionKey, number: u64) {
        self.held.lock().touch(key, number);
    }

    /// Removes a socket.
    pub(crate) fn close(&self, key: &SessionKey, number: u64) {
        let mut held = self.held.lock();
        let is_last = held.active_at.get_mut(key).is_some_and(|sockets| {
            sockets.remove(&number);
            sockets.is_empty()
        });
        if is_last {
            held.active_at.remove(key);
        }
    }

    /// Whether a socket is the one of its session that was active last.
    pub(crate) fn is_last_active(&self, key: &SessionKey, number: u64) -> bool {
        let held = self.held.lock();
        let last = held.active_at.get(key).and_then(|sockets| sockets.iter().max_by_key(|(_, at)| **at));
        last.is_some_and(|(last, _)| *last == number)
    }
}

impl OpenSockets {
    fn touch(&mut self, key: &SessionKey, number: u64) {
        self.moment += 1;
        self.active_at.entry(key.clone()).or_default().insert(number, self.moment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(device_id: &str) -> SessionKey {
        SessionKey { client: "web".into(), device_id: device_id.into() }
    }

    #[test]
    fn the_socket_that_spoke_last_is_the_sessions() {
        let sockets = SocketRegistry::default();
        let (first, second, other) = (sockets.open(&key("a")), sockets.open(&key("a")), sockets.open(&key("b")));
        assert!(sockets.is_last_active(&key("a"), second) && !sockets.is_last_active(&key("a"), first));
        sockets.record_activity(&key("a"), first);
        assert!(sockets.is_last_active(&key("a"), first));
        sockets.close(&key("a"), first);
        assert!(sockets.is_last_active(&key("a"), second) && sockets.is_last_active(&key("b"), other));
    }
}
