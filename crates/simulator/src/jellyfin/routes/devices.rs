//! `/Devices`: the administrator's list of devices with tokens.

use http::Method;
use serde_json::{Value, json};

use super::RouteResult;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::ident::{IdNamespace, JellyfinId};
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::server::SocketEvent;
use crate::jellyfin::tokens::TokenGrant;
use crate::timestamp::written;

/// Everything below `/Devices`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    ask.admin()?;
    match (&ask.method, rest) {
        (&Method::GET, []) => {
            let only = ask.params.text("userid").map(|user| ask.user_named(user)).transpose()?;
            let grants = ask.server.tokens.all().into_iter().filter(|grant| grant.user.is_some());
            let shown = grants.filter(|grant| only.is_none() || grant.user == only);
            let rows: Vec<Value> = shown.map(|grant| row(ask, &grant)).collect();
            let total = rows.len();
            Ok(super::lists::paged(ask, rows, Some(total), 0))
        }
        (&Method::GET, ["info"]) => {
            let id = ask.params.text("id").ok_or_else(|| JellyfinError::invalid("id"))?;
            let grant = ask.server.tokens.all().into_iter().find(|grant| grant.device_id == id);
            grant.map(|grant| JellyfinResponse::json(row(ask, &grant))).ok_or(JellyfinError::NotFound)
        }
        (&Method::DELETE, []) => {
            let id = ask.params.text("id").ok_or_else(|| JellyfinError::invalid("id"))?;
            let ended: Vec<TokenGrant> =
                ask.server.tokens.all().into_iter().filter(|grant| grant.device_id == id).collect();
            if !ask.server.tokens.revoke_device(id) {
                return Err(JellyfinError::NotFound);
            }
            for grant in ended {
                ask.server.notify(SocketEvent::Revoked(grant.secret));
            }
            Ok(JellyfinResponse::no_content())
        }
        _ => Err(JellyfinError::NotFound),
    }
}

fn row(ask: &JellyfinRequest<'_>, grant: &TokenGrant) -> Value {
    let user = grant.user.and_then(|user| ask.context.state.user(user));
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
        "Capabilities": ask.server.capabilities.lock().get(&grant.secret).cloned().unwrap_or_else(nothing),
    });
    if let Some(user) = user {
        row["LastUserName"] = json!(user.name);
        row["LastUserId"] = json!(JellyfinId::new(IdNamespace::User, user.id.0).hex());
    }
    row
}
