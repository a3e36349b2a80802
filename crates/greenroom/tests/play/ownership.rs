//! One gateway per data directory, through the program: a second one is refused, a killed one leaves the directory
//! free, and a take-over fails no request of busy clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader as AsyncBufReader, Lines};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream as AsyncTcpStream;
use tokio::process::{Child, ChildStdout};
use tokio_util::task::TaskTracker;

use crate::binary::{command, folder, identity, run};
use crate::fixture::scripted::{ScriptedReply, ScriptedServer, container};
use crate::fixture::waiting::{until, with_deadline};

/// For slow test machines.
const LONG: Duration = Duration::from_secs(60);
const TAKEOVERS: usize = 4;

async fn plex() -> ScriptedServer {
    ScriptedServer::start(&TaskTracker::new(), |request| {
        ScriptedReply::Bytes(if request.target == "/identity" { identity() } else { container(request.before) })
    })
    .await
}

/// A gateway in a folder, and its output, which must be held but need not be read.
struct GatewayChild {
    child: Child,
    address: SocketAddr,
    _lines: Lines<AsyncBufReader<ChildStdout>>,
}

fn arguments(url: &str) -> Vec<&str> {
    vec!["serve", "--plex", url, "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
}

impl GatewayChild {
    /// Starts one, and waits until it serves.
    async fn start(home: &TempDir, url: &str, more: &[&str]) -> Self {
        Self::start_with(home, url, more, &[]).await
    }

    /// The same with settings.
    async fn start_with(home: &TempDir, url: &str, more: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = command(home);
        command.env("GREENROOM_LOG", "warn").envs(environment.iter().copied()).stderr(Stdio::null());
        let mut child = command.args(arguments(url)).args(more).spawn().expect("it starts");
        let mut lines = AsyncBufReader::new(child.stdout.take().expect("it has an output")).lines();
        let mut address = None;
        let printing = async {
            loop {
                let line = lines.next_line().await.expect("it prints text").expect("it prints more");
                if let Some((_, found)) = line.split_once("point your apps at http://") {
                    address = Some(found.trim().parse().expect("an address"));
                }
                if line.starts_with("page: ") {
                    return;
                }
            }
        };
        with_deadline("a gateway that serves", printing).await;
        Self { child, address: address.expect("it was printed before"), _lines: lines }
    }

    async fn ends(mut self) {
        assert!(with_deadline("its end", self.child.wait()).await.expect("it ends").success());
    }

    async fn kill(mut self) {
        self.child.kill().await.expect("it is killed");
    }

    fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_a_directory_names_the_owner_and_the_remedy() {
    let (home, server) = (folder(), plex().await);
    let url = format!("http://{}", server.address);
    let first = GatewayChild::start(&home, &url, &[]).await;
    let (code, out, errors) = run(&home, &arguments(&url), &[("GREENROOM_LOG", "warn")]).await;
    assert_eq!((code, out.as_str()), (1, ""), "{errors}");
    let process = format!("is in use by process {} (http://127.0.0.1:", first.pid());
    for part in [process.as_str(), "one process owns a data directory at a time", "--take-over"] {
        assert!(errors.contains(part), "{part} is missing in {errors}");
    }
    // The cache of another data directory is no way around it.
    let cache = home.path().join(".local/state/greenroom/cache").display().to_string();
    let other = home.path().join("other").display().to_string();
    let environment = [("GREENROOM_LOG", "warn"), ("GREENROOM_DISK_DIR", cache.as_str())];
    let both = [arguments(&url), vec!["--data-dir", other.as_str()]].concat();
    let (code, _, errors) = run(&home, &both, &environment).await;
    assert!(code == 1 && errors.contains(&format!("{cache} is in use by process {}", first.pid())), "{errors}");
    assert!(ask(first.address, true).is_ok_and(|is_good| is_good), "the first goes on");
    first.kill().await;
    GatewayChild::start(&home, &url, &[]).await.kill().await;
    GatewayChild::start(&home, &url, &["--take-over"]).await.kill().await;
    server.stop();
}

/// Sends one request on a connection of its own; true if the response is complete.
fn ask(address: SocketAddr, closes: bool) -> std::io::Result<bool> {
    let mut stream = connect(address)?;
    exchange(&mut stream, closes).map(|(is_good, _)| is_good)
}

fn connect(address: SocketAddr) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LONG))?;
    Ok(BufReader::new(stream))
}

/// One request and its response: whether it is a complete 200, and whether the connection may be reused.
fn exchange(stream: &mut BufReader<TcpStream>, closes: bool) -> std::io::Result<(bool, bool)> {
    let connection = if closes { "Connection: close\r\n" } else { "" };
    let request = format!("GET /identity HTTP/1.1\r\nHost: greenroom\r\n{connection}\r\n");
    stream.get_mut().write_all(request.as_bytes())?;
    let (mut length, mut is_kept, mut line) = (None, true, String::new());
    stream.read_line(&mut line)?;
    let is_good = line.starts_with("HTTP/1.1 200");
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let header = line.trim().to_ascii_lowercase();
        match header.split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse::<usize>().ok(),
            Some(("connection", value)) => is_kept &= value.trim() != "close",
            Some(_) => {}
            None if header.is_empty() => break,
            None => return Ok((false, false)),
        }
    }
    let Some(length) = length else { return Ok((false, false)) };
    stream.read_exact(&mut vec![0; length])?;
    Ok((is_good && length > 0, is_kept))
}

/// Sends requests without end: on one connection while it stays open, or on a new one each time. Without retries.
fn loops(address: SocketAddr, closes: bool, is_over: &AtomicBool, asked: &AtomicU64, failed: &AtomicU64) {
    let mut kept = None;
    while !is_over.load(Ordering::Relaxed) {
        let stream = kept.take().map_or_else(|| connect(address), Ok);
        let outcome = stream.and_then(|mut stream| {
            exchange(&mut stream, closes).map(|(is_good, is_kept)| (is_good, is_kept.then_some(stream)))
        });
        let is_good = match outcome {
            Ok((is_good, stream)) => {
                kept = stream.filter(|_| !closes);
                is_good
            }
            Err(_) => false,
        };
        asked.fetch_add(1, Ordering::Relaxed);
        failed.fetch_add(u64::from(!is_good), Ordering::Relaxed);
    }
}

/// Ends the clients.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_after_the_other_takes_over_and_no_request_of_a_looping_client_fails() {
    let (home, server) = (folder(), plex().await);
    let url = format!("http://{}", server.address);
    let mut running = GatewayChild::start(&home, &url, &[]).await;
    let address = running.address;
    let (is_over, failed) = (AtomicBool::new(false), AtomicU64::new(0));
    let asked = [AtomicU64::new(0), AtomicU64::new(0)];
    let count = || asked.each_ref().map(|asked| asked.load(Ordering::Relaxed));
    std::thread::scope(|scope| {
        // Also if an assertion fails: otherwise the test would wait for them for ever.
        let _end = StopOnDrop(&is_over);
        for (closes, asked) in [false, true].into_iter().zip(&asked) {
            let (is_over, failed) = (&is_over, &failed);
            scope.spawn(move || loops(address, closes, is_over, asked, failed));
        }
        let takes_over = async {
            for round in 0..TAKEOVERS {
                let before = count();
                until(|| count().iter().zip(&before).all(|(now, before)| *now > before + 50)).await;
                let next = GatewayChild::start(&home, &url, &["--take-over"]).await;
                assert_eq!(next.address, address, "round {round}");
                let mut left = std::mem::replace(&mut running, next);
                let ended = with_deadline("the end of the gateway before", left.child.wait()).await;
                assert!(ended.expect("it ends").success(), "round {round}");
            }
            let before = count();
            until(|| count().iter().zip(&before).all(|(now, before)| *now > before + 50)).await;
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(takes_over));
    });
    println!("asked {:?} times over {TAKEOVERS} take-overs", count());
    assert_eq!(failed.load(Ordering::Relaxed), 0, "of {:?}", count());
    running.kill().await;
    server.stop();
}

/// Whether a process has installed its signal handlers. Until then the system kills it.
fn listens_for_signals(id: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask & 1 << 14 != 0)
}

/// Size of a film: more than fits into the sockets between.
const FILM_BYTES: u64 = 64 * 1024 * 1024;

/// A server with a film, an event stream, and a list that it never returns.
async fn cinema() -> ScriptedServer {
    ScriptedServer::start(&TaskTracker::new(), |request| match request.target.split('?').next() {
        Some("/identity") => ScriptedReply::Bytes(identity()),
        Some("/library/parts/1/1/film.mkv") => {
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: video/x-matroska\r\nContent-Length: {FILM_BYTES}\r\n\r\n");
            ScriptedReply::Flood(head.into_bytes(), FILM_BYTES)
        }
        Some("/:/eventsource/notifications") => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
            ScriptedReply::Bytes(format!("{head}9\r\ndata: 1\n\n\r\n").into_bytes())
        }
        Some("/library/sections/7/all") => ScriptedReply::Held(std::sync::Arc::default(), Vec::new()),
        _ => ScriptedReply::Bytes(container(request.before)),
    })
    .await
}

/// Opens a long response, and reads its first bytes.
async fn begin(address: SocketAddr, target: &str, until: &str) -> AsyncTcpStream {
    let mut stream = AsyncTcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {target} HTTP/1.1\r\nHost: greenroom\r\nX-Plex-Token: known\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut head = Vec::new();
    let begins = async {
        while !String::from_utf8_lossy(&head).contains(until) {
            head.push(stream.read_u8().await.expect("it goes on"));
        }
    };
    with_deadline(format!("{until} of {target}"), begins).await;
    assert!(head.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&head));
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_plays_on_through_the_old_gateway_while_the_new_one_serves() {
    let (home, server) = (folder(), cinema().await);
    let url = format!("http://{}", server.address);
    let mut old = GatewayChild::start_with(&home, &url, &[], &[("GREENROOM_TAKEOVER_DRAIN_S", "15")]).await;
    let mut film = begin(old.address, "/library/parts/1/1/film.mkv", "\r\n\r\n").await;
    let new = GatewayChild::start(&home, &url, &["--take-over"]).await;
    assert!(old.child.try_wait().expect("it is known").is_none(), "the old one is still there for the film");
    assert!(ask(new.address, true).is_ok_and(|is_good| is_good), "the new one serves");
    let mut film_bytes = 0;
    let mut buffer = vec![0; 1 << 18];
    while film_bytes < FILM_BYTES {
        let read = with_deadline("the film", film.read(&mut buffer)).await.expect("it goes on");
        assert!(read > 0, "cut off after {film_bytes} bytes");
        film_bytes += read as u64;
    }
    old.ends().await;
    new.kill().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stream_of_the_old_gateway_ends_and_delays_no_shutdown() {
    let (home, server) = (folder(), cinema().await);
    let url = format!("http://{}", server.address);
    let old = GatewayChild::start_with(&home, &url, &[], &[("GREENROOM_TAKEOVER_DRAIN_S", "15")]).await;
    let mut events = begin(old.address, "/:/eventsource/notifications", "data: 1\n\n").await;
    let new = GatewayChild::start(&home, &url, &["--take-over"]).await;
    let mut rest = Vec::new();
    with_deadline("the end of the events", events.read_to_end(&mut rest)).await.expect("it ends in order");
    assert!(rest.ends_with(b"0\r\n\r\n"), "{:?}", String::from_utf8_lossy(&rest));
    old.ends().await;
    new.kill().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_waits_for_its_predecessor_ends_at_once_on_a_signal() {
    let (home, server) = (folder(), cinema().await);
    let url = format!("http://{}", server.address);
    let old = GatewayChild::start_with(&home, &url, &[], &[("GREENROOM_TAKEOVER_DRAIN_S", "15")]).await;
    let mut held = AsyncTcpStream::connect(old.address).await.expect("a connection");
    let request = b"GET /library/sections/7/all HTTP/1.1\r\nHost: greenroom\r\nX-Plex-Token: known\r\n\r\n";
    held.write_all(request).await.expect("it is sent");
    server.until(|server| server.count("GET", "/library/sections/7/all") == 1).await;
    let mut program = command(&home);
    program.env("GREENROOM_LOG", "warn").args(arguments(&url)).arg("--take-over");
    let mut new = program.spawn().expect("it starts");
    let mut errors = AsyncBufReader::new(new.stderr.take().expect("it has one")).lines();
    let mut next = async || with_deadline("a line", errors.next_line()).await.expect("text").expect("it says more");
    while !next().await.contains("taking over from") {}
    let id = new.id().expect("it runs").to_string();
    until(|| listens_for_signals(&id)).await;
    assert!(std::process::Command::new("kill").arg(&id).status().expect("kill runs").success());
    assert!(with_deadline("its end", new.wait()).await.expect("it ends").success());
    let line = next().await;
    assert!(line.contains("stopped before it began to serve"), "{line}");
    drop(held);
    old.kill().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_ask_a_gateway_whose_control_plane_is_encrypted_and_believe_no_other_certificate() {
    let (home, server) = (folder(), plex().await);
    let url = format!("http://{}", server.address);
    let made = rcgen::generate_simple_self_signed(["nas.example".to_owned()]).expect("a certificate");
    let file = |name: &str, text: String| {
        let path = home.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (certificate, key) = (file("c.pem", made.cert.pem()), file("k.pem", made.signing_key.serialize_pem()));
    let environment =
        [("GREENROOM_CONTROL_LISTEN_TLS_CERT_FILE", &*certificate), ("GREENROOM_CONTROL_LISTEN_TLS_KEY_FILE", &*key)];
    let running = GatewayChild::start_with(&home, &url, &[], &environment).await;
    let to = home.path().join("saved.backup").display().to_string();
    for arguments in [vec!["backup", &to], vec!["cache", "vacuum"], vec!["status"]] {
        let (_, _, errors) = run(&home, &arguments, &[]).await;
        // A store that does not exist yet is another matter.
        assert!(!errors.contains("encrypted") && !errors.contains("no gateway answers"), "{arguments:?}: {errors}");
    }
    assert!(home.path().join("saved.backup").exists());
    let lock = home.path().join(".local/state/greenroom/greenroom.lock");
    let text = std::fs::read_to_string(&lock).expect("it is there");
    let (rest, _) = text.split_once("sha256:").expect("the certificate is written there");
    std::fs::write(&lock, format!("{rest}sha256:{}\n", "ab".repeat(32))).expect("written");
    let (code, _, errors) = run(&home, &["backup", &to], &[]).await;
    assert_eq!(code, 1, "another certificate is believed: {errors}");
    running.kill().await;
    server.stop();
}
