//! What passes without a token: a closed list per dialect. Everything else needs one, whatever the server itself
//! would say: behind a gateway every client looks local to it.

/// What a request without a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Open {
    /// Nothing: it needs a token.
    No,
    /// It is forwarded; its answer is never kept.
    Pass,
    /// It is forwarded, and its answer may be kept among those without an identity: public information, images.
    Keep,
}
