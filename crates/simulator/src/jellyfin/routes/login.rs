//! Login by name and by code.
//!
//! The password of every user is the user's name; a user may also log in without one.

use http::Method;
use serde_json::{Value, json};

use super::{RouteResult, users};
use crate::jellyfin::activity_log::ActivityEvent;
use crate::jellyfin::credential::ClientCredential;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::quick_connect::QuickConnectRequest;
use crate::jellyfin::request::{JellyfinRequest, text};
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::server::SocketEvent;
use crate::timestamp::written;
use crate::users::UserId;

/// `POST /Users/AuthenticateByName`.
pub(super) fn by_name(ask: &JellyfinRequest<'_>) -> RouteResult {
    let body = ask.json()?;
    let name = text(&body, "username").ok_or_else(|| JellyfinError::invalid("Username"))?;
    let password = text(&body, "pw").or(text(&body, "password")).unwrap_or_default();
    let users = ask.context.state.current_users();
    let user = users.iter().find(|user| user.name.eq_ignore_ascii_case(name));
    let may_enter = |id| !ask.context.state.is_disabled(id);
    if let Some(user) = user.filter(|user| may_enter(user.id) && (password.is_empty() || password == user.name)) {
        return logged_in(ask, user.id, &ask.client_credential());
    }
    ask.server.activity_log.record(ask.now_ms, ActivityEvent::FailedLogin, "Failed login attempt", UserId(0), None);
    Err(JellyfinError::Unauthorized)
}

/// `POST /Users/AuthenticateWithQuickConnect`.
pub(super) fn by_code(ask: &JellyfinRequest<'_>) -> RouteResult {
    let body = ask.json()?;
    let secret = text(&body, "secret").ok_or_else(|| JellyfinError::invalid("Secret"))?;
    let (user, says) = ask.server.quick_connect.redeem(secret, ask.now_ms).ok_or(JellyfinError::Unauthorized)?;
    logged_in(ask, user, &says)
}

/// `/QuickConnect`.
pub(super) fn quick_connect(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    let on = ask.server.switches.quick_connect;
    match (&ask.method, rest) {
        (&Method::GET, ["enabled"]) => Ok(JellyfinResponse::json(on)),
        _ if !on => Err(JellyfinError::Unauthorized),
        (&Method::POST | &Method::GET, ["initiate"]) => {
            let begun = ask.server.quick_connect.initiate(ask.client_credential(), ask.now_ms);
            Ok(JellyfinResponse::json(waiting(&begun)))
        }
        (&Method::GET, ["connect"]) => {
            let secret = ask.params.text("secret").ok_or_else(|| JellyfinError::invalid("secret"))?;
            let state = ask.server.quick_connect.state(secret, ask.now_ms).ok_or(JellyfinError::NotFound)?;
            Ok(JellyfinResponse::json(waiting(&state)))
        }
        (&Method::POST, ["authorize"]) => {
            let code = ask.params.text("code").ok_or_else(|| JellyfinError::invalid("code"))?;
            let user = ask.some_user()?;
            let agreed = ask.server.quick_connect.authorize(code, user, ask.now_ms);
            if agreed { Ok(JellyfinResponse::json(true)) } else { Err(JellyfinError::NotFound) }
        }
        _ => Err(JellyfinError::NotFound),
    }
}

/// `POST /Sessions/Logout`.
pub(super) fn logout(ask: &JellyfinRequest<'_>) -> RouteResult {
    ask.server.revoke(&ask.caller()?.grant.secret);
    Ok(JellyfinResponse::no_content())
}

fn logged_in(ask: &JellyfinRequest<'_>, user: UserId, says: &ClientCredential) -> RouteResult {
    let user = ask.context.state.user(user).ok_or(JellyfinError::NotFound)?;
    let (grant, ended) = ask.server.tokens.issue(user.id, says, ask.now_ms);
    for old in ended {
        ask.server.notify(SocketEvent::Revoked(old.secret));
    }
    ask.server.notify(SocketEvent::SessionsChanged { at_once: true });
    let sentence = format!("{} successfully authenticated", user.name);
    ask.server.activity_log.record(ask.now_ms, ActivityEvent::LoggedIn, &sentence, user.id, None);
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, Some(user.id));
    Ok(JellyfinResponse::json(json!({
        "User": users::written_user(ask, &user),
        "SessionInfo": super::sessions::session_of_grant(ask.server, &scene, &grant, &ask.peer),
        "AccessToken": grant.secret,
        "ServerId": ask.server.server_id,
    })))
}

fn waiting(state: &QuickConnectRequest) -> Value {
    let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "unknown".into());
    json!({
        "Authenticated": state.user.is_some(),
        "Secret": state.secret,
        "Code": state.code,
        "DeviceId": word(&state.credential.device_id),
        "DeviceName": word(&state.credential.device),
        "AppName": word(&state.credential.client),
        "AppVersion": word(&state.credential.version),
        "DateAdded": written(state.since_ms),
    })
}
