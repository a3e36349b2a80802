//! The page for a browser that comes under an unknown host name: it says which line of the configuration accepts it.
//!
//! It holds nothing but that name, which its sender knows, so a page of a rebound name learns nothing from it.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http::uri::Authority;

/// Longest name of a host in DNS (RFC 1035).
const MAX_NAME_BYTES: usize = 253;
/// Shown where the request has no name that the configuration takes.
const EXAMPLE: &str = "greenroom.example";

/// The page's style. Under an unknown name no other file is served.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0}main{max-width:40rem;margin:10vh auto;padding:0 1.5rem}\
    h1{font-size:1.5rem;line-height:1.25}pre{padding:1rem 1.25rem;border:1px solid #8888;border-radius:10px;overflow-x:auto}\
    small{opacity:.8}code{font-family:ui-monospace,monospace}";

/// Content security policy of the page: its own style and nothing else.
pub(crate) const CONTENT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page, with the name that the request came under.
pub(crate) fn response(headers: &HeaderMap) -> Response {
    let mut response = Response::new(Body::from(page(&host_name(headers).unwrap_or_else(|| EXAMPLE.to_owned()))));
    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// The name, if it is one that `control.hosts` takes: letters, digits, dots, dashes and underscores.
fn host_name(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(HOST).iter();
    let (Some(host), None) = (values.next(), values.next()) else { return None };
    let host: Authority = host.to_str().ok()?.parse().ok()?;
    let name = host.host().trim_end_matches('.').to_ascii_lowercase();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (!name.is_empty() && name.len() <= MAX_NAME_BYTES && name.bytes().all(fits)).then_some(name)
}

fn page(name: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Greenroom: unknown host name</title>\n<style>{STYLE}</style>\n\
         <main>\n<h1>Greenroom does not know this host name</h1>\n\
         <p>You opened Greenroom as <code>{name}</code>. To accept this name, add these lines to the configuration \
         file and restart Greenroom:</p>\n<pre><code>[control]\nhosts = [\"{name}\"]</code></pre>\n\
         <p>If <code>[control]</code> or <code>hosts</code> is there already, add the name to it. With environment \
         variables: <code>GREENROOM_CONTROL_HOSTS={name}</code></p>\n\
         <p><small>Other names are rejected so that a foreign web page cannot reach Greenroom through your \
         browser (DNS rebinding). <code>localhost</code>, IP addresses and names without dots work without this.</small></p>\n\
         </main>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(host: &str) -> Option<String> {
        host_name(&HeaderMap::from_iter([(HOST, HeaderValue::from_str(host).expect("a header value"))]))
    }

    #[test]
    fn the_name_is_shown_only_if_it_is_a_name() {
        assert_eq!(name_of("Media.Example:8710").as_deref(), Some("media.example"));
        assert_eq!(name_of("media.example.").as_deref(), Some("media.example"));
        for host in ["<script>", "a\"b", "user@media.example<", "[::1]", "", "a b", &"n".repeat(MAX_NAME_BYTES + 1)] {
            assert_eq!(name_of(host), None, "{host}");
        }
        let mut twice = HeaderMap::new();
        twice.append(HOST, HeaderValue::from_static("one.example"));
        twice.append(HOST, HeaderValue::from_static("other.example"));
        assert_eq!(host_name(&twice), None);
    }

    #[test]
    fn the_page_holds_the_line_to_add_and_no_script() {
        let text = page("media.example");
        assert!(text.contains("hosts = [\"media.example\"]") && text.contains("GREENROOM_CONTROL_HOSTS=media.example"));
        assert!(!text.contains("<script") && !text.contains("style="));
    }
}
