//! Sessions: one row per known device, and per playback of a device without a token of this server.

use serde_json::{Value, json};

use crate::jellyfin::dto::{self, JsonFields, put};
use crate::jellyfin::ident::{IdNamespace, JellyfinId, digest};
use crate::jellyfin::response_context::ResponseContext;
use crate::jellyfin::server::JellyfinServer;
use crate::jellyfin::tokens::TokenGrant;
use crate::state::{PlayerDevice, PlayerState, SimulatedSession};
use crate::timestamp::{TICKS_PER_MS, written, written_s};
use crate::users::UserId;

/// Query of a list of sessions.
#[derive(Debug, Clone, Default)]
pub(crate) struct SessionQuery {
    /// Only sessions of this user.
    pub(crate) user_id: Option<UserId>,
    /// Only this device.
    pub(crate) device_id: Option<String>,
    /// Only sessions that were active at this time or later, in milliseconds.
    pub(crate) since_ms: Option<u64>,
}

/// The sessions, as the server writes them.
pub(crate) fn sessions(house: &JellyfinServer, scene: &ResponseContext<'_>, wanted: &SessionQuery) -> Vec<Value> {
    let grants = house.tokens.all();
    let seated = grants.iter().filter(|grant| grant.user.is_some() && grant.active_ms > 0);
    let playing = scene.view.sessions();
    let mut rows: Vec<(Option<UserId>, String, u64, Value)> = seated
        .clone()
        .map(|grant| {
            let row = session_of_grant(house, scene, grant, &grant.peer);
            (grant.user, grant.device_id.clone(), grant.active_ms, row)
        })
        .collect();
    for session in playing.iter().filter(|session| !seated.clone().any(|grant| belongs(session, grant))) {
        let row =
            (Some(session.user), session.device.client.clone(), scene.now_ms, session_of_device(house, scene, session));
        rows.push(row);
    }
    rows.into_iter()
        .filter(|(user, ..)| wanted.user_id.is_none() || *user == wanted.user_id)
        .filter(|(_, device_id, ..)| wanted.device_id.as_ref().is_none_or(|only| only == device_id))
        .filter(|(_, _, active_ms, _)| wanted.since_ms.is_none_or(|since| *active_ms >= since))
        .map(|(.., row)| row)
        .collect()
}

/// The session of a token.
pub(super) fn session_of_grant(
    house: &JellyfinServer,
    scene: &ResponseContext<'_>,
    grant: &TokenGrant,
    peer: &str,
) -> Value {
    let playing = scene.view.sessions().iter().find(|session| belongs(session, grant));
    let device = PlayerDevice {
        client: grant.device_id.clone(),
        name: grant.device.clone(),
        product: grant.client.clone(),
        version: grant.version.clone(),
        ..PlayerDevice::default()
    };
    let seat =
        SessionSource { user: grant.user, device: &device, peer, active_ms: grant.active_ms.max(grant.created_ms) };
    let capabilities = house.capabilities.lock().get(&grant.secret).cloned();
    row(house, scene, &seat, playing, capabilities)
}

fn session_of_device(house: &JellyfinServer, scene: &ResponseContext<'_>, session: &SimulatedSession) -> Value {
    let seat =
        SessionSource { user: Some(session.user), device: &session.device, peer: "127.0.0.1", active_ms: scene.now_ms };
    row(house, scene, &seat, Some(session), None)
}

fn belongs(session: &SimulatedSession, grant: &TokenGrant) -> bool {
    grant.user == Some(session.user) && grant.device_id == session.device.client
}

/// The id of the session of a user on a device.
pub(super) fn session_id(user: Option<UserId>, device_id: &str) -> String {
    digest(&[u64::from(user.map_or(0, |user| user.0)), xxhash_rust::xxh3::xxh3_64(device_id.as_bytes())])
}

struct SessionSource<'a> {
    user: Option<UserId>,
    device: &'a PlayerDevice,
    peer: &'a str,
    active_ms: u64,
}

fn row(
    house: &JellyfinServer,
    scene: &ResponseContext<'_>,
    seat: &SessionSource<'_>,
    playing: Option<&SimulatedSession>,
    capabilities: Option<Value>,
) -> Value {
    let user = seat.user.and_then(|user| scene.view.user(user));
    let capabilities = capabilities.unwrap_or_else(no_capabilities);
    let mut fields = JsonFields::new();
    put(&mut fields, "PlayState", play_state(playing));
    put(&mut fields, "AdditionalUsers", json!([]));
    put(&mut fields, "PlayableMediaTypes", capabilities["PlayableMediaTypes"].clone());
    put(&mut fields, "SupportedCommands", capabilities["SupportedCommands"].clone());
    put(&mut fields, "SupportsMediaControl", capabilities["SupportsMediaControl"].clone());
    put(&mut fields, "SupportsRemoteControl", capabilities["SupportsMediaControl"].clone());
    put(&mut fields, "Capabilities", capabilities);
    put(&mut fields, "RemoteEndPoint", seat.peer);
    put(&mut fields, "Id", session_id(seat.user, &seat.device.client));
    put(&mut fields, "UserId", JellyfinId::new(IdNamespace::User, seat.user.map_or(0, |user| user.0)).hex());
    put(&mut fields, "UserName", user.map(|user| user.name.clone()));
    put(&mut fields, "Client", seat.device.product.as_str());
    put(&mut fields, "DeviceName", seat.device.name.as_str());
    put(&mut fields, "DeviceId", seat.device.client.as_str());
    put(&mut fields, "ApplicationVersion", seat.device.version.as_str());
    put(&mut fields, "LastActivityDate", written(seat.active_ms));
    put(&mut fields, "LastPlaybackCheckIn", playing.map_or_else(|| NEVER.to_owned(), |_| written(scene.now_ms)));
    put(&mut fields, "IsActive", true);
    put(&mut fields, "HasCustomDeviceName", false);
    put(&mut fields, "ServerId", house.server_id.as_str());
    put(&mut fields, "NowPlayingQueue", json!([]));
    put(&mut fields, "NowPlayingQueueFullItems", json!([]));
    if let Some((session, record)) = playing.and_then(|session| Some((session, scene.view.record(session.item)?))) {
        put(&mut fields, "NowPlayingItem", dto::brief(scene, &record));
        let paused = (session.progress == PlayerState::Paused).then(|| written_s(session.started_at));
        put(&mut fields, "LastPausedDate", paused);
    }
    Value::Object(fields)
}

/// The zero date.
const NEVER: &str = "0001-01-01T00:00:00.0000000Z";

fn play_state(playing: Option<&SimulatedSession>) -> Value {
    let mut state = json!({
        "CanSeek": playing.is_some(),
        "IsPaused": playing.is_some_and(|session| session.progress == PlayerState::Paused),
        "IsMuted": false,
        "RepeatMode": "RepeatNone",
        "PlaybackOrder": "Default",
    });
    if let Some(session) = playing {
        state["PositionTicks"] = json!(session.offset_ms * TICKS_PER_MS);
        state["MediaSourceId"] = json!(ResponseContext::hex(session.item));
        state["PlayMethod"] = json!("DirectPlay");
        state["VolumeLevel"] = json!(100);
    }
    state
}

fn no_capabilities() -> Value {
    json!({
        "PlayableMediaTypes": [],
        "SupportedCommands": [],
        "SupportsMediaControl": false,
        "SupportsPersistentIdentifier": true,
    })
}
