//! Requests allowed without a token: a closed list per dialect. All others need one, even if the server
//! itself would not ask for it, because behind a gateway every client looks local to the server.

/// Access of a request without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnonymousAccess {
    /// The request needs a token.
    Denied,
    /// The server answers without a token, but may decide by the client's address: the request needs one unless the
    /// server sees that address.
    BehindKnownProxy,
    /// The request is forwarded; its response is never cached.
    PassThrough,
    /// The request is forwarded, and its response may be cached in a shared partition: public information,
    /// images.
    Cacheable,
}

impl AnonymousAccess {
    /// The access where the server sees each client's address, or where it sees only the gateway's.
    #[must_use]
    pub fn where_client_is_seen(self, is_known_proxy: bool) -> Self {
        match self {
            Self::BehindKnownProxy if is_known_proxy => Self::PassThrough,
            Self::BehindKnownProxy => Self::Denied,
            access => access,
        }
    }
}
