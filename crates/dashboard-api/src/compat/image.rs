//! Images by signed links ([`greenroom_control::image_urls`]): under the link itself, and under the path of a dashboard that loads
//! every image through its own backend. There the link is a parameter; no other address is ever requested.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use greenroom_control::ControlPlane;
use greenroom_control::error::Problem;
use greenroom_control::image_urls::{ImageRequester, SignedImageQuery};
use greenroom_control::state::ApiState;
use greenroom_proxy::internal_client::{InternalCaller, InternalReadError, InternalResponse};
use greenroom_proxy::server::Server;

const BAD_LINK: Problem = Problem {
    status: StatusCode::FORBIDDEN,
    code: "bad-link",
    title: "Invalid image link",
    detail: "Its signature is wrong, or it has expired. Reload the page that contains it.",
};
const NO_IMAGE: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    code: "no-picture",
    title: "No such image",
    detail: "The media server has no such image.",
};
const SERVER_UNAVAILABLE: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "cannot-ask",
    title: "Media server unavailable",
    detail: "The media server is down or too slow, and this image is not cached.",
};

/// An image.
#[utoipa::path(get, path = "/api/plex/image", tag = "compatible", params(SignedImageQuery), responses(
    (status = 200, description = "The image", content_type = "image/jpeg"),
    (status = 400, description = "The link is incomplete"),
    (status = 403, description = "The link is not signed by this gateway, or it has expired"),
    (status = 404, description = "The server has no such image"),
    (status = 503, description = "The server is unavailable, and the image is not cached")))]
pub(crate) async fn show(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    link: Result<Query<SignedImageQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(link) = link.map_err(|_| BAD_LINK)?;
    load(&state.control, link, &headers).await
}

/// The link of an image.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImageLinkQuery {
    /// A signed link, as sessions and the playback history have them.
    url: String,
}

/// An image, by a signed link in a parameter.
#[utoipa::path(get, path = "/api/plex/proxy/image", tag = "compatible", params(ImageLinkQuery), responses(
    (status = 200, description = "The image", content_type = "image/jpeg"),
    (status = 400, description = "The link is missing"),
    (status = 403, description = "The link is not signed by this gateway, or it has expired"),
    (status = 404, description = "The server has no such image"),
    (status = 503, description = "The server is unavailable, and the image is not cached")))]
pub(crate) async fn show_linked(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    query: Result<Query<ImageLinkQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(ImageLinkQuery { url }) = query.map_err(|_| BAD_LINK)?;
    load(&state.control, SignedImageQuery::from_link(&url).ok_or(BAD_LINK)?, &headers).await
}

/// The image of a link, if its signature is valid.
async fn load(control: &ControlPlane, link: SignedImageQuery, headers: &HeaderMap) -> Result<Response, Problem> {
    let remaining_s = control.image_url_signer.remaining_s(&link, control.clock.now()).ok_or(BAD_LINK)?;
    let server = control.internal_client.server(&link.server).ok_or(NO_IMAGE)?;
    if !server.origin.settings.kind.is_item_picture(&link.path) {
        return Err(BAD_LINK);
    }
    let found = match link.viewer {
        ImageRequester::App => control.internal_client.ask(server, &link.path, InternalCaller::new(headers)).await,
        ImageRequester::OwnPage => for_own_page(control, server, &link.path).await,
    };
    let found = found.map_err(problem_of)?;
    let (content_type, body) = (found.content_type.filter(is_raster_image).ok_or(NO_IMAGE)?, found.body);
    let mut response = Body::from(body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    if let Ok(value) = HeaderValue::from_str(&format!("private, max-age={remaining_s}")) {
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

fn problem_of(error: InternalReadError) -> Problem {
    match error {
        InternalReadError::Failed(kind) if kind.allows_stale() => SERVER_UNAVAILABLE,
        InternalReadError::NoToken | InternalReadError::NotARead | InternalReadError::Failed(_) => NO_IMAGE,
    }
}

/// Raster formats only: other images, such as SVG, can run scripts.
fn is_raster_image(content_type: &HeaderValue) -> bool {
    let content_type = content_type.to_str().unwrap_or_default().to_ascii_lowercase();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    matches!(kind, "image/jpeg" | "image/png" | "image/webp" | "image/gif" | "image/avif")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_formats_that_can_run_scripts_are_rejected() {
        for (content_type, expected) in
            [("image/jpeg", true), ("Image/PNG; x=y", true), ("image/svg+xml", false), ("text/html", false)]
        {
            assert_eq!(is_raster_image(&HeaderValue::from_static(content_type)), expected, "{content_type}");
        }
    }
}
