//! `/System`: information on the server.

use http::Method;
use serde_json::{Value, json};

use super::{RouteResult, activity};
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::server::VERSION;
use crate::timestamp::written;

/// Everything below `/System`, and the time.
pub(super) fn answer(ask: &JellyfinRequest<'_>, parts: &[&str]) -> RouteResult {
    match (&ask.method, parts) {
        (&Method::GET, ["system", "info", "public"]) => Ok(JellyfinResponse::json(public(ask))),
        (&Method::GET, ["system", "info"]) => {
            ask.caller()?;
            Ok(JellyfinResponse::json(whole(ask)))
        }
        (&Method::GET | &Method::POST, ["system", "ping"]) => Ok(JellyfinResponse::json("Jellyfin Server")),
        (&Method::GET, ["system", "endpoint"]) => {
            ask.caller()?;
            let local = ask.peer.starts_with("127.") || ask.peer == "::1";
            Ok(JellyfinResponse::json(json!({"IsLocal": local, "IsInNetwork": true})))
        }
        (&Method::GET, ["system", "activitylog", "entries"]) => activity::entries(ask),
        (&Method::GET, ["getutctime"]) => {
            let now = written(ask.now_ms);
            Ok(JellyfinResponse::json(json!({"RequestReceptionTime": now, "ResponseTransmissionTime": now})))
        }
        _ => Err(JellyfinError::NotFound),
    }
}

fn public(ask: &JellyfinRequest<'_>) -> Value {
    json!({
        "LocalAddress": format!("http://{}{}", ask.context.address(), ask.server.switches.base_url),
        "ServerName": ask.server.name,
        "Version": VERSION,
        "ProductName": "Jellyfin Server",
        "OperatingSystem": "",
        "Id": ask.server.server_id,
        "StartupWizardCompleted": true,
    })
}

fn whole(ask: &JellyfinRequest<'_>) -> Value {
    let mut info = public(ask);
    let more = json!({
        "OperatingSystemDisplayName": "",
        "PackageName": "simulated",
        "HasPendingRestart": false,
        "IsShuttingDown": false,
        "SupportsLibraryMonitor": true,
        "WebSocketPortNumber": ask.context.address().port(),
        "CompletedInstallations": [],
        "CanSelfRestart": true,
        "CanLaunchWebBrowser": false,
        "ProgramDataPath": "/config/data",
        "WebPath": "/jellyfin/web",
        "ItemsByNamePath": "/config/metadata",
        "CachePath": "/cache",
        "LogPath": "/config/log",
        "InternalMetadataPath": "/config/metadata",
        "TranscodingTempPath": "/cache/transcodes",
        "CastReceiverApplications": [],
        "HasUpdateAvailable": false,
        "EncoderLocation": "System",
        "SystemArchitecture": "X64",
    });
    if let (Value::Object(info), Value::Object(more)) = (&mut info, more) {
        info.extend(more);
    }
    info
}
