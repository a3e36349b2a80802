//! Configuration of a user: read as part of the user, written whole, and applied to their views and latest items.

use serde_json::Value;

use super::RouteResult;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::fixtures::configuration;
use crate::jellyfin::ident::JellyfinId;
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::request::{JellyfinRequest, field};
use crate::jellyfin::response::JellyfinResponse;
use crate::users::UserId;

/// The configuration of `user`: the stored one or else the default.
pub(super) fn current(ask: &JellyfinRequest<'_>, user: UserId) -> Value {
    ask.server.configuration(user).unwrap_or_else(configuration)
}

/// `POST /Users/Configuration`: replaces the configuration of `user`; what the body leaves out becomes the default.
pub(super) fn replace(ask: &JellyfinRequest<'_>, user: UserId) -> RouteResult {
    let caller = ask.caller()?;
    if caller.grant.user != Some(user) && !caller.admin {
        return Err(JellyfinError::Forbidden);
    }
    let body = ask.json()?;
    let mut stored = configuration();
    for (name, value) in stored.as_object_mut().into_iter().flatten() {
        if let Some(given) = field(&body, name) {
            value.clone_from(given);
        }
    }
    if let Some(language) = field(&body, "AudioLanguagePreference") {
        stored["AudioLanguagePreference"] = language.clone();
    }
    ask.write(Some(user), |_| ask.server.set_configuration(user, stored));
    Ok(JellyfinResponse::no_content())
}

/// The libraries in the order that `user` has stored, without those that `user` has excluded.
pub(super) fn arranged(
    ask: &JellyfinRequest<'_>,
    user: UserId,
    mut shown: Vec<JellyfinLibrary>,
) -> Vec<JellyfinLibrary> {
    let stored = current(ask, user);
    let (order, excluded) = (ids(&stored, "OrderedViews"), ids(&stored, "MyMediaExcludes"));
    shown.retain(|library| !excluded.contains(&library.id()));
    shown.sort_by_key(|library| order.iter().position(|id| *id == library.id()).unwrap_or(order.len()));
    shown
}

/// Rules of the configuration for the latest items.
pub(super) struct LatestItemsRules {
    /// Whether played items are left out.
    pub(super) hide_played: bool,
    /// Libraries that are left out unless they are requested.
    pub(super) excluded: Vec<JellyfinId>,
}

/// Rules of the configuration of `user` for the latest items.
pub(super) fn latest_rules(ask: &JellyfinRequest<'_>, user: UserId) -> LatestItemsRules {
    let stored = current(ask, user);
    LatestItemsRules {
        hide_played: stored["HidePlayedInLatest"] != false,
        excluded: ids(&stored, "LatestItemsExcludes"),
    }
}

fn ids(stored: &Value, name: &str) -> Vec<JellyfinId> {
    let texts = stored[name].as_array().map(Vec::as_slice).unwrap_or_default();
    texts.iter().filter_map(Value::as_str).filter_map(JellyfinId::parse).collect()
}
