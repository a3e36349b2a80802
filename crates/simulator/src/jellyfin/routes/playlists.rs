//! `/Playlists`.

use http::Method;
use serde_json::{Value, json};

use super::RouteResult;
use crate::catalogue::{ItemId, MediaKind};
use crate::jellyfin::dto::{self, FieldSelection};
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::find::{ListItem, thing_of};
use crate::jellyfin::ident::{IdNamespace, JellyfinId};
use crate::jellyfin::request::{JellyfinRequest, NO_USER, field, text, texts};
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::{ResponseContext, item_id_of};
use crate::state::{PlaylistAudience, PlaylistEntryRecord, PlaylistRecord, StateView};
use crate::users::UserId;

/// Everything below `/Playlists`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    match (&ask.method, rest) {
        (&Method::POST, []) => create(ask),
        (&Method::GET, [id]) => about(ask, playlist_id(id)?),
        (&Method::POST, [id]) => change(ask, playlist_id(id)?),
        (&Method::GET, [id, "items"]) => items(ask, playlist_id(id)?),
        (&Method::POST, [id, "items"]) => add(ask, playlist_id(id)?),
        (&Method::DELETE, [id, "items"]) => remove(ask, playlist_id(id)?),
        (&Method::POST, [id, "items", entry, "move", to]) => relocate(ask, playlist_id(id)?, entry, to),
        (&Method::GET, [id, "users"]) => users(ask, playlist_id(id)?),
        (&Method::POST, [id, "users", user]) => share(ask, playlist_id(id)?, user, true),
        (&Method::DELETE, [id, "users", user]) => share(ask, playlist_id(id)?, user, false),
        _ => Err(JellyfinError::NotFound),
    }
}

/// Parameters are in the body or, from old clients, in the query.
fn create(ask: &JellyfinRequest<'_>) -> RouteResult {
    ask.caller()?;
    let body = ask.json()?;
    let name =
        text(&body, "name").or(ask.params.text("name")).ok_or_else(|| JellyfinError::invalid("Name"))?.to_owned();
    let owner = match text(&body, "userid") {
        Some(user) => may_act_for(ask, ask.user_named(user)?)?,
        None => ask.some_user()?,
    };
    let wanted = texts(&body, "ids").unwrap_or_else(|| ask.params.list("ids"));
    let public = field(&body, "ispublic").and_then(Value::as_bool).unwrap_or(true);
    let medium = text(&body, "mediatype").or(ask.params.text("mediatype")).map(str::to_lowercase);
    let shared = shares(ask, &body)?;
    let id = ask.write(Some(owner), |write| {
        let ids = expand(ask, &write.view(), owner, &wanted);
        let first_kind = ids.first().and_then(|id| write.view().kind(*id));
        let video =
            medium.map_or(matches!(first_kind, Some(MediaKind::Film | MediaKind::Episode)), |medium| medium == "video");
        let audience =
            if public { PlaylistAudience::Everybody } else { PlaylistAudience::Users(shared.unwrap_or_default()) };
        write.create_shared_playlist(&name, if video { "video" } else { "audio" }, &ids, audience)
    });
    Ok(JellyfinResponse::json(json!({"Id": ResponseContext::hex(id)})))
}

fn about(ask: &JellyfinRequest<'_>, id: ItemId) -> RouteResult {
    let user = ask.user()?;
    let view = ask.context.state.view();
    ask.response_context(&view, user);
    let playlist = visible_playlist(&view, id, user)?;
    Ok(JellyfinResponse::json(json!({
        "OpenAccess": playlist.public,
        "Shares": share_rows(playlist),
        "ItemIds": playlist.entries.iter().map(|entry| ResponseContext::hex(entry.item)).collect::<Vec<_>>(),
    })))
}

fn users(ask: &JellyfinRequest<'_>, id: ItemId) -> RouteResult {
    let user = ask.user()?;
    let view = ask.context.state.view();
    ask.response_context(&view, user);
    Ok(JellyfinResponse::json(Value::Array(share_rows(owned(&view, id, user)?))))
}

fn items(ask: &JellyfinRequest<'_>, id: ItemId) -> RouteResult {
    let user = ask.user()?;
    let shape = FieldSelection::from_params(&ask.params)?;
    let start = ask.params.count("startindex")?.unwrap_or(0);
    let limit = ask.params.count("limit")?.unwrap_or(usize::MAX);
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let playlist = visible_playlist(&view, id, user)?;
    let shown: Vec<PlaylistEntryRecord> = playlist
        .entries
        .iter()
        .copied()
        .filter(|entry| view.kind(entry.item).is_some_and(|kind| scene.sees(kind.section())))
        .collect();
    let row = |entry: &PlaylistEntryRecord| {
        let mut fields = dto::item(&scene, &scene.record(entry.item)?, &shape);
        dto::put(&mut fields, "PlaylistItemId", JellyfinId::new(IdNamespace::Entry, entry.id).hex());
        Some(Value::Object(fields))
    };
    let rows = shown.iter().skip(start).take(limit).filter_map(row).collect();
    Ok(super::lists::paged(ask, rows, Some(shown.len()), start))
}

fn add(ask: &JellyfinRequest<'_>, id: ItemId) -> RouteResult {
    let user = may_edit(ask, id)?;
    let wanted = ask.params.list("ids");
    ask.write(user, |write| {
        let ids = expand(ask, &write.view(), user.unwrap_or(NO_USER), &wanted);
        write.append_to_playlist(id, &ids);
    });
    Ok(JellyfinResponse::no_content())
}

fn remove(ask: &JellyfinRequest<'_>, id: ItemId) -> RouteResult {
    let user = may_edit(ask, id)?;
    let entry = |text: &str| JellyfinId::parse(text).and_then(|id| id.within(IdNamespace::Entry));
    let entries: Vec<u64> = ask.params.list("entryids").into_iter().filter_map(entry).collect();
    ask.write(user, |write| write.remove_from_playlist(id, &entries));
    Ok(JellyfinResponse::no_content())
}

fn relocate(ask: &JellyfinRequest<'_>, id: ItemId, entry: &str, to: &str) -> RouteResult {
    let user = may_edit(ask, id)?;
    let entry = JellyfinRequest::id(entry)?.within(IdNamespace::Entry).ok_or(JellyfinError::NotFound)?;
    let to: usize = to.parse().map_err(|_| JellyfinError::invalid("newIndex"))?;
    if ask.write(user, |write| write.move_in_playlist(id, entry, to)) {
        Ok(JellyfinResponse::no_content())
    } else {
        Err(JellyfinError::NotFound)
    }
}

/// Changes name, contents, shares and visibility, each only if present.
fn change(ask: &JellyfinRequest<'_>, id: ItemId) -> RouteResult {
    let user = may_edit(ask, id)?;
    let body = ask.json()?;
    let shared = shares(ask, &body)?;
    ask.write(user, |write| {
        if let Some(wanted) = texts(&body, "ids") {
            let ids = expand(ask, &write.view(), user.unwrap_or(NO_USER), &wanted);
            write.empty_playlist(id);
            write.append_to_playlist(id, &ids);
        }
        write.edit_playlist(id, |playlist| {
            if let Some(name) = text(&body, "name") {
                name.clone_into(&mut playlist.title);
            }
            if let Some(public) = field(&body, "ispublic").and_then(Value::as_bool) {
                playlist.public = public;
            }
            if let Some(shared) = shared {
                playlist.shared_with = shared;
            }
        });
    });
    Ok(JellyfinResponse::no_content())
}

fn share(ask: &JellyfinRequest<'_>, id: ItemId, with: &str, on: bool) -> RouteResult {
    let user = may_edit(ask, id)?;
    let with = ask.user_named(with)?;
    ask.write(user, |write| {
        write.edit_playlist(id, |playlist| {
            playlist.shared_with.retain(|known| *known != with);
            playlist.shared_with.extend(on.then_some(with));
        })
    });
    Ok(JellyfinResponse::no_content())
}

fn playlist_id(text: &str) -> Result<ItemId, JellyfinError> {
    item_id_of(JellyfinRequest::id(text)?).ok_or(JellyfinError::NotFound)
}

fn visible_playlist<'a>(
    view: &'a StateView<'_>,
    id: ItemId,
    user: Option<UserId>,
) -> Result<&'a PlaylistRecord, JellyfinError> {
    let playlist = view.playlist(id).ok_or(JellyfinError::NotFound)?;
    if user.is_none_or(|user| playlist.is_visible_to(user)) { Ok(playlist) } else { Err(JellyfinError::NotFound) }
}

/// The user's own or shared playlist; of other public ones only the contents can be read.
fn owned<'a>(view: &'a StateView<'_>, id: ItemId, user: Option<UserId>) -> Result<&'a PlaylistRecord, JellyfinError> {
    let playlist = visible_playlist(view, id, user)?;
    let own = user.is_none_or(|user| playlist.owner == user || playlist.shared_with.contains(&user));
    if own { Ok(playlist) } else { Err(JellyfinError::Forbidden) }
}

fn may_edit(ask: &JellyfinRequest<'_>, id: ItemId) -> Result<Option<UserId>, JellyfinError> {
    let user = ask.user()?;
    let view = ask.context.state.view();
    owned(&view, id, user).map(|_| user)
}

fn may_act_for(ask: &JellyfinRequest<'_>, user: UserId) -> Result<UserId, JellyfinError> {
    let caller = ask.caller()?;
    if caller.admin || caller.grant.user == Some(user) { Ok(user) } else { Err(JellyfinError::Forbidden) }
}

fn shares(ask: &JellyfinRequest<'_>, body: &Value) -> Result<Option<Vec<UserId>>, JellyfinError> {
    let Some(rows) = field(body, "users").and_then(Value::as_array) else { return Ok(None) };
    rows.iter()
        .filter_map(|row| text(row, "userid"))
        .map(|user| ask.user_named(user))
        .collect::<Result<Vec<_>, _>>()
        .map(Some)
}

fn share_rows(playlist: &PlaylistRecord) -> Vec<Value> {
    let row = |user: &UserId| json!({"UserId": JellyfinId::new(IdNamespace::User, user.0).hex(), "CanEdit": true});
    playlist.shared_with.iter().map(row).collect()
}

/// Playable items of ids: folders stand for everything below them.
fn expand(ask: &JellyfinRequest<'_>, view: &StateView<'_>, user: UserId, wanted: &[&str]) -> Vec<ItemId> {
    let scene = ask.response_context_without_session(view, view.user(user).map(|user| user.id));
    wanted
        .iter()
        .filter_map(|text| JellyfinId::parse(text))
        .filter_map(|id| thing_of(&scene, id))
        .flat_map(|thing| match thing {
            ListItem::Item(id) => view.leaves(id),
            ListItem::Playlist(id) => {
                view.playlist(id).map(|from| from.entries.iter().map(|entry| entry.item).collect()).unwrap_or_default()
            }
            ListItem::Library(_) => Vec::new(),
        })
        .collect()
}
