//! What a gateway in front of a media server can be hurt with, or hurt others with: fifteen hazards, a file for each.
//!
//! Each plays through the whole process. The media server behind it is scripted down to the byte, and most often
//! repeats in its answer what it was asked, so that whatever crossed over shows.

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
use greenroom_dialect::ask::Kind;
use tokio_util::task::TaskTracker;

use crate::stage::scripted::{Arrived, Reply, Scripted};
use crate::stage::{Answer, Client, Script, Stage};

/// A token that is easy to find wherever it should not be.
const TOKEN: &str = "SECRETtoken0123456789abcdef";

/// A scripted server and the process in front of it.
async fn play(
    kind: Kind,
    more: &str,
    script: impl Fn(&Arrived) -> Reply + Send + Sync + 'static,
) -> (Scripted, Stage) {
    play_at(Clock::system(), kind, more, script).await
}

/// The same on another clock.
async fn play_at(
    clock: Clock,
    kind: Kind,
    more: &str,
    script: impl Fn(&Arrived) -> Reply + Send + Sync + 'static,
) -> (Scripted, Stage) {
    let server = Scripted::start(&TaskTracker::new(), script).await;
    let url = format!("http://{}", server.address);
    let stage = Script::new().server("home", kind.name(), &url, more).start_at(clock).await;
    (server, stage)
}

async fn end(server: Scripted, stage: Stage) {
    server.stop();
    stage.down().await;
}

/// A client of this dialect with a token.
fn client(stage: &Stage, kind: Kind, token: &str) -> Client {
    match kind {
        Kind::Plex => stage.client().with("x-plex-token", token).with("accept", "application/json"),
        Kind::Jellyfin => stage.client().with("authorization", &media_browser(token)),
    }
}

fn media_browser(token: &str) -> String {
    format!("MediaBrowser Client=\"T\", Device=\"T\", DeviceId=\"t\", Version=\"1\", Token=\"{token}\"")
}

/// Answers with what was asked, in the form that was asked for.
fn echo(kind: Kind) -> impl Fn(&Arrived) -> Reply + Send + Sync + 'static {
    move |request| {
        let asked = request.head.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let path = request.target.split('?').next().unwrap_or_default();
        let is_picture =
            ["/Images/", "/UserImage", "/thumb", "/art", "/composite", "/photo/", "/:/resources", "Splash"]
                .iter()
                .any(|part| path.contains(part));
        let wants_json = request.header("accept").iter().any(|accept| accept.contains("json"));
        let (content_type, body) = match kind {
            _ if is_picture => ("image/gif", format!("GIF89a asked={asked} ;")),
            Kind::Plex if path.starts_with("/web/") => ("text/javascript", format!("// asked={asked} ")),
            Kind::Plex if wants_json => {
                ("application/json", format!(r#"{{"MediaContainer":{{"size":0,"echo":"asked={asked} "}}}}"#))
            }
            Kind::Plex => ("text/xml", format!(r#"<MediaContainer size="0" echo="asked={asked} "/>"#)),
            Kind::Jellyfin if path.to_ascii_lowercase().contains("css") => {
                ("text/css", format!("/* asked={asked} */"))
            }
            Kind::Jellyfin => (
                "application/json",
                format!(r#"{{"Items":[],"TotalRecordCount":0,"StartIndex":0,"Echo":"asked={asked} "}}"#),
            ),
        };
        Reply::Bytes(crate::stage::scripted::answer("200 OK", content_type, &body))
    }
}

/// What the server was asked when it gave this answer.
fn asked_for(answer: &Answer) -> String {
    let text = answer.text();
    let Some((_, rest)) = text.split_once("asked=") else { return String::new() };
    let digits: Vec<u8> = rest.bytes().take_while(u8::is_ascii_hexdigit).collect();
    let byte =
        |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("a byte");
    String::from_utf8_lossy(&digits.chunks(2).map(byte).collect::<Vec<_>>()).into_owned()
}
