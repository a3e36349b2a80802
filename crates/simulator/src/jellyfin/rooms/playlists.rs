//! `/Playlists`.

use http::Method;
use serde_json::{Value, json};

use super::Outcome;
use crate::catalogue::{ItemId, Kind};
use crate::jellyfin::ask::{Ask, NOBODY, field, text, texts};
use crate::jellyfin::dto::{self, Shape};
use crate::jellyfin::find::{Thing, thing_of};
use crate::jellyfin::ident::{Ident, Space};
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::scene::{Scene, item_of};
use crate::state::{Entry, Playlist, View};
use crate::users::UserId;

/// Everything below `/Playlists`.
pub(super) fn answer(ask: &Ask<'_>, rest: &[&str]) -> Outcome {
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
        _ => Err(Refusal::NotFound),
    }
}

/// What is asked for, in the body or, by old clients, in the query.
fn create(ask: &Ask<'_>) -> Outcome {
    ask.caller()?;
    let body = ask.json()?;
    let name =
        text(&body, "name").or(ask.params.text("name")).ok_or_else(|| Refusal::invalid("Name"))?.to_owned();
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
            medium.map_or(matches!(first_kind, Some(Kind::Film | Kind::Episode)), |medium| medium == "video");
        let id = write.create_playlist(&name, if video { "video" } else { "audio" }, &ids);
        write.edit_playlist(id, |playlist| {
            playlist.public = public;
            playlist.shared_with = shared.unwrap_or_default();
        });
        id
    });
    Ok(Reply::json(json!({"Id": Scene::hex(id)})))
}

fn about(ask: &Ask<'_>, id: ItemId) -> Outcome {
    let user = ask.user()?;
    let view = ask.ground.state.view();
    ask.scene(&view, user);
    let playlist = seen(&view, id, user)?;
    Ok(Reply::json(json!({
        "OpenAccess": playlist.public,
        "Shares": share_rows(playlist),
        "ItemIds": playlist.entries.iter().map(|entry| Scene::hex(entry.item)).collect::<Vec<_>>(),
    })))
}

fn users(ask: &Ask<'_>, id: ItemId) -> Outcome {
    let user = ask.user()?;
    let view = ask.ground.state.view();
    ask.scene(&view, user);
    Ok(Reply::json(Value::Array(share_rows(owned(&view, id, user)?))))
}

fn items(ask: &Ask<'_>, id: ItemId) -> Outcome {
    let user = ask.user()?;
    let shape = Shape::asked(&ask.params)?;
    let start = ask.params.count("startindex")?.unwrap_or(0);
    let limit = ask.params.count("limit")?.unwrap_or(usize::MAX);
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let playlist = seen(&view, id, user)?;
    let shown: Vec<Entry> = playlist
        .entries
        .iter()
        .copied()
        .filter(|entry| view.kind(entry.item).is_some_and(|kind| scene.sees(kind.section())))
        .collect();
    let row = |entry: &Entry| {
        let mut fields = dto::item(&scene, &scene.record(entry.item)?, &shape);
        dto::put(&mut fields, "PlaylistItemId", Ident::new(Space::Entry, entry.id).hex());
        Some(Value::Object(fields))
    };
    let rows = shown.iter().skip(start).take(limit).filter_map(row).collect();
    Ok(super::lists::paged(ask, rows, Some(shown.len()), start))
}

fn add(ask: &Ask<'_>, id: ItemId) -> Outcome {
    let user = may_edit(ask, id)?;
    let wanted = ask.params.list("ids");
    ask.write(user, |write| {
        let ids = expand(ask, &write.view(), user.unwrap_or(NOBODY), &wanted);
        write.append_to_playlist(id, &ids);
    });
    Ok(Reply::nothing())
}

fn remove(ask: &Ask<'_>, id: ItemId) -> Outcome {
    let user = may_edit(ask, id)?;
    let entry = |text: &str| Ident::read(text).and_then(|id| id.within(Space::Entry));
    let entries: Vec<u64> = ask.params.list("entryids").into_iter().filter_map(entry).collect();
    ask.write(user, |write| write.remove_from_playlist(id, &entries));
    Ok(Reply::nothing())
}

fn relocate(ask: &Ask<'_>, id: ItemId, entry: &str, to: &str) -> Outcome {
    let user = may_edit(ask, id)?;
    let entry = Ask::id(entry)?.within(Space::Entry).ok_or(Refusal::NotFound)?;
    let to: usize = to.parse().map_err(|_| Refusal::invalid("newIndex"))?;
    if ask.write(user, |write| write.move_in_playlist(id, entry, to)) {
        Ok(Reply::nothing())
    } else {
        Err(Refusal::NotFound)
    }
}

/// Name, contents, shares and visibility, each only if it is there.
fn change(ask: &Ask<'_>, id: ItemId) -> Outcome {
    let user = may_edit(ask, id)?;
    let body = ask.json()?;
    let shared = shares(ask, &body)?;
    ask.write(user, |write| {
        if let Some(wanted) = texts(&body, "ids") {
            let ids = expand(ask, &write.view(), user.unwrap_or(NOBODY), &wanted);
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
    Ok(Reply::nothing())
}

fn share(ask: &Ask<'_>, id: ItemId, with: &str, on: bool) -> Outcome {
    let user = may_edit(ask, id)?;
    let with = ask.user_named(with)?;
    ask.write(user, |write| {
        write.edit_playlist(id, |playlist| {
            playlist.shared_with.retain(|known| *known != with);
            playlist.shared_with.extend(on.then_some(with));
        })
    });
    Ok(Reply::nothing())
}

fn playlist_id(text: &str) -> Result<ItemId, Refusal> {
    item_of(Ask::id(text)?).ok_or(Refusal::NotFound)
}

fn seen<'a>(view: &'a View<'_>, id: ItemId, user: Option<UserId>) -> Result<&'a Playlist, Refusal> {
    let playlist = view.playlist(id).ok_or(Refusal::NotFound)?;
    if user.is_none_or(|user| playlist.seen_by(user)) { Ok(playlist) } else { Err(Refusal::NotFound) }
}

/// A playlist that is one's own or shared with one; of others' public ones only the contents can be read.
fn owned<'a>(view: &'a View<'_>, id: ItemId, user: Option<UserId>) -> Result<&'a Playlist, Refusal> {
    let playlist = seen(view, id, user)?;
    let own = user.is_none_or(|user| playlist.owner == user || playlist.shared_with.contains(&user));
    if own { Ok(playlist) } else { Err(Refusal::Forbidden) }
}

fn may_edit(ask: &Ask<'_>, id: ItemId) -> Result<Option<UserId>, Refusal> {
    let user = ask.user()?;
    let view = ask.ground.state.view();
    owned(&view, id, user).map(|_| user)
}

fn may_act_for(ask: &Ask<'_>, user: UserId) -> Result<UserId, Refusal> {
    let caller = ask.caller()?;
    if caller.admin || caller.grant.user == Some(user) { Ok(user) } else { Err(Refusal::Forbidden) }
}

fn shares(ask: &Ask<'_>, body: &Value) -> Result<Option<Vec<UserId>>, Refusal> {
    let Some(rows) = field(body, "users").and_then(Value::as_array) else { return Ok(None) };
    rows.iter()
        .filter_map(|row| text(row, "userid"))
        .map(|user| ask.user_named(user))
        .collect::<Result<Vec<_>, _>>()
        .map(Some)
}

fn share_rows(playlist: &Playlist) -> Vec<Value> {
    let row = |user: &UserId| json!({"UserId": Ident::new(Space::User, user.0).hex(), "CanEdit": true});
    playlist.shared_with.iter().map(row).collect()
}

/// The playable items behind ids: folders stand for everything below them.
fn expand(ask: &Ask<'_>, view: &View<'_>, user: UserId, wanted: &[&str]) -> Vec<ItemId> {
    let scene = ask.scene_quietly(view, view.user(user).map(|user| user.id));
    wanted
        .iter()
        .filter_map(|text| Ident::read(text))
        .filter_map(|id| thing_of(&scene, id))
        .flat_map(|thing| match thing {
            Thing::Item(id) => view.leaves(id),
            Thing::Playlist(id) => view
                .playlist(id)
                .map(|from| from.entries.iter().map(|entry| entry.item).collect())
                .unwrap_or_default(),
            Thing::Library(_) => Vec::new(),
        })
        .collect()
}
