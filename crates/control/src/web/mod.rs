//! The web page, embedded in the binary. It holds no statistics: its scripts request them from the API.

use std::sync::LazyLock;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use xxhash_rust::xxh3::xxh3_64;

/// One file of the page.
#[derive(Debug, Clone, Copy)]
struct Asset {
    /// URL path.
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

macro_rules! assets {
    ($($path:literal: $content_type:ident $file:literal,)*) => {
        &[$(Asset { path: $path, content_type: $content_type, text: include_str!($file) },)*]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The icon of the page, an SVG.
pub const ICON: &str = include_str!("favicon.svg");

/// All files. A new file is added here only.
static ASSETS: &[Asset] = assets! {
    "/": HTML "index.html",
    "/page.css": CSS "page.css",
    "/collection.css": CSS "collection.css",
    "/favicon.svg": SVG "favicon.svg",
    "/page.js": JS "page.js",
    "/access.js": JS "access.js",
    "/api.js": JS "api.js",
    "/chart.js": JS "chart.js",
    "/decision.js": JS "decision.js",
    "/dom.js": JS "dom.js",
    "/live.js": JS "live.js",
    "/places.js": JS "places.js",
    "/posters.js": JS "posters.js",
    "/router.js": JS "router.js",
    "/server.js": JS "server.js",
    "/table.js": JS "table.js",
    "/talk.js": JS "talk.js",
    "/warning.js": JS "warning.js",
    "/words.js": JS "words.js",
    "/views/activity.js": JS "views/activity.js",
    "/views/activity-history.js": JS "views/activity-history.js",
    "/views/activity-playing.js": JS "views/activity-playing.js",
    "/views/caches.js": JS "views/caches.js",
    "/views/folders.js": JS "views/folders.js",
    "/views/jobs.js": JS "views/jobs.js",
    "/views/library-diff.js": JS "views/library-diff.js",
    "/views/libraries.js": JS "views/libraries.js",
    "/views/log.js": JS "views/log.js",
    "/views/overview.js": JS "views/overview.js",
    "/views/playlist-form.js": JS "views/playlist-form.js",
    "/views/playlist-past.js": JS "views/playlist-past.js",
    "/views/playlist-report.js": JS "views/playlist-report.js",
    "/views/playlist-rows.js": JS "views/playlist-rows.js",
    "/views/playlist-run.js": JS "views/playlist-run.js",
    "/views/playlists.js": JS "views/playlists.js",
    "/views/servers.js": JS "views/servers.js",
    "/views/settings.js": JS "views/settings.js",
    "/views/shared-store.js": JS "views/shared-store.js",
    "/views/statistics.js": JS "views/statistics.js",
    "/views/warnings.js": JS "views/warnings.js",
};

/// Distinguishes the files of this build from those of other versions.
static VERSION: LazyLock<HeaderValue> = LazyLock::new(|| {
    let sum = ASSETS.iter().fold(0u64, |sum, asset| sum.rotate_left(1) ^ xxh3_64(asset.text.as_bytes()));
    HeaderValue::try_from(format!("\"{sum:016x}\"")).expect("a header value of digits and quotes")
});

/// The paths of all files.
pub fn paths() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().map(|asset| asset.path)
}

/// True if this path is a file of the page.
pub fn contains(path: &str) -> bool {
    ASSETS.iter().any(|asset| asset.path == path)
}

/// The routes of the page.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.iter().fold(Router::new(), |router, asset| {
        router.route(asset.path, get(async move |headers: HeaderMap| asset.answer(&headers)))
    })
}

impl Asset {
    /// Browsers revalidate on every load, so that no stale part is shown after an update; a matching ETag gets a 304.
    fn answer(&self, headers: &HeaderMap) -> Response {
        let headers_out = [(CACHE_CONTROL, HeaderValue::from_static("no-cache")), (ETAG, VERSION.clone())];
        if headers.get_all(IF_NONE_MATCH).iter().any(is_current_version) {
            return (StatusCode::NOT_MODIFIED, headers_out).into_response();
        }
        (headers_out, [(CONTENT_TYPE, self.content_type)], self.text).into_response()
    }
}

/// True if `If-None-Match` names this version; a compressing proxy prefixes `W/`, and there may be several.
fn is_current_version(if_none_match: &HeaderValue) -> bool {
    let version = VERSION.as_bytes();
    if_none_match.as_bytes().windows(version.len()).any(|part| part == version)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use greenroom_cache::{LoadErrorKind, LoadReason, NotStoredReason};
    use greenroom_dialect::class::Class;

    use super::*;
    use greenroom_request_log::PassReason;

    /// Maximum size of the first view, in bytes.
    const FIRST_VIEW: usize = 150 * 1024;

    fn texts(content_type: &str) -> impl Iterator<Item = &'static Asset> {
        ASSETS.iter().filter(move |asset| asset.content_type == content_type)
    }

    fn document() -> &'static str {
        texts(HTML).next().expect("an HTML file").text
    }

    #[test]
    fn no_script_turns_text_into_markup() {
        for name in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc"] {
            for script in texts(JS) {
                assert!(!script.text.contains(name), "{name} in {}", script.path);
            }
        }
    }

    #[test]
    fn nothing_is_inline_or_loaded_from_another_origin() {
        for name in ["<style", " style=", "onclick", "onload", "javascript:"] {
            assert!(!document().contains(name), "{name}");
        }
        assert_eq!(document().matches("<script").count(), document().matches("<script src=\"page.js\"").count());
        for asset in ASSETS.iter().filter(|asset| asset.content_type != SVG) {
            let text = asset.text;
            assert!(
                !text.contains("https://") && !text.contains("url(") && !text.contains("@import"),
                "{}",
                asset.path
            );
        }
    }

    #[test]
    fn every_element_the_script_looks_for_is_in_the_document() {
        let mut found = 0;
        for rest in texts(JS).flat_map(|script| script.text.split("$(\"").skip(1)) {
            let id = rest.split('"').next().unwrap_or_default();
            assert!(document().contains(&format!("id=\"{id}\"")), "{id}");
            found += 1;
        }
        assert!(found > 10, "no element lookups found in the scripts");
    }

    #[test]
    fn every_module_that_is_imported_is_served() {
        let mut found = 0;
        for script in texts(JS) {
            let dir = Path::new(script.path).parent().expect("an absolute path");
            for marker in ["from \"./", "from \"../", "import(\"./"] {
                for rest in script.text.split(marker).skip(1) {
                    let dir = if marker.contains("..") { Path::new("/") } else { dir };
                    let name = dir.join(rest.split('"').next().unwrap_or_default());
                    assert!(contains(name.to_str().expect("text")), "{} imports {}", script.path, name.display());
                    found += 1;
                }
            }
        }
        assert!(found > 20, "no imports found in the scripts");
    }

    #[test]
    fn every_reason_and_request_type_has_a_text() {
        let text_of = |path: &str| texts(JS).find(|script| script.path == path).expect("a served file").text;
        let has = |text: &str, name: &str| {
            text.contains(&format!("\n  {name}: ")) || text.contains(&format!("\n  \"{name}\": "))
        };
        let load_reasons = LoadReason::EVERY.map(LoadReason::name);
        let error_kinds = LoadErrorKind::EVERY.map(LoadErrorKind::name);
        let not_stored_reasons = NotStoredReason::EVERY.map(NotStoredReason::name);
        let pass_reasons = PassReason::EVERY.map(PassReason::name);
        for name in load_reasons.into_iter().chain(error_kinds).chain(not_stored_reasons).chain(pass_reasons) {
            assert!(has(text_of("/decision.js"), name), "reason: {name}");
        }
        for class in Class::EVERY {
            assert!(has(text_of("/words.js"), class.name()), "request type: {}", class.name());
        }
    }

    #[test]
    fn the_first_view_is_small() {
        let is_first = |asset: &&Asset| !asset.path.starts_with("/views/") || asset.path == "/views/overview.js";
        let bytes: usize = ASSETS.iter().filter(is_first).map(|asset| asset.text.len()).sum();
        assert!(bytes < FIRST_VIEW, "{bytes} bytes");
    }

    #[test]
    fn a_file_with_a_matching_etag_is_not_sent_again() {
        let asset = &ASSETS[0];
        let first = asset.answer(&HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let mut headers = HeaderMap::new();
        let version = first.headers()[ETAG].to_str().expect("text").to_owned();
        for if_none_match in [version.clone(), format!("W/{version}"), format!("\"older\", {version}")] {
            headers.insert(IF_NONE_MATCH, if_none_match.parse().expect("a header value"));
            assert_eq!(asset.answer(&headers).status(), StatusCode::NOT_MODIFIED, "{if_none_match}");
        }
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("\"of another version\""));
        assert_eq!(asset.answer(&headers).status(), StatusCode::OK);
    }
}
