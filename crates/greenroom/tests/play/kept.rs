//! Persistent state: grants are restored, revocations last, a damaged file is left alone, and everything can be backed
//! up and restored.

use greenroom_cache::Timestamp;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_cache::Clock;
use greenroom_dialect::class::Class;
use greenroom_dialect::credential::{Credential, Secret};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio_util::task::TaskTracker;

use crate::binary::{command, folder, identity, run};
use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer, container};
use crate::fixture::waiting::{until, until_async, with_deadline};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient};
use crate::outages::{ServerBehavior, SwitchableServer, gateway, json, until_down};

const TOKEN: &str = "SECRET-token-0123456789";

fn credential(token: &str) -> Credential {
    Credential { token: Some(Secret::new(token)), ..Credential::default() }
}

async fn stage(data_dir: &Path, url: &str, clock: &Clock) -> GatewayFixture {
    GatewayConfigBuilder::new()
        .data_dir(data_dir)
        .table(crate::deferred::PATIENT)
        .server("home", "plex", url, "")
        .start_at(clock.clone())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_holds_over_a_restart_for_its_class_and_its_time() {
    let moody = SwitchableServer::start().await;
    let (data, clock) = (folder(), Clock::system());
    let url = format!("http://{}", moody.server.address);
    let first = stage(data.path(), &url, &clock).await;
    assert_eq!(json(&first, "anna").get("/library/sections").await.status, 200);
    first.stop().await;
    let second = stage(data.path(), &url, &clock).await;
    let home = gateway(&second, 0);
    let anna = home.identities.lookup(&credential("anna")).expect("she is known");
    assert!(anna.is_accepted(Class::Sections, clock.now(), home.origin.settings.auth_ttl));
    assert!(!anna.is_accepted(Class::Lists, clock.now(), home.origin.settings.auth_ttl));
    assert!(
        !anna.is_accepted(
            Class::Sections,
            Timestamp::from_millis(clock.now_ms() + 300_000),
            home.origin.settings.auth_ttl
        ),
        "too old"
    );
    assert!(home.identities.lookup(&credential("bert")).is_none());
    second.stop().await;
    moody.server.stop();
}

#[tokio::test(start_paused = true)]
async fn an_outage_survives_a_restart_until_a_probe_succeeds() {
    let moody = SwitchableServer::start().await;
    let (data, clock) = (folder(), Clock::system());
    let url = format!("http://{}", moody.server.address);
    let first = stage(data.path(), &url, &clock).await;
    let anna = json(&first, "anna");
    assert_eq!(anna.get("/library/sections").await.status, 200);
    moody.set(ServerBehavior::HangsUp);
    until_down(&first, 0, &anna).await;
    let heard_ms = gateway(&first, 0).origin.breaker.outage().expect("it is down").last_response_ms;
    first.stop().await;
    let second = stage(data.path(), &url, &clock).await;
    let home = gateway(&second, 0);
    let outage = home.origin.breaker.outage().expect("it is down still");
    assert_eq!(outage.last_response_ms, heard_ms);
    let (ttl, offline_ttl) = (home.origin.settings.auth_ttl, home.origin.settings.offline_auth_ttl);
    let anna = home.identities.lookup(&credential("anna")).expect("she is known");
    assert!(anna.is_proven_offline(&outage, clock.now(), ttl, offline_ttl));
    second.stop().await;
    moody.set(ServerBehavior::Well);
    let third = stage(data.path(), &url, &clock).await;
    // The first request waits for the probe, and finds the server up again.
    assert_eq!(json(&third, "bert").get("/library/sections").await.status, 200);
    third.stop().await;
    moody.server.stop();
}

/// The program on a folder that outlives it.
pub struct RestartableProgram {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl RestartableProgram {
    pub fn start(home: &TempDir, url: &str) -> Self {
        Self::start_with(home, url, &[])
    }

    pub fn start_with(home: &TempDir, url: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = command(home);
        command.envs(environment.iter().copied());
        command.env("GREENROOM_LOG", "info").stderr(Stdio::inherit());
        // A slow machine must not exceed the time limit of a rejection's write.
        command.env("GREENROOM_STATE_SETTLE_MS", "60000");
        let arguments = ["serve", "--plex", url, "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];
        let mut child = command.args(arguments).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
        Self { child, lines }
    }

    async fn after(&mut self, start: &str) -> String {
        let reading = async {
            loop {
                let line = self.lines.next_line().await.expect("it prints text").expect("it prints more");
                if let Some(rest) = line.trim().strip_prefix(start) {
                    return rest.to_owned();
                }
            }
        };
        with_deadline(start, reading).await
    }

    pub async fn client(&mut self, token: &str) -> TestClient {
        self.client_and_control(token).await.0
    }

    /// A client with this token, and the address of the control plane.
    pub async fn client_and_control(&mut self, token: &str) -> (TestClient, String) {
        let address = self.after("point your apps at http://").await.parse().expect("an address");
        let page = self.after("page: http://").await;
        let client = TestClient::new(address).with("accept", "application/json").with("x-plex-token", token);
        (client, page.trim_end_matches('/').to_owned())
    }

    /// Stops it gracefully.
    pub async fn stop_well(mut self) {
        let pid = self.child.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").arg(&pid).status().expect("kill runs").success());
        assert!(self.child.wait().await.expect("it ends").success());
    }

    /// Like a power failure, but for the disk.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it dies");
    }
}

fn state_of(home: &TempDir) -> std::path::PathBuf {
    home.path().join(".local/state/greenroom/state.db")
}

fn proofs_in(home: &TempDir) -> i64 {
    let db = rusqlite::Connection::open(state_of(home)).expect("it opens");
    db.query_row("SELECT (SELECT count(*) FROM accepted) + (SELECT count(*) FROM image)", [], |row| row.get(0))
        .expect("it can be read")
}

/// Waits until this many grants are stored: that takes a second.
async fn wait_for_grants(home: &TempDir, proofs: i64) {
    until(|| proofs_in(home) >= proofs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_sent_to_the_client_survives_a_kill() {
    let is_revoked = Arc::new(AtomicBool::new(false));
    let revoked = Arc::clone(&is_revoked);
    let server = ScriptedServer::start(&TaskTracker::new(), move |request| {
        ScriptedReply::Bytes(match request.target.as_str() {
            "/identity" => identity(),
            _ if revoked.load(Ordering::SeqCst) => answer("401 Unauthorized", "text/html", "no"),
            target if target.contains("thumb") => answer("200 OK", "image/gif", "GIF89a ;"),
            _ => container(request.before),
        })
    })
    .await;
    let (home, url) = (folder(), format!("http://{}", server.address));
    for round in 0..10 {
        is_revoked.store(false, Ordering::SeqCst);
        let mut program = RestartableProgram::start(&home, &url);
        let client = program.client(TOKEN).await;
        for target in ["/library/sections", "/library/metadata/1/thumb/2"] {
            let answer = client.get(target).await;
            assert_eq!(answer.status, 200);
            assert!(!answer.was_hit(), "round {round}: {target} was answered to a token that had been refused");
        }
        wait_for_grants(&home, 2).await;
        is_revoked.store(true, Ordering::SeqCst);
        assert_eq!(client.get("/library/onDeck").await.status, 401);
        program.kill().await;
        assert_eq!(proofs_in(&home), 0, "round {round}");
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_is_reported_once_and_set_aside_and_the_gateway_runs_on() {
    let server = ScriptedServer::start(&TaskTracker::new(), |request| {
        ScriptedReply::Bytes(if request.target == "/identity" { identity() } else { container(1) })
    })
    .await;
    let (data, url) = (folder(), format!("http://{}", server.address));
    let file = data.path().join("state.db");
    let damaged = b"something else than a database, that was here before".repeat(50);
    std::fs::write(&file, &damaged).expect("written");
    let stage = stage(data.path(), &url, &Clock::system()).await;
    let anna = json(&stage, "anna");
    assert_eq!(anna.get("/library/sections").await.status, 200);
    assert!(anna.get("/library/sections").await.was_hit());
    let shown = stage.control().get("/api/v1/cache/stats").await.json();
    let warning = &shown["warnings"][0];
    assert_eq!(warning["code"], "state-damaged", "{shown}");
    assert!(warning["remedy"].as_str().expect("text").contains("greenroom restore"), "{warning}");
    stage.stop().await;
    assert!(std::fs::read(&file).expect("it is there") == damaged, "it was touched");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unwritable_state_delays_no_request_and_revocations_are_written_later() {
    let is_revoked = Arc::new(AtomicBool::new(false));
    let revoked = Arc::clone(&is_revoked);
    let server = ScriptedServer::start(&TaskTracker::new(), move |request| {
        ScriptedReply::Bytes(match request.target.as_str() {
            "/identity" => identity(),
            _ if revoked.load(Ordering::SeqCst) => answer("401 Unauthorized", "text/html", "no"),
            _ => container(request.before),
        })
    })
    .await;
    let (data, url) = (folder(), format!("http://{}", server.address));
    let stage = stage(data.path(), &url, &Clock::system()).await;
    let anna = json(&stage, "anna");
    assert_eq!(anna.get("/library/sections").await.status, 200);
    assert!(stage.process.state.flush().await);
    let other = rusqlite::Connection::open(data.path().join("state.db")).expect("it opens");
    let proofs =
        || -> i64 { other.query_row("SELECT count(*) FROM accepted", [], |row| row.get(0)).expect("it can be read") };
    assert_eq!(proofs(), 1);
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    for target in ["/library/sections", "/library/sections/1/all", "/hubs"] {
        assert_eq!(anna.get(target).await.status, 200, "{target}");
    }
    is_revoked.store(true, Ordering::SeqCst);
    assert_eq!(anna.get("/library/onDeck").await.status, 401);
    // All of that was answered while nothing could be written.
    assert_eq!(proofs(), 1);
    other.execute_batch("ROLLBACK").expect("it was begun");
    until_async(async || {
        assert!(stage.process.state.flush().await);
        proofs() == 0
    })
    .await;
    drop(other);
    stage.stop().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn once_a_rejection_is_sent_no_grant_of_that_token_is_stored() {
    let is_revoked = Arc::new(AtomicBool::new(false));
    let revoked = Arc::clone(&is_revoked);
    let server = ScriptedServer::start(&TaskTracker::new(), move |request| {
        ScriptedReply::Bytes(match request.target.as_str() {
            "/identity" => identity(),
            _ if revoked.load(Ordering::SeqCst) => answer("401 Unauthorized", "text/html", "no"),
            _ => container(request.before),
        })
    })
    .await;
    let (data, url) = (folder(), format!("http://{}", server.address));
    // Time hardly passes: a slow machine must not exceed the response's time limit.
    let stage = stage(data.path(), &url, &Clock::scaled(0.01)).await;
    let other = rusqlite::Connection::open(data.path().join("state.db")).expect("it opens");
    let anna = json(&stage, "anna");
    assert_eq!(anna.get("/library/sections").await.status, 200);
    assert!(stage.process.state.flush().await);
    let known = gateway(&stage, 0).identities.lookup(&credential("anna")).expect("she is known");
    let tasks = TaskTracker::new();
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    is_revoked.store(true, Ordering::SeqCst);
    let told = tasks.spawn(async move { anna.get("/library/onDeck").await.status });
    until(|| known.is_refused()).await;
    for _ in 0..20_000 {
        tokio::task::yield_now().await;
        assert!(!told.is_finished(), "she was told of what is not durable");
    }
    other.execute_batch("ROLLBACK").expect("it was begun");
    assert_eq!(told.await.expect("it did not panic").as_u16(), 401);
    let proofs: i64 = other.query_row("SELECT count(*) FROM accepted", [], |row| row.get(0)).expect("it can be read");
    assert_eq!(proofs, 0);
    drop(other);
    stage.stop().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_removed_or_replaced_while_running_is_recreated() {
    let moody = SwitchableServer::start().await;
    let (data, clock) = (folder(), Clock::system());
    let url = format!("http://{}", moody.server.address);
    let first = stage(data.path(), &url, &clock).await;
    assert_eq!(json(&first, "anna").get("/library/sections").await.status, 200);
    assert!(first.process.state.flush().await);
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        std::fs::remove_file(data.path().join(name)).expect("it was there");
    }
    assert!(first.process.state.flush().await);
    first.stop().await;
    let second = stage(data.path(), &url, &clock).await;
    assert!(gateway(&second, 0).identities.lookup(&credential("anna")).is_some(), "all is written anew");
    second.stop().await;
    moody.server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_could_not_be_opened_at_the_start_is_read_before_it_is_written() {
    let moody = SwitchableServer::start().await;
    let (data, clock) = (folder(), Clock::system());
    let url = format!("http://{}", moody.server.address);
    let first = stage(data.path(), &url, &clock).await;
    for token in ["anna", "carl"] {
        assert_eq!(json(&first, token).get("/library/sections").await.status, 200);
    }
    first.stop().await;
    let (file, aside) = (data.path().join("state.db"), data.path().join("aside"));
    std::fs::rename(&file, &aside).expect("it was there");
    // A link to a non-file: it can be replaced in one step, so that the file never seems missing and is not created
    // anew.
    std::os::unix::fs::symlink(data.path(), &file).expect("made");
    let second = stage(data.path(), &url, &clock).await;
    assert_eq!(second.process.state.error(), Some(greenroom_state::error::StateErrorKind::Unavailable));
    assert_eq!(json(&second, "bert").get("/library/sections").await.status, 200);
    // The server revokes a token meanwhile.
    let home = gateway(&second, 0);
    home.identify(&credential("carl")).refuse();
    std::fs::rename(&aside, &file).expect("it is put back");
    until_async(async || {
        assert!(second.process.state.flush().await);
        second.process.state.error().is_none()
    })
    .await;
    let accepted = |home: &greenroom_proxy::server::Server, token: &str| {
        let known = home.identities.lookup(&credential(token));
        known.is_some_and(|one| one.was_accepted(Class::Sections))
    };
    assert!(accepted(&home, "anna"), "what was kept counts from now on");
    assert!(!accepted(&home, "carl"), "but for who was refused meanwhile");
    drop(home);
    second.stop().await;
    let third = stage(data.path(), &url, &clock).await;
    let home = gateway(&third, 0);
    assert!(accepted(&home, "anna") && accepted(&home, "bert") && !accepted(&home, "carl"));
    drop(home);
    third.stop().await;
    moody.server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_beside_a_running_gateway_and_put_back_only_without_one() {
    let server = ScriptedServer::start(&TaskTracker::new(), |request| {
        ScriptedReply::Bytes(if request.target == "/identity" { identity() } else { container(1) })
    })
    .await;
    let (home, url) = (folder(), format!("http://{}", server.address));
    let mut program = RestartableProgram::start(&home, &url);
    let client = program.client(TOKEN).await;
    assert_eq!(client.get("/library/sections").await.status, 200);
    wait_for_grants(&home, 1).await;
    let file = home.path().join("saved.backup").display().to_string();
    let (code, out, errors) = run(&home, &["backup", &file], &[]).await;
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("state.db, control.token, identity.key, read.token, webhook.secret"), "{out}");
    assert!(out.contains("it contains secrets"), "{out}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("it is there").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let bytes = std::fs::read(&file).expect("it can be read");
    assert!(!bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()), "a client's token is in it");
    let (code, _, errors) = run(&home, &["restore", &file], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("a gateway runs on") && errors.contains("stop it first"), "{errors}");
    program.kill().await;

    let data = home.path().join(".local/state/greenroom");
    let key = std::fs::read(data.join("identity.key")).expect("it is there");
    std::fs::write(data.join("identity.key"), [7; 32]).expect("written");
    std::fs::write(data.join("state.db"), "damaged").expect("written");
    let (code, out, errors) = run(&home, &["restore", &file], &[]).await;
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("the previous files are in"), "{out}");
    assert!(out.contains("identity.key differs from the previous one"), "{out}");
    assert_eq!(std::fs::read(data.join("identity.key")).expect("it is there"), key);
    assert_eq!(proofs_in(&home), 0, "what was refused since must not come back");
    let kept = std::fs::read_dir(&data).expect("a folder").flatten();
    let kept = kept.map(|entry| entry.path()).find(|path| path.display().to_string().contains("replaced-"));
    let kept = kept.expect("what was replaced is kept");
    assert_eq!(std::fs::read(kept.join("identity.key")).expect("it is kept"), [7; 32]);
    assert_eq!(std::fs::read(kept.join("state.db")).expect("it is kept"), b"damaged");

    let mut program = RestartableProgram::start(&home, &url);
    assert_eq!(program.client(TOKEN).await.get("/library/sections").await.status, 200);
    program.kill().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_backup_is_put_back_a_start_invents_no_keys() {
    let home = folder();
    let data = home.path().join(".local/state/greenroom");
    std::fs::create_dir_all(&data).expect("made");
    let lock = std::fs::File::create(data.join("greenroom.lock")).expect("made");
    lock.lock().expect("nobody has it");
    let arguments = ["serve", "--plex", "http://127.0.0.1:9", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];
    let (code, _, errors) = run(&home, &arguments, &[]).await;
    assert_ne!(code, 0);
    assert!(errors.contains("is in use by another process"), "{errors}");
    assert!(!data.join("identity.key").exists() && !data.join("control.token").exists());
    drop(lock);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_through_standard_output_and_comes_back_through_standard_input() {
    let (home, other) = (folder(), folder());
    let token_of = |home: &tempfile::TempDir| home.path().join(".local/state/greenroom/control.token");
    std::fs::create_dir_all(token_of(&home).parent().expect("a folder")).expect("made");
    std::fs::write(token_of(&home), "0123456789abcdef0123456789abcdef").expect("written");
    let output = command(&home).args(["backup", "-"]).output().await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let restore = async |bytes: &[u8]| {
        let mut child = command(&other);
        child.args(["restore", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().expect("it starts");
        child.stdin.take().expect("an input").write_all(bytes).await.expect("it reads all");
        child.wait_with_output().await.expect("it ends")
    };
    let torn = restore(&output.stdout[..output.stdout.len() / 2]).await;
    let message = String::from_utf8_lossy(&torn.stderr).into_owned();
    assert!(!torn.status.success() && message.contains("standard input"), "{message}");
    assert!(!token_of(&other).exists(), "half a backup changes nothing");
    let whole = restore(&output.stdout).await;
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    assert_eq!(std::fs::read(token_of(&other)).expect("restored"), std::fs::read(token_of(&home)).expect("there"));
    let folder = std::fs::read_dir(token_of(&other).parent().expect("a folder")).expect("readable");
    let left: Vec<_> = folder.flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".greenroom-")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_backup_of_greenroom_is_replaced_or_restored() {
    let home = folder();
    let (code, _, errors) = run(&home, &["backup", "anywhere"], &[]).await;
    assert_eq!(code, 1, "{errors}");
    let data = home.path().join(".local/state/greenroom");
    std::fs::create_dir_all(&data).expect("made");
    std::fs::write(data.join("control.token"), "0123456789abcdef0123456789abcdef").expect("written");
    let photo = home.path().join("photo.jpg");
    std::fs::write(&photo, "a photo").expect("written");
    let name = photo.display().to_string();
    let (code, _, errors) = run(&home, &["backup", &name], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("is no backup of Greenroom and is not replaced"), "{errors}");
    assert_eq!(std::fs::read(&photo).expect("it is there"), b"a photo");
    let (code, _, errors) = run(&home, &["restore", &name], &[]).await;
    assert_eq!(code, 1);
    assert!(errors.contains("it is no backup of Greenroom"), "{errors}");
    let into = home.path().join("backups");
    std::fs::create_dir(&into).expect("made");
    let into = into.display().to_string();
    let (code, out, errors) = run(&home, &["backup", &into], &[]).await;
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("backups/greenroom-") && out.contains(".backup: control.token"), "{out}");
}
