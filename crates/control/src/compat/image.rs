//! Images by signed links ([`crate::image_urls`]).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};

use crate::control::{ApiState, ControlPlane};
use crate::error::Problem;
use crate::image_urls::{ImageRequester, SignedImageQuery};
use greenroom_proxy::internal_client::{InternalCaller, InternalReadError, InternalResponse};
use greenroom_proxy::server::Server;

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

/// An image.
#[utoipa::path(get, path = "/api/plex/image", tag = "compatible", params(SignedImageQuery), responses(
    (status = 200, description = "The picture", content_type = "image/jpeg"),
    (status = 400, description = "It is no link"),
    (status = 403, description = "It is no link of ours, or it has ended"),
    (status = 404, description = "The server has no such picture"),
    (status = 503, description = "The server cannot be asked, and the picture is not kept")))]
pub(crate) async fn show(
    State(plane): State<Arc<ApiState>>,
    headers: HeaderMap,
    link: Result<Query<SignedImageQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(link) = link.map_err(|_| BAD_LINK)?;
    let control = &plane.control;
    let left_s = control.image_url_signer.remaining_s(&link, control.clock.now_ms()).ok_or(BAD_LINK)?;
    let server = control.internal_client.server(&link.server).ok_or(NO_PICTURE)?;
    if !server.origin.settings.kind.is_item_picture(&link.path) {
        return Err(BAD_LINK);
    }
    let found = match link.viewer {
        ImageRequester::App => control.internal_client.ask(server, &link.path, InternalCaller::new(&headers)).await,
        ImageRequester::OwnPage => for_own_page(control, server, &link.path).await,
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

/// An image for our own page: from the cache if an app loaded it, else by an own request, so that viewing the page does
/// not count as an app.
async fn for_own_page(
    control: &ControlPlane,
    server: &Arc<Server>,
    path: &str,
) -> Result<InternalResponse, InternalReadError> {
    match control.internal_client.peek(server, path) {
        Some(found) => Ok(found),
        None => control.internal_client.ask_as_self(server, path).await,
    }
}

fn problem_of(missing: InternalReadError) -> Problem {
    match missing {
        InternalReadError::Failed(kind) if kind.allows_stale() => CANNOT_ASK,
        InternalReadError::NoToken | InternalReadError::NotARead | InternalReadError::Failed(_) => NO_PICTURE,
    }
}

/// Raster formats only: other images, such as SVG, can run scripts.
fn is_picture(content_type: &HeaderValue) -> bool {
    let said = content_type.to_str().unwrap_or_default().to_ascii_lowercase();
    let kind = said.split(';').next().unwrap_or_default().trim();
    matches!(kind, "image/jpeg" | "image/png" | "image/webp" | "image/gif" | "image/avif")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_run_is_no_picture() {
        for (said, is) in
            [("image/jpeg", true), ("Image/PNG; x=y", true), ("image/svg+xml", false), ("text/html", false)]
        {
            assert_eq!(is_picture(&HeaderValue::from_static(said)), is, "{said}");
        }
    }
}
