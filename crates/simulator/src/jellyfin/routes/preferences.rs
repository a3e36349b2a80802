//! `/DisplayPreferences`: settings that clients store for their users.

use http::Method;
use serde_json::{Map, Value, json};

use super::RouteResult;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::request::{JellyfinRequest, field};
use crate::jellyfin::response::JellyfinResponse;

/// Everything below `/DisplayPreferences`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    let ([_], Some(id)) = (rest, ask.raw.get(1)) else { return Err(JellyfinError::NotFound) };
    let user = ask.some_user()?;
    let client = ask.params.text("client").ok_or_else(|| JellyfinError::invalid("client"))?;
    match ask.method {
        Method::GET => {
            {
                let view = ask.context.state.view();
                ask.response_context(&view, Some(user));
            }
            let kept = ask.server.preference(user, id, client);
            Ok(JellyfinResponse::json(kept.unwrap_or_else(|| Value::Object(usual(id, client)))))
        }
        Method::POST => {
            let body = ask.json()?;
            let mut kept = usual(id, client);
            for (name, value) in &mut kept {
                if let Some(given) = field(&body, name).filter(|_| name != "Id" && name != "Client") {
                    value.clone_from(given);
                }
            }
            for name in ["ViewType", "IndexBy"] {
                if let Some(given) = field(&body, name) {
                    kept.insert(name.into(), given.clone());
                }
            }
            ask.write(Some(user), |_| ());
            ask.server.set_preference(user, id, client, Value::Object(kept));
            Ok(JellyfinResponse::no_content())
        }
        _ => Err(JellyfinError::WrongMethod),
    }
}

/// Defaults for a client that has stored nothing yet.
fn usual(id: &str, client: &str) -> Map<String, Value> {
    let usual = json!({
        "Id": id,
        "SortBy": "SortName",
        "RememberIndexing": false,
        "PrimaryImageHeight": 250,
        "PrimaryImageWidth": 250,
        "CustomPrefs": {},
        "ScrollDirection": "Horizontal",
        "ShowBackdrop": true,
        "RememberSorting": false,
        "SortOrder": "Ascending",
        "ShowSidebar": false,
        "Client": client,
    });
    usual.as_object().cloned().unwrap_or_default()
}
