//! `/Items`: single items, lists, latest, counts, and items related to one.

use http::Method;
use serde_json::{Value, json};

use super::{RouteResult, changes, facets, images, lists, media, playback};
use crate::catalogue::{ItemId, MediaKind, SortKey};
use crate::jellyfin::dto::{self, FieldSelection};
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::find::thing_of;
use crate::jellyfin::ident::JellyfinId;
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::{ResponseContext, item_id_of};

/// Everything below `/Items`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    match (&ask.method, rest) {
        (&Method::GET, []) => lists::items(ask),
        (&Method::DELETE, []) => changes::delete_many(ask),
        (&Method::GET, ["latest"]) => super::next::latest(ask),
        (&Method::GET, ["counts"]) => counts(ask),
        (&Method::GET, ["filters"]) => facets::filters(ask),
        (&Method::GET, ["filters2"]) => facets::filters2(ask),
        (&Method::GET, ["suggestions"]) => lists::suggestions(ask),
        (&Method::GET, ["root"]) => root(ask),
        (_, [id]) => single_item(ask, id),
        (_, [id, "images", rest @ ..]) => images::answer(ask, id, rest),
        (&Method::POST, [id, "refresh"]) => changes::refresh(ask, id),
        (_, [id, "playbackinfo"]) => playback::info(ask, id),
        (&Method::GET, [id, "download" | "file"]) => {
            ask.caller()?;
            media::file(ask, id)
        }
        (&Method::GET, [id, rest @ ..]) => around(ask, id, rest),
        _ => Err(JellyfinError::NotFound),
    }
}

fn single_item(ask: &JellyfinRequest<'_>, id: &str) -> RouteResult {
    match ask.method {
        Method::GET => single(ask, id),
        Method::POST => changes::edit(ask, id),
        Method::DELETE => changes::delete(ask, id),
        _ => Err(JellyfinError::WrongMethod),
    }
}

/// `GET /Items/{id}`: one thing with all fields.
fn single(ask: &JellyfinRequest<'_>, id: &str) -> RouteResult {
    let id = JellyfinRequest::id(id)?;
    let user = ask.user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    lists::whole(&scene, id, &ask.language()).map(JellyfinResponse::json).ok_or(JellyfinError::NotFound)
}

fn root(ask: &JellyfinRequest<'_>) -> RouteResult {
    let user = ask.user()?;
    let view = ask.context.state.view();
    Ok(JellyfinResponse::json(dto::root(&ask.response_context(&view, user), &FieldSelection::all())))
}

fn around(ask: &JellyfinRequest<'_>, id: &str, rest: &[&str]) -> RouteResult {
    let id = JellyfinRequest::id(id)?;
    let user = ask.user()?;
    match rest {
        ["similar"] => return lists::similar(ask, item_id_of(id).ok_or(JellyfinError::NotFound)?),
        ["ancestors"] => return ancestors(ask, id),
        ["collections"] => return collections(ask, id),
        _ => {}
    }
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    thing_of(&scene, id).ok_or(JellyfinError::NotFound)?;
    let nothing = || json!({"Items": [], "TotalRecordCount": 0, "StartIndex": 0, "OwnerId": id.hex()});
    match rest {
        ["thememedia"] => Ok(JellyfinResponse::json(json!({
            "ThemeVideosResult": nothing(),
            "ThemeSongsResult": nothing(),
            "SoundtrackSongsResult": nothing(),
        }))),
        ["themesongs" | "themevideos"] => Ok(JellyfinResponse::json(nothing())),
        ["intros"] => Ok(JellyfinResponse::json(json!({"Items": [], "TotalRecordCount": 0, "StartIndex": 0}))),
        ["localtrailers" | "specialfeatures"] => Ok(JellyfinResponse::json(json!([]))),
        ["instantmix"] => mix(ask, &scene, id),
        _ => Err(JellyfinError::NotFound),
    }
}

/// Parents of an item, nearest first.
fn ancestors(ask: &JellyfinRequest<'_>, id: JellyfinId) -> RouteResult {
    let user = ask.user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let shape = FieldSelection::all();
    let record = item_id_of(id).and_then(|item| scene.record(item)).ok_or(JellyfinError::NotFound)?;
    let above = [&record.parent, &record.grandparent].into_iter().flatten();
    let mut rows = lists::rows(&scene, above.filter_map(|above| scene.record(above.id)), &shape);
    let library = match record.kind {
        MediaKind::Collection => JellyfinLibrary::Collections,
        kind => JellyfinLibrary::Section(kind.section()),
    };
    rows.push(Value::Object(dto::library(&scene, library, library.name(), &shape)));
    rows.push(Value::Object(dto::root(&scene, &shape)));
    Ok(JellyfinResponse::json(Value::Array(rows)))
}

/// Collections that hold an item. Servers have this route from version 12 on.
fn collections(ask: &JellyfinRequest<'_>, id: JellyfinId) -> RouteResult {
    let user = ask.user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let item = item_id_of(id).and_then(|item| scene.record(item)).ok_or(JellyfinError::NotFound)?.id;
    let all = view.list(MediaKind::Collection, SortKey::Title);
    let holding = all.iter().copied().filter(|collection| view.children(*collection).contains(&item));
    let rows =
        lists::rows(&scene, holding.filter_map(|id| scene.record(id)), &FieldSelection::from_params(&ask.params)?);
    let total = rows.len();
    Ok(lists::paged(ask, rows, Some(total), 0))
}

/// Tracks of the same genre as a track, album or artist.
fn mix(ask: &JellyfinRequest<'_>, scene: &ResponseContext<'_>, id: JellyfinId) -> RouteResult {
    let limit = ask.params.count("limit")?.unwrap_or(200);
    let from = item_id_of(id).and_then(|item| scene.record(item)).ok_or(JellyfinError::NotFound)?;
    let artist = match from.kind {
        MediaKind::Artist => from.id,
        _ => from.grandparent.as_ref().or(from.parent.as_ref()).map_or(from.id, |above| above.id),
    };
    let tracks: Vec<ItemId> = scene.view.leaves(artist).into_iter().take(limit).collect();
    let total = tracks.len();
    let records = tracks.into_iter().filter_map(|track| scene.record(track));
    let rows = lists::rows(scene, records, &FieldSelection::from_params(&ask.params)?);
    Ok(lists::paged(ask, rows, Some(total), 0))
}

/// `GET /Items/Counts`.
fn counts(ask: &JellyfinRequest<'_>) -> RouteResult {
    let user = ask.user()?;
    let favourite = ask.params.flag("isfavorite")?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let of = |kind: MediaKind| match (scene.sees(kind.section()), favourite) {
        (false, _) => 0,
        (true, None) => view.count(kind),
        (true, Some(wanted)) => {
            let marked = |user| view.watches(user).into_iter().filter(|(_, watch)| watch.favourite);
            let kinds = |user| marked(user).filter(|(id, _)| view.kind(*id) == Some(kind)).count();
            let favourites = user.map_or(0, kinds);
            if wanted { favourites } else { view.count(kind) - favourites }
        }
    };
    // Every user's playlists count, whether this user sees them or not; no favourites are among them.
    let playlists = if favourite.is_none() && !scene.starting { view.playlist_count() } else { 0 };
    let every: usize = MediaKind::EVERY.into_iter().map(of).sum::<usize>() + playlists;
    Ok(JellyfinResponse::json(json!({
        "MovieCount": of(MediaKind::Film),
        "SeriesCount": of(MediaKind::Show),
        "EpisodeCount": of(MediaKind::Episode),
        "ArtistCount": of(MediaKind::Artist),
        "ProgramCount": 0,
        "TrailerCount": 0,
        "SongCount": of(MediaKind::Track),
        "AlbumCount": of(MediaKind::Album),
        "MusicVideoCount": 0,
        "BoxSetCount": of(MediaKind::Collection),
        "BookCount": 0,
        "ItemCount": every,
    })))
}
