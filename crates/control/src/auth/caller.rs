//! The caller of a request: its address, how it authenticated, and its permissions.

use std::net::SocketAddr;

use crate::auth::session::SessionId;
use greenroom_state::control_tokens::TokenScope;

/// The connection a request came over. The server adds it to every request.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionInfo {
    /// Peer address.
    pub address: SocketAddr,
    /// True if the connection is encrypted.
    pub is_encrypted: bool,
    /// True if the request path began with the reverse proxy's base path.
    pub is_under_base_path: bool,
}

impl ConnectionInfo {
    /// A connection without requests yet.
    pub fn new(address: SocketAddr, is_encrypted: bool) -> Self {
        Self { address, is_encrypted, is_under_base_path: false }
    }
}

/// The authentication of a request, as far as it can be revoked while the response is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthGrant {
    /// No credential.
    Anonymous,
    /// A session.
    Session(SessionId),
    /// A token.
    Token(TokenScope),
    /// The token of an app, by its number.
    App(u64),
}

/// Facts about an authorised request.
#[derive(Debug, Clone, Copy)]
pub struct AuthContext {
    /// Its authentication.
    pub grant: AuthGrant,
    /// True if the caller may read statistics.
    pub may_read: bool,
    /// True if the caller may make changes.
    pub may_change: bool,
}
