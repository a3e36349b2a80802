//! Greenroom's own page below the demo's: requests are passed to the control plane of the demo's gateway, so that one
//! port shows everything. The control plane checks access itself; here only the `Host` is checked, as for every path.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::header::{ACCEPT, CONNECTION, HeaderMap, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::{StatusCode, Uri};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::live_view::ViewerGuard;

/// Path below which Greenroom's page is shown.
pub(super) const BASE: &str = "/greenroom";
/// Headers that belong to one connection.
const HOP_BY_HOP: [HeaderName; 5] = [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE, HeaderName::from_static("keep-alive")];
const EVENT_STREAM: &str = "text/event-stream";

/// Whether the request opens an event stream: a page is open as long as it lasts.
pub(super) fn opens_event_stream(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains(EVENT_STREAM))
}

/// Passes the request to the control plane at `address`. `viewer` is held until the response has ended.
pub(super) async fn forward(
    address: SocketAddr,
    mut request: Request,
    viewer: Option<ViewerGuard>,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> Response {
    let Some(target) = without_base(request.uri()) else { return StatusCode::NOT_FOUND.into_response() };
    *request.uri_mut() = target;
    remove_hop_by_hop(request.headers_mut());
    match exchange(address, request, tasks, stop).await {
        Ok(response) => {
            let (mut head, body) = response.into_parts();
            remove_hop_by_hop(&mut head.headers);
            let body = body.into_data_stream().map(move |chunk| {
                let _viewer = &viewer;
                chunk
            });
            Response::from_parts(head, Body::from_stream(body))
        }
        Err(error) => {
            (StatusCode::BAD_GATEWAY, format!("The demo's Greenroom does not answer: {error}")).into_response()
        }
    }
}

async fn exchange(
    address: SocketAddr,
    request: Request,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> Result<http::Response<hyper::body::Incoming>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake::<_, Body>(TokioIo::new(stream)).await?;
    tasks.spawn(async move {
        // An error ends the response's body as well.
        tokio::select! {
            _ = connection => {}
            () = stop.cancelled() => {}
        }
    });
    Ok(sender.send_request(request).await?)
}

/// The target without the base path.
fn without_base(target: &Uri) -> Option<Uri> {
    let rest = target.path_and_query()?.as_str().strip_prefix(BASE)?;
    rest.starts_with('/').then(|| rest.parse().ok())?
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_the_base_are_passed_on() {
        let passed = |target: &str| without_base(&target.parse().expect("a target")).map(|uri| uri.to_string());
        assert_eq!(passed("/greenroom/").as_deref(), Some("/"));
        assert_eq!(passed("/greenroom/api/v1/status?a=1%2F2").as_deref(), Some("/api/v1/status?a=1%2F2"));
        for foreign in ["/greenroom", "/greenroomy/", "/plug"] {
            assert_eq!(passed(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn an_event_stream_is_told_by_what_the_browser_accepts() {
        let mut headers = HeaderMap::new();
        assert!(!opens_event_stream(&headers));
        headers.insert(ACCEPT, "text/event-stream".parse().expect("a value"));
        assert!(opens_event_stream(&headers));
    }
}
