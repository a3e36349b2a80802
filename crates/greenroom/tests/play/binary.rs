//! The program as a user runs it: its output, its rejections, and secrets that it never shows.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio_util::task::TaskTracker;

use crate::fixture::TestClient;
use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::waiting::with_deadline;

const TOKEN: &str = "SECRET-token-0123456789";

pub struct GatewayProgram {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub folder: TempDir,
}

pub(crate) fn command(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
    command.env_clear().env("HOME", folder.path()).env("GREENROOM_LOG", "trace");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

pub fn serve(arguments: &[&str]) -> GatewayProgram {
    serve_with_log(arguments, "trace")
}

/// [`serve`] with warnings and errors in its log only.
pub fn serve_quietly(arguments: &[&str]) -> GatewayProgram {
    serve_with_log(arguments, "warn")
}

fn serve_with_log(arguments: &[&str], log: &str) -> GatewayProgram {
    let folder = folder();
    let mut child = command(&folder)
        .env("GREENROOM_LOG", log)
        .args(["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"])
        .args(arguments)
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
    GatewayProgram { child, lines, folder }
}

/// The program with the configuration in a folder: the process, a client with its control token, and its output, which
/// must be held but need not be read.
pub(crate) async fn configured(folder: &Path) -> (Child, TestClient, Lines<BufReader<ChildStdout>>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
    command.env_clear().env("HOME", folder).env("GREENROOM_CONFIG", folder.join("greenroom.toml"));
    command.arg("serve").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
    let address = loop {
        let line = lines.next_line().await.expect("it prints text").expect("it prints more");
        if let Some((_, page)) = line.split_once("page: http://") {
            break page.trim().trim_end_matches('/').parse().expect("an address");
        }
    };
    let token = std::fs::read_to_string(folder.join("data/control.token")).expect("it is there");
    let client = TestClient::new(address).with("content-type", "application/json");
    (child, client.with("authorization", &format!("Bearer {}", token.trim())), lines)
}

impl GatewayProgram {
    pub async fn line(&mut self) -> String {
        let line = with_deadline("a line", self.lines.next_line()).await;
        line.expect("it prints text").expect("it prints more")
    }

    /// Reads lines until one has this prefix; returns the rest of it.
    pub async fn after(&mut self, start: &str) -> String {
        loop {
            let line = self.line().await;
            if let Some(rest) = line.trim().strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// Its resident memory in KiB, as the kernel counts it.
    pub fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id().expect("it runs"));
        let status = std::fs::read_to_string(path).expect("the kernel shows it");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Sends SIGTERM.
    pub fn stop(&self) {
        let pid = self.child.id().expect("it runs").to_string();
        let kill = std::process::Command::new("kill").arg(&pid).status().expect("kill runs");
        assert!(kill.success());
    }

    /// Stops it and returns its exit code and log.
    pub async fn end(self) -> (Option<i32>, String) {
        let (code, log, folder) = self.end_and_leave().await;
        drop(folder);
        (code, log)
    }

    /// Also returns its folder.
    pub async fn end_and_leave(mut self) -> (Option<i32>, String, TempDir) {
        self.stop();
        let mut log = String::new();
        self.child.stderr.take().expect("it has a log").read_to_string(&mut log).await.expect("it is text");
        let status = self.child.wait().await.expect("it ends");
        (status.code(), log, self.folder)
    }
}

/// Runs to the end; returns exit code, output and errors.
pub(crate) async fn run(folder: &TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let output = command(folder).envs(environment.iter().copied()).args(arguments).output().await.expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("it exits"), text(&output.stdout), text(&output.stderr))
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("it can be read").flatten() {
        if entry.file_type().expect("a type").is_dir() {
            files(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

pub fn identity() -> Vec<u8> {
    let body = r#"{"MediaContainer":{"size":0,"claimed":true,"machineIdentifier":"abc","version":"1.43.2.1"}}"#;
    answer("200 OK", "application/json", body)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_lines_say_what_was_found_and_where_to_point_apps() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |_| ScriptedReply::Bytes(identity())).await;
    let mut program = serve(&["--plex", &format!("http://{}", server.address)]);
    let found = program.line().await;
    assert!(found.starts_with("plex: found plex 1.43.2.1 at 127.0.0.1:"), "{found}");
    let point = program.line().await;
    assert!(point.trim().starts_with("point your apps at http://127.0.0.1:"), "{point}");
    let page = program.after("page: http://").await;
    assert!(page.starts_with("127.0.0.1:"), "{page}");
    let (code, _) = program.end().await;
    assert_eq!(code, Some(0), "told to stop, it stops well");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_limit_of_open_files_is_raised_as_far_as_the_system_allows() {
    let folder = folder();
    let script =
        "ulimit -Sn 256; exec \"$0\" serve --plex http://127.0.0.1:9 --listen 127.0.0.1:0 --control 127.0.0.1:0";
    let mut command = Command::new("sh");
    command.env_clear().env("HOME", folder.path()).args(["-c", script, env!("CARGO_BIN_EXE_greenroom")]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
    let mut program = GatewayProgram { child, lines, folder };
    program.after("page: http://").await;
    let path = format!("/proc/{}/limits", program.child.id().expect("it runs"));
    let limits = std::fs::read_to_string(path).expect("the kernel shows them");
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("one of files");
    let (soft, hard) = files.trim().split_once(' ').expect("two numbers");
    assert_ne!(soft, "256", "{files}");
    assert_eq!(Some(soft), hard.split_whitespace().next(), "{files}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_silent_upstream_is_named_and_does_not_end_the_program() {
    let tasks = TaskTracker::new();
    let server =
        ScriptedServer::start(&tasks, |_| ScriptedReply::Bytes(answer("200 OK", "text/html", "<html>router</html>")))
            .await;
    let mut program = serve(&["--jellyfin", &format!("http://{}", server.address)]);
    let foreign = program.line().await;
    assert!(foreign.contains("is not a jellyfin server"), "{foreign}");
    assert!(program.line().await.contains("-> check address and port"));
    program.end().await;
    server.stop();
    let mut program = serve(&["--plex", "http://127.0.0.1:9"]);
    program.after("Greenroom keeps trying").await;
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_ever_written_or_shown() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |request| match request.target.as_str() {
        target if target.starts_with("/identity") => ScriptedReply::Bytes(identity()),
        target if target.contains("metadata/404") => ScriptedReply::Close,
        target if target.contains("metadata/401") => {
            ScriptedReply::Bytes(answer("401 Unauthorized", "text/html", "<h1>401 Unauthorized</h1>"))
        }
        _ => ScriptedReply::Bytes(container(request.before)),
    })
    .await;
    let mut program = serve(&["--plex", &format!("http://{}", server.address)]);
    let address = program.after("point your apps at http://").await.parse().expect("an address");
    let control = program.after("page: http://").await.trim_end_matches('/').parse().expect("an address");
    let token_line = program.after("control token").await;
    let control_token = std::fs::read_to_string(program.folder.path().join(".local/state/greenroom/control.token"));
    let control_token = control_token.expect("it is there").trim().to_owned();
    assert!(token_line.contains("greenroom token show") && !token_line.contains(&control_token), "{token_line}");
    let client = TestClient::new(address);
    let (header, control) = (client.with("x-plex-token", TOKEN), TestClient::new(control));
    let nested =
        format!("http%3A%2F%2F127.0.0.1%3A32400%2Flibrary%2Fmetadata%2F1%2Fthumb%2F1%3FX-Plex-Token%3D{TOKEN}");
    let mut shown = String::new();
    for target in [
        format!("/library/sections?X-Plex-Token={TOKEN}"),
        format!("/library/sections?X-Plex-Token={TOKEN}"),
        format!("/unknown/path?X-Plex-Token={TOKEN}&api_key={TOKEN}"),
        format!("/photo/:/transcode?width=10&height=10&url={nested}&X-Plex-Token={TOKEN}"),
        format!("/library/metadata/404?X-Plex-Token={TOKEN}"),
        format!("/library/metadata/401?X-Plex-Token={TOKEN}"),
        format!("/library//odd;path?X-Plex-Token={TOKEN}"),
        format!("/:/scrobble?key=1&X-Plex-Token={TOKEN}"),
    ] {
        let answer = client.get(&target).await;
        writeln!(shown, "{:?} {}", answer.headers, answer.text()).expect("a string takes it");
        let answer = header.get(target.split('?').next().expect("a path")).await;
        writeln!(shown, "{:?} {}", answer.headers, answer.text()).expect("a string takes it");
    }
    // One that is cached, in memory and on disk.
    assert_eq!(header.with("accept", "application/json").get("/hubs").await.status, 200);
    for path in ["/", "/metrics", "/api/v1/cache/stats", "/api/v1/servers", "/healthz", "/readyz", "/api/v1/none"] {
        let answer = control.get(path).await;
        assert!(!answer.text().contains(&control_token), "{path} shows the control token");
        writeln!(shown, "{path}: {:?} {}", answer.headers, answer.text()).expect("a string takes it");
    }
    assert!(shown.contains("greenroom"), "something was shown");
    let (_, log, folder) = program.end_and_leave().await;
    assert!(log.contains("first request of an app") && !log.contains(&control_token), "something was logged");
    let mut written = Vec::new();
    files(folder.path(), &mut written);
    let names: Vec<_> = written.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    assert!(names.contains(&"cache.db") && names.contains(&"state.db"), "{names:?}");
    for file in written {
        let bytes = std::fs::read(&file).expect("it can be read");
        let holds = |secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!holds("SECRET") && !holds("0123456789"), "{} holds a token", file.display());
        assert!(!file.display().to_string().contains("SECRET"), "a name holds a token");
    }
    for part in ["answered", "fetch_ms", "render_ms", "written behind", "write_ms"] {
        assert!(log.contains(part), "how long answers and writes take is logged: {part}");
    }
    for (what, text) in [("shown", &shown), ("logged", &log)] {
        let at = text.find("SECRET").map(|at| text[at.saturating_sub(200)..].chars().take(400).collect::<String>());
        assert_eq!(at, None, "a token was {what}");
        assert!(!text.contains("0123456789"), "a part of a token was {what}");
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_with_what_to_do() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let (code, _, errors) = run(&folder(), &["serve", "--plex", "http://127.0.0.1:9", "--listen", &address], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains(&format!("{address} is in use by another program")), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_of_a_configuration_is_reported_and_nothing_starts() {
    let folder = folder();
    let file = folder.path().join("greenroom.toml");
    std::fs::write(&file, "colour = 1\n[[server]]\nname = \"a\"\nkind = \"tape\"\nurl = \"nowhere\"\n")
        .expect("written");
    let file = file.display().to_string();
    for arguments in [["config", "check", &file].as_slice(), &["serve", "--config", &file]] {
        let (code, _, errors) = run(&folder, arguments, &[("GREENROOM_COLOUR", "red")]).await;
        assert_eq!(code, 2, "{errors}");
        for part in
            [":1:10: unknown key colour", ":4:8: kind must be", ":5:7: url must", "GREENROOM_COLOUR: no such key"]
        {
            assert!(errors.contains(part), "{part} is missing in {errors}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_serve_is_a_message_and_not_a_crash() {
    let (code, _, errors) = run(&folder(), &["serve"], &[]).await;
    assert_eq!(code, 2);
    assert!(errors.contains("no media server"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_written_configuration_is_accepted_as_it_is() {
    let folder = folder();
    let (code, text, _) = run(&folder, &["config", "init"], &[]).await;
    assert_eq!(code, 0);
    let file = folder.path().join("greenroom.toml");
    std::fs::write(&file, text).expect("written");
    let (code, _, errors) = run(&folder, &["config", "check", &file.display().to_string()], &[]).await;
    assert_eq!(code, 0, "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_token_is_the_same_at_every_start_until_it_is_renewed() {
    let mut program = serve(&["--plex", "http://127.0.0.1:9"]);
    program.after("page: ").await;
    let (_, _, folder) = program.end_and_leave().await;
    let show = ["token", "show"];
    let (_, first, _) = run(&folder, &show, &[]).await;
    let (_, second, _) = run(&folder, &show, &[]).await;
    assert_eq!((first.len(), &first), (33, &second));
    let (_, renewed, _) = run(&folder, &["token", "rotate"], &[]).await;
    assert_ne!(first, renewed);
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_alone_start_it_and_tell_whether_it_is_alive() {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |_| ScriptedReply::Bytes(identity())).await;
    let folder = folder();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, TOKEN).expect("written");
    let control = free_address().await;
    let url = format!("http://{}", server.address);
    let state = folder.path().join("state").display().to_string();
    let variables = [
        ("GREENROOM_SERVER_LIVING_ROOM_KIND", "plex"),
        ("GREENROOM_SERVER_LIVING_ROOM_URL", url.as_str()),
        ("GREENROOM_SERVER_LIVING_ROOM_LISTEN", "127.0.0.1:0"),
        ("GREENROOM_SERVER_LIVING_ROOM_TOKEN_FILE", secret.to_str().expect("text")),
        ("GREENROOM_SERVER_LIVING_ROOM_LIFETIMES_SECTIONS_FRESH_S", "7"),
        ("GREENROOM_CONTROL_LISTEN", control.as_str()),
        ("GREENROOM_DATA_DIR", state.as_str()),
    ];
    let (code, _, errors) = run(&folder, &["healthcheck"], &variables).await;
    assert_eq!(code, 1, "nothing runs yet: {errors}");
    let mut child = command(&folder).arg("serve").envs(variables).spawn().expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
    let mut program = GatewayProgram { child, lines, folder };
    let found = program.line().await;
    assert!(found.starts_with("living-room: found plex"), "{found}");
    let address = program.after("point your apps at http://").await.parse().expect("an address");
    let answer = TestClient::new(address).with("x-plex-token", "a-token").get("/identity").await;
    assert_eq!(answer.status, 200);
    program.after("page: http://").await;
    let (code, _, errors) = run(&program.folder, &["healthcheck"], &variables).await;
    assert_eq!(code, 0, "{errors}");
    let (code, _) = program.end().await;
    assert_eq!(code, Some(0));
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_used_is_a_problem_of_the_configuration() {
    let folder = folder();
    let broken = folder.path().join("broken.pem");
    std::fs::write(&broken, "nothing").expect("written");
    let broken = broken.to_str().expect("text");
    let variables = [
        ("GREENROOM_SERVER_HOME_KIND", "plex"),
        ("GREENROOM_SERVER_HOME_URL", "https://127.0.0.1:9"),
        ("GREENROOM_SERVER_HOME_TLS_CA_FILE", broken),
        ("GREENROOM_SERVER_HOME_TLS_PIN_SHA256", "any"),
        ("GREENROOM_CONTROL_LISTEN_TLS_CERT_FILE", broken),
        ("GREENROOM_CONTROL_LISTEN_TLS_KEY_FILE", broken),
        ("GREENROOM_SERVER_HOME_LISTEN_TLS_KEY_FILE", broken),
        ("GREENROOM_SERVER_HOME_PUBLIC_URL", "media.example"),
    ];
    let (code, _, errors) = run(&folder, &["serve"], &variables).await;
    assert_eq!(code, 2, "{errors}");
    for part in [
        "GREENROOM_SERVER_HOME_TLS_CA_FILE: ",
        "GREENROOM_SERVER_HOME_TLS_PIN_SHA256: ",
        "GREENROOM_CONTROL_LISTEN_TLS_CERT_FILE: ",
        "server.home.listen_tls needs both cert_file and key_file",
        "GREENROOM_SERVER_HOME_PUBLIC_URL: ",
    ] {
        assert!(errors.contains(part), "{part} is missing in {errors}");
    }
}

async fn free_address() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("an address").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_for_apps_that_cannot_be_opened_is_a_warning_and_media_servers_are_served() {
    let server = ScriptedServer::start(&TaskTracker::new(), |request| match request.target.as_str() {
        target if target.starts_with("/identity") => ScriptedReply::Bytes(identity()),
        _ => ScriptedReply::Bytes(container(request.before)),
    })
    .await;
    let folder = folder();
    let toml = format!(
        "data_dir = {:?}\n[control]\nlisten = \"127.0.0.1:0\"\n[apps]\nsocket = \"/proc/greenroom/apps.sock\"\n\
         [[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://{}\"\nlisten = \"127.0.0.1:0\"\n",
        folder.path().join("data"),
        server.address
    );
    std::fs::write(folder.path().join("greenroom.toml"), toml).expect("written");
    let (mut program, control, _printed) = configured(folder.path()).await;
    let warnings = control.get("/api/v1/warnings").await;
    assert!(warnings.text().contains("app-socket-unavailable"), "{}", warnings.text());
    assert!(warnings.text().contains("/proc/greenroom/apps.sock"), "{}", warnings.text());
    program.kill().await.expect("it ends");
    server.stop();
}
