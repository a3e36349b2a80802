//! Credentials of requests. The token has a type that never prints it.

use std::fmt;

/// A secret readable only through [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for hashing and for sending it to the server it belongs to.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The token of a request and the client's description of itself. All texts are unverified input: sanitise
/// them before showing them. `Debug` shows none of them: a client may send a token in place of each.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credential {
    /// The token, from whatever place the client put it in.
    pub token: Option<Secret>,
    /// Place of the token in the request.
    pub form: TokenForm,
    /// Several different tokens were found: the request passes through uncached with the first by precedence.
    pub ambiguous: bool,
    /// Product name (`X-Plex-Product`, `Client="…"`).
    pub product: Option<String>,
    /// Version of the product.
    pub version: Option<String>,
    /// Device name.
    pub device: Option<String>,
    /// Device or client identifier.
    pub device_id: Option<String>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Credential");
        shown.field("token", &self.token).field("form", &self.form).field("ambiguous", &self.ambiguous);
        shown.finish_non_exhaustive()
    }
}

/// Places in which a token comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TokenForm {
    /// No token.
    #[default]
    None,
    /// `X-Plex-Token` header.
    PlexHeader,
    /// `X-Plex-Token` in the query.
    PlexQuery,
    /// `Authorization: MediaBrowser …`
    Authorization,
    /// Legacy `Authorization: Emby …` or `X-Emby-Authorization`.
    EmbyAuthorization,
    /// Legacy `X-Emby-Token`.
    EmbyToken,
    /// Legacy `X-MediaBrowser-Token`.
    MediaBrowserToken,
    /// `ApiKey` in the query.
    ApiKey,
    /// Legacy `api_key` in the query.
    LegacyApiKey,
}
