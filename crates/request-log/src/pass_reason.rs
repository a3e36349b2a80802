//! Reasons why a request bypasses the cache, with explanations for people.

use greenroom_dialect::classification::StreamReason;

/// Reason why the server answers a request itself. The order is the format of the counters on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PassReason {
    /// Two different tokens.
    TwoTokens,
    /// No token, on a path that allows that but is not cached then.
    NoToken,
    /// It changes something.
    Write,
    /// Media, transcodes, downloads.
    Media,
    /// A notification socket or an event stream.
    Events,
    /// Accounts and tokens.
    Account,
    /// A response for this moment only.
    Moment,
    /// A malformed request.
    Odd,
    /// A path in no table.
    Unknown,
    /// The server forbids caching.
    Forbidden,
    /// Bypassed or observed.
    Bypassed,
    /// The server answered with other rows than the requested page. On disk after `RequestCounter::Unauthorised`.
    OtherPage = 12,
}

impl PassReason {
    /// Every reason.
    pub const EVERY: [Self; 12] = [
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
        Self::OtherPage,
    ];

    /// Reason of a pass-through request.
    pub fn from_stream_reason(reason: StreamReason) -> Self {
        match reason {
            StreamReason::Media => Self::Media,
            StreamReason::Socket | StreamReason::Upgrade | StreamReason::Events => Self::Events,
            StreamReason::Account => Self::Account,
            StreamReason::Moment => Self::Moment,
            StreamReason::Odd => Self::Odd,
            StreamReason::Asset | StreamReason::Unknown => Self::Unknown,
        }
    }

    /// Name in the API.
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
            Self::OtherPage => "other-page",
        }
    }

    /// Explains why most of an app's requests are not answered from the cache, as the end of "not cacheable because …".
    pub fn explanation(self) -> &'static str {
        match self {
            Self::TwoTokens => "its requests carry two tokens that are not the same",
            Self::NoToken => "its requests have no token",
            Self::Write => "it mostly changes things",
            Self::Media => "it mostly plays or downloads media",
            Self::Events => "it listens to events",
            Self::Account => "it mostly requests accounts and tokens",
            Self::Moment => "its responses are valid for a moment only",
            Self::Odd => "its requests are malformed",
            Self::Unknown => "it requests paths that Greenroom does not know",
            Self::Forbidden => "the server forbids caching these responses",
            Self::Bypassed => "the cache is bypassed for it, or only observes",
            Self::OtherPage => "the server does not page these lists as it requests them",
        }
    }
}
