//! Logging in, by name and by code.
//!
//! The password of every user is the user's name; a user may also log in without one.

use http::Method;
use serde_json::{Value, json};

use super::{Outcome, users};
use crate::jellyfin::ask::{Ask, text};
use crate::jellyfin::credential::Credential;
use crate::jellyfin::journal::Event;
use crate::jellyfin::quick_connect::Waiting;
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::timestamp::written;
use crate::users::UserId;

/// `POST /Users/AuthenticateByName`.
pub(super) fn by_name(ask: &Ask<'_>) -> Outcome {
    let body = ask.json()?;
    let name = text(&body, "username").ok_or_else(|| Refusal::invalid("Username"))?;
    let password = text(&body, "pw").or(text(&body, "password")).unwrap_or_default();
    let users = &ask.ground.state.users().users;
    let user = users.iter().find(|user| user.name.eq_ignore_ascii_case(name));
    if let Some(user) = user.filter(|user| password.is_empty() || password == user.name) {
        return logged_in(ask, user.id, &ask.says());
    }
    ask.house.journal.note(ask.now_ms, Event::FailedLogin, "Failed login attempt", UserId(0), None);
    Err(Refusal::Unauthorized)
}

/// `POST /Users/AuthenticateWithQuickConnect`.
pub(super) fn by_code(ask: &Ask<'_>) -> Outcome {
    let body = ask.json()?;
    let secret = text(&body, "secret").ok_or_else(|| Refusal::invalid("Secret"))?;
    let (user, says) = ask.house.quick.redeem(secret, ask.now_ms).ok_or(Refusal::Unauthorized)?;
    logged_in(ask, user, &says)
}

/// `/QuickConnect`.
pub(super) fn quick_connect(ask: &Ask<'_>, rest: &[&str]) -> Outcome {
    let on = ask.house.switches.quick_connect;
    match (&ask.method, rest) {
        (&Method::GET, ["enabled"]) => Ok(Reply::json(on)),
        _ if !on => Err(Refusal::Unauthorized),
        (&Method::POST | &Method::GET, ["initiate"]) => {
            let begun = ask.house.quick.initiate(ask.says(), ask.now_ms);
            Ok(Reply::json(waiting(&begun)))
        }
        (&Method::GET, ["connect"]) => {
            let secret = ask.params.text("secret").ok_or_else(|| Refusal::invalid("secret"))?;
            let state = ask.house.quick.state(secret, ask.now_ms).ok_or(Refusal::NotFound)?;
            Ok(Reply::json(waiting(&state)))
        }
        (&Method::POST, ["authorize"]) => {
            let code = ask.params.text("code").ok_or_else(|| Refusal::invalid("code"))?;
            let user = ask.some_user()?;
            let agreed = ask.house.quick.authorize(code, user, ask.now_ms);
            if agreed { Ok(Reply::json(true)) } else { Err(Refusal::NotFound) }
        }
        _ => Err(Refusal::NotFound),
    }
}

/// `POST /Sessions/Logout`.
pub(super) fn logout(ask: &Ask<'_>) -> Outcome {
    ask.house.revoke(&ask.caller()?.grant.secret);
    Ok(Reply::nothing())
}

fn logged_in(ask: &Ask<'_>, user: UserId, says: &Credential) -> Outcome {
    let user = ask.ground.state.users().user(user).ok_or(Refusal::NotFound)?;
    let grant = ask.house.tokens.issue(user.id, says, ask.now_ms);
    let sentence = format!("{} successfully authenticated", user.name);
    ask.house.journal.note(ask.now_ms, Event::LoggedIn, &sentence, user.id, None);
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, Some(user.id));
    Ok(Reply::json(json!({
        "User": users::written_user(ask, user),
        "SessionInfo": super::sessions::of_grant(ask.house, &scene, &grant, &ask.peer),
        "AccessToken": grant.secret,
        "ServerId": ask.house.server_id,
    })))
}

fn waiting(state: &Waiting) -> Value {
    let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "unknown".into());
    json!({
        "Authenticated": state.user.is_some(),
        "Secret": state.secret,
        "Code": state.code,
        "DeviceId": word(&state.says.device_id),
        "DeviceName": word(&state.says.device),
        "AppName": word(&state.says.client),
        "AppVersion": word(&state.says.version),
        "DateAdded": written(state.since_ms),
    })
}
