//! What is the same for everybody: branding, languages, countries, ratings, and the page of the web client.

use http::Method;
use http::header::CACHE_CONTROL;
use serde_json::json;

use super::Outcome;
use crate::jellyfin::ask::Ask;
use crate::jellyfin::picture::{Colour, Form, painted};
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::settled;

const STYLE: &str = ":root { --accent: #2f6f4f; }\n";
const WEB_PAGE: &str = "<!DOCTYPE html><html><head><title>Green Jellyfin</title></head><body></body></html>";

/// Everything below `/Branding`, `/Localization`, `/web` and `/health`.
pub(super) fn answer(ask: &Ask<'_>, parts: &[&str]) -> Outcome {
    if ask.method != Method::GET {
        return Err(Refusal::WrongMethod);
    }
    match parts {
        ["branding", "configuration"] => Ok(Reply::json(json!({
            "LoginDisclaimer": "A simulated library.",
            "CustomCss": STYLE,
            "SplashscreenEnabled": false,
        }))),
        ["branding", "css" | "css.css"] => Ok(Reply::bytes("text/css; charset=utf-8", STYLE)),
        ["branding", "splashscreen"] => {
            let colour = Colour { red: 47, green: 111, blue: 79 };
            Ok(Reply::bytes(Form::Png.content_type(), painted(Form::Png, 640, 360, colour)))
        }
        ["localization", "cultures"] => Ok(Reply::json(settled::cultures())),
        ["localization", "countries"] => Ok(Reply::json(settled::countries())),
        ["localization", "options"] => Ok(Reply::json(settled::languages())),
        ["localization", "parentalratings"] => Ok(Reply::json(settled::ratings())),
        ["web"] | ["web", "index.html"] => {
            let mut page = Reply::bytes("text/html; charset=utf-8", WEB_PAGE);
            page.put(CACHE_CONTROL, "no-cache");
            Ok(page)
        }
        ["health"] => Ok(Reply::bytes("text/plain", "Healthy")),
        _ => Err(Refusal::NotFound),
    }
}
