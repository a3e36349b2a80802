//! Access policy: a pure decision over the facts of a request.
//!
//! - Changes need the control token, sent as such or through a page session, and must not come from a page of another
//!   origin.
//! - Statistics can be read without it only on this machine: peer and host are loopback, the request was not forwarded,
//!   and no script of another origin sends it.
//! - A path opened to a network can be read from there by direct callers.
//! - The host is always checked: a foreign DNS name that points here (DNS rebinding) is rejected unless it is
//!   configured. A name that only the local network can resolve is accepted from private networks.

#[cfg(test)]
mod tests;

use greenroom_state::app_tokens::AppAccess;
use http::{Method, StatusCode};

use crate::error::Problem;
use crate::web;

/// Public paths beside the page: they hold no statistics. An image link carries its own permission.
const PUBLIC_PATHS: [&str; 5] =
    ["/healthz", "/readyz", "/api/plex/image", "/api/plex/proxy/image", "/api/folder/content"];

/// Paths of the comic app, for the folder with `compat = true`.
pub const COMIC_APP_PATHS: [&str; 3] = ["/api/files", "/api/cache/stats", "/api/cache/prewarm"];

/// Reads that use POST, because their input is too long for a URL, or because an app does so.
const READ_BY_POST: [&str; 4] =
    ["/api/v1/match/tracks", "/api/v1/match/paths", "/api/v1/match/ids", "/api/cache/prewarm"];

/// Start of the paths of a cache for apps.
const CACHES: &str = "/api/v1/caches/";

/// Permission a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteAccess {
    /// No statistics: the bare page, health. Public.
    Open,
    /// Returns the caller's permissions. Public, but a wrong token counts as a failed guess.
    Whoami,
    /// Reads statistics.
    Read,
    /// Reads what an app stored. Unlike statistics it needs the app's token or the control token, on this machine too.
    ReadEntries,
    /// Opens a session with the token.
    Login,
    /// Changes something.
    Change,
}

/// The name by which the request addresses this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKind {
    /// `localhost` or a loopback address of this machine.
    Loopback,
    /// A configured name or address.
    Named,
    /// Another IP address.
    Address,
    /// A name that only the local network can resolve: a single label, or one below `.local`.
    LocalName,
    /// Another name, several, or an unreadable one.
    Foreign,
}

/// Origin of the sending page, from the `Origin` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginHeader {
    /// Absent: not a browser, or not a script.
    Absent,
    /// This origin.
    Own,
    /// Another origin, or an opaque one.
    Foreign,
}

/// Site of the sending page, from the `Sec-Fetch-Site` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchSite {
    /// Absent.
    Absent,
    /// Same origin, or typed by the user.
    Own,
    /// The user followed a link on another site.
    Followed,
    /// A script or subresource of another site.
    Foreign,
}

/// The credential of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresentedCredential {
    /// None, or an expired session.
    Absent,
    /// The control token.
    Token,
    /// The read-only token.
    ReadToken,
    /// The token of an app, which opens some folders and caches only.
    AppToken {
        /// Whether the path is one of them.
        is_covered: bool,
        /// Whether it changes nothing.
        is_read_only: bool,
    },
    /// A session opened with the control token.
    Session,
    /// An unknown token.
    Wrong,
}

/// All inputs of the decision.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessInput {
    /// The permission needed.
    pub route: RouteAccess,
    /// The host of the request.
    pub host: HostKind,
    /// True if the control plane listens beyond loopback.
    pub listens_beyond_loopback: bool,
    /// True if the connection comes from this machine.
    pub peer_is_loopback: bool,
    /// True if the connection comes from a private network.
    pub peer_is_private: bool,
    /// True if a header shows that the request passed a proxy.
    pub is_forwarded: bool,
    /// True if this path is open to the peer's network.
    pub is_open_read: bool,
    /// See [`OriginHeader`].
    pub origin: OriginHeader,
    /// See [`FetchSite`].
    pub site: FetchSite,
    /// See [`PresentedCredential`].
    pub credential: PresentedCredential,
    /// True if this peer sent too many wrong tokens lately.
    pub is_throttled: bool,
}

/// Result of the access decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessDecision {
    /// Allowed.
    Allow,
    /// The host is not one of ours.
    Misdirected,
    /// A page of another origin tries to change something.
    ForeignPage,
    /// The token is required and missing.
    TokenMissing,
    /// The token or session is unknown.
    TokenWrong,
    /// The token is read-only, and the request changes something or reads what an app stored.
    TokenOnlyReads,
    /// The token is an app's, and opens other paths.
    TokenElsewhere,
    /// Too many wrong tokens: further ones are not checked for a while.
    Throttled,
}

impl RouteAccess {
    /// The permission that a method on a path needs. Unlisted paths are closed.
    pub fn classify(method: &Method, path: &str) -> Self {
        let reads = method == Method::GET || method == Method::HEAD;
        match path {
            _ if reads && (PUBLIC_PATHS.contains(&path) || web::contains(path)) => Self::Open,
            "/api/v1/session" if reads => Self::Whoami,
            _ if reads && is_path_of_entries(path) => Self::ReadEntries,
            _ if reads => Self::Read,
            "/api/v1/session" if method == Method::POST => Self::Login,
            _ if method == Method::POST && is_batch_lookup(path) => Self::ReadEntries,
            _ if method == Method::POST && (READ_BY_POST.contains(&path) || is_folder_match(path)) => Self::Read,
            _ => Self::Change,
        }
    }
}

/// Whether a path looks up files of a folder.
fn is_folder_match(path: &str) -> bool {
    let rest = path.strip_prefix("/api/v1/folders/").and_then(|rest| rest.split_once('/'));
    rest.is_some_and(|(_, action)| action == "match")
}

/// Whether a path looks up several entries of a cache.
fn is_batch_lookup(path: &str) -> bool {
    let rest = path.strip_prefix(CACHES).and_then(|rest| rest.split_once('/'));
    rest.is_some_and(|(_, action)| action == "batch/get")
}

/// Whether a path is below a cache.
fn is_path_of_entries(path: &str) -> bool {
    path.strip_prefix(CACHES).is_some_and(|rest| rest.contains('/'))
}

/// Whether a path belongs to what this token opens; `compat` is the folder that answers the comic app's paths.
pub fn is_path_of(path: &str, access: &AppAccess, compat: Option<&str>) -> bool {
    if let Some(rest) = path.strip_prefix(CACHES) {
        let name = rest.split('/').next().unwrap_or_default();
        return access.caches.iter().any(|cache| cache == name);
    }
    let has = |name: &str| access.folders.iter().any(|folder| folder == name);
    if let Some(rest) = path.strip_prefix("/api/v1/folders/") {
        return has(rest.split('/').next().unwrap_or_default());
    }
    let is_of_app = COMIC_APP_PATHS
        .iter()
        .any(|app| path.strip_prefix(app).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    is_of_app && compat.is_some_and(has)
}

/// The decision about a request, from its facts alone.
pub fn decide(input: &AccessInput) -> AccessDecision {
    let is_host_allowed = match input.host {
        HostKind::Loopback | HostKind::Named => true,
        HostKind::Address => input.listens_beyond_loopback,
        HostKind::LocalName => input.peer_is_private,
        HostKind::Foreign => false,
    };
    if !is_host_allowed {
        return AccessDecision::Misdirected;
    }
    let changes = matches!(input.route, RouteAccess::Login | RouteAccess::Change);
    let is_own_page =
        input.origin != OriginHeader::Foreign && !matches!(input.site, FetchSite::Foreign | FetchSite::Followed);
    if changes && !is_own_page {
        return AccessDecision::ForeignPage;
    }
    match (input.route, input.credential) {
        (RouteAccess::Open, _)
        | (RouteAccess::Whoami, PresentedCredential::Absent)
        | (
            RouteAccess::Whoami | RouteAccess::Read | RouteAccess::ReadEntries | RouteAccess::Change,
            PresentedCredential::Session,
        ) => AccessDecision::Allow,
        (RouteAccess::Login, _)
        | (
            _,
            // The token of an app is too long to be guessed, so that wrong ones of another app do not lock it out.
            PresentedCredential::Token | PresentedCredential::ReadToken | PresentedCredential::Wrong,
        ) if input.is_throttled => AccessDecision::Throttled,
        (RouteAccess::Login, _)
        | (_, PresentedCredential::Token)
        | (RouteAccess::Whoami | RouteAccess::Read, PresentedCredential::ReadToken)
        | (RouteAccess::Whoami, PresentedCredential::AppToken { .. }) => AccessDecision::Allow,
        (_, PresentedCredential::AppToken { is_covered: false, .. }) => AccessDecision::TokenElsewhere,
        (RouteAccess::ReadEntries | RouteAccess::Change, PresentedCredential::ReadToken)
        | (RouteAccess::Change, PresentedCredential::AppToken { is_read_only: true, .. }) => {
            AccessDecision::TokenOnlyReads
        }
        (RouteAccess::Read | RouteAccess::ReadEntries | RouteAccess::Change, PresentedCredential::AppToken { .. }) => {
            AccessDecision::Allow
        }
        (_, PresentedCredential::Wrong) => AccessDecision::TokenWrong,
        (RouteAccess::Read, PresentedCredential::Absent) if is_local(input) || is_opened(input) => {
            AccessDecision::Allow
        }
        (_, PresentedCredential::Absent) => AccessDecision::TokenMissing,
    }
}

fn is_local(input: &AccessInput) -> bool {
    input.peer_is_loopback && input.host == HostKind::Loopback && is_direct(input)
}

fn is_opened(input: &AccessInput) -> bool {
    input.is_open_read && is_direct(input)
}

/// True if the peer is the caller itself: not forwarded, and not a page of another origin.
fn is_direct(input: &AccessInput) -> bool {
    !input.is_forwarded && input.origin != OriginHeader::Foreign && input.site != FetchSite::Foreign
}

impl AccessDecision {
    /// All denials.
    pub const DENIALS: [Self; 7] = [
        Self::Misdirected,
        Self::ForeignPage,
        Self::TokenMissing,
        Self::TokenWrong,
        Self::TokenOnlyReads,
        Self::TokenElsewhere,
        Self::Throttled,
    ];

    /// Name in metrics and problems.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allowed",
            Self::Misdirected => "misdirected",
            Self::ForeignPage => "foreign-page",
            Self::TokenMissing => "token-missing",
            Self::TokenWrong => "token-wrong",
            Self::TokenOnlyReads => "token-only-reads",
            Self::TokenElsewhere => "token-elsewhere",
            Self::Throttled => "throttled",
        }
    }

    /// The problem for the client; `None` if allowed.
    pub fn problem(self) -> Option<Problem> {
        let (status, title, detail) = match self {
            Self::Allow => return None,
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "Wrong host name",
                "Use localhost, an IP address if the control plane listens beyond loopback, a name without dots from a \
                private network, or a name listed in control.hosts (GREENROOM_CONTROL_HOSTS).",
            ),
            Self::ForeignPage => (
                StatusCode::FORBIDDEN,
                "Request from another site",
                "Changes are accepted only from the control plane's own page and from programs.",
            ),
            Self::TokenMissing => (
                StatusCode::UNAUTHORIZED,
                "Control token required",
                "Send it as \"Authorization: Bearer TOKEN\", or log in on the page. \
                 \"greenroom token show\" prints it.",
            ),
            Self::TokenWrong => (
                StatusCode::UNAUTHORIZED,
                "Wrong control token",
                "\"greenroom token show\" prints it, for the user and the data directory the process runs with.",
            ),
            Self::TokenOnlyReads => (
                StatusCode::FORBIDDEN,
                "This token is read-only",
                "Changes, and reading what an app stored, need the control token; \"greenroom token show\" prints it.",
            ),
            Self::TokenElsewhere => (
                StatusCode::FORBIDDEN,
                "This token is for other paths",
                "The token of an app opens only the folders and caches it was made for; \"greenroom token list\" shows them.",
            ),
            Self::Throttled => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many wrong tokens",
                "Retry after the time in the Retry-After header. Until then no token from your address is checked.",
            ),
        };
        Some(Problem { status, code: self.name(), title, detail })
    }
}
