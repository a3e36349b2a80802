//! Creates, limits and removes users for the administrator. No client is sent an event about it.

use serde_json::Value;

use super::{RouteResult, users};
use crate::catalogue::Section;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::ident::JellyfinId;
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::request::{JellyfinRequest, field, text, texts};
use crate::jellyfin::response::JellyfinResponse;
use crate::users::UserId;

/// `POST /Users/New`.
pub(super) fn create(ask: &JellyfinRequest<'_>) -> RouteResult {
    ask.admin()?;
    let body = ask.json()?;
    let name = text(&body, "name").ok_or_else(|| JellyfinError::invalid("Name"))?;
    if ask.context.state.current_users().iter().any(|user| user.name.eq_ignore_ascii_case(name)) {
        return Err(JellyfinError::invalid("Name"));
    }
    let made = ask.write(ask.caller()?.grant.user, |write| write.add_user(name, &Section::EVERY));
    let made = ask.context.state.user(made).ok_or(JellyfinError::NotFound)?;
    Ok(JellyfinResponse::json(users::written_user(ask, &made)))
}

/// `DELETE /Users/{id}`: the user's tokens end, and the user's playlists and state are gone.
pub(super) fn delete(ask: &JellyfinRequest<'_>, user: UserId) -> RouteResult {
    ask.admin()?;
    if user == UserId::OWNER {
        return Err(JellyfinError::Forbidden);
    }
    ask.server.revoke_user(user);
    ask.write(ask.caller()?.grant.user, |write| write.remove_user(user));
    Ok(JellyfinResponse::no_content())
}

/// `POST /Users/{id}/Policy`: of what a policy holds, disabling, libraries and the age limit have an effect here. The
/// tokens of a disabled user end.
pub(super) fn replace(ask: &JellyfinRequest<'_>, user: UserId) -> RouteResult {
    ask.admin()?;
    let body = ask.json()?;
    let flag = |name: &str, otherwise: bool| field(&body, name).and_then(Value::as_bool).unwrap_or(otherwise);
    let disabled = flag("isdisabled", false);
    if disabled && user == UserId::OWNER {
        return Err(JellyfinError::Forbidden);
    }
    let age = field(&body, "maxparentalrating").and_then(Value::as_u64).and_then(|age| u32::try_from(age).ok());
    let ids: Vec<JellyfinId> =
        texts(&body, "enabledfolders").unwrap_or_default().into_iter().filter_map(JellyfinId::parse).collect();
    let named = |section: &Section| ids.contains(&JellyfinLibrary::Section(*section).id());
    let all = flag("enableallfolders", true);
    let sections = Section::EVERY.into_iter().filter(|section| all || named(section)).collect();
    ask.write(ask.caller()?.grant.user, |write| {
        write.set_disabled(user, disabled);
        write.set_rating_limit(user, age);
        write.set_sections(user, sections);
    });
    if disabled {
        ask.server.revoke_user(user);
    }
    Ok(JellyfinResponse::no_content())
}
