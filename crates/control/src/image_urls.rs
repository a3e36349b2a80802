//! Signed image links: neither a page that shows images nor its URLs hold a token. A link names one image of one item
//! of one server, and its expiry; it grants nothing else, and no part of it can be changed.
//!
//! Expiry times are aligned: the same image has the same link for a while, so that browsers cache it.

use axum::extract::Query;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use form_urlencoded::Serializer;
use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use http::Uri;
use ring::hmac;
use serde::Deserialize;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

use greenroom_proxy::server::Server;
use greenroom_state::secrets;
use greenroom_state::secrets::HashKey;

/// Path of images.
const PATH: &str = "/api/plex/image";
/// A link is valid for at least this long …
const MIN_LIFETIME: Duration = Duration::from_secs(3600);
/// … and stays the same for this long.
const ALIGNMENT: Duration = Duration::from_secs(1800);
/// Derivation context of the signing key: separates it from the key of token hashes.
const KEY_CONTEXT: &[u8] = b"greenroom picture links 1";

/// Signs links and verifies them.
#[derive(Debug)]
pub struct ImageUrlSigner(hmac::Key);

impl Default for ImageUrlSigner {
    /// A random key: links are valid for the life of the process.
    fn default() -> Self {
        Self::new(&HashKey(secrets::random()))
    }
}

impl ImageUrlSigner {
    /// A key derived from this secret of the data directory.
    pub fn new(secret: &HashKey) -> Self {
        let master_key = hmac::Key::new(hmac::HMAC_SHA256, &secret.0);
        let derived = hmac::sign(&master_key, KEY_CONTEXT);
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// The link to an image of an item, for a dashboard; `None` for any other path.
    pub fn sign_url(&self, server: &Server, path: &str, now_ms: Timestamp) -> Option<String> {
        self.sign_url_for(server, path, ImageRequester::App, now_ms)
    }

    /// The link to an image, for our own page.
    pub fn sign_own_page_url(&self, server: &Server, path: &str, now_ms: Timestamp) -> Option<String> {
        self.sign_url_for(server, path, ImageRequester::OwnPage, now_ms)
    }

    fn sign_url_for(&self, server: &Server, path: &str, viewer: ImageRequester, now_ms: Timestamp) -> Option<String> {
        if !server.origin.settings.kind.is_item_picture(path) {
            return None;
        }
        let expires_s = expiry_s(now_ms);
        let signature =
            HEXLOWER.encode(hmac::sign(&self.0, &signed_bytes(server.name(), path, viewer, expires_s)).as_ref());
        let query = Serializer::new(String::new())
            .append_pair("server", server.name())
            .append_pair("path", path)
            .append_pair("viewer", viewer.name())
            .append_pair("until", &expires_s.to_string())
            .append_pair("signature", &signature)
            .finish();
        Some(format!("{PATH}?{query}"))
    }

    /// Expiry, in seconds since 1970, and signature of a text.
    pub fn sign_text(&self, text: &str, now_ms: Timestamp) -> (u64, String) {
        let expires_s = expiry_s(now_ms);
        let signature = hmac::sign(&self.0, format!("{text}\n{expires_s}").as_bytes());
        (expires_s, HEXLOWER.encode(signature.as_ref()))
    }

    /// Seconds until a signed text expires; `None` if its signature is wrong or it has expired.
    pub fn check_text(&self, text: &str, expires_s: u64, signature: &str, now_ms: Timestamp) -> Option<u64> {
        let signature = HEXLOWER_PERMISSIVE.decode(signature.as_bytes()).ok()?;
        hmac::verify(&self.0, format!("{text}\n{expires_s}").as_bytes(), &signature).ok()?;
        expires_s.checked_sub(now_ms.as_secs()).filter(|remaining_s| *remaining_s > 0)
    }

    /// Seconds until the link expires; `None` if it is invalid or expired.
    pub fn remaining_s(&self, image_query: &SignedImageQuery, now_ms: Timestamp) -> Option<u64> {
        let signature = HEXLOWER_PERMISSIVE.decode(image_query.signature.as_bytes()).ok()?;
        hmac::verify(
            &self.0,
            &signed_bytes(&image_query.server, &image_query.path, image_query.viewer, image_query.until),
            &signature,
        )
        .ok()?;
        image_query.until.checked_sub(now_ms.as_secs()).filter(|remaining_s| *remaining_s > 0)
    }
}

/// Number of the period in which all links stay the same.
pub fn period(now_ms: Timestamp) -> u64 {
    now_ms.as_millis() / millis(ALIGNMENT)
}

/// Expiry of a link that is signed now, in seconds since 1970.
fn expiry_s(now_ms: Timestamp) -> u64 {
    now_ms.start_of_period(ALIGNMENT).saturating_add(ALIGNMENT + MIN_LIFETIME).as_secs()
}

/// The parameters of a signed link.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SignedImageQuery {
    /// The server's name.
    pub server: String,
    /// The image path on that server.
    pub path: String,
    /// The kind of page that shows it.
    #[serde(default)]
    #[param(inline)]
    pub viewer: ImageRequester,
    /// Expiry, in seconds since 1970.
    until: u64,
    /// Signature over the other parameters.
    signature: String,
}

impl SignedImageQuery {
    /// The parameters of a link as a page passes it on in a parameter: exactly a link of ours, relative to this server.
    pub fn from_link(link: &str) -> Option<Self> {
        let link: Uri = link.parse().ok()?;
        if link.scheme().is_some() || link.authority().is_some() || link.path() != PATH {
            return None;
        }
        Query::try_from_uri(&link).ok().map(|Query(query)| query)
    }
}

/// The kind of page that shows an image.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = PictureViewer)]
pub enum ImageRequester {
    /// A dashboard: it counts as an app.
    #[default]
    App,
    /// Greenroom's own page: not an app, so its images are loaded by own requests.
    OwnPage,
}

impl ImageRequester {
    fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::OwnPage => "own-page",
        }
    }
}

/// The signed bytes, separated by line feeds, which no part can contain.
fn signed_bytes(server: &str, path: &str, viewer: ImageRequester, expires_s: u64) -> Vec<u8> {
    let (server, path) = (server.replace('\n', ""), path.replace('\n', ""));
    format!("{server}\n{path}\n{}\n{expires_s}", viewer.name()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn image_query(signer: &ImageUrlSigner, path: &str, until: u64) -> SignedImageQuery {
        let signature =
            HEXLOWER.encode(hmac::sign(&signer.0, &signed_bytes("home", path, ImageRequester::App, until)).as_ref());
        SignedImageQuery { server: "home".into(), path: path.into(), viewer: ImageRequester::App, until, signature }
    }

    #[test]
    fn only_a_relative_link_to_an_image_is_read_as_one() {
        let query = "server=home&path=%2Flibrary%2Fmetadata%2F7%2Fthumb%2F1&until=9&signature=00";
        let read = SignedImageQuery::from_link(&format!("{PATH}?{query}")).expect("it is a link");
        assert_eq!(
            (read.path.as_str(), read.viewer, read.until),
            ("/library/metadata/7/thumb/1", ImageRequester::App, 9)
        );
        for other in [
            format!("http://home{PATH}?{query}"),
            format!("//home{PATH}?{query}"),
            format!("/api/plex/sessions?{query}"),
            format!("{PATH}/?{query}"),
            PATH.to_owned(),
            format!("{PATH}?{query}&until=10"),
            "https://plex.tv/users/1/avatar".to_owned(),
            "file:///etc/passwd".to_owned(),
            String::new(),
        ] {
            assert!(SignedImageQuery::from_link(&other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_link_is_valid_until_it_expires_and_cannot_be_changed() {
        let signer = ImageUrlSigner::new(&HashKey([7; 32]));
        let path = "/library/metadata/7/thumb/1";
        let until = NOW / 1000 + 60;
        assert_eq!(signer.remaining_s(&image_query(&signer, path, until), Timestamp::from_millis(NOW)), Some(60));
        assert_eq!(
            signer.remaining_s(&image_query(&signer, path, until), Timestamp::from_millis(NOW + 60_000)),
            None,
            "expired"
        );
        let other = ImageUrlSigner::new(&HashKey([8; 32]));
        assert_eq!(
            other.remaining_s(&image_query(&signer, path, until), Timestamp::from_millis(NOW)),
            None,
            "signed with another key"
        );
        for changed in [
            SignedImageQuery { path: "/library/metadata/8/thumb/1".into(), ..image_query(&signer, path, until) },
            SignedImageQuery { server: "attic".into(), ..image_query(&signer, path, until) },
            SignedImageQuery { until: until + 1, ..image_query(&signer, path, until) },
            SignedImageQuery { viewer: ImageRequester::OwnPage, ..image_query(&signer, path, until) },
            SignedImageQuery { signature: "00".repeat(32), ..image_query(&signer, path, until) },
            SignedImageQuery { signature: String::new(), ..image_query(&signer, path, until) },
            SignedImageQuery { signature: "ä".repeat(32), ..image_query(&signer, path, until) },
        ] {
            assert_eq!(signer.remaining_s(&changed, Timestamp::from_millis(NOW)), None, "{changed:?}");
        }
    }
}
