//! Responses that are the same for all users: branding, languages, countries, ratings, and the page of the web client.

use http::Method;
use http::header::CACHE_CONTROL;
use serde_json::json;

use super::RouteResult;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::fixtures;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::picture::{Colour, ImageFormat, painted};

const STYLE: &str = ":root { --accent: #2f6f4f; }\n";
const WEB_PAGE: &str = "<!DOCTYPE html><html><head><title>Green Jellyfin</title></head><body></body></html>";

/// Everything below `/Branding`, `/Localization`, `/web` and `/health`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, parts: &[&str]) -> RouteResult {
    if ask.method != Method::GET {
        return Err(JellyfinError::WrongMethod);
    }
    match parts {
        ["branding", "configuration"] => Ok(JellyfinResponse::json(json!({
            "LoginDisclaimer": "A simulated library.",
            "CustomCss": STYLE,
            "SplashscreenEnabled": false,
        }))),
        ["branding", "css" | "css.css"] => Ok(JellyfinResponse::bytes("text/css; charset=utf-8", STYLE)),
        ["branding", "splashscreen"] => {
            let colour = Colour { red: 47, green: 111, blue: 79 };
            Ok(JellyfinResponse::bytes(ImageFormat::Png.content_type(), painted(ImageFormat::Png, 640, 360, colour)))
        }
        ["localization", "cultures"] => Ok(JellyfinResponse::json(fixtures::cultures())),
        ["localization", "countries"] => Ok(JellyfinResponse::json(fixtures::countries())),
        ["localization", "options"] => Ok(JellyfinResponse::json(fixtures::languages())),
        ["localization", "parentalratings"] => Ok(JellyfinResponse::json(fixtures::ratings())),
        ["web"] | ["web", "index.html"] => {
            let mut page = JellyfinResponse::bytes("text/html; charset=utf-8", WEB_PAGE);
            page.put(CACHE_CONTROL, "no-cache");
            Ok(page)
        }
        ["health"] => Ok(JellyfinResponse::bytes("text/plain", "Healthy")),
        _ => Err(JellyfinError::NotFound),
    }
}
