//! The page, as it is built into the program. It holds no figures: its script asks the API for them.

use axum::response::IntoResponse;
use http::HeaderName;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

const DOCUMENT: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const FIGURES: &str = include_str!("figures.js");
const MODES: &str = include_str!("modes.js");
const ICON: &str = include_str!("favicon.svg");

/// The document.
pub(super) async fn document() -> impl IntoResponse {
    whole("text/html; charset=utf-8", DOCUMENT)
}

/// How it looks.
pub(super) async fn style() -> impl IntoResponse {
    whole("text/css; charset=utf-8", STYLE)
}

/// What it does.
pub(super) async fn script() -> impl IntoResponse {
    whole("text/javascript; charset=utf-8", SCRIPT)
}

/// How it shows figures.
pub(super) async fn figures() -> impl IntoResponse {
    whole("text/javascript; charset=utf-8", FIGURES)
}

/// How it shows and turns modes.
pub(super) async fn modes() -> impl IntoResponse {
    whole("text/javascript; charset=utf-8", MODES)
}

/// Its sign.
pub(super) async fn icon() -> impl IntoResponse {
    whole("image/svg+xml", ICON)
}

/// Asked for anew every time: after an update of the program nobody sees parts of the old page.
fn whole(content_type: &'static str, text: &'static str) -> ([(HeaderName, &'static str); 2], &'static str) {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")], text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup() {
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
            for script in [SCRIPT, FIGURES, MODES] {
                assert!(!script.contains(word), "{word}");
            }
        }
    }

    #[test]
    fn nothing_is_inline_or_fetched_from_elsewhere() {
        for word in ["<style", " style=", "onclick", "onload", "javascript:"] {
            assert!(!DOCUMENT.contains(word), "{word}");
        }
        assert_eq!(DOCUMENT.matches("<script").count(), DOCUMENT.matches("<script src=\"page.js\"").count());
        for text in [DOCUMENT, STYLE, SCRIPT, FIGURES, MODES] {
            assert!(!text.contains("https://") && !text.contains("url(") && !text.contains("@import"));
        }
    }

    #[test]
    fn every_element_the_script_looks_for_is_in_the_document() {
        let mut found = 0;
        let scripts = [SCRIPT, FIGURES, MODES];
        for rest in scripts.iter().flat_map(|script| script.split("$(\"").skip(1)) {
            let id = rest.split('"').next().unwrap_or_default();
            assert!(DOCUMENT.contains(&format!("id=\"{id}\"")), "{id}");
            found += 1;
        }
        assert!(found > 10, "the script looks elements up in another way now");
    }
}
