//! `/Sessions`: what players report, and what they said they can do.

use http::Method;
use serde_json::{Value, json};

use super::sessions::{self, Wanted};
use super::{Outcome, login};
use crate::catalogue::ItemId;
use crate::jellyfin::ask::{Ask, field, text, texts};
use crate::jellyfin::ident::Ident;
use crate::jellyfin::journal::Event;
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::scene::item_of;
use crate::state::{Device, Playing, Progress};
use crate::timestamp::TICKS_PER_MS;

/// Everything below `/Sessions` and `/PlayingItems`.
pub(super) fn answer(ask: &Ask<'_>, parts: &[&str]) -> Outcome {
    match (&ask.method, parts) {
        (&Method::GET, ["sessions"]) => list(ask),
        (&Method::POST, ["sessions", "playing"]) => report(ask, Report::Start),
        (&Method::POST, ["sessions", "playing", "progress"]) => report(ask, Report::Progress),
        (&Method::POST, ["sessions", "playing", "stopped"]) => report(ask, Report::Stop),
        (&Method::POST, ["sessions", "playing", "ping"]) => {
            ask.caller()?;
            Ok(Reply::nothing())
        }
        (&Method::POST, ["sessions", "capabilities"]) => capabilities(ask, &Value::Null),
        (&Method::POST, ["sessions", "capabilities", "full"]) => capabilities(ask, &ask.json()?),
        (&Method::POST, ["sessions", "logout"]) => login::logout(ask),
        (&Method::POST, ["playingitems", item]) => of_item(ask, item, Report::Start),
        (&Method::POST, ["playingitems", item, "progress"]) => of_item(ask, item, Report::Progress),
        (&Method::DELETE, ["playingitems", item]) => of_item(ask, item, Report::Stop),
        _ => Err(Refusal::NotFound),
    }
}

/// All sessions for an administrator, one's own for others.
fn list(ask: &Ask<'_>) -> Outcome {
    let caller = ask.caller()?;
    let controllable = match ask.params.text("controllablebyuserid") {
        Some(user) => {
            let user = ask.user_named(user)?;
            let admin = ask.ground.state.users().user(user).is_some_and(|user| user.admin);
            (!admin).then_some(user)
        }
        None => None,
    };
    let within_s = ask.params.count("activewithinseconds")?.filter(|seconds| *seconds > 0);
    let wanted = Wanted {
        of: if caller.admin { controllable } else { caller.grant.user },
        device_id: ask.params.text("deviceid").map(str::to_owned),
        since_ms: within_s.map(|seconds| ask.now_ms.saturating_sub(seconds as u64 * 1_000)),
    };
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, caller.grant.user);
    Ok(Reply::json(Value::Array(sessions::sessions(ask.house, &scene, &wanted))))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    Start,
    Progress,
    Stop,
}

fn report(ask: &Ask<'_>, what: Report) -> Outcome {
    let body = ask.json()?;
    let item = text(&body, "itemid").or_else(|| field(&body, "item").and_then(|item| text(item, "id")));
    let item = item.and_then(Ident::read).and_then(item_of);
    let position = field(&body, "positionticks").and_then(Value::as_u64);
    let paused = field(&body, "ispaused").and_then(Value::as_bool).unwrap_or(false);
    take_in(ask, what, item, position, paused)
}

/// The older form, with the item in the path and the rest in the query.
fn of_item(ask: &Ask<'_>, item: &str, what: Report) -> Outcome {
    let item = item_of(Ask::id(item)?).ok_or(Refusal::NotFound)?;
    let position = ask.params.count("positionticks")?.map(|ticks| ticks as u64);
    take_in(ask, what, Some(item), position, ask.params.flag("ispaused")?.unwrap_or(false))
}

/// A report without an item is about what the device plays; without a position it is where it was.
fn take_in(
    ask: &Ask<'_>,
    what: Report,
    item: Option<ItemId>,
    position: Option<u64>,
    paused: bool,
) -> Outcome {
    let caller = ask.caller()?;
    let user = ask.own_user()?;
    let device = Device {
        client: caller.grant.device_id.clone(),
        name: caller.grant.device.clone(),
        product: caller.grant.client.clone(),
        version: caller.grant.version.clone(),
        platform: caller.grant.client.clone(),
        ..Device::default()
    };
    let (item, offset_ms, kind, title) = {
        let view = ask.ground.state.view();
        let playing = view
            .sessions()
            .iter()
            .find(|session| session.user == user && session.device.client == device.client);
        let Some(item) = item.or(playing.map(|session| session.item)) else { return Ok(Reply::nothing()) };
        let here = playing.filter(|session| session.item == item).map_or(0, |session| session.offset_ms);
        let Some(kind) = view.kind(item) else { return Err(Refusal::NotFound) };
        (
            item,
            position.map_or(here, |ticks| ticks / TICKS_PER_MS),
            kind,
            view.title(item).unwrap_or_default(),
        )
    };
    let progress = match (what, paused) {
        (Report::Stop, _) => Progress::Stopped,
        (_, true) => Progress::Paused,
        (_, false) => Progress::Playing,
    };
    ask.write(Some(user), |write| write.report(&Playing { item, progress, offset_ms, device }));
    let name = ask.ground.state.users().user(user).map_or("", |user| user.name.as_str());
    match what {
        Report::Start => {
            ask.house.journal.note(
                ask.now_ms,
                Event::Began(kind),
                &format!("{name} is playing {title}"),
                user,
                Some(item),
            );
        }
        Report::Stop => {
            let sentence = format!("{name} has finished playing {title}");
            ask.house.journal.note(ask.now_ms, Event::Stopped(kind), &sentence, user, Some(item));
        }
        Report::Progress => {}
    }
    Ok(Reply::nothing())
}

/// What the device can do, from the body or, in the older form, from the query.
fn capabilities(ask: &Ask<'_>, body: &Value) -> Outcome {
    let secret = ask.caller()?.grant.secret.clone();
    let list = |name: &str| {
        let of_body = texts(body, name).map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
        of_body.unwrap_or_else(|| ask.params.list(name).into_iter().map(str::to_owned).collect())
    };
    let flag = |name: &str| -> Result<bool, Refusal> {
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
    ask.house.capabilities.lock().insert(secret, can);
    Ok(Reply::nothing())
}
