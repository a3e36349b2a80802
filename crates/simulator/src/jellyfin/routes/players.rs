//! `/Sessions`: reports and capabilities of players.

use http::Method;
use serde_json::{Value, json};

use super::sessions::{self, SessionQuery};
use super::{RouteResult, login};
use crate::catalogue::ItemId;
use crate::jellyfin::activity_log::ActivityEvent;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::ident::JellyfinId;
use crate::jellyfin::request::{JellyfinRequest, field, text, texts};
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::item_id_of;
use crate::jellyfin::server::SocketEvent;
use crate::state::{PlaybackUpdate, PlayerDevice, PlayerState};
use crate::timestamp::TICKS_PER_MS;

/// Everything below `/Sessions` and `/PlayingItems`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, parts: &[&str]) -> RouteResult {
    match (&ask.method, parts) {
        (&Method::GET, ["sessions"]) => list(ask),
        (&Method::POST, ["sessions", "playing"]) => report(ask, PlaybackReportKind::Start),
        (&Method::POST, ["sessions", "playing", "progress"]) => report(ask, PlaybackReportKind::Progress),
        (&Method::POST, ["sessions", "playing", "stopped"]) => report(ask, PlaybackReportKind::Stop),
        (&Method::POST, ["sessions", "playing", "ping"]) => {
            ask.caller()?;
            Ok(JellyfinResponse::no_content())
        }
        (&Method::POST, ["sessions", "capabilities"]) => capabilities(ask, &Value::Null),
        (&Method::POST, ["sessions", "capabilities", "full"]) => capabilities(ask, &ask.json()?),
        (&Method::POST, ["sessions", "logout"]) => login::logout(ask),
        (&Method::POST, ["playingitems", item]) => report_item(ask, item, PlaybackReportKind::Start),
        (&Method::POST, ["playingitems", item, "progress"]) => report_item(ask, item, PlaybackReportKind::Progress),
        (&Method::DELETE, ["playingitems", item]) => report_item(ask, item, PlaybackReportKind::Stop),
        _ => Err(JellyfinError::NotFound),
    }
}

/// All sessions for an administrator, otherwise the user's own.
fn list(ask: &JellyfinRequest<'_>) -> RouteResult {
    let caller = ask.caller()?;
    let controllable = match ask.params.text("controllablebyuserid") {
        Some(user) => {
            let user = ask.user_named(user)?;
            let admin = ask.context.state.user(user).is_some_and(|user| user.admin);
            (!admin).then_some(user)
        }
        None => None,
    };
    let within_s = ask.params.count("activewithinseconds")?.filter(|seconds| *seconds > 0);
    let wanted = SessionQuery {
        user_id: if caller.admin { controllable } else { caller.grant.user },
        device_id: ask.params.text("deviceid").map(str::to_owned),
        since_ms: within_s.map(|seconds| ask.now_ms.saturating_sub(seconds as u64 * 1_000)),
    };
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, caller.grant.user);
    Ok(JellyfinResponse::json(Value::Array(sessions::sessions(ask.server, &scene, &wanted))))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PlaybackReportKind {
    Start,
    Progress,
    Stop,
}

fn report(ask: &JellyfinRequest<'_>, what: PlaybackReportKind) -> RouteResult {
    let body = ask.json()?;
    let item = text(&body, "itemid").or_else(|| field(&body, "item").and_then(|item| text(item, "id")));
    let item = item.and_then(JellyfinId::parse).and_then(item_id_of);
    let position = field(&body, "positionticks").and_then(Value::as_u64);
    let paused = field(&body, "ispaused").and_then(Value::as_bool).unwrap_or(false);
    take_in(ask, what, item, position, paused)
}

/// The legacy form, with the item in the path and the rest in the query.
fn report_item(ask: &JellyfinRequest<'_>, item: &str, what: PlaybackReportKind) -> RouteResult {
    let item = item_id_of(JellyfinRequest::id(item)?).ok_or(JellyfinError::NotFound)?;
    let position = ask.params.count("positionticks")?.map(|ticks| ticks as u64);
    take_in(ask, what, Some(item), position, ask.params.flag("ispaused")?.unwrap_or(false))
}

/// A report without an item is about the device's current item; without a position it keeps the last one.
fn take_in(
    ask: &JellyfinRequest<'_>,
    what: PlaybackReportKind,
    item: Option<ItemId>,
    position: Option<u64>,
    paused: bool,
) -> RouteResult {
    let caller = ask.caller()?;
    let user = ask.own_user()?;
    let device = PlayerDevice {
        client: caller.grant.device_id.clone(),
        name: caller.grant.device.clone(),
        product: caller.grant.client.clone(),
        version: caller.grant.version.clone(),
        platform: caller.grant.client.clone(),
        ..PlayerDevice::default()
    };
    let (item, offset_ms, kind, title) = {
        let view = ask.context.state.view();
        let playing =
            view.sessions().iter().find(|session| session.user == user && session.device.client == device.client);
        let Some(item) = item.or(playing.map(|session| session.item)) else {
            return Ok(JellyfinResponse::no_content());
        };
        let here = playing.filter(|session| session.item == item).map_or(0, |session| session.offset_ms);
        let Some(kind) = view.kind(item) else { return Err(JellyfinError::NotFound) };
        (item, position.map_or(here, |ticks| ticks / TICKS_PER_MS), kind, view.title(item).unwrap_or_default())
    };
    let progress = match (what, paused) {
        (PlaybackReportKind::Stop, _) => PlayerState::Stopped,
        (_, true) => PlayerState::Paused,
        (_, false) => PlayerState::Playing,
    };
    ask.write(Some(user), |write| write.report(&PlaybackUpdate { item, progress, offset_ms, device }));
    let name = ask.context.state.user(user).map(|user| user.name.clone()).unwrap_or_default();
    match what {
        PlaybackReportKind::Start => {
            ask.server.activity_log.record(
                ask.now_ms,
                ActivityEvent::Began(kind),
                &format!("{name} is playing {title}"),
                user,
                Some(item),
            );
        }
        PlaybackReportKind::Stop => {
            let sentence = format!("{name} has finished playing {title}");
            ask.server.activity_log.record(ask.now_ms, ActivityEvent::Stopped(kind), &sentence, user, Some(item));
        }
        PlaybackReportKind::Progress => {}
    }
    Ok(JellyfinResponse::no_content())
}

/// Capabilities of the device, from the body or, in the legacy form, from the query.
fn capabilities(ask: &JellyfinRequest<'_>, body: &Value) -> RouteResult {
    let secret = ask.caller()?.grant.secret.clone();
    let list = |name: &str| {
        let of_body = texts(body, name).map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
        of_body.unwrap_or_else(|| ask.params.list(name).into_iter().map(str::to_owned).collect())
    };
    let flag = |name: &str| -> Result<bool, JellyfinError> {
        let of_query = ask.params.flag(name)?;
        Ok(field(body, name).and_then(Value::as_bool).or(of_query).unwrap_or(false))
    };
    let can = json!({
        "PlayableMediaTypes": list("playablemediatypes"),
        "SupportedCommands": list("supportedcommands"),
        "SupportsMediaControl": flag("supportsmediacontrol")?,
        "SupportsPersistentIdentifier": flag("supportspersistentidentifier")?,
    });
    ask.write(ask.own_user().ok(), |_| ());
    ask.server.capabilities.lock().insert(secret, can);
    ask.server.notify(SocketEvent::SessionsChanged { at_once: true });
    Ok(JellyfinResponse::no_content())
}
