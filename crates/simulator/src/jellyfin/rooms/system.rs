//! `/System`: what the server says of itself.

use http::Method;
use serde_json::{Value, json};

use super::{Outcome, activity};
use crate::jellyfin::ask::Ask;
use crate::jellyfin::house::VERSION;
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::timestamp::written;

/// Everything below `/System`, and the time.
pub(super) fn answer(ask: &Ask<'_>, parts: &[&str]) -> Outcome {
    match (&ask.method, parts) {
        (&Method::GET, ["system", "info", "public"]) => Ok(Reply::json(public(ask))),
        (&Method::GET, ["system", "info"]) => {
            ask.caller()?;
            Ok(Reply::json(whole(ask)))
        }
        (&Method::GET | &Method::POST, ["system", "ping"]) => Ok(Reply::json("Jellyfin Server")),
        (&Method::GET, ["system", "endpoint"]) => {
            ask.caller()?;
            let local = ask.peer.starts_with("127.") || ask.peer == "::1";
            Ok(Reply::json(json!({"IsLocal": local, "IsInNetwork": true})))
        }
        (&Method::GET, ["system", "activitylog", "entries"]) => activity::entries(ask),
        (&Method::GET, ["getutctime"]) => {
            let now = written(ask.now_ms);
            Ok(Reply::json(json!({"RequestReceptionTime": now, "ResponseTransmissionTime": now})))
        }
        _ => Err(Refusal::NotFound),
    }
}

fn public(ask: &Ask<'_>) -> Value {
    json!({
        "LocalAddress": format!("http://{}{}", ask.ground.address(), ask.house.switches.base_url),
        "ServerName": ask.house.name,
        "Version": VERSION,
        "ProductName": "Jellyfin Server",
        "OperatingSystem": "",
        "Id": ask.house.server_id,
        "StartupWizardCompleted": true,
    })
}

fn whole(ask: &Ask<'_>) -> Value {
    let mut info = public(ask);
    let more = json!({
        "OperatingSystemDisplayName": "",
        "PackageName": "simulated",
        "HasPendingRestart": false,
        "IsShuttingDown": false,
        "SupportsLibraryMonitor": true,
        "WebSocketPortNumber": ask.ground.address().port(),
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
