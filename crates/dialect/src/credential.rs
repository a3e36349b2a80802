//! Who asks. The token is kept in a type that never prints it.

use std::fmt;

/// A secret that shows itself only through [`Secret::expose`].
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

/// What a client says about itself. All texts are the client's own words: clean them before showing them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credential {
    /// The token, if the client sent one, from wherever it was found.
    pub token: Option<Secret>,
    /// In which form it came.
    pub form: Form,
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

/// The forms a token comes in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// There was none.
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
