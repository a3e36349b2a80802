//! The fast path: switched on or off, a client receives the same bytes, and the same decisions are recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::SimulatorOptions;
use http::Method;
use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::fixture::encrypted::TestCertificate;
use crate::fixture::raw::RawResponse;
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, RawClient};
use crate::listening;
use crate::outages::identity;

/// No spot checks: they are made now and then, and ask the server.
const QUIET: &str = "[statistics]\nspot_check_one_in = 0\n";
/// Heads as apps send them, by the words in which they differ.
const PLEX_API: &str = "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nX-Plex-Platform: Linux\r\nX-Plex-Product: \
                        PlexAPI\r\nX-Plex-Version: 4.17\r\nX-Plex-Device: Linux\r\nX-Plex-Client-Identifier: 0x1\r\n";
const WIDGET: &str = "user-agent: Widget/1.0\r\naccept: application/json\r\n";
const BROWSER: &str = "Origin: http://dash.example\r\nAccept: application/json\r\n";
const SECTIONS: &str = "/library/sections";
const ALL: &str = "/library/sections/1/all?type=1";

fn get(target: &str, token: &str, lines: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {token}\r\n{lines}\r\n")
}

/// One step of a client.
enum Step {
    /// Sends these parts, then reads this many responses.
    Ask(Vec<String>, usize),
    /// Continues on a new connection.
    Reconnect,
    /// A call of the control plane.
    Control(Method, &'static str, &'static str),
    /// From now on the server rejects every token, or none.
    Reject(bool),
}

/// Each request alone, four times: loaded, answered by the parser's path, then by the fast one.
fn repeated(request: &str) -> impl Iterator<Item = Step> {
    std::iter::repeat_n(request.to_owned(), 4).map(|request| Step::Ask(vec![request], 1))
}

/// Requests of several apps, and some that only hostile clients send.
fn mix() -> Vec<Step> {
    let mut steps = Vec::new();
    for lines in [PLEX_API, WIDGET, BROWSER] {
        for target in [SECTIONS, ALL, "/library/metadata/5", "/library/onDeck", "/status/sessions", "/identity"] {
            steps.extend(repeated(&get(target, "ann", lines)));
        }
    }
    let known = get(SECTIONS, "ann", WIDGET);
    let odd = |lines: &str| get(SECTIONS, "ann", &format!("{WIDGET}{lines}"));
    for request in [
        get(SECTIONS, "ben", WIDGET),
        known.replacen("GET", "HEAD", 1),
        known.replacen("HTTP/1.1", "HTTP/1.0", 1).replacen("Host: x\r\n", "Host: x\r\nConnection: keep-alive\r\n", 1),
        known.replacen("/library", "http://x/library", 1),
        odd("If-None-Match: *\r\n"),
        odd("If-None-Match: \"other\"\r\n"),
        odd("If-Modified-Since: Tue, 01 Jan 2030 00:00:00 GMT\r\n"),
        odd("Range: bytes=0-3\r\n"),
        odd("Cache-Control: no-cache\r\n"),
        odd("Content-Length: 0\r\n"),
        odd("Connection: x-plex-token\r\n"),
        odd("Host: y\r\n"),
        odd("X-Forwarded-For: 203.0.113.9\r\n"),
        odd("X-Plex-Token: ben\r\n"),
        known.replace("\r\n", "\n"),
    ] {
        steps.extend(repeated(&request));
    }
    // Not one head at a time.
    steps.push(Step::Ask(vec![known.repeat(3)], 3));
    steps.push(Step::Ask(vec![known[..20].into(), known[20..].into()], 1));
    steps.push(Step::Ask(vec![format!("{known}{}", &known[..9]), known[9..].into()], 2));
    steps.push(Step::Ask(vec![format!("\r\n{known}")], 1));
    let body = format!("Content-Length: {}\r\n", known.len());
    let write = |target: &str| get(target, "ann", &body).replacen("GET", "PUT", 1);
    steps.push(Step::Ask(vec![write("/library/metadata/5?title.value=x"), known.clone()], 1));
    steps.extend(repeated(&known));
    steps.extend(repeated(&get("/library/metadata/5", "ann", WIDGET)));
    steps.push(Step::Ask(vec![format!("{}{known}", get(SECTIONS, "ann", &body)), known.clone()], 2));
    // Each of these ends its connection.
    for request in [odd("Connection: close\r\n"), known.replacen("HTTP/1.1", "HTTP/1.0", 1), "nonsense\r\n\r\n".into()]
    {
        steps.extend([Step::Ask(vec![request, known.clone()], 1), Step::Reconnect]);
        steps.extend(repeated(&known));
    }
    // Modes, and a token that the server does not accept any more.
    for path in ["/api/v1/bypass", "/api/v1/mode"] {
        let (on, off) = if path.ends_with("mode") {
            ((Method::PUT, r#"{"mode":"observe"}"#), (Method::PUT, r#"{"mode":"cache"}"#))
        } else {
            ((Method::PUT, "{}"), (Method::DELETE, "{}"))
        };
        for (method, call) in [on, off] {
            steps.push(Step::Control(method, path, call));
            steps.extend(repeated(&known));
        }
    }
    steps.push(Step::Reject(true));
    steps.extend(repeated(&known));
    steps.push(Step::Ask(vec![get("/library/metadata/7", "ann", WIDGET)], 1));
    steps.extend(repeated(&known));
    steps.push(Step::Reject(false));
    steps.extend(repeated(&known));
    steps
}

/// A response without what depends on the moment.
fn timeless(response: Option<RawResponse>) -> String {
    response.map_or_else(|| "closed".into(), |response| format!("{:?} {}", timeless_head(&response), response.text()))
}

/// The same with its fields in the order of their names: which of two stands first says nothing.
fn timeless_in_order(response: Option<RawResponse>) -> String {
    let Some(response) = response else { return "closed".into() };
    let mut head = timeless_head(&response);
    head.sort_unstable();
    format!("{head:?} {}", response.text())
}

fn timeless_head(response: &RawResponse) -> Vec<String> {
    let line = |line: &str| match line.split_once(": ") {
        Some(("date" | "age" | "x-response-time-ms", _)) => String::new(),
        Some(("cache-status", status)) => status
            .split("; ")
            .map(|part| if part.starts_with("ttl=") { "ttl" } else { part })
            .collect::<Vec<_>>()
            .join("; "),
        _ => line.to_owned(),
    };
    response.head.lines().map(line).collect()
}

/// The recorded decisions, oldest first, without what depends on the moment or the data directory.
async fn decisions(stage: &GatewayFixture) -> Vec<Value> {
    let told = stage.control().get("/api/v1/decisions?limit=500").await.json();
    let mut items = told["items"].as_array().expect("a list").clone();
    items.reverse();
    for item in &mut items {
        let is_user_known = item["user"].is_string();
        let fields = item.as_object_mut().expect("an object");
        for moment in ["number", "at_ms", "elapsed_us", "age_s"] {
            fields.remove(moment);
        }
        fields.insert("user".into(), is_user_known.into());
    }
    items
}

/// Responses of a client and records of the gateway; and how many requests were answered before they were parsed.
#[derive(Debug, Default)]
struct Outcome {
    responses: Vec<String>,
    decisions: Vec<Value>,
    counters: Vec<u64>,
    fast: u64,
}

impl Outcome {
    async fn add_records(&mut self, stage: &GatewayFixture) {
        self.decisions.extend(decisions(stage).await);
        let server = &stage.process.servers[0].0;
        let counters = &server.counters;
        let counts = [&counters.requests, &counters.saved, &counters.unauthorised, &counters.refused];
        self.counters.extend(counts.map(|count| count.load(Ordering::Relaxed)));
        for (_, app) in server.apps.counters() {
            self.counters.extend([app.requests, app.upstream_requests, app.saved, app.failed, app.unauthorised]);
        }
        let fast = counters.fast_path.load(Ordering::Relaxed);
        let told = stage.control().get("/api/v1/servers").await.json();
        assert_eq!(told[0]["fast_path"].as_u64(), Some(fast), "{told}");
        self.fast += fast;
    }
}

/// Plays the mix through a gateway of its own, over TLS if there is a certificate.
async fn play(is_on: bool, certificate: Option<&TestCertificate>) -> Outcome {
    let rejects = Arc::new(AtomicBool::new(false));
    let does_reject = Arc::clone(&rejects);
    let script = move |request: &ReceivedRequest| {
        ScriptedReply::Bytes(if request.target == "/identity" {
            identity()
        } else if does_reject.load(Ordering::Relaxed) {
            answer("401 Unauthorized", "text/html", "")
        } else {
            container(request.before)
        })
    };
    let server = ScriptedServer::start(&TaskTracker::new(), script).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut more = format!("fast_path = {is_on}\n");
    if let Some(certificate) = certificate {
        certificate.write(folder.path());
        more += &listening::lines("server.listen_tls", folder.path());
    }
    let url = format!("http://{}", server.address);
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, &more).table(QUIET).start().await;
    let connect = async || match certificate {
        Some(made) => RawClient::over(listening::connect(stage.address(0), made).await.expect("it is believed")),
        None => stage.raw().await,
    };
    let (mut client, mut outcome) = (connect().await, Outcome::default());
    for step in mix() {
        match step {
            Step::Ask(parts, count) => {
                let has_bodies = !parts.iter().any(|part| part.starts_with("HEAD"));
                for part in parts {
                    client.send(part).await;
                    tokio::task::yield_now().await;
                }
                for _ in 0..count {
                    let response = if has_bodies { client.answer().await } else { client.head().await };
                    outcome.responses.push(timeless(response));
                }
            }
            Step::Reconnect => client = connect().await,
            Step::Control(method, path, body) => {
                let told = stage.control().send(method, path, body).await;
                assert!(told.status.is_success(), "{path}: {}", told.text());
            }
            Step::Reject(is_rejecting) => rejects.store(is_rejecting, Ordering::Relaxed),
        }
    }
    outcome.add_records(&stage).await;
    server.stop();
    stage.stop().await;
    outcome
}

fn assert_same(on: &Outcome, off: &Outcome) {
    for (at, (on, off)) in on.responses.iter().zip(&off.responses).enumerate() {
        assert_eq!(on, off, "response {at}");
    }
    for (at, (on, off)) in on.decisions.iter().zip(&off.decisions).enumerate() {
        assert_eq!(on, off, "decision {at}");
    }
    assert_eq!((on.responses.len(), on.decisions.len()), (off.responses.len(), off.decisions.len()));
    assert_eq!(on.counters, off.counters);
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_and_hostile_clients_of_a_plex_get_and_leave_the_same_with_the_fast_path_and_without() {
    let (on, off) = (play(true, None).await, play(false, None).await);
    assert_same(&on, &off);
    assert!(on.fast > 60 && off.fast == 0, "{} and {}", on.fast, off.fast);
    assert!(on.responses.iter().any(|response| response.starts_with("[\"HTTP/1.1 304")), "conditions were met");
    assert!(on.responses.iter().any(|response| response.starts_with("[\"HTTP/1.1 401")), "the token ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_as_well() {
    let certificate = TestCertificate::self_signed(&["localhost"]);
    let (on, off) = (play(true, Some(&certificate)).await, play(false, Some(&certificate)).await);
    assert_same(&on, &off);
    assert!(on.fast > 60 && off.fast == 0, "{} and {}", on.fast, off.fast);
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_of_a_jellyfin_get_and_leave_the_same_with_the_fast_path_and_without() {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let server = Jellyfin::new(SimulatorOptions::quick()).start(listen, &TaskTracker::new()).await.expect("it starts");
    let play = async |is_on: bool| {
        let more = format!("fast_path = {is_on}\n");
        let stage =
            GatewayConfigBuilder::new().server("den", "jellyfin", &server.url(), &more).table(QUIET).start().await;
        let (mut client, mut outcome) = (stage.raw().await, Outcome::default());
        for (app, form) in [("Kodi", "Authorization: MediaBrowser"), ("Old", "X-Emby-Authorization: Emby")] {
            let token = server.tokens().sam();
            let said =
                format!("{form} Client=\"{app}\", Device=\"D\", DeviceId=\"{app}\", Version=\"1\", Token=\"{token}\"");
            for target in [
                "/Items?recursive=true&includeItemTypes=Movie&limit=3",
                "/items?Limit=3&IncludeItemTypes=Movie&Recursive=true",
                "/System/Info/Public",
                "/System/Info",
                "/UserViews",
                "/web/index.html",
            ] {
                for _ in 0..4 {
                    let request = format!("GET {target} HTTP/1.1\r\nHost: den.example:8196\r\n{said}\r\n\r\n");
                    outcome.responses.push(timeless(client.ask(request).await));
                }
            }
        }
        outcome.add_records(&stage).await;
        stage.stop().await;
        outcome
    };
    let (on, off) = (play(true).await, play(false).await);
    assert_same(&on, &off);
    assert!(on.fast > 10 && off.fast == 0, "{} and {}", on.fast, off.fast);
    server.stop().await;
}

/// Requests of clients of an HTTP API, and some that only hostile ones send.
fn api_mix() -> Vec<Step> {
    let get = |target: &str, lines: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
    let mut steps = Vec::new();
    for lines in ["", "Authorization: Bearer ann\r\n", "Accept-Language: de\r\nAccept-Encoding: gzip, br\r\n"] {
        for target in [
            "/plain",
            "/plain?a=1",
            "/vary",
            "/private",
            "/unkeyed?b=1",
            "/unkeyed?b=2",
            "/checked",
            "/never",
            "/missing",
        ] {
            steps.extend(repeated(&get(target, lines)));
        }
    }
    let known = get("/plain", "");
    let odd = |lines: &str| get("/plain", lines);
    for request in [
        known.replacen("GET", "HEAD", 1),
        known.replacen("/plain", "http://x/plain", 1),
        odd("If-None-Match: \"1\"\r\n"),
        odd("If-None-Match: \"2\"\r\n"),
        odd("If-Modified-Since: Tue, 01 Jan 2030 00:00:00 GMT\r\n"),
        odd("If-Match: \"1\"\r\n"),
        odd("Range: bytes=0-3\r\n"),
        odd("Range: bytes=0-3\r\nIf-Range: \"1\"\r\n"),
        odd("Cache-Control: max-age=1000\r\n"),
        odd("Cache-Control: only-if-cached\r\n"),
        odd("Pragma: no-cache\r\n"),
        odd("TE: trailers\r\n"),
        odd("Content-Length: 0\r\n"),
        odd("Connection: x-key\r\nX-Key: 1\r\n"),
        odd("Host: y\r\n"),
        odd("Cookie: session=1\r\n"),
    ] {
        steps.extend(repeated(&request));
    }
    steps.push(Step::Ask(vec![known.repeat(3)], 3));
    steps.push(Step::Ask(vec![known[..9].into(), known[9..].into()], 1));
    let body = format!("Content-Length: {}\r\n", known.len());
    steps.push(Step::Ask(vec![odd(&body).replacen("GET", "PUT", 1), known.clone()], 1));
    steps.extend(repeated(&known));
    for (path, on, off) in [
        ("/api/v1/bypass", (Method::PUT, "{}"), (Method::DELETE, "{}")),
        ("/api/v1/mode", (Method::PUT, r#"{"mode":"observe"}"#), (Method::PUT, r#"{"mode":"cache"}"#)),
    ] {
        for (method, call) in [on, off] {
            steps.push(Step::Control(method, path, call));
            steps.extend(repeated(&known));
        }
    }
    steps
}

/// The API's response; each has a number.
fn api_response(request: &ReceivedRequest) -> Vec<u8> {
    let path = request.target.split('?').next().unwrap_or_default();
    let (status, fields) = match path {
        "/vary" => ("200 OK", "Cache-Control: max-age=600\r\nVary: Accept-Language\r\n"),
        "/private" => ("200 OK", "Cache-Control: private, max-age=600\r\n"),
        "/unkeyed" => ("200 OK", "Cache-Control: max-age=600\r\nNo-Vary-Search: params=(\"b\")\r\n"),
        "/checked" => ("200 OK", "Cache-Control: no-cache\r\nETag: \"1\"\r\n"),
        "/never" => ("200 OK", "Cache-Control: no-store\r\n"),
        "/missing" => ("404 Not Found", "Cache-Control: max-age=600\r\n"),
        _ => {
            ("200 OK", "Cache-Control: max-age=600\r\nETag: \"1\"\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\nAge: 3\r\n")
        }
    };
    let body = format!("{} {}", request.target, request.before);
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n{fields}\r\n{body}").into()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_an_http_api_get_and_leave_the_same_with_the_fast_path_and_without() {
    let play = async |is_on: bool| {
        let server = ScriptedServer::start(&TaskTracker::new(), |request: &ReceivedRequest| {
            ScriptedReply::Bytes(api_response(request))
        })
        .await;
        let (url, more) = (format!("http://{}", server.address), format!("fast_path = {is_on}\n"));
        let stage = GatewayConfigBuilder::new().server("api", "http", &url, &more).table(QUIET).start().await;
        let (mut client, mut outcome) = (stage.raw().await, Outcome::default());
        for step in api_mix() {
            match step {
                Step::Ask(parts, count) => {
                    let has_bodies = !parts.iter().any(|part| part.starts_with("HEAD"));
                    for part in parts {
                        client.send(part).await;
                        tokio::task::yield_now().await;
                    }
                    for _ in 0..count {
                        let response = if has_bodies { client.answer().await } else { client.head().await };
                        outcome.responses.push(timeless_in_order(response));
                    }
                }
                Step::Control(method, path, body) => {
                    let told = stage.control().send(method, path, body).await;
                    assert!(told.status.is_success(), "{path}: {}", told.text());
                }
                Step::Reconnect | Step::Reject(_) => unreachable!("not in this mix"),
            }
        }
        outcome.decisions = decisions(&stage).await;
        let counters = &stage.process.apis[0].0.counters;
        let counts = [&counters.requests, &counters.saved, &counters.passed, &counters.bypassed, &counters.writes];
        outcome.counters.extend(counts.map(|count| count.load(Ordering::Relaxed)));
        outcome.counters.push(stage.process.apis[0].0.upstream_requests());
        outcome.fast = counters.fast_path.load(Ordering::Relaxed);
        let told = stage.control().get("/api/v1/servers").await.json();
        assert_eq!(told[0]["fast_path"].as_u64(), Some(outcome.fast), "{told}");
        server.stop();
        stage.stop().await;
        outcome
    };
    let (on, off) = (play(true).await, play(false).await);
    assert_same(&on, &off);
    assert!(on.fast > 20 && off.fast == 0, "{} and {}", on.fast, off.fast);
    assert!(on.responses.iter().any(|response| response.contains("HTTP/1.1 304 Not Modified")), "conditions were met");
}
