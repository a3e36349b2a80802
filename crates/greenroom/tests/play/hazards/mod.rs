//! Ways in which a gateway in front of a media server can be attacked, or used for attacks: fifteen hazards, a file for
//! each.
//!
//! Each plays through the whole process. The media server behind it is scripted down to the byte, and mostly echoes the
//! request in its response, so that anything that crossed over shows.

mod eight_fetching_for_strangers;
mod eleven_managed_users;
mod fifteen_account_pages;
mod five_forwarded_for;
mod four_local_trust;
mod fourteen_open_media;
mod nine_framing;
mod nine_framing_of_the_server;
mod one_leaks_between_users;
mod readings;
mod seven_deception;
mod six_poisoning;
mod ten_secrets_shown;
mod thirteen_exhaustion;
mod three_at_rest;
mod twelve_control_surface;
mod two_revocation;

use greenroom_cache::Clock;
use greenroom_dialect::request::ServerKind;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient, TestResponse};

/// A token that is easy to find in places where it must not be.
const TOKEN: &str = "SECRETtoken0123456789abcdef";

/// A scripted server and the process in front of it.
async fn play(
    kind: ServerKind,
    more: &str,
    script: impl Fn(&ReceivedRequest) -> ScriptedReply + Send + Sync + 'static,
) -> (ScriptedServer, GatewayFixture) {
    play_at(Clock::system(), kind, more, script).await
}

/// The same on another clock.
async fn play_at(
    clock: Clock,
    kind: ServerKind,
    more: &str,
    script: impl Fn(&ReceivedRequest) -> ScriptedReply + Send + Sync + 'static,
) -> (ScriptedServer, GatewayFixture) {
    let server = ScriptedServer::start(&TaskTracker::new(), script).await;
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("home", kind.name(), &url, more).start_at(clock).await;
    (server, stage)
}

async fn end(server: ScriptedServer, stage: GatewayFixture) {
    server.stop();
    stage.stop().await;
}

/// A client of this dialect with a token.
fn client(stage: &GatewayFixture, kind: ServerKind, token: &str) -> TestClient {
    match kind {
        ServerKind::Plex => stage.client().with("x-plex-token", token).with("accept", "application/json"),
        ServerKind::Jellyfin => stage.client().with("authorization", &media_browser(token)),
    }
}

fn media_browser(token: &str) -> String {
    format!("MediaBrowser Client=\"T\", Device=\"T\", DeviceId=\"t\", Version=\"1\", Token=\"{token}\"")
}

/// Echoes the request, in the requested format.
fn echo(kind: ServerKind) -> impl Fn(&ReceivedRequest) -> ScriptedReply + Send + Sync + 'static {
    move |request| {
        let asked = request.head.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let path = request.target.split('?').next().unwrap_or_default();
        let is_picture =
            ["/Images/", "/UserImage", "/thumb", "/art", "/composite", "/photo/", "/:/resources", "Splash"]
                .iter()
                .any(|part| path.contains(part))
                || path.ends_with("/Image");
        let wants_json = request.header("accept").iter().any(|accept| accept.contains("json"));
        let (content_type, body) = match kind {
            _ if is_picture => ("image/gif", format!("GIF89a asked={asked} ;")),
            ServerKind::Plex if path.starts_with("/web/") => ("text/javascript", format!("// asked={asked} ")),
            ServerKind::Plex if wants_json => {
                ("application/json", format!(r#"{{"MediaContainer":{{"size":0,"echo":"asked={asked} "}}}}"#))
            }
            ServerKind::Plex => ("text/xml", format!(r#"<MediaContainer size="0" echo="asked={asked} "/>"#)),
            ServerKind::Jellyfin if path.to_ascii_lowercase().contains("css") => {
                ("text/css", format!("/* asked={asked} */"))
            }
            ServerKind::Jellyfin => (
                "application/json",
                format!(r#"{{"Items":[],"TotalRecordCount":0,"StartIndex":0,"Echo":"asked={asked} "}}"#),
            ),
        };
        ScriptedReply::Bytes(crate::fixture::scripted::answer("200 OK", content_type, &body))
    }
}

/// The request that the server answered with this response.
fn asked_for(answer: &TestResponse) -> String {
    let text = answer.text();
    let Some((_, rest)) = text.split_once("asked=") else { return String::new() };
    let digits: Vec<u8> = rest.bytes().take_while(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("a byte");
    String::from_utf8_lossy(&digits.chunks(2).map(byte).collect::<Vec<_>>()).into_owned()
}
