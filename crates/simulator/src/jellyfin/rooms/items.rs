//! `/Items`: single items, lists, latest, counts, and what lies around an item.

use http::Method;
use serde_json::{Value, json};

use super::{Outcome, changes, facets, images, lists, media, playback};
use crate::catalogue::{ItemId, Kind};
use crate::jellyfin::ask::Ask;
use crate::jellyfin::dto::{self, Shape};
use crate::jellyfin::find::thing_of;
use crate::jellyfin::ident::Ident;
use crate::jellyfin::library::Library;
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::scene::{Scene, item_of};

/// Everything below `/Items`.
pub(super) fn answer(ask: &Ask<'_>, rest: &[&str]) -> Outcome {
    match (&ask.method, rest) {
        (&Method::GET, []) => lists::items(ask),
        (&Method::DELETE, []) => changes::delete_many(ask),
        (&Method::GET, ["latest"]) => super::next::latest(ask),
        (&Method::GET, ["counts"]) => counts(ask),
        (&Method::GET, ["filters"]) => facets::filters(ask),
        (&Method::GET, ["filters2"]) => facets::filters2(ask),
        (&Method::GET, ["suggestions"]) => lists::suggestions(ask),
        (&Method::GET, ["root"]) => root(ask),
        (_, [id]) => of_item(ask, id),
        (_, [id, "images", rest @ ..]) => images::answer(ask, id, rest),
        (&Method::POST, [id, "refresh"]) => changes::refresh(ask, id),
        (_, [id, "playbackinfo"]) => playback::info(ask, id),
        (&Method::GET, [id, "download" | "file"]) => {
            ask.caller()?;
            media::file(ask, id)
        }
        (&Method::GET, [id, rest @ ..]) => around(ask, id, rest),
        _ => Err(Refusal::NotFound),
    }
}

fn of_item(ask: &Ask<'_>, id: &str) -> Outcome {
    match ask.method {
        Method::GET => single(ask, id),
        Method::POST => changes::edit(ask, id),
        Method::DELETE => changes::delete(ask, id),
        _ => Err(Refusal::WrongMethod),
    }
}

/// `GET /Items/{id}`: one thing with everything.
fn single(ask: &Ask<'_>, id: &str) -> Outcome {
    let id = Ask::id(id)?;
    let user = ask.user()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    lists::whole(&scene, id, &ask.language()).map(Reply::json).ok_or(Refusal::NotFound)
}

fn root(ask: &Ask<'_>) -> Outcome {
    let user = ask.user()?;
    let view = ask.ground.state.view();
    Ok(Reply::json(dto::root(&ask.scene(&view, user), &Shape::whole())))
}

fn around(ask: &Ask<'_>, id: &str, rest: &[&str]) -> Outcome {
    let id = Ask::id(id)?;
    let user = ask.user()?;
    match rest {
        ["similar"] => return lists::similar(ask, item_of(id).ok_or(Refusal::NotFound)?),
        ["ancestors"] => return ancestors(ask, id),
        _ => {}
    }
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    thing_of(&scene, id).ok_or(Refusal::NotFound)?;
    let nothing = || json!({"Items": [], "TotalRecordCount": 0, "StartIndex": 0, "OwnerId": id.hex()});
    match rest {
        ["thememedia"] => Ok(Reply::json(json!({
            "ThemeVideosResult": nothing(),
            "ThemeSongsResult": nothing(),
            "SoundtrackSongsResult": nothing(),
        }))),
        ["themesongs" | "themevideos"] => Ok(Reply::json(nothing())),
        ["intros"] => Ok(Reply::json(json!({"Items": [], "TotalRecordCount": 0, "StartIndex": 0}))),
        ["localtrailers" | "specialfeatures"] => Ok(Reply::json(json!([]))),
        ["instantmix"] => mix(ask, &scene, id),
        _ => Err(Refusal::NotFound),
    }
}

/// What stands above an item, nearest first.
fn ancestors(ask: &Ask<'_>, id: Ident) -> Outcome {
    let user = ask.user()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let shape = Shape::whole();
    let record = item_of(id).and_then(|item| scene.record(item)).ok_or(Refusal::NotFound)?;
    let above = [&record.parent, &record.grandparent].into_iter().flatten();
    let mut rows = lists::rows(&scene, above.filter_map(|above| scene.record(above.id)), &shape);
    let library = match record.kind {
        Kind::Collection => Library::Collections,
        kind => Library::Of(kind.section()),
    };
    rows.push(Value::Object(dto::library(&scene, library, library.name(), &shape)));
    rows.push(Value::Object(dto::root(&scene, &shape)));
    Ok(Reply::json(Value::Array(rows)))
}

/// Tracks of the same genre as a track, album or artist.
fn mix(ask: &Ask<'_>, scene: &Scene<'_>, id: Ident) -> Outcome {
    let limit = ask.params.count("limit")?.unwrap_or(200);
    let from = item_of(id).and_then(|item| scene.record(item)).ok_or(Refusal::NotFound)?;
    let artist = match from.kind {
        Kind::Artist => from.id,
        _ => from.grandparent.as_ref().or(from.parent.as_ref()).map_or(from.id, |above| above.id),
    };
    let tracks: Vec<ItemId> = scene.view.leaves(artist).into_iter().take(limit).collect();
    let total = tracks.len();
    let records = tracks.into_iter().filter_map(|track| scene.record(track));
    let rows = lists::rows(scene, records, &Shape::asked(&ask.params)?);
    Ok(lists::paged(ask, rows, Some(total), 0))
}

/// `GET /Items/Counts`.
fn counts(ask: &Ask<'_>) -> Outcome {
    let user = ask.user()?;
    let favourite = ask.params.flag("isfavorite")?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, user);
    let of = |kind: Kind| match (scene.sees(kind.section()), favourite) {
        (false, _) => 0,
        (true, None) => view.count(kind),
        (true, Some(wanted)) => {
            let marked = |user| view.watches(user).into_iter().filter(|(_, watch)| watch.favourite);
            let kinds = |user| marked(user).filter(|(id, _)| view.kind(*id) == Some(kind)).count();
            let favourites = user.map_or(0, kinds);
            if wanted { favourites } else { view.count(kind) - favourites }
        }
    };
    let every: usize = Kind::EVERY.into_iter().map(of).sum();
    Ok(Reply::json(json!({
        "MovieCount": of(Kind::Film),
        "SeriesCount": of(Kind::Show),
        "EpisodeCount": of(Kind::Episode),
        "ArtistCount": of(Kind::Artist),
        "ProgramCount": 0,
        "TrailerCount": 0,
        "SongCount": of(Kind::Track),
        "AlbumCount": of(Kind::Album),
        "MusicVideoCount": 0,
        "BoxSetCount": of(Kind::Collection),
        "BookCount": 0,
        "ItemCount": every,
    })))
}
