//! Changes to the library: edits, refreshes, deletions, collections.

use http::Method;
use serde_json::{Value, json};

use super::RouteResult;
use crate::catalogue::{ItemId, ItemRecord, MediaKind, ProviderId};
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::ident::{IdNamespace, JellyfinId};
use crate::jellyfin::request::{JellyfinRequest, field, text, texts};
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::{ResponseContext, item_id_of};
use crate::jellyfin::server::tell_progress;
use crate::users::UserId;

/// `POST /Items/{id}`: replaces the whole item.
pub(super) fn edit(ask: &JellyfinRequest<'_>, id: &str) -> RouteResult {
    ask.admin()?;
    let body = ask.json()?;
    let item = item_id_of(JellyfinRequest::id(id)?).ok_or(JellyfinError::NotFound)?;
    let user = ask.caller()?.grant.user;
    let edited = ask.write(user, |write| {
        if write.view().playlist(item).is_some() {
            return write.edit_playlist(item, |playlist| {
                if let Some(name) = text(&body, "name") {
                    name.clone_into(&mut playlist.title);
                }
                if let Some(overview) = text(&body, "overview") {
                    overview.clone_into(&mut playlist.summary);
                }
            });
        }
        write.edit(item, |record| apply(record, &body))
    });
    if edited { Ok(JellyfinResponse::no_content()) } else { Err(JellyfinError::NotFound) }
}

fn apply(record: &mut ItemRecord, body: &Value) {
    let list = |name: &str| texts(body, name).map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
    if let Some(name) = text(body, "name") {
        name.clone_into(&mut record.title);
    }
    if let Some(overview) = text(body, "overview") {
        overview.clone_into(&mut record.summary);
    }
    if let Some(name) = text(body, "forcedsortname") {
        name.clone_into(&mut record.title_sort);
    }
    if let Some(genres) = list("genres") {
        record.genres = genres;
    }
    if let Some(tags) = list("tags") {
        record.labels = tags;
    }
    if let Some(rating) = text(body, "officialrating") {
        record.content_rating = Some(rating.to_owned());
    }
    let year = field(body, "productionyear").and_then(Value::as_u64).and_then(|year| u16::try_from(year).ok());
    record.year = year.or(record.year);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100")]
    let tenths = |rating: f64, scale: f64| (rating * scale).round().clamp(0.0, 100.0) as u16;
    let number = |name: &str| field(body, name).and_then(Value::as_f64);
    record.audience_rating = number("communityrating").map(|it| tenths(it, 10.0)).or(record.audience_rating);
    record.rating = number("criticrating").map(|it| tenths(it, 1.0)).or(record.rating);
    if let Some(ids) = field(body, "providerids").and_then(Value::as_object) {
        record.external = ids.iter().filter_map(|(source, id)| external(source, id.as_str()?)).collect();
    }
}

fn external(source: &str, id: &str) -> Option<ProviderId> {
    let source = match source.to_ascii_lowercase().as_str() {
        "imdb" => "imdb",
        "tmdb" => "tmdb",
        "tvdb" => "tvdb",
        source if source.starts_with("musicbrainz") => "mbid",
        _ => return None,
    };
    Some(ProviderId { source, id: id.to_owned() })
}

/// `POST /Items/{id}/Refresh`: refreshes the item; if all images are replaced, their tags change.
pub(super) fn refresh(ask: &JellyfinRequest<'_>, id: &str) -> RouteResult {
    ask.admin()?;
    let id = JellyfinRequest::id(id)?;
    let replace = ask.params.flag("replaceallimages")?.unwrap_or(false);
    let user = ask.caller()?.grant.user;
    let known = ask.write(user, |write| match item_id_of(id) {
        Some(item) => write.edit(item, |_| ()) || write.view().playlist(item).is_some(),
        None => id.space == IdNamespace::Library,
    });
    if !known {
        return Err(JellyfinError::NotFound);
    }
    if replace {
        let kind = item_id_of(id).and_then(|item| ask.context.state.view().kind(item));
        ask.server.images.renew(id, kind);
    }
    if id.space == IdNamespace::Library {
        tell_progress(ask.server, id);
    }
    Ok(JellyfinResponse::no_content())
}

/// `DELETE /Items/{id}`.
pub(super) fn delete(ask: &JellyfinRequest<'_>, id: &str) -> RouteResult {
    let item = item_id_of(JellyfinRequest::id(id)?).ok_or(JellyfinError::NotFound)?;
    delete_one(ask, item)?;
    Ok(JellyfinResponse::no_content())
}

/// `DELETE /Items?ids=`.
pub(super) fn delete_many(ask: &JellyfinRequest<'_>) -> RouteResult {
    for id in ask.params.list("ids") {
        delete_one(ask, item_id_of(JellyfinRequest::id(id)?).ok_or(JellyfinError::NotFound)?)?;
    }
    Ok(JellyfinResponse::no_content())
}

/// Administrators may delete items, owners also their playlists. Others get 401, as from the server.
fn delete_one(ask: &JellyfinRequest<'_>, item: ItemId) -> Result<(), JellyfinError> {
    let caller = ask.caller()?;
    let user = caller.grant.user;
    let owner = ask.context.state.view().playlist(item).map(|playlist| playlist.owner);
    if !caller.admin && (owner.is_none() || owner != user) {
        let known = ask.context.state.view().kind(item).is_some() || owner.is_some();
        return Err(if known {
            JellyfinError::NotPermitted("Unauthorized access".into())
        } else {
            JellyfinError::NotFound
        });
    }
    let gone = ask.write(user, |write| if owner.is_some() { write.delete_playlist(item) } else { write.delete(item) });
    if gone { Ok(()) } else { Err(JellyfinError::NotFound) }
}

/// `/Collections`: created by the administrator.
pub(super) fn collections(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    ask.admin()?;
    let user = ask.caller()?.grant.user;
    match (&ask.method, rest) {
        (&Method::POST, []) => {
            let name = ask.params.text("name").ok_or_else(|| JellyfinError::invalid("name"))?.to_owned();
            let ids = requested_items(ask);
            let id = ask.write(user, |write| write.add_collection(&name, &ids));
            Ok(JellyfinResponse::json(json!({"Id": ResponseContext::hex(id)})))
        }
        (&Method::POST, [id, "items"]) => members(ask, user, id, |held, ids| {
            held.extend(ids.iter().filter(|id| !held.contains(id)).copied().collect::<Vec<_>>());
        }),
        (&Method::DELETE, [id, "items"]) => members(ask, user, id, |held, ids| held.retain(|id| !ids.contains(id))),
        _ => Err(JellyfinError::NotFound),
    }
}

fn requested_items(ask: &JellyfinRequest<'_>) -> Vec<ItemId> {
    ask.params.list("ids").into_iter().filter_map(JellyfinId::parse).filter_map(item_id_of).collect()
}

fn members(
    ask: &JellyfinRequest<'_>,
    user: Option<UserId>,
    id: &str,
    change: impl FnOnce(&mut Vec<ItemId>, &[ItemId]),
) -> RouteResult {
    let collection = item_id_of(JellyfinRequest::id(id)?).ok_or(JellyfinError::NotFound)?;
    let ids = requested_items(ask);
    let known = ask.write(user, |write| {
        if write.view().kind(collection) != Some(MediaKind::Collection) {
            return false;
        }
        let mut held = write.view().children(collection);
        change(&mut held, &ids);
        write.set_members(collection, held);
        true
    });
    if known { Ok(JellyfinResponse::no_content()) } else { Err(JellyfinError::NotFound) }
}
