//! Pictures by signed links: a page that shows them holds no token, and neither does its address. A link says which
//! picture of which item of which server, and until when; nothing else can be had by it, and nothing can be changed in it.
//!
//! Links are aligned: the same picture has the same link for a while, so that browsers keep it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use form_urlencoded::Serializer;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use ring::hmac;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::error::Problem;
use crate::{Control, Plane};
use greenroom_proxy::identity::hex;
use greenroom_proxy::internal_client::{Asker, Found, Missing};
use greenroom_proxy::server::Server;
use greenroom_state::secrets;
use greenroom_state::secrets::HashKey;

/// Where pictures are.
pub(crate) const PATH: &str = "/api/plex/image";
/// A link holds at least so long …
const LIFE_MS: u64 = 3_600_000;
/// … and is the same for so long.
const SAME_MS: u64 = 1_800_000;
/// What the key of links is made of beside the key of identities.
const PURPOSE: &[u8] = b"greenroom picture links 1";

const BAD_LINK: Problem = Problem {
    status: StatusCode::FORBIDDEN,
    code: "bad-link",
    title: "This link is not one of ours",
    detail: "Its signature does not fit, or it has ended. Load the page again that it stands on.",
};
const NO_PICTURE: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    code: "no-picture",
    title: "No such picture",
    detail: "The media server has no such picture.",
};
const CANNOT_ASK: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "cannot-ask",
    title: "The media server cannot be asked",
    detail: "It is down or too slow, and this picture was not kept.",
};

/// Makes links, and knows its own.
#[derive(Debug)]
pub struct Links(hmac::Key);

impl Default for Links {
    /// Links that hold as long as this process.
    fn default() -> Self {
        Self::of(&HashKey(secrets::random()))
    }
}

impl Links {
    /// Links made with this secret of the data directory.
    pub fn of(secret: &HashKey) -> Self {
        let whole = hmac::Key::new(hmac::HMAC_SHA256, &secret.0);
        let own = hmac::sign(&whole, PURPOSE);
        Self(hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()))
    }

    /// The link to a picture of an item, for a dashboard; none to anything else.
    pub(super) fn link(&self, server: &Server, path: &str, now_ms: u64) -> Option<String> {
        self.link_for(server, path, Viewer::App, now_ms)
    }

    /// The same, for our own page.
    pub(crate) fn own_link(&self, server: &Server, path: &str, now_ms: u64) -> Option<String> {
        self.link_for(server, path, Viewer::OwnPage, now_ms)
    }

    fn link_for(&self, server: &Server, path: &str, viewer: Viewer, now_ms: u64) -> Option<String> {
        if !server.origin.settings.kind.is_item_picture(path) {
            return None;
        }
        let until_s = (now_ms / SAME_MS * SAME_MS + SAME_MS + LIFE_MS) / 1000;
        let signature = hex(hmac::sign(&self.0, &signed(server.name(), path, viewer, until_s)).as_ref());
        let query = Serializer::new(String::new())
            .append_pair("server", server.name())
            .append_pair("path", path)
            .append_pair("viewer", viewer.name())
            .append_pair("until", &until_s.to_string())
            .append_pair("signature", &signature)
            .finish();
        Some(format!("{PATH}?{query}"))
    }

    /// For how many seconds yet a link holds; `None` if it is none of ours, or has ended.
    fn holds(&self, link: &Link, now_ms: u64) -> Option<u64> {
        let signature = unhex(&link.signature)?;
        hmac::verify(&self.0, &signed(&link.server, &link.path, link.viewer, link.until), &signature).ok()?;
        link.until.checked_sub(now_ms / 1000).filter(|left_s| *left_s > 0)
    }
}

/// What a link says.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Link {
    /// Which server.
    server: String,
    /// Which picture of it.
    path: String,
    /// Who shows it.
    #[serde(default)]
    #[param(inline)]
    viewer: Viewer,
    /// Until when, in seconds since 1970.
    until: u64,
    /// That we said so.
    signature: String,
}

/// Who shows a picture.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = PictureViewer)]
enum Viewer {
    /// A dashboard: it asks as any app does.
    #[default]
    App,
    /// Our own page, which is no app: what it shows is asked for by ourselves.
    OwnPage,
}

impl Viewer {
    fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::OwnPage => "own-page",
        }
    }
}

/// A picture.
#[utoipa::path(get, path = "/api/plex/image", tag = "compatible", params(Link), responses(
    (status = 200, description = "The picture", content_type = "image/jpeg"),
    (status = 400, description = "It is no link"),
    (status = 403, description = "It is no link of ours, or it has ended"),
    (status = 404, description = "The server has no such picture"),
    (status = 503, description = "The server cannot be asked, and the picture is not kept")))]
pub(crate) async fn show(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    link: Result<Query<Link>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(link) = link.map_err(|_| BAD_LINK)?;
    let control = &plane.control;
    let left_s = control.links.holds(&link, control.clock.now_ms()).ok_or(BAD_LINK)?;
    let server = control.inside.server(&link.server).ok_or(NO_PICTURE)?;
    if !server.origin.settings.kind.is_item_picture(&link.path) {
        return Err(BAD_LINK);
    }
    let found = match link.viewer {
        Viewer::App => control.inside.ask(server, &link.path, Asker::of(&headers)).await,
        Viewer::OwnPage => for_own_page(control, server, &link.path).await,
    };
    let found = found.map_err(problem_of)?;
    let (content_type, body) = (found.content_type.filter(is_picture).ok_or(NO_PICTURE)?, found.body);
    let mut response = Body::from(body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    if let Ok(value) = HeaderValue::from_str(&format!("private, max-age={left_s}")) {
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    Ok(response)
}

/// A picture for our own page: what an app had it kept for, or else asked for by ourselves. So whoever looks at the page
/// is not counted as an app.
async fn for_own_page(control: &Control, server: &Arc<Server>, path: &str) -> Result<Found, Missing> {
    match control.inside.peek(server, path) {
        Some(found) => Ok(found),
        None => control.inside.ask_ourselves(server, path).await,
    }
}

fn problem_of(missing: Missing) -> Problem {
    match missing {
        Missing::Failed(kind) if kind.serves_old() => CANNOT_ASK,
        Missing::NoToken | Missing::NoRead | Missing::Failed(_) => NO_PICTURE,
    }
}

/// A picture that cannot do anything: one that is drawn by a program could.
fn is_picture(content_type: &HeaderValue) -> bool {
    let said = content_type.to_str().unwrap_or_default().to_ascii_lowercase();
    let kind = said.split(';').next().unwrap_or_default().trim();
    matches!(kind, "image/jpeg" | "image/png" | "image/webp" | "image/gif" | "image/avif")
}

/// No part can hold a line feed.
fn signed(server: &str, path: &str, viewer: Viewer, until_s: u64) -> Vec<u8> {
    let (server, path) = (server.replace('\n', ""), path.replace('\n', ""));
    format!("{server}\n{path}\n{}\n{until_s}", viewer.name()).into_bytes()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let pairs = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok());
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn link(links: &Links, path: &str, until: u64) -> Link {
        let signature = hex(hmac::sign(&links.0, &signed("home", path, Viewer::App, until)).as_ref());
        Link { server: "home".into(), path: path.into(), viewer: Viewer::App, until, signature }
    }

    #[test]
    fn a_link_holds_for_what_it_says_until_it_ends() {
        let links = Links::of(&HashKey([7; 32]));
        let path = "/library/metadata/7/thumb/1";
        let until = NOW / 1000 + 60;
        assert_eq!(links.holds(&link(&links, path, until), NOW), Some(60));
        assert_eq!(links.holds(&link(&links, path, until), NOW + 60_000), None, "it has ended");
        let other = Links::of(&HashKey([8; 32]));
        assert_eq!(other.holds(&link(&links, path, until), NOW), None, "somebody else's");
        for changed in [
            Link { path: "/library/metadata/8/thumb/1".into(), ..link(&links, path, until) },
            Link { server: "attic".into(), ..link(&links, path, until) },
            Link { until: until + 1, ..link(&links, path, until) },
            Link { viewer: Viewer::OwnPage, ..link(&links, path, until) },
            Link { signature: "00".repeat(32), ..link(&links, path, until) },
            Link { signature: String::new(), ..link(&links, path, until) },
            Link { signature: "ä".repeat(32), ..link(&links, path, until) },
        ] {
            assert_eq!(links.holds(&changed, NOW), None, "{changed:?}");
        }
    }

    #[test]
    fn what_can_run_is_no_picture() {
        for (said, is) in
            [("image/jpeg", true), ("Image/PNG; x=y", true), ("image/svg+xml", false), ("text/html", false)]
        {
            assert_eq!(is_picture(&HeaderValue::from_static(said)), is, "{said}");
        }
    }
}
