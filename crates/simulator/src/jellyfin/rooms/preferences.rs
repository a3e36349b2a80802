//! `/DisplayPreferences`: what programs keep for their users.

use http::Method;
use serde_json::{Map, Value, json};

use super::Outcome;
use crate::jellyfin::ask::{Ask, field};
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;

/// Everything below `/DisplayPreferences`.
pub(super) fn answer(ask: &Ask<'_>, rest: &[&str]) -> Outcome {
    let ([_], Some(id)) = (rest, ask.raw.get(1)) else { return Err(Refusal::NotFound) };
    let user = ask.some_user()?;
    let client = ask.params.text("client").ok_or_else(|| Refusal::invalid("client"))?;
    match ask.method {
        Method::GET => {
            {
                let view = ask.ground.state.view();
                ask.scene(&view, Some(user));
            }
            let kept = ask.house.preference(user, id, client);
            Ok(Reply::json(kept.unwrap_or_else(|| Value::Object(usual(id, client)))))
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
            ask.house.keep_preference(user, id, client, Value::Object(kept));
            Ok(Reply::nothing())
        }
        _ => Err(Refusal::WrongMethod),
    }
}

/// What a program reads that has kept nothing yet.
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
