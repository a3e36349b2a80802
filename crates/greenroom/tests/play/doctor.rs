//! The doctor against simulated servers with injected faults, through the program itself: each fault named, each with
//! its remedy, and no token shown.

use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::plex::{self, Plex};
use greenroom_simulator::simulated_server::SimulatedServer;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::binary::{command, folder, run};
use crate::fixture::GatewayConfigBuilder;
use crate::fixture::encrypted::{TestCertificate, TlsTerminator};
use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer};

pub(crate) async fn plex(tasks: &TaskTracker, change: impl FnOnce(&mut plex::PlexSwitches)) -> SimulatedServer {
    let mut options = plex::PlexOptions::quick();
    change(&mut options.switches);
    Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), tasks).await.expect("it starts")
}

pub(crate) async fn jellyfin(
    tasks: &TaskTracker,
    change: impl FnOnce(&mut jellyfin::JellyfinSwitches),
) -> SimulatedServer {
    let mut options = jellyfin::JellyfinOptions::quick();
    change(&mut options.switches);
    Jellyfin::new(options).start("127.0.0.1:0".parse().expect("an address"), tasks).await.expect("it starts")
}

/// The doctor's result for a server: exit code and report. Listeners are on free ports.
async fn found(folder: &TempDir, kind: &str, url: &str, token: Option<&str>) -> (i32, Value) {
    let token_file = folder.path().join("token");
    let token_file_name = token_file.display().to_string();
    let kind = format!("--{kind}");
    let mut arguments = vec!["doctor", "--json", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", &kind, url];
    if let Some(token) = token {
        std::fs::write(&token_file, token).expect("written");
        arguments.extend(["--token-file", &token_file_name]);
    }
    let (code, shown, errors) = run(folder, &arguments, &[]).await;
    if let Some(secret) = token {
        assert!(!shown.contains(secret) && !errors.contains(secret), "a token is shown");
    }
    (code, serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}{errors}")))
}

/// The finding of a check as one text, level first.
fn finding(report: &Value, check: &str) -> String {
    let subjects = report["subjects"].as_array().expect("subjects").iter();
    let mut findings = subjects.flat_map(|subject| subject["findings"].as_array().expect("findings"));
    let one = findings.find(|finding| finding["check"] == check);
    let one = one.unwrap_or_else(|| panic!("nothing is found of {check} in {report}"));
    format!("{}: {} -> {}", one["level"], one["what"], one["remedy"])
}

fn assert_found(report: &Value, check: &str, words: &[&str]) {
    let said = finding(report, check);
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_is_well() {
    let tasks = TaskTracker::new();
    for (kind, server) in [("plex", plex(&tasks, |_| ()).await), ("jellyfin", jellyfin(&tasks, |_| ()).await)] {
        let token = server.tokens().owner_a().to_owned();
        let (code, report) = found(&folder(), kind, &server.url(), Some(&token)).await;
        assert_eq!((code, report["problems"].as_u64()), (0, Some(0)), "{report}");
        assert_found(&report, "server", &["\"ok\"", "answers in"]);
        assert_found(&report, "token", &["\"ok\"", "owner's rights"]);
        assert_found(&report, "anonymous access", &["\"ok\"", "asks for a token"]);
        assert_found(&report, "clock", &["\"ok\""]);
        assert_found(&report, "data directory", &["\"ok\""]);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kind_of_a_token_is_reported() {
    let tasks = TaskTracker::new();
    let (plex, jellyfin) = (plex(&tasks, |_| ()).await, jellyfin(&tasks, |_| ()).await);
    for (kind, server, label, words) in [
        ("plex", &plex, "sam", ["warning", "not the owner's"]),
        ("jellyfin", &jellyfin, "sam", ["warning", "not the owner's"]),
        ("jellyfin", &jellyfin, "key", ["warning", "API key"]),
        ("plex", &plex, "key", ["problem", "does not know the token"]),
    ] {
        let token = server.tokens().secret(label).to_owned();
        let (code, report) = found(&folder(), kind, &server.url(), Some(&token)).await;
        assert_found(&report, "token", &words);
        assert_eq!(code, i32::from(words[0] == "problem"), "{report}");
    }
    let (code, report) = found(&folder(), "plex", &plex.url(), None).await;
    assert_eq!(code, 0, "no token is no problem: {report}");
    assert_found(&report, "token", &["\"ok\"", "no token configured", "greenroom login plex --server-url"]);
    plex.stop().await;
    jellyfin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn permissive_server_settings_are_reported() {
    let tasks = TaskTracker::new();
    let open = plex(&tasks, |switches| (switches.trusts_neighbours, switches.claimed) = (true, false)).await;
    let (code, report) = found(&folder(), "plex", &open.url(), None).await;
    assert_eq!(code, 1);
    assert_found(&report, "anonymous access", &["warning", "without a token", "allowed without auth"]);
    assert_found(&report, "account", &["problem", "belongs to no account", "/web"]);
    open.faults().set(Fault::WrongClock(-7_200));
    let (_, report) = found(&folder(), "plex", &open.url(), None).await;
    assert_found(&report, "clock", &["warning", "behind", "timedatectl"]);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unexpected_server_response_is_reported_with_the_reason() {
    let tasks = TaskTracker::new();
    let server = plex(&tasks, |_| ()).await;
    let url = server.url();
    for (fault, check, words) in [
        (Fault::EncryptedOnly, "encryption", ["takes only encrypted requests", "https://127.0.0.1"]),
        (Fault::StartPage503, "server", ["is starting", "run this again"]),
        (Fault::HtmlInsteadOfJson, "server", ["is not a plex server", "check address and port"]),
        (Fault::Truncated, "connection", ["cuts the connection", "server's log"]),
        (Fault::Hang, "connection", ["does not answer in time", "load_timeout_s"]),
    ] {
        server.faults().set(fault);
        let (code, report) = found(&folder(), "plex", &url, None).await;
        assert_found(&report, check, &words);
        assert_eq!(code, i32::from(fault != Fault::StartPage503), "{report}");
        server.faults().clear();
    }
    let (code, report) = found(&folder(), "jellyfin", &url, None).await;
    assert_eq!(code, 1);
    assert_found(&report, "server", &["is a plex server, not a jellyfin server", "type --plex http://"]);
    let encrypted = url.replace("http://", "https://");
    let (_, report) = found(&folder(), "plex", &encrypted, None).await;
    assert_found(&report, "encryption", &["does not speak TLS", "type --plex http://"]);
    server.stop().await;
    let (_, report) = found(&folder(), "plex", &url, None).await;
    let boxed = greenroom_doctor::machine::is_container();
    let words = if boxed { ["this container itself", "network_mode: host"] } else { ["nothing listens", "32400"] };
    assert_found(&report, "connection", &words);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_base_path_an_old_server_and_an_emby_are_reported() {
    let tasks = TaskTracker::new();
    let based = jellyfin(&tasks, |switches| switches.base_url = "/jellyfin".into()).await;
    let (code, report) = found(&folder(), "jellyfin", &based.url(), None).await;
    assert_eq!(code, 1);
    assert_found(&report, "server", &["at another path", "/jellyfin"]);
    based.stop().await;
    for (body, check, words) in [
        (r#"{"ServerName":"D","Version":"4.8.1","Id":"x","LocalAddresses":[]}"#, "server", "Emby server (4.8.1)"),
        (
            r#"{"ServerName":"D","Version":"10.8.2","Id":"x","ProductName":"Jellyfin Server"}"#,
            "version",
            "update the server to 10.9",
        ),
    ] {
        let server =
            ScriptedServer::start(&tasks, move |_| ScriptedReply::Last(answer("200 OK", "application/json", body)))
                .await;
        let (code, report) = found(&folder(), "jellyfin", &format!("http://{}", server.address), None).await;
        assert_eq!(code, 1, "{report}");
        assert_found(&report, check, &["problem", words]);
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctors_advice_fixes_an_untrusted_certificate() {
    let tasks = TaskTracker::new();
    let server = plex(&tasks, |_| ()).await;
    let inner = server.url().trim_start_matches("http://").parse().expect("an address");
    let made = TestCertificate::self_signed(&["nas.example"]);
    let terminator = TlsTerminator::start(&tasks, &made, inner).await;
    let plain = format!("http://{}", terminator.address);
    let (code, report) = found(&folder(), "plex", &plain, None).await;
    assert_eq!(code, 1);
    let pin = format!("tls.pin_sha256 = \\\"{}\\\"", made.fingerprint());
    assert_found(&report, "encryption", &["takes only encrypted requests", "https://127.0.0.1", &pin]);
    let encrypted = plain.replace("http:", "https:");
    let (code, report) = found(&folder(), "plex", &encrypted, None).await;
    assert_eq!(code, 1);
    assert_found(&report, "encryption", &["signed by a CA that is not among the trusted CAs", &pin]);
    let folder = folder();
    let file = folder.path().join("greenroom.toml");
    let text = format!(
        "[control]\nlisten = \"127.0.0.1:0\"\n[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"{encrypted}\"\n\
         listen = \"127.0.0.1:0\"\ntls.pin_sha256 = \"{}\"\n",
        made.fingerprint()
    );
    std::fs::write(&file, text).expect("written");
    let (code, shown, errors) = run(&folder, &["doctor", "--config", &file.display().to_string()], &[]).await;
    assert_eq!(code, 0, "{shown}{errors}");
    assert!(shown.contains("encryption: the server's certificate is trusted"), "{shown}");
    terminator.stop();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_and_the_data_directory_are_looked_at_without_touching_them() {
    let tasks = TaskTracker::new();
    let server = plex(&tasks, |_| ()).await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = folder();
    std::fs::write(folder.path().join("file"), "").expect("written");
    let data = folder.path().join("file/below").display().to_string();
    let url = server.url();
    let arguments = ["doctor", "--plex", &url, "--listen", &address, "--control", "127.0.0.1:0", "--data-dir", &data];
    let (code, shown, errors) = run(&folder, &arguments, &[]).await;
    assert_eq!(code, 1, "{errors}");
    assert!(shown.contains(&format!("{address}, meant for apps of \"plex\", is taken by")), "{shown}");
    assert!(shown.contains("is no directory, or something above it is none"), "{shown}");
    assert!(shown.ends_with("problems: 2; warnings: 0\n"), "{shown}");
    let fresh = ["doctor", "--plex", &url, "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];
    let (code, shown, _) = run(&folder, &fresh, &[]).await;
    assert_eq!(code, 0, "{shown}");
    assert!(!folder.path().join(".local/state/greenroom").exists(), "the doctor makes nothing");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_waited_for_until_its_first_answer_is_saved() {
    let tasks = TaskTracker::new();
    let server = plex(&tasks, |_| ()).await;
    let stage = GatewayConfigBuilder::new().server("home", "plex", &server.url(), "").start().await;
    let control = stage.process.control.to_string();
    let folder = folder();
    let waiting = ["doctor", "--wait-for", "Kometa", "--control", &control, "--timeout", "60", "--json"];
    let child = command(&folder).args(waiting).spawn().expect("it starts");
    let app = stage.client().with("x-plex-product", "Kometa").with("accept", "application/json");
    let stop = tokio_util::sync::CancellationToken::new();
    let (asking, token) = (stop.clone(), server.tokens().owner_a().to_owned());
    tasks.spawn(async move {
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(100));
        assert_eq!(app.get("/library/sections").await.status, 401, "without a token");
        let app = app.with("x-plex-token", &token);
        while !asking.is_cancelled() {
            pace.tick().await;
            drop(app.get("/library/sections").await);
        }
    });
    let output = child.wait_with_output().await.expect("it ends");
    stop.cancel();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let told: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(told["outcome"], "saved");
    let events: Vec<&str> = told["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| event["what"]["event"].as_str().expect("a word"))
        .collect();
    // Whether the refusal is seen separately depends on when it polls.
    let seen = events.strip_prefix(&["refused"]).unwrap_or(&events);
    assert_eq!(seen, ["arrived", "saved"]);
    assert_eq!(told["events"][events.len() - 2]["what"]["first_asked"], "sections");
    stage.stop().await;
    server.stop().await;
    tasks.close();
    tasks.wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_a_wrong_token_is_not_taken_for_one_that_works() {
    let tasks = TaskTracker::new();
    let server = jellyfin(&tasks, |_| ()).await;
    let stage = GatewayConfigBuilder::new().server("home", "jellyfin", &server.url(), "").start().await;
    let control = stage.process.control.to_string();
    let app = stage.client().with("authorization", "MediaBrowser Client=\"Finamp\", Token=\"wrong\"");
    let stop = tokio_util::sync::CancellationToken::new();
    let asking = stop.clone();
    let app_ended = tasks.spawn(async move {
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(100));
        while !asking.is_cancelled() {
            pace.tick().await;
            assert_eq!(app.get("/System/Info/Public").await.status, 200, "it is public");
            assert_eq!(app.get("/Users/Me").await.status, 401, "the token is wrong");
        }
    });
    let waiting = ["doctor", "--wait-for", "finamp", "--control", &control, "--timeout", "3", "--json"];
    let (code, shown, errors) = run(&folder(), &waiting, &[]).await;
    stop.cancel();
    app_ended.await.expect("it was answered as it should be");
    let told: Value = serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}{errors}"));
    assert_eq!((code, &told["outcome"], &told["well"]), (1, &"refused".into(), &false.into()), "{told}");
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_control_token_does_not_shut_the_doctor_out_of_what_needs_none() {
    let stage = GatewayConfigBuilder::new().server("home", "plex", "http://127.0.0.1:9", "").start().await;
    let control = stage.process.control.to_string();
    let folder = folder();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("made");
    std::fs::write(data.join("control.token"), "0123456789abcdef0123456789abcdef").expect("written");
    let data = data.display().to_string();
    let waiting = ["doctor", "--wait-for", "x", "--control", &control, "--timeout", "1", "--data-dir", &data];
    let (code, shown, errors) = run(&folder, &waiting, &[]).await;
    assert_eq!(code, 1);
    assert!(shown.contains("x did not ask anything"), "{shown}{errors}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn following_the_remedy_for_a_certificate_makes_it_trusted() {
    let tasks = TaskTracker::new();
    let server = plex(&tasks, |_| ()).await;
    let inner = server.url().trim_start_matches("http://").parse().expect("an address");
    let made = TestCertificate::self_signed(&["elsewhere.example"]);
    let terminator = TlsTerminator::start(&tasks, &made, inner).await;
    let folder = folder();
    let token = server.tokens().owner_a().to_owned();
    let (file, token_file) = (folder.path().join("g.toml"), folder.path().join("token"));
    std::fs::write(&token_file, &token).expect("written");
    let url = format!("https://{}", terminator.address);
    let more = format!("token_file = \"{}\"\n", token_file.display());
    let table =
        format!("[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"{url}\"\nlisten = \"127.0.0.1:0\"\n{more}");
    let head = "[control]\nlisten = \"127.0.0.1:0\"\n";
    let config = file.display().to_string();
    let looked = async |line: &str| {
        std::fs::write(&file, format!("{head}{table}{line}\n")).expect("written");
        let (code, shown, errors) = run(&folder, &["doctor", "--json", "--config", &config], &[]).await;
        (code, serde_json::from_str::<Value>(&shown).unwrap_or_else(|error| panic!("{error}: {shown}{errors}")))
    };
    let (code, report) = looked("").await;
    assert_eq!(code, 1, "{report}");
    let said = finding(&report, "encryption").replace("\\\"", "\"");
    let line = format!("tls.pin_sha256 = \"{}\"", made.fingerprint());
    assert!(said.contains(&line), "{said}");
    let (code, report) = looked(&line).await;
    assert_eq!(code, 0, "{report}");
    assert_found(&report, "encryption", &["\"ok\"", "is trusted"]);
    assert_found(&report, "token", &["owner's rights"]);
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, &line).start().await;
    let through = format!("http://{}", stage.address(0));
    let arguments = ["doctor", "--compare", "--json", "--config", &config, "--through", &through, "--endpoints", "20"];
    let (code, shown, errors) = run(&folder, &arguments, &[]).await;
    assert_eq!(code, 0, "{shown}{errors}");
    stage.stop().await;
    terminator.stop();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_without_servers_names_their_sources() {
    let (code, _, errors) = run(&folder(), &["doctor"], &[]).await;
    assert_eq!(code, 2);
    assert!(errors.contains("give doctor the same options, variables or file as serve"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_an_app_ends_at_its_timeout() {
    let tasks = TaskTracker::new();
    let server = plex(&tasks, |_| ()).await;
    let stage = GatewayConfigBuilder::new().server("home", "plex", &server.url(), "").start().await;
    let control = stage.process.control.to_string();
    let arguments = ["doctor", "--wait-for", "tautulli", "--control", &control, "--timeout", "1"];
    let (code, shown, _) = run(&folder(), &arguments, &[]).await;
    assert_eq!(code, 1);
    assert!(shown.contains("tautulli did not ask anything") && shown.contains("apps that did ask: none"), "{shown}");
    let arguments = ["doctor", "--wait-for", "tautulli", "--control", "127.0.0.1:9"];
    let (code, _, errors) = run(&folder(), &arguments, &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("no Greenroom answers at http://127.0.0.1:9: nothing listens there"), "{errors}");
    stage.stop().await;
    server.stop().await;
}

/// Runs the comparison through the program; returns exit code and report.
pub(crate) async fn compared(
    stage: &crate::fixture::GatewayFixture,
    kind: &str,
    server: &SimulatedServer,
    token: &str,
) -> (i32, Value) {
    let folder = folder();
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, token).expect("written");
    let through = format!("http://{}", stage.address(0));
    let (kind, token_file) = (format!("--{kind}"), token_file.display().to_string());
    let url = server.url();
    let written = folder.path().join("report.json").display().to_string();
    let arguments = [
        "doctor",
        "--compare",
        "--json",
        &kind,
        &url,
        "--token-file",
        &token_file,
        "--through",
        &through,
        "--output",
        &written,
    ];
    let (code, shown, errors) = run(&folder, &arguments, &[]).await;
    assert!(!shown.contains(token) && !errors.contains(token), "a token is shown");
    assert_eq!(std::fs::read_to_string(written).expect("it was written"), shown);
    (code, serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}{errors}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_say_the_same_about_two_hundred_reads_of_either_server() {
    let tasks = TaskTracker::new();
    for (kind, server) in [("plex", plex(&tasks, |_| ()).await), ("jellyfin", jellyfin(&tasks, |_| ()).await)] {
        let before = server.state().seq();
        let stage = GatewayConfigBuilder::new().server(kind, kind, &server.url(), "").start().await;
        let token = server.tokens().owner_a().to_owned();
        let (code, report) = compared(&stage, kind, &server, &token).await;
        let total = &report[kind]["total"];
        assert!(total["compared"].as_u64() >= Some(200), "{report}");
        assert_eq!((total["different"].as_u64(), code), (Some(0), 0), "{report}");
        assert_eq!(server.state().seq(), before, "nothing was written");
        stage.stop().await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_say_the_same_whatever_a_jellyfin_draws_and_how_it_compares_dates() {
    let tasks = TaskTracker::new();
    let changes: [fn(&mut jellyfin::JellyfinSwitches); 3] = [
        |switches| switches.random_folder_counts = !switches.random_folder_counts,
        |switches| switches.random_similar = !switches.random_similar,
        |switches| switches.cutoff_is_moment = !switches.cutoff_is_moment,
    ];
    for change in changes {
        let server = jellyfin(&tasks, change).await;
        let stage = GatewayConfigBuilder::new().server("jellyfin", "jellyfin", &server.url(), "").start().await;
        let token = server.tokens().owner_a().to_owned();
        let (code, report) = compared(&stage, "jellyfin", &server, &token).await;
        let total = &report["jellyfin"]["total"];
        assert!(total["compared"].as_u64() >= Some(200), "{report}");
        assert_eq!((total["different"].as_u64(), code), (Some(0), 0), "{report}");
        stage.stop().await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_with_the_configured_token_counts_as_own_and_never_as_an_app() {
    let tasks = TaskTracker::new();
    for (kind, server) in [("plex", plex(&tasks, |_| ()).await), ("jellyfin", jellyfin(&tasks, |_| ()).await)] {
        let token = server.tokens().owner_a().to_owned();
        let configured = format!("token = \"{token}\"\n");
        let stage = GatewayConfigBuilder::new().server(kind, kind, &server.url(), &configured).start().await;
        let (_, report) = compared(&stage, kind, &server, &token).await;
        // Sessions as told by the feed bear the moment at which this simulator told them.
        let told = report[kind]["report"]["details"].as_array().expect("details");
        assert!(told.iter().all(|detail| detail["class"] == "sessions"), "{report}");
        let shown = stage.control().get("/api/v1/cache/stats").await.json();
        assert_eq!((&shown["totals"]["asked"], &shown["totals"]["saved"]), (&0.into(), &0.into()), "{shown}");
        assert_eq!(shown["apps"], serde_json::json!([]), "{shown}");
        assert!(shown["totals"]["own"].as_u64() > Some(0), "{shown}");
        let today = stage.control().get("/api/v1/statistics/today").await.json();
        assert_eq!((&today["asked"], &today["reached"]), (&0.into(), &0.into()), "{today}");
        stage.stop().await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_both_ways_is_no_success() {
    let tasks = TaskTracker::new();
    for (kind, server) in [("plex", plex(&tasks, |_| ()).await), ("jellyfin", jellyfin(&tasks, |_| ()).await)] {
        let stage = GatewayConfigBuilder::new().server(kind, kind, &server.url(), "").start().await;
        let (code, report) = compared(&stage, kind, &server, "invented-0123456789").await;
        assert_eq!((code, &report[kind]["well"]), (1, &false.into()), "{report}");
        assert_eq!(report[kind]["report"]["token_refused"], true, "{report}");
        let total = &report[kind]["total"];
        assert!(total["refused"].as_u64() > Some(0), "{report}");
        assert_eq!(total["different"], 0, "{report}");
        stage.stop().await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_differing_responses_is_detected() {
    let tasks = TaskTracker::new();
    let (server, other) = (plex(&tasks, |_| ()).await, plex(&tasks, |_| ()).await);
    other.add_film("Only here", 1999);
    let stage = GatewayConfigBuilder::new().server("plex", "plex", &other.url(), "").start().await;
    let token = server.tokens().owner_a().to_owned();
    let (code, report) = compared(&stage, "plex", &server, &token).await;
    assert_eq!(code, 1);
    let details = report["plex"]["report"]["details"].as_array().expect("details");
    assert!(!details.is_empty(), "{report}");
    assert!(!report.to_string().contains("Only here"), "a value is shown");
    stage.stop().await;
    server.stop().await;
    other.stop().await;
}
