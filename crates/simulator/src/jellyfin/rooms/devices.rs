//! `/Devices`: the administrator's list of devices with tokens.

use http::Method;
use serde_json::{Value, json};

use super::Outcome;
use crate::jellyfin::ask::Ask;
use crate::jellyfin::house::Notice;
use crate::jellyfin::ident::{Ident, Space};
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::tokens::Grant;
use crate::timestamp::written;

/// Everything below `/Devices`.
pub(super) fn answer(ask: &Ask<'_>, rest: &[&str]) -> Outcome {
    ask.admin()?;
    match (&ask.method, rest) {
        (&Method::GET, []) => {
            let only = ask.params.text("userid").map(|user| ask.user_named(user)).transpose()?;
            let grants = ask.house.tokens.all().into_iter().filter(|grant| grant.user.is_some());
            let shown = grants.filter(|grant| only.is_none() || grant.user == only);
            let rows: Vec<Value> = shown.map(|grant| row(ask, &grant)).collect();
            let total = rows.len();
            Ok(super::lists::paged(ask, rows, Some(total), 0))
        }
        (&Method::GET, ["info"]) => {
            let id = ask.params.text("id").ok_or_else(|| Refusal::invalid("id"))?;
            let grant = ask.house.tokens.all().into_iter().find(|grant| grant.device_id == id);
            grant.map(|grant| Reply::json(row(ask, &grant))).ok_or(Refusal::NotFound)
        }
        (&Method::DELETE, []) => {
            let id = ask.params.text("id").ok_or_else(|| Refusal::invalid("id"))?;
            let ended: Vec<Grant> =
                ask.house.tokens.all().into_iter().filter(|grant| grant.device_id == id).collect();
            if !ask.house.tokens.revoke_device(id) {
                return Err(Refusal::NotFound);
            }
            for grant in ended {
                ask.house.notify(Notice::Revoked(grant.secret));
            }
            Ok(Reply::nothing())
        }
        _ => Err(Refusal::NotFound),
    }
}

fn row(ask: &Ask<'_>, grant: &Grant) -> Value {
    let user = grant.user.and_then(|user| ask.ground.state.users().user(user));
    let nothing = || {
        json!({"PlayableMediaTypes": [], "SupportedCommands": [], "SupportsMediaControl": false,
        "SupportsPersistentIdentifier": true})
    };
    let mut row = json!({
        "Name": grant.device,
        "Id": grant.device_id,
        "AppName": grant.client,
        "AppVersion": grant.version,
        "DateLastActivity": written(grant.seen_ms),
        "Capabilities": ask.house.capabilities.lock().get(&grant.secret).cloned().unwrap_or_else(nothing),
    });
    if let Some(user) = user {
        row["LastUserName"] = json!(user.name);
        row["LastUserId"] = json!(Ident::new(Space::User, user.id.0).hex());
    }
    row
}
