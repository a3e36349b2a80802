//! The minimal media server behind all of them: Plex-shaped responses of the length in the path.
//!
//! `/library/sections/LENGTH/all` has that length, `/library/metadata/ID` is 16 KiB and comes at once,
//! `/library/metadata/ID/children` is 1 KiB and takes 100 ms. `/asked` returns the number of requests for these.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

/// Latency of the slow responses.
pub(crate) const SLOW: Duration = Duration::from_millis(100);
/// Length of the responses at [`item`].
pub(crate) const ITEM_BYTES: usize = 16 * 1024;
/// Length of the responses at [`slow`].
pub(crate) const SLOW_BYTES: usize = 1024;

static ASKED: AtomicU64 = AtomicU64::new(0);

/// The target whose response is `bytes` long.
pub(crate) fn list(bytes: usize) -> String {
    format!("/library/sections/{bytes}/all?type=1&X-Plex-Container-Start=0&X-Plex-Container-Size=50")
}

/// A target answered at once.
pub(crate) fn item(id: usize) -> String {
    format!("/library/metadata/{id}?includeGuids=1")
}

/// A target answered after [`SLOW`].
pub(crate) fn slow(id: usize) -> String {
    format!("/library/metadata/{id}/children?includeGuids=1")
}

/// A list of films that is exactly `bytes` long.
pub(crate) fn body(bytes: usize) -> Bytes {
    let mut text = String::from(
        r#"{"MediaContainer":{"size":50,"allowSync":true,"identifier":"com.plexapp.plugins.library","librarySectionID":1,"Metadata":["#,
    );
    let end = |padding: usize| format!(r#"],"title2":"{}"}}}}"#, "x".repeat(padding));
    for id in 1.. {
        let row = format!(
            r#"{{"ratingKey":"{id}","key":"/library/metadata/{id}","guid":"plex://movie/5d776{id:05}","studio":"Studio {id}","type":"movie","title":"A film with the number {id}","contentRating":"PG","summary":"What happens in it, in a sentence or two, as agents write it.","rating":7.1,"year":1999,"thumb":"/library/metadata/{id}/thumb/1700000000","duration":5400000,"addedAt":1700000000,"updatedAt":1700000000}}"#
        );
        if text.len() + row.len() + end(0).len() + 1 > bytes {
            break;
        }
        let comma = if id == 1 { "" } else { "," };
        let _ = write!(text, "{comma}{row}");
    }
    text.push_str(&end(bytes.saturating_sub(text.len() + end(0).len())));
    text.into()
}

/// Answers one request.
pub(crate) async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::POST {
        return Ok(refused(request.into_body()).await);
    }
    let parts: Vec<&str> = request.uri().path().split('/').skip(1).collect();
    let body = match parts.as_slice() {
        ["library", "sections", length, "all"] => counted(length.parse().unwrap_or(0)),
        ["library", "metadata", _] => counted(ITEM_BYTES),
        ["library", "metadata", _, "children"] => {
            tokio::time::sleep(SLOW).await;
            counted(SLOW_BYTES)
        }
        ["asked"] => ASKED.load(Ordering::Relaxed).to_string().into(),
        _ => Bytes::from_static(br#"{"MediaContainer":{"size":0,"machineIdentifier":"bench","version":"1.43.2"}}"#),
    };
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-plex-protocol", HeaderValue::from_static("1.0"));
    Ok(response)
}

/// Reads the whole request body, discards it, and refuses the token.
async fn refused(mut body: Incoming) -> Response<Full<Bytes>> {
    while let Some(Ok(_)) = body.frame().await {}
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}

fn counted(bytes: usize) -> Bytes {
    ASKED.fetch_add(1, Ordering::Relaxed);
    body(bytes)
}
