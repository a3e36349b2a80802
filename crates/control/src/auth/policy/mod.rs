//! Who may do what: a pure decision over what is known of a request.
//!
//! - Whatever changes something needs the control token, shown as such or through the session of the page, and
//!   must not come from somebody else's page.
//! - Figures may be read without it only on this very machine: peer and host are loopback, nobody forwarded the
//!   request, and no other page's script asks.
//! - A path that was opened to a network may be read from there, by whoever asks for itself.
//! - The host is always checked: a name that somebody else's DNS points here is not ours, unless it was configured.

#[cfg(test)]
mod tests;

use http::{Method, StatusCode};

use crate::error::Problem;
use crate::web;

/// What anybody may read beside the page: it holds no figures. A link to a picture is its own permission.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/api/plex/image"];

/// What is only read although it is asked with POST: the question is too long for an address.
const READ_BY_POST: [&str; 3] = ["/api/v1/match/tracks", "/api/v1/match/paths", "/api/v1/match/ids"];

/// What a request wants, as far as its permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Holds no figures: the bare page, health. For everybody.
    Open,
    /// Asks what it may. For everybody, but a token that is shown there is a guess like any other.
    Whoami,
    /// Reads figures.
    Read,
    /// Shows the token to get a session.
    Login,
    /// Changes something.
    Change,
}

/// What the request calls this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// `localhost`, or an address of this machine's loopback.
    Loopback,
    /// A name or an address that was configured.
    Named,
    /// Another address, written as numbers.
    Address,
    /// A name, or nothing that can be understood, or several.
    Foreign,
}

/// Whose page asks, by the `Origin` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It does not say: no browser, or nothing that a page does.
    Absent,
    /// Ours.
    Own,
    /// Somebody else's, or hidden.
    Foreign,
}

/// Whose page asks, by the `Sec-Fetch-Site` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// It does not say.
    Absent,
    /// Ours, or the user typed the address.
    Own,
    /// The user followed a link on somebody else's page.
    Followed,
    /// Somebody else's page asks by itself.
    Foreign,
}

/// What the request shows for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing, or a session that has ended.
    Absent,
    /// The control token.
    Token,
    /// The token that only reads.
    ReadToken,
    /// A session that was opened with it.
    Session,
    /// A token that is not ours.
    Wrong,
}

/// Everything the decision hangs on.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    /// What is wanted.
    pub(crate) route: Route,
    /// What the request calls us.
    pub(crate) host: Host,
    /// Whether we can be reached from other machines.
    pub(crate) listens_beyond_loopback: bool,
    /// Whether the connection comes from this machine.
    pub(crate) peer_is_loopback: bool,
    /// Whether something says that it passed a proxy.
    pub(crate) is_forwarded: bool,
    /// Whether this path was opened to the network the connection comes from.
    pub(crate) is_open_read: bool,
    /// See [`Origin`].
    pub(crate) origin: Origin,
    /// See [`Site`].
    pub(crate) site: Site,
    /// See [`Proof`].
    pub(crate) proof: Proof,
    /// Whether this peer showed too many wrong tokens lately.
    pub(crate) is_throttled: bool,
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It may.
    Allow,
    /// The host is not one of ours.
    Misdirected,
    /// Somebody else's page wants to change something.
    ForeignPage,
    /// The token is needed, and was not shown.
    TokenMissing,
    /// What was shown is no token of ours.
    TokenWrong,
    /// What was shown only reads, and something is to be changed.
    TokenOnlyReads,
    /// Too many wrong tokens: no further one is looked at for a while.
    Throttled,
}

impl Route {
    /// What a method on a path wants. What is not listed is closed.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let reads = method == Method::GET || method == Method::HEAD;
        match path {
            _ if reads && (OPEN.contains(&path) || web::holds(path)) => Self::Open,
            "/api/v1/session" if reads => Self::Whoami,
            _ if reads => Self::Read,
            "/api/v1/session" if method == Method::POST => Self::Login,
            _ if method == Method::POST && READ_BY_POST.contains(&path) => Self::Read,
            _ => Self::Change,
        }
    }
}

/// Decides.
pub(crate) fn decide(facts: &Facts) -> Decision {
    let is_called_rightly = match facts.host {
        Host::Loopback | Host::Named => true,
        Host::Address => facts.listens_beyond_loopback,
        Host::Foreign => false,
    };
    if !is_called_rightly {
        return Decision::Misdirected;
    }
    let changes = matches!(facts.route, Route::Login | Route::Change);
    let is_own_page =
        facts.origin != Origin::Foreign && !matches!(facts.site, Site::Foreign | Site::Followed);
    if changes && !is_own_page {
        return Decision::ForeignPage;
    }
    match (facts.route, facts.proof) {
        (Route::Open, _)
        | (Route::Whoami, Proof::Absent)
        | (Route::Whoami | Route::Read | Route::Change, Proof::Session) => Decision::Allow,
        (Route::Login, _) | (_, Proof::Token | Proof::ReadToken | Proof::Wrong) if facts.is_throttled => {
            Decision::Throttled
        }
        (Route::Login, _) | (_, Proof::Token) | (Route::Whoami | Route::Read, Proof::ReadToken) => {
            Decision::Allow
        }
        (Route::Change, Proof::ReadToken) => Decision::TokenOnlyReads,
        (_, Proof::Wrong) => Decision::TokenWrong,
        (Route::Read, Proof::Absent) if is_local(facts) || is_opened(facts) => Decision::Allow,
        (_, Proof::Absent) => Decision::TokenMissing,
    }
}

fn is_local(facts: &Facts) -> bool {
    facts.peer_is_loopback && facts.host == Host::Loopback && is_direct(facts)
}

fn is_opened(facts: &Facts) -> bool {
    facts.is_open_read && is_direct(facts)
}

/// Whoever is connected asks for itself: not for somebody behind it, and not for another page.
fn is_direct(facts: &Facts) -> bool {
    !facts.is_forwarded && facts.origin != Origin::Foreign && facts.site != Site::Foreign
}

impl Decision {
    /// Every way to say no.
    pub(crate) const REFUSALS: [Self; 6] = [
        Self::Misdirected,
        Self::ForeignPage,
        Self::TokenMissing,
        Self::TokenWrong,
        Self::TokenOnlyReads,
        Self::Throttled,
    ];

    /// The word for it in metrics and problems.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Allow => "allowed",
            Self::Misdirected => "misdirected",
            Self::ForeignPage => "foreign-page",
            Self::TokenMissing => "token-missing",
            Self::TokenWrong => "token-wrong",
            Self::TokenOnlyReads => "token-only-reads",
            Self::Throttled => "throttled",
        }
    }

    /// What the caller is told; `None` if it may.
    pub(crate) fn problem(self) -> Option<Problem> {
        let (status, title, detail) = match self {
            Self::Allow => return None,
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "Not called by this name",
                "The control plane answers to localhost, to IP addresses where it listens on one, and to the names in \
                 control.hosts (GREENROOM_CONTROL_HOSTS).",
            ),
            Self::ForeignPage => (
                StatusCode::FORBIDDEN,
                "Another page asks",
                "Only the control plane's own page, or a program, may change anything here.",
            ),
            Self::TokenMissing => (
                StatusCode::UNAUTHORIZED,
                "The control token is needed",
                "Send it as \"Authorization: Bearer TOKEN\", or log in on the page. \
                 \"greenroom token show\" prints it.",
            ),
            Self::TokenWrong => (
                StatusCode::UNAUTHORIZED,
                "This is not the control token",
                "\"greenroom token show\" prints it, for the user and the data directory the process runs with.",
            ),
            Self::TokenOnlyReads => (
                StatusCode::FORBIDDEN,
                "This token only reads",
                "Nothing is changed with it. \"greenroom token show\" prints the control token.",
            ),
            Self::Throttled => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many wrong tokens",
                "Wait as long as Retry-After says. Until then no token from your address is looked at.",
            ),
        };
        Some(Problem { status, code: self.name(), title, detail })
    }
}
