//! 10. Exposed secrets: no token, wherever it was sent and however it was encoded, shows in the log at its lowest
//!     level, in metrics, figures, the page, errors, or the `Debug` output of our types.

use std::path::Path;
use std::process::Stdio;

use greenroom_dialect::redact;
use greenroom_dialect::request::{RequestView, ServerKind};
use http::{HeaderMap, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::task::TaskTracker;

use super::{TOKEN, client, echo, end, media_browser, play};
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer};
use crate::fixture::{RawClient, TestClient};

fn packed(text: &str, times: usize) -> String {
    (0..times).fold(text.to_owned(), |inner, _| utf8_percent_encode(&inner, NON_ALPHANUMERIC).to_string())
}

/// Every place in which clients of a dialect send tokens, and unusual ones that attackers use.
fn requests(kind: ServerKind) -> Vec<String> {
    let mut requests = Vec::new();
    let mut add = |method: &str, target: &str, headers: &str| {
        requests.push(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n"));
    };
    let nested =
        |times| packed(&format!("http://127.0.0.1:32400/library/metadata/1/thumb/2?X-Plex-Token={TOKEN}"), times);
    match kind {
        ServerKind::Plex => {
            let header = format!("X-Plex-Token: {TOKEN}\r\nReferer: http://h/?X-Plex-Token={TOKEN}\r\n");
            for target in [
                "/library/sections",
                "/unknown",
                "/myplex/account",
                "/library/parts/1/2/a.mp4",
                "/fails",
                "/:/websockets/notifications",
            ] {
                add("GET", target, &header);
                add("GET", &format!("{target}?X-Plex-Token={TOKEN}"), "");
                add("GET", &format!("{target}?x-plex%2dtoken={}", packed(TOKEN, 1)), "");
            }
            for times in 0..5 {
                add("GET", &format!("/photo/:/transcode?width=1&url={}", nested(times)), &header);
                add("GET", &format!("/library/sections/1/all?source={}", nested(times)), &header);
                add("PUT", &format!("/library/metadata/1/posters?url={}", nested(times)), &header);
            }
            add("GET", "/library/sections", &format!("{header}X-Plex-Product: {TOKEN}\r\n"));
            add("GET", "/library/sections", &format!("X-Plex-Product: App {TOKEN}\r\nX-Plex-Token: other\r\n"));
            add("GET", "/library/sections", &format!("{header}User-Agent: {TOKEN}/1.0\r\n"));
            add("GET", "/unknown", &format!("User-Agent: {TOKEN}\r\n"));
            add("GET", &format!("/library/../x?X-Plex-Token={TOKEN}"), "");
            add("GET", &format!("/{TOKEN}/x"), &header);
            add("POST", &format!("/hooks/plex/{TOKEN}"), "Content-Length: 0\r\n");
        }
        ServerKind::Jellyfin => {
            let said = media_browser(TOKEN);
            for target in ["/Items", "/unknown", "/Users/Me", "/Videos/1/stream", "/fails", "/socket"] {
                add("GET", target, &format!("Authorization: {said}\r\n"));
                add("GET", target, &format!("X-Emby-Authorization: {said}\r\n"));
                add("GET", target, &format!("X-Emby-Token: {TOKEN}\r\n"));
                add("GET", target, &format!("X-MediaBrowser-Token: {TOKEN}\r\n"));
                add("GET", &format!("{target}?api_key={TOKEN}"), "");
                add("GET", &format!("{target}?ApiKey={}", packed(TOKEN, 1)), "");
            }
            for token in [TOKEN, "other"] {
                let named =
                    format!("MediaBrowser Client=\"{TOKEN}\", DeviceId=\"t\", Version=\"1\", Token=\"{token}\"");
                add("GET", "/Items", &format!("Authorization: {named}\r\n"));
                add("GET", "/Items", &format!("User-Agent: {TOKEN}/1.0\r\nX-Emby-Token: {token}\r\n"));
            }
            add("DELETE", &format!("/Auth/Keys/{TOKEN}"), &format!("X-Emby-Token: {TOKEN}\r\n"));
            add("GET", &format!("/Images/Remote?imageUrl={}", nested(2)), &format!("X-Emby-Token: {TOKEN}\r\n"));
            let login = format!("{{\"Username\":\"a\",\"Pw\":\"{TOKEN}\"}}");
            let length = format!("Content-Length: {}\r\n\r\n{login}", login.len());
            add("POST", "/Users/AuthenticateByName", &length);
        }
    }
    requests
}

/// Repeats the token in every response, as careless servers do.
fn careless(kind: ServerKind) -> impl Fn(&ReceivedRequest) -> ScriptedReply + Send + Sync + 'static {
    let echo = echo(kind);
    move |request| match request.target.split('?').next().unwrap_or_default() {
        "/fails" => ScriptedReply::Bytes(answer("500 Oops", "text/plain", &request.head)),
        "/identity" | "/System/Info/Public" => ScriptedReply::Bytes(answer("401 Unauthorized", "text/html", TOKEN)),
        "/unknown" if request.before % 2 == 1 => ScriptedReply::Bytes(format!("HTTP/1.1 {TOKEN}\r\n\r\n").into_bytes()),
        _ => echo(request),
    }
}

/// Whether the text contains the token or an encoded form of it.
fn shows(text: &str) -> bool {
    redact::contains_secret(text, TOKEN) || text.to_ascii_lowercase().contains(&TOKEN.to_ascii_lowercase())
}

/// The program with the token in every place for secrets, and at its most verbose.
fn loudest(kind: ServerKind, server: &ScriptedServer, folder: &Path) -> Child {
    let token_file = folder.join("token");
    std::fs::write(&token_file, format!("{TOKEN}\n")).expect("it can be written");
    Command::new(env!("CARGO_BIN_EXE_greenroom"))
        .env_clear()
        .env("HOME", folder)
        .env("GREENROOM_LOG", "trace")
        .env("GREENROOM_LOG_FORMAT", if kind == ServerKind::Plex { "text" } else { "json" })
        .env("GREENROOM_NOTICE_PHONE_URL", format!("http://{}/unknown/{TOKEN}?token={TOKEN}", server.address))
        .env("GREENROOM_NOTICE_PHONE_TOKEN", TOKEN)
        .env("GREENROOM_NOTICE_PHONE_SECRET", TOKEN)
        .env("GREENROOM_NOTICE_PHONE_GROUP_S", "0")
        .env("GREENROOM_TRACING_OTLP_URL", format!("http://{}/unknown/{TOKEN}", server.address))
        .env("GREENROOM_TRACING_TOKEN", TOKEN)
        .env("GREENROOM_TRACING_SAMPLE_ONE_IN", "1")
        .args(["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--token-file"])
        .arg(&token_file)
        .arg(format!("--{}", kind.name()))
        .arg(format!("http://{}", server.address))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_no_token_shows_in_the_loudest_log_the_metrics_the_figures_or_the_page() {
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        let server = ScriptedServer::start(&TaskTracker::new(), careless(kind)).await;
        let folder = tempfile::tempdir().expect("a folder");
        let mut program = loudest(kind, &server, folder.path());
        let mut lines = BufReader::new(program.stdout.take().expect("it has an output")).lines();
        // A program whose log is not read waits as soon as the pipe is full.
        let mut errors = program.stderr.take().expect("it has a log");
        let log = TaskTracker::new().spawn(async move {
            let mut log = String::new();
            errors.read_to_string(&mut log).await.expect("text");
            log
        });
        let mut said = String::new();
        let (mut apps, mut control) = (None, None);
        while control.is_none() {
            let line = lines.next_line().await.expect("text").expect("it prints more");
            apps = apps.or_else(|| line.trim().strip_prefix("point your apps at http://").map(str::to_owned));
            control = line.strip_prefix("page: http://").map(|rest| rest.trim_end_matches('/').to_owned());
            said += &line;
        }
        let apps = apps.expect("it says where").parse().expect("an address");
        for request in requests(kind) {
            // Some of these are cut off, some become sockets: only the output counts.
            drop(RawClient::connect(apps).await.ask(request).await);
        }
        let control = TestClient::new(control.expect("it says where").parse().expect("an address"));
        for path in [
            "/metrics",
            "/api/v1/cache/stats",
            "/api/v1/servers",
            "/api/v1/statistics",
            "/api/v1/statistics?by=app",
            "/api/v1/decisions",
            "/api/v1/observe",
            "/readyz",
            "/",
            "/api/v1/nothing?token=x",
        ] {
            let shown = control.get(path).await;
            assert!(!shows(&shown.text()) && !shows(&format!("{:?}", shown.headers)), "{path}: {}", shown.text());
        }
        let own = std::fs::read_to_string(folder.path().join(".local/state/greenroom/control.token")).expect("a token");
        let owner = control.with("authorization", &format!("Bearer {}", own.trim()));
        let tried = owner.send(Method::POST, "/api/v1/notices/test", "").await;
        assert_eq!(tried.status, 200);
        assert!(!shows(&tried.text()), "{}", tried.text());
        let pid = program.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").arg(pid).status().expect("kill runs").success());
        let log = log.await.expect("the log is read");
        program.wait().await.expect("it ends");
        assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log was quiet: {log}");
        for line in log.lines().chain([said.as_str()]) {
            assert!(!shows(line), "{kind:?}: {line}");
        }
        for traces in server.received().iter().filter(|request| request.target.ends_with("/v1/traces")) {
            assert!(!shows(&String::from_utf8_lossy(&traces.body)), "{kind:?}: a trace");
        }
        if kind == ServerKind::Jellyfin {
            let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with("greenroom: ")).collect();
            assert!(lines.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
        }
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_no_error_of_ours_repeats_what_the_client_sent() {
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        let (server, stage) = play(kind, "", |_: &ReceivedRequest| ScriptedReply::Close).await;
        for request in requests(kind) {
            let Some(answer) = stage.raw().await.ask(&request).await else { continue };
            assert!(!shows(&answer.head) && !shows(&answer.text()), "{request} got {}{}", answer.head, answer.text());
        }
        end(server, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_nothing_of_ours_prints_a_token() {
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        let (server, stage) = play(kind, &format!("token = \"{TOKEN}\""), echo(kind)).await;
        client(&stage, kind, TOKEN).get("/unknown").await;
        assert!(!shows(&format!("{:?}", stage.process)), "the whole process");
        for request in requests(kind) {
            let mut lines = request.lines();
            let mut first = lines.next().unwrap_or_default().split(' ');
            let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
            let mut headers = HeaderMap::new();
            for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
                let name = http::HeaderName::from_bytes(name.as_bytes());
                if let (Ok(name), Ok(value)) = (name, value.parse()) {
                    headers.append(name, value);
                }
            }
            let method: Method = method.parse().expect("a method");
            let ask = RequestView { method: &method, target, headers: &headers, body: &[] };
            let credential = kind.credential(&ask);
            assert!(!shows(&format!("{credential:?}")), "{request}");
            assert!(!shows(&format!("{:?}", kind.credential_headers(&credential, true))), "{request}");
            // A token in the path is no token to Greenroom.
            if !target.split('?').next().unwrap_or_default().contains(TOKEN) {
                assert!(!shows(&format!("{:?}", kind.classify(&ask, None))), "{request}");
            }
        }
        end(server, stage).await;
    }
}
