//! Logging in through the program itself, against simulated servers: output, written files, and secrets that are never
//! shown.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::plex::{self, Plex};
use greenroom_simulator::simulated_server::SimulatedServer;
use http::Method;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio_util::task::TaskTracker;

use crate::binary::{command, folder, run};
use crate::fixture::TestClient;

async fn plex(tasks: &TaskTracker) -> SimulatedServer {
    let address = "127.0.0.1:0".parse().expect("an address");
    Plex::new(plex::PlexOptions::quick()).start(address, tasks).await.expect("it starts")
}

async fn jellyfin(tasks: &TaskTracker, change: impl FnOnce(&mut jellyfin::JellyfinOptions)) -> SimulatedServer {
    let address = "127.0.0.1:0".parse().expect("an address");
    let mut options = jellyfin::JellyfinOptions::quick();
    change(&mut options);
    Jellyfin::new(options).start(address, tasks).await.expect("it starts")
}

/// Runs a login; authorizes the code it shows as the token of `label`. Returns exit code, output and errors.
async fn agreed(folder: &TempDir, arguments: &[&str], server: &SimulatedServer, label: &str) -> (i32, String, String) {
    let mut child = command(folder).args(arguments).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
    let mut shown = String::new();
    while let Some(line) = lines.next_line().await.expect("it prints text") {
        shown.push_str(&line);
        shown.push('\n');
        if let Some((_, code)) = line.split_once("code: ") {
            let code = code.trim_end_matches(')');
            let target = format!("/__simulator/link?code={code}&token={label}");
            let answer = TestClient::new(server.address()).send(Method::POST, &target, "").await;
            assert_eq!(answer.status, 204, "{code} waits");
        }
    }
    let mut errors = String::new();
    child.stderr.take().expect("it has errors").read_to_string(&mut errors).await.expect("text");
    (child.wait().await.expect("it ends").code().expect("it exits"), shown, errors)
}

fn written(folder: &TempDir, file: &str) -> (String, u32) {
    let path = folder.path().join(file);
    let mode = std::fs::metadata(&path).expect("it was written").permissions().mode() & 0o777;
    (std::fs::read_to_string(path).expect("it is text"), mode)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plex_login_writes_the_token_and_names_the_settings() {
    let tasks = TaskTracker::new();
    let (server, folder) = (plex(&tasks).await, folder());
    let url = server.url();
    let data = folder.path().join("data").display().to_string();
    let arguments = ["login", "plex", "--plex-tv", &url, "--server-url", &url, "--data-dir", &data, "--name", "den"];
    let (code, shown, errors) = agreed(&folder, &arguments, &server, "owner-a").await;
    assert_eq!(code, 0, "{errors}");
    assert!(shown.contains("https://app.plex.tv/auth#?clientID="), "{shown}");
    assert!(shown.contains("Simulated Plex 1.43.0.10000-5a1d00000 (yours)"), "{shown}");
    assert!(shown.contains("accepts the token, with the owner's rights"), "{shown}");
    for line in ["name       = \"den\"", "kind       = \"plex\"", &format!("url        = \"{url}\"")] {
        assert!(shown.contains(line), "{line} is missing in {shown}");
    }
    assert!(shown.contains(&format!("token_file = \"{data}/den.token\"")), "{shown}");
    assert_eq!(written(&folder, "data/den.token"), ("plx-owner-a".to_owned(), 0o600));
    assert!(!shown.contains("plx-owner") && !errors.contains("plx-owner"), "the token is shown");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_code_and_a_shared_server_are_reported_as_such() {
    let tasks = TaskTracker::new();
    let (server, folder) = (plex(&tasks).await, folder());
    let url = server.url();
    let file = folder.path().join("new/sam.token").display().to_string();
    let arguments = ["login", "plex", "--short-code", "--plex-tv", &url, "--server-url", &url, "--output", &file];
    let (code, shown, errors) = agreed(&folder, &arguments, &server, "sam").await;
    assert_eq!(code, 0, "{errors}");
    assert!(shown.contains("open https://plex.tv/link and type this code: "), "{shown}");
    assert!(shown.contains("shared with you"), "{shown}");
    assert!(shown.contains("without the owner's rights, so its events cannot be received"), "{shown}");
    assert_eq!(written(&folder, "new/sam.token"), ("plx-sam".to_owned(), 0o600));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_recognised_by_its_response_whatever_its_address() {
    let tasks = TaskTracker::new();
    let (server, folder) = (plex(&tasks).await, folder());
    let mut options = plex::PlexOptions::quick();
    options.seed = 4_711;
    let address = "127.0.0.1:0".parse().expect("an address");
    let another = Plex::new(options).start(address, &tasks).await.expect("it starts");
    let url = server.url();
    let other_name = url.replace("127.0.0.1", "localhost");
    let words = "none of the account's servers is known to be at";
    for (wanted, is_known) in [(other_name, true), (another.url(), false)] {
        let arguments = ["login", "plex", "--plex-tv", &url, "--server-url", &wanted];
        let (code, shown, errors) = agreed(&folder, &arguments, &server, "owner-a").await;
        assert_eq!(code, 0, "{errors}");
        assert_eq!(!shown.contains(words), is_known, "{shown}");
        assert_eq!(!shown.contains("the token is the account's own"), is_known, "{shown}");
    }
    server.stop().await;
    another.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_writes_over_nothing_but_a_token() {
    let folder = folder();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("made");
    std::fs::write(data.join("control.token"), "0123456789abcdef").expect("written");
    std::fs::write(data.join("notes"), "two words").expect("written");
    let path = |name: &str| data.join(name).display().to_string();
    let (control, notes, folder_name) = (path("control.token"), path("notes"), data.display().to_string());
    // No code is requested: nothing listens there.
    let login = ["login", "plex", "--plex-tv", "http://127.0.0.1:9", "--data-dir", &folder_name];
    for (more, words) in [
        (["--name", "control"], "none of control"),
        (["--name", "My Server"], "lower-case letters, digits"),
        (["--name", "../x"], "lower-case letters, digits"),
        (["--output", &control], "kept for a file of Greenroom's own"),
        (["--output", &notes], "something else than a token"),
    ] {
        let (code, _, errors) = run(&folder, &[&login[..], &more].concat(), &[]).await;
        assert_eq!(code, 2, "{more:?}: {errors}");
        assert!(errors.contains(words), "{more:?}: {errors}");
    }
    assert_eq!(written(&folder, "data/control.token").0, "0123456789abcdef");
    assert_eq!(written(&folder, "data/notes").0, "two words");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_log_in_under_the_same_name_leaves_the_first_token_alone() {
    let tasks = TaskTracker::new();
    let (server, folder) = (plex(&tasks).await, folder());
    let url = server.url();
    let client_of = |shown: &str| {
        let (_, rest) = shown.split_once("clientID=").expect("it is shown");
        rest.split('&').next().expect("it ends").to_owned()
    };
    let arguments = ["login", "plex", "--plex-tv", &url];
    let (_, first, _) = agreed(&folder, &arguments, &server, "owner-a").await;
    let (_, second, _) = agreed(&folder, &arguments, &server, "owner-a").await;
    assert_ne!(client_of(&first), client_of(&second));
    server.stop().await;
    let server = jellyfin(&tasks, |_| ()).await;
    let url = server.url();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        agreed(&folder, &["login", "jellyfin", "--url", &url], &server, "owner-a").await;
        tokens.push(written(&folder, ".local/state/greenroom/jellyfin.token").0);
    }
    for token in tokens {
        let client = TestClient::new(server.address());
        let me = client.with("authorization", &format!("MediaBrowser Token=\"{token}\"")).get("/Users/Me").await;
        assert_eq!(me.status, 200);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jellyfin_login_goes_by_quick_connect() {
    let tasks = TaskTracker::new();
    let (server, folder) = (jellyfin(&tasks, |_| ()).await, folder());
    let url = server.url();
    let (code, shown, errors) = agreed(&folder, &["login", "jellyfin", "--url", &url], &server, "owner-a").await;
    assert_eq!(code, 0, "{errors}");
    assert!(shown.contains("logged in as olga"), "{shown}");
    let (token, mode) = written(&folder, ".local/state/greenroom/jellyfin.token");
    assert_eq!((token.len(), mode), (32, 0o600));
    assert!(!shown.contains(&token) && !errors.contains(&token), "the token is shown");
    let asked = TestClient::new(server.address())
        .with("authorization", &format!("MediaBrowser Token=\"{token}\""))
        .get("/Users/Me")
        .await;
    assert_eq!(asked.json()["Name"], "olga");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_quick_connect_is_reported_and_a_password_works() {
    let tasks = TaskTracker::new();
    let server = jellyfin(&tasks, |options| options.switches.quick_connect = false).await;
    let (url, folder) = (server.url(), folder());
    let (code, _, errors) = run(&folder, &["login", "jellyfin", "--url", &url], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("Quick Connect is switched off on this server"), "{errors}");
    assert!(errors.contains("or log in with --user NAME"), "{errors}");
    let by_name = ["login", "jellyfin", "--url", &url, "--user", "sam"];
    let (code, shown, errors) = typed(command(&folder).args(by_name), "sam\n").await;
    assert_eq!(code, 0, "{errors}");
    assert!(shown.contains("logged in as sam") && shown.contains("this user is not an administrator"), "{shown}");
    let (code, _, errors) = typed(command(&folder).args(by_name), "wrong\n").await;
    assert_eq!(code, 1);
    assert!(errors.contains("does not accept this name and password"), "{errors}");
    assert!(!errors.contains("wrong\n"), "the password is shown");
    server.stop().await;
}

async fn typed(command: &mut Command, input: &str) -> (i32, String, String) {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it reads");
    stdin.write_all(input.as_bytes()).await.expect("it takes it");
    drop(stdin);
    let output = child.wait_with_output().await.expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("it exits"), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_named_with_the_remedy() {
    let tasks = TaskTracker::new();
    let (server, folder) = (plex(&tasks).await, folder());
    let url = server.url();
    let (code, _, errors) = run(&folder, &["login", "jellyfin", "--url", &url], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("is not a Jellyfin server") && errors.contains("check --url"), "{errors}");
    let (code, _, errors) = run(&folder, &["login", "jellyfin", "--url", "here"], &[]).await;
    assert_eq!(code, 2);
    assert!(errors.contains("an address must look like"), "{errors}");
    let (code, _, errors) = run(&folder, &["login", "plex", "--plex-tv", "http://127.0.0.1:9"], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("nothing listens there"), "{errors}");
    let encrypted = url.replace("http://", "https://");
    let (code, _, errors) = run(&folder, &["login", "plex", "--plex-tv", &encrypted], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("use http:// instead of https://"), "{errors}");
    server.faults().set(Fault::HtmlInsteadOfJson);
    let (code, _, errors) = run(&folder, &["login", "plex", "--plex-tv", &url], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("no code was issued (status 200)"), "{errors}");
    assert!(!folder.path().join(".local/state/greenroom/plex.token").exists(), "nothing was got");
    server.stop().await;
}
