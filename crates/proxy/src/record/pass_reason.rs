//! Why a request goes past the cache, in words for people.

use greenroom_dialect::verdict::StreamReason;

/// Why the server answers a request itself. How many of each there were is kept on disk in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Passage {
    /// Two tokens that are not the same.
    TwoTokens,
    /// No token, on a path that may be asked without one but is not kept then.
    NoToken,
    /// It changes something.
    Write,
    /// Media, transcodes, downloads.
    Media,
    /// A notification socket or a stream of events.
    Events,
    /// Accounts and tokens.
    Account,
    /// An answer for this moment only.
    Moment,
    /// The request is odd.
    Odd,
    /// A path that no table knows.
    Unknown,
    /// The server forbids keeping its answer.
    Forbidden,
    /// Somebody turned the cache off for it, or it only watches.
    Bypassed,
}

impl Passage {
    /// Every one.
    pub const EVERY: [Self; 11] = [
        Self::TwoTokens,
        Self::NoToken,
        Self::Write,
        Self::Media,
        Self::Events,
        Self::Account,
        Self::Moment,
        Self::Odd,
        Self::Unknown,
        Self::Forbidden,
        Self::Bypassed,
    ];

    /// What passes through for this reason.
    pub fn of(reason: StreamReason) -> Self {
        match reason {
            StreamReason::Media => Self::Media,
            StreamReason::Socket | StreamReason::Events => Self::Events,
            StreamReason::Account => Self::Account,
            StreamReason::Moment => Self::Moment,
            StreamReason::Odd => Self::Odd,
            StreamReason::Unknown => Self::Unknown,
        }
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TwoTokens => "two-tokens",
            Self::NoToken => "without-token",
            Self::Write => "write",
            Self::Media => "media",
            Self::Events => "events",
            Self::Account => "account",
            Self::Moment => "moment",
            Self::Odd => "odd",
            Self::Unknown => "unknown",
            Self::Forbidden => "uncacheable",
            Self::Bypassed => "bypassed",
        }
    }

    /// Why most of what an app asks is not answered from the cache, as the end of "not cacheable because …".
    pub fn sentence(self) -> &'static str {
        match self {
            Self::TwoTokens => "its requests carry two tokens that are not the same",
            Self::NoToken => "it shows no token",
            Self::Write => "it mostly changes things",
            Self::Media => "it mostly plays or downloads media",
            Self::Events => "it listens to events",
            Self::Account => "it mostly asks about accounts and tokens",
            Self::Moment => "it asks what holds for a moment only",
            Self::Odd => "its requests are put in an odd way",
            Self::Unknown => "it asks for paths that nobody has looked into yet",
            Self::Forbidden => "the server forbids keeping these answers",
            Self::Bypassed => "the cache is turned off for it, or only watches",
        }
    }
}
