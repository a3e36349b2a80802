//! User state on items: played, favourite, rating, and all of it at once.

use http::Method;
use serde_json::Value;

use super::{RouteResult, next, users};
use crate::catalogue::{ItemId, ItemRecord};
use crate::jellyfin::dto;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::request::{JellyfinRequest, field, text};
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::item_id_of;
use crate::state::{StateWrite, WatchChangeCause};
use crate::timestamp::{self, TICKS_PER_MS};
use crate::users::UserId;

/// Everything below `/UserItems`, `/UserPlayedItems`, `/UserFavoriteItems` and `/UserImage`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, parts: &[&str]) -> RouteResult {
    match (&ask.method, parts) {
        (&Method::GET, ["useritems", "resume"]) => next::resume(ask),
        (method, ["userplayeditems", id]) => match *method {
            Method::POST => played(ask, id),
            Method::DELETE => changed(ask, id, |write, item| {
                write.mark_unplayed(item);
            }),
            _ => Err(JellyfinError::WrongMethod),
        },
        (method, ["userfavoriteitems", id]) => match *method {
            Method::POST => changed(ask, id, |write, item| write.favourite(item, true)),
            Method::DELETE => changed(ask, id, |write, item| write.favourite(item, false)),
            _ => Err(JellyfinError::WrongMethod),
        },
        (method, ["useritems", id, "rating"]) => match *method {
            Method::POST => rate(ask, id),
            Method::DELETE => changed(ask, id, |write, item| write.rate(item, None)),
            _ => Err(JellyfinError::WrongMethod),
        },
        (&Method::GET, ["useritems", id, "userdata"]) => read(ask, id),
        (&Method::POST, ["useritems", id, "userdata"]) => update(ask, id),
        (_, ["userimage", ..]) => users::image(ask),
        _ => Err(JellyfinError::NotFound),
    }
}

fn played(ask: &JellyfinRequest<'_>, id: &str) -> RouteResult {
    let at = match ask.params.text("dateplayed") {
        Some(date) => Some(timestamp::read(date).ok_or_else(|| JellyfinError::invalid("datePlayed"))? / 1_000),
        None => None,
    };
    changed(ask, id, |write, item| match at {
        Some(at) => write.mark_played_at(item, at),
        None => write.mark_played(item),
    })
}

/// A like is a good rating, a dislike a bad one.
fn rate(ask: &JellyfinRequest<'_>, id: &str) -> RouteResult {
    let likes = ask.params.flag("likes")?;
    changed(ask, id, |write, item| write.rate(item, likes.map(|likes| if likes { 100 } else { 10 })))
}

fn read(ask: &JellyfinRequest<'_>, id: &str) -> RouteResult {
    let user = ask.some_user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, Some(user));
    let record =
        item_id_of(JellyfinRequest::id(id)?).and_then(|item| scene.record(item)).ok_or(JellyfinError::NotFound)?;
    Ok(JellyfinResponse::json(dto::user_data(&view, user, &record, false)))
}

/// `POST /UserItems/{id}/UserData`. Real servers apply it to the caller, whatever `userId` names.
fn update(ask: &JellyfinRequest<'_>, id: &str) -> RouteResult {
    let body = ask.json()?;
    let named = ask.some_user()?;
    let user = match ask.caller()?.grant.user {
        Some(own) if ask.server.switches.user_data_to_caller => own,
        _ => named,
    };
    changed_for(ask, user, id, |write, item| apply(write, item, &body))
}

fn apply(write: &mut StateWrite<'_>, item: ItemId, body: &Value) {
    let flag = |name: &str| field(body, name).and_then(Value::as_bool);
    let number = |name: &str| field(body, name).and_then(Value::as_u64);
    match flag("played") {
        Some(true) => write.mark_played(item),
        Some(false) => write.mark_unplayed(item),
        None => {}
    }
    if let Some(favourite) = flag("isfavorite") {
        write.favourite(item, favourite);
    }
    let tenths = field(body, "rating").and_then(Value::as_f64).map(|rating| (rating * 10.0).clamp(0.0, 100.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100")]
    let rating = tenths.map(|tenths| tenths.round() as u16).or(flag("likes").map(|likes| if likes { 100 } else { 10 }));
    if rating.is_some() {
        write.rate(item, rating);
    }
    let (offset, count) = (number("playbackpositionticks"), number("playcount"));
    let last = text(body, "lastplayeddate").and_then(timestamp::read);
    write.change_watch(item, WatchChangeCause::Rated, |watch| {
        watch.offset_ms = offset.map_or(watch.offset_ms, |ticks| ticks / TICKS_PER_MS);
        watch.views = count.and_then(|count| u32::try_from(count).ok()).unwrap_or(watch.views);
        watch.last_viewed_at = last.map(|ms| ms / 1_000).or(watch.last_viewed_at);
        watch.not_played = flag("played") == Some(false) && watch.views > 0;
    });
}

fn changed(ask: &JellyfinRequest<'_>, id: &str, change: impl FnOnce(&mut StateWrite<'_>, ItemId)) -> RouteResult {
    changed_for(ask, ask.some_user()?, id, change)
}

/// Changes the user's state on an item and responds with the new state.
fn changed_for(
    ask: &JellyfinRequest<'_>,
    user: UserId,
    id: &str,
    change: impl FnOnce(&mut StateWrite<'_>, ItemId),
) -> RouteResult {
    let item = item_id_of(JellyfinRequest::id(id)?).ok_or(JellyfinError::NotFound)?;
    let record: Option<ItemRecord> = {
        let view = ask.context.state.view();
        ask.response_context(&view, Some(user)).record(item)
    };
    if record.is_none() && ask.context.state.view().playlist(item).is_none() {
        return Err(JellyfinError::NotFound);
    }
    let data = ask.write(Some(user), |write| {
        change(write, item);
        let view = write.view();
        match &record {
            Some(record) => dto::user_data(&view, user, record, false),
            None => dto::plain_user_data(&view, user, item),
        }
    });
    Ok(JellyfinResponse::json(data))
}
