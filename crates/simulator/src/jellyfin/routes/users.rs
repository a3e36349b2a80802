//! `/Users`.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::{RouteResult, images, login, user_configuration, user_policy};
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::fixtures::{UserLimits, policy};
use crate::jellyfin::ident::{IdNamespace, JellyfinId};
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::timestamp::written;
use crate::users::{SimulatedUser, UserId};

/// Everything below `/Users`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    match (&ask.method, rest) {
        (&Method::GET, []) => all(ask),
        (&Method::GET, ["public"]) => Ok(public(ask)),
        (&Method::GET, ["me"]) => {
            let user = ask.own_user()?;
            one(ask, user)
        }
        (&Method::POST, ["authenticatebyname"]) => login::by_name(ask),
        (&Method::POST, ["authenticatewithquickconnect"]) => login::by_code(ask),
        (&Method::POST, ["configuration"]) => user_configuration::replace(ask, ask.some_user()?),
        (&Method::POST, [id, "configuration"]) => user_configuration::replace(ask, ask.user_named(id)?),
        (&Method::POST, ["new"]) => user_policy::create(ask),
        (&Method::POST, [id, "policy"]) => user_policy::replace(ask, ask.user_named(id)?),
        (&Method::DELETE, [id]) => user_policy::delete(ask, ask.user_named(id)?),
        (&Method::GET, [id]) => {
            ask.caller()?;
            one(ask, ask.user_named(id)?)
        }
        _ => Err(JellyfinError::NotFound),
    }
}

/// `GET /UserImage`: users have no images here, as on a fresh server.
pub(super) fn image(ask: &JellyfinRequest<'_>) -> RouteResult {
    if ask.method == Method::GET { Err(JellyfinError::NotFound) } else { images::refuse_upload(ask) }
}

/// A user as the server writes one.
pub(super) fn written_user(ask: &JellyfinRequest<'_>, user: &SimulatedUser) -> Value {
    let seen_ms = ask.server.tokens.all().into_iter().filter(|grant| grant.user == Some(user.id));
    let (login_ms, seen_ms) =
        seen_ms.fold((0, 0), |(login, seen), grant| (login.max(grant.created_ms), seen.max(grant.seen_ms)));
    let limits = UserLimits {
        is_disabled: ask.context.state.is_disabled(user.id),
        rating_limit: ask.context.state.rating_limit(user.id),
    };
    let mut row = json!({
        "Name": user.name,
        "ServerId": ask.server.server_id,
        "Id": JellyfinId::new(IdNamespace::User, user.id.0).hex(),
        "HasPassword": true,
        "HasConfiguredPassword": true,
        "HasConfiguredEasyPassword": false,
        "EnableAutoLogin": false,
        "Configuration": user_configuration::current(ask, user.id),
        "Policy": policy(user, limits),
    });
    if seen_ms > 0 {
        row["LastLoginDate"] = json!(written(login_ms));
        row["LastActivityDate"] = json!(written(seen_ms));
    }
    row
}

/// All users, with their policies, for any user.
fn all(ask: &JellyfinRequest<'_>) -> RouteResult {
    ask.caller()?;
    let users = ask.context.state.current_users();
    Ok(JellyfinResponse::json(users.iter().map(|user| written_user(ask, user)).collect::<Value>()))
}

/// Users that are not hidden from the login page.
fn public(ask: &JellyfinRequest<'_>) -> JellyfinResponse {
    let users = ask.context.state.current_users();
    let shown = users.iter().filter(|user| !user.admin && !ask.context.state.is_disabled(user.id));
    let row = |user: &Arc<SimulatedUser>| {
        let mut row = written_user(ask, user);
        if let Some(fields) = row.as_object_mut() {
            fields.remove("LastLoginDate");
            fields.remove("LastActivityDate");
        }
        row
    };
    JellyfinResponse::json(shown.map(row).collect::<Value>())
}

fn one(ask: &JellyfinRequest<'_>, user: UserId) -> RouteResult {
    let user = ask.context.state.user(user).ok_or(JellyfinError::NotFound)?;
    Ok(JellyfinResponse::json(written_user(ask, &user)))
}
