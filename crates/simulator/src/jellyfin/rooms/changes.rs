//! Changes to the library: edits, refreshes, deletions, collections.

use http::Method;
use serde_json::{Value, json};

use super::Outcome;
use crate::catalogue::{External, ItemId, Kind, Record};
use crate::jellyfin::ask::{Ask, field, text, texts};
use crate::jellyfin::house::Notice;
use crate::jellyfin::ident::{Ident, Space};
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::scene::{Scene, item_of};
use crate::users::UserId;

/// `POST /Items/{id}`: the whole item as it shall be.
pub(super) fn edit(ask: &Ask<'_>, id: &str) -> Outcome {
    ask.admin()?;
    let body = ask.json()?;
    let item = item_of(Ask::id(id)?).ok_or(Refusal::NotFound)?;
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
    if edited { Ok(Reply::nothing()) } else { Err(Refusal::NotFound) }
}

fn apply(record: &mut Record, body: &Value) {
    let list =
        |name: &str| texts(body, name).map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
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
    let year =
        field(body, "productionyear").and_then(Value::as_u64).and_then(|year| u16::try_from(year).ok());
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

fn external(source: &str, id: &str) -> Option<External> {
    let source = match source.to_ascii_lowercase().as_str() {
        "imdb" => "imdb",
        "tmdb" => "tmdb",
        "tvdb" => "tvdb",
        source if source.starts_with("musicbrainz") => "mbid",
        _ => return None,
    };
    Some(External { source, id: id.to_owned() })
}

/// `POST /Items/{id}/Refresh`: looks the item up again; with all images replaced, their tags change.
pub(super) fn refresh(ask: &Ask<'_>, id: &str) -> Outcome {
    ask.admin()?;
    let id = Ask::id(id)?;
    let replace = ask.params.flag("replaceallimages")?.unwrap_or(false);
    let user = ask.caller()?.grant.user;
    let known = ask.write(user, |write| match item_of(id) {
        Some(item) => write.edit(item, |_| ()) || write.view().playlist(item).is_some(),
        None => id.space == Space::Library,
    });
    if !known {
        return Err(Refusal::NotFound);
    }
    if replace {
        let kind = item_of(id).and_then(|item| ask.ground.state.view().kind(item));
        ask.house.art.renew(id, kind);
    }
    for percent in ["0", "100"] {
        ask.house.notify(Notice::Refreshing(id.hex(), percent));
    }
    Ok(Reply::nothing())
}

/// `DELETE /Items/{id}`.
pub(super) fn delete(ask: &Ask<'_>, id: &str) -> Outcome {
    let item = item_of(Ask::id(id)?).ok_or(Refusal::NotFound)?;
    delete_one(ask, item)?;
    Ok(Reply::nothing())
}

/// `DELETE /Items?ids=`.
pub(super) fn delete_many(ask: &Ask<'_>) -> Outcome {
    for id in ask.params.list("ids") {
        delete_one(ask, item_of(Ask::id(id)?).ok_or(Refusal::NotFound)?)?;
    }
    Ok(Reply::nothing())
}

/// Items are deleted by the administrator, playlists also by their owner. Others are refused with 401, as the server
/// does.
fn delete_one(ask: &Ask<'_>, item: ItemId) -> Result<(), Refusal> {
    let caller = ask.caller()?;
    let user = caller.grant.user;
    let owner = ask.ground.state.view().playlist(item).map(|playlist| playlist.owner);
    if !caller.admin && (owner.is_none() || owner != user) {
        let known = ask.ground.state.view().kind(item).is_some() || owner.is_some();
        return Err(if known {
            Refusal::NotPermitted("Unauthorized access".into())
        } else {
            Refusal::NotFound
        });
    }
    let gone = ask
        .write(user, |write| if owner.is_some() { write.delete_playlist(item) } else { write.delete(item) });
    if gone { Ok(()) } else { Err(Refusal::NotFound) }
}

/// `/Collections`: made by the administrator.
pub(super) fn collections(ask: &Ask<'_>, rest: &[&str]) -> Outcome {
    ask.admin()?;
    let user = ask.caller()?.grant.user;
    match (&ask.method, rest) {
        (&Method::POST, []) => {
            let name = ask.params.text("name").ok_or_else(|| Refusal::invalid("name"))?.to_owned();
            let ids = wanted(ask);
            let id = ask.write(user, |write| write.add_collection(&name, &ids));
            Ok(Reply::json(json!({"Id": Scene::hex(id)})))
        }
        (&Method::POST, [id, "items"]) => members(ask, user, id, |held, ids| {
            held.extend(ids.iter().filter(|id| !held.contains(id)).copied().collect::<Vec<_>>());
        }),
        (&Method::DELETE, [id, "items"]) => {
            members(ask, user, id, |held, ids| held.retain(|id| !ids.contains(id)))
        }
        _ => Err(Refusal::NotFound),
    }
}

fn wanted(ask: &Ask<'_>) -> Vec<ItemId> {
    ask.params.list("ids").into_iter().filter_map(Ident::read).filter_map(item_of).collect()
}

fn members(
    ask: &Ask<'_>,
    user: Option<UserId>,
    id: &str,
    change: impl FnOnce(&mut Vec<ItemId>, &[ItemId]),
) -> Outcome {
    let collection = item_of(Ask::id(id)?).ok_or(Refusal::NotFound)?;
    let ids = wanted(ask);
    let known = ask.write(user, |write| {
        if write.view().kind(collection) != Some(Kind::Collection) {
            return false;
        }
        let mut held = write.view().children(collection);
        change(&mut held, &ids);
        write.set_members(collection, held);
        true
    });
    if known { Ok(Reply::nothing()) } else { Err(Refusal::NotFound) }
}
