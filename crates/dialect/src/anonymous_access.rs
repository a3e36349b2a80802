//! Requests allowed without a token: a closed list per dialect. All others need one, even if the server
//! itself would not ask for it, because behind a gateway every client looks local to the server.

/// Access of a request without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnonymousAccess {
    /// The request needs a token.
    Denied,
    /// The request is forwarded; its response is never cached.
    PassThrough,
    /// The request is forwarded, and its response may be cached in a shared partition: public information,
    /// images.
    Cacheable,
}
