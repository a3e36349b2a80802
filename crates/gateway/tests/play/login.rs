//! Logging in through the program itself, against simulated servers: what is shown, what is written, what never is.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::plex::{self, Plex};
use greenroom_simulator::running::Running;
use http::Method;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio_util::task::TaskTracker;

use crate::binary::{command, folder, run};
use crate::stage::Client;

async fn plex(tasks: &TaskTracker) -> Running {
    let address = "127.0.0.1:0".parse().expect("an address");
    Plex::new(plex::Options::quick()).start(address, tasks).await.expect("it starts")
}

async fn jellyfin(tasks: &TaskTracker, change: impl FnOnce(&mut jellyfin::Options)) -> Running {
    let address = "127.0.0.1:0".parse().expect("an address");
    let mut options = jellyfin::Options::quick();
    change(&mut options);
    Jellyfin::new(options).start(address, tasks).await.expect("it starts")
}

/// Runs a login; agrees to the code it shows as the token of `label`. Gives exit code, output and errors.
async fn agreed(
    folder: &TempDir,
    arguments: &[&str],
    server: &Running,
    label: &str,
) -> (i32, String, String) {
    let mut child = command(folder).args(arguments).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
    let mut shown = String::new();
    while let Some(line) = lines.next_line().await.expect("it prints text") {
        shown.push_str(&line);
        shown.push('\n');
        if let Some((_, code)) = line.split_once("code: ") {
            let code = code.trim_end_matches(')');
            let target = format!("/__simulator/link?code={code}&token={label}");
            let answer = Client::new(server.address()).send(Method::POST, &target, "").await;
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
async fn a_plex_login_writes_the_token_and_says_what_to_configure() {
    let tasks = TaskTracker::new();
    let (server, folder) = (plex(&tasks).await, folder());
    let url = server.url();
    let data = folder.path().join("data").display().to_string();
    let arguments =
        ["login", "plex", "--plex-tv", &url, "--server-url", &url, "--data-dir", &data, "--name", "den"];
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
async fn a_short_code_and_a_shared_server_are_told_as_such() {
    let tasks = TaskTracker::new();
    let (server, folder) = (plex(&tasks).await, folder());
    let url = server.url();
    let file = folder.path().join("new/sam.token").display().to_string();
    let arguments =
        ["login", "plex", "--short-code", "--plex-tv", &url, "--server-url", &url, "--output", &file];
    let (code, shown, errors) = agreed(&folder, &arguments, &server, "sam").await;
    assert_eq!(code, 0, "{errors}");
    assert!(shown.contains("open https://plex.tv/link and type this code: "), "{shown}");
    assert!(shown.contains("shared with you"), "{shown}");
    assert!(shown.contains("without the owner's rights: its events stay hidden"), "{shown}");
    assert_eq!(written(&folder, "new/sam.token"), ("plx-sam".to_owned(), 0o600));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_device_logs_in_again_as_the_same_device() {
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
    assert_eq!(client_of(&first), client_of(&second));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jellyfin_login_goes_by_quick_connect() {
    let tasks = TaskTracker::new();
    let (server, folder) = (jellyfin(&tasks, |_| ()).await, folder());
    let url = server.url();
    let (code, shown, errors) =
        agreed(&folder, &["login", "jellyfin", "--url", &url], &server, "owner-a").await;
    assert_eq!(code, 0, "{errors}");
    assert!(shown.contains("logged in as olga"), "{shown}");
    let (token, mode) = written(&folder, ".local/state/greenroom/jellyfin.token");
    assert_eq!((token.len(), mode), (32, 0o600));
    assert!(!shown.contains(&token) && !errors.contains(&token), "the token is shown");
    let asked = Client::new(server.address())
        .with("authorization", &format!("MediaBrowser Token=\"{token}\""))
        .get("/Users/Me")
        .await;
    assert_eq!(asked.json()["Name"], "olga");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_quick_connect_is_off_that_is_said_and_a_password_works() {
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
    assert!(shown.contains("logged in as sam") && shown.contains("this user is no administrator"), "{shown}");
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
async fn what_goes_wrong_is_named_with_what_to_do() {
    let tasks = TaskTracker::new();
    let (server, folder) = (plex(&tasks).await, folder());
    let url = server.url();
    let (code, _, errors) = run(&folder, &["login", "jellyfin", "--url", &url], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("is not a Jellyfin server") && errors.contains("check --url"), "{errors}");
    let (code, _, errors) = run(&folder, &["login", "jellyfin", "--url", "here"], &[]).await;
    assert_eq!(code, 2);
    assert!(errors.contains("an address looks like"), "{errors}");
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
    assert!(errors.contains("no code was given (status 200)"), "{errors}");
    assert!(!folder.path().join(".local/state/greenroom/plex.token").exists(), "nothing was got");
    server.stop().await;
}
