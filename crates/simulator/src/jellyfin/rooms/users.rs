//! `/Users`.

use http::Method;
use serde_json::{Value, json};

use super::{Outcome, images, login};
use crate::jellyfin::ask::Ask;
use crate::jellyfin::ident::{Ident, Space};
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::settled::{configuration, policy};
use crate::timestamp::written;
use crate::users::{User, UserId};

/// Everything below `/Users`.
pub(super) fn answer(ask: &Ask<'_>, rest: &[&str]) -> Outcome {
    match (&ask.method, rest) {
        (&Method::GET, []) => all(ask),
        (&Method::GET, ["public"]) => Ok(public(ask)),
        (&Method::GET, ["me"]) => {
            let user = ask.own_user()?;
            one(ask, user)
        }
        (&Method::POST, ["authenticatebyname"]) => login::by_name(ask),
        (&Method::POST, ["authenticatewithquickconnect"]) => login::by_code(ask),
        (&Method::GET, [id]) => {
            ask.caller()?;
            one(ask, ask.user_named(id)?)
        }
        _ => Err(Refusal::NotFound),
    }
}

/// `GET /UserImage`: users have no images here, as on a fresh server.
pub(super) fn image(ask: &Ask<'_>) -> Outcome {
    if ask.method == Method::GET { Err(Refusal::NotFound) } else { images::refuse_upload(ask) }
}

/// A user as the server writes one.
pub(super) fn written_user(ask: &Ask<'_>, user: &User) -> Value {
    let seen_ms = ask.house.tokens.all().into_iter().filter(|grant| grant.user == Some(user.id));
    let (login_ms, seen_ms) =
        seen_ms.fold((0, 0), |(login, seen), grant| (login.max(grant.created_ms), seen.max(grant.seen_ms)));
    let mut row = json!({
        "Name": user.name,
        "ServerId": ask.house.server_id,
        "Id": Ident::new(Space::User, user.id.0).hex(),
        "HasPassword": true,
        "HasConfiguredPassword": true,
        "HasConfiguredEasyPassword": false,
        "EnableAutoLogin": false,
        "Configuration": configuration(),
        "Policy": policy(user),
    });
    if seen_ms > 0 {
        row["LastLoginDate"] = json!(written(login_ms));
        row["LastActivityDate"] = json!(written(seen_ms));
    }
    row
}

/// All users for an administrator, oneself for others.
fn all(ask: &Ask<'_>) -> Outcome {
    let caller = ask.caller()?;
    let shown = |user: &&User| caller.admin || caller.grant.user == Some(user.id);
    let users = ask.ground.state.users().users.iter().filter(shown);
    Ok(Reply::json(users.map(|user| written_user(ask, user)).collect::<Value>()))
}

/// Those who are not hidden from the page where one logs in.
fn public(ask: &Ask<'_>) -> Reply {
    let users = ask.ground.state.users().users.iter().filter(|user| !user.admin);
    let row = |user: &User| {
        let mut row = written_user(ask, user);
        if let Some(fields) = row.as_object_mut() {
            fields.remove("LastLoginDate");
            fields.remove("LastActivityDate");
        }
        row
    };
    Reply::json(users.map(row).collect::<Value>())
}

fn one(ask: &Ask<'_>, user: UserId) -> Outcome {
    let user = ask.ground.state.users().user(user).ok_or(Refusal::NotFound)?;
    Ok(Reply::json(written_user(ask, user)))
}
