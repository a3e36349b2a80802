//! One gateway per data directory, through the program: a second one is refused, a killed one leaves the directory free,
//! and one that takes over fails no request of clients that go on asking.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader as AsyncBufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio_util::task::TaskTracker;

use crate::binary::{command, folder, identity, run};
use crate::stage::scripted::{Reply, Scripted, container};
use crate::stage::waiting::until;

/// Slow test machines.
const LONG: Duration = Duration::from_secs(60);
const TAKEOVERS: usize = 4;

async fn plex() -> Scripted {
    Scripted::start(&TaskTracker::new(), |request| {
        Reply::Bytes(if request.target == "/identity" { identity() } else { container(request.before) })
    })
    .await
}

/// A gateway in a home, and what it prints, which nobody has to read but somebody has to hold.
struct Running {
    child: Child,
    address: SocketAddr,
    _lines: Lines<AsyncBufReader<ChildStdout>>,
}

fn arguments(url: &str) -> Vec<&str> {
    vec!["serve", "--plex", url, "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
}

impl Running {
    /// Starts one, and waits until it serves.
    async fn start(home: &TempDir, url: &str, more: &[&str]) -> Self {
        let mut command = command(home);
        command.env("GREENROOM_LOG", "warn").stderr(Stdio::null());
        let mut child = command.args(arguments(url)).args(more).spawn().expect("it starts");
        let mut lines = AsyncBufReader::new(child.stdout.take().expect("it has an output")).lines();
        let mut address = None;
        loop {
            let line = lines.next_line().await.expect("it prints text").expect("it prints more");
            if let Some((_, found)) = line.split_once("point your apps at http://") {
                address = Some(found.trim().parse().expect("an address"));
            }
            if line.starts_with("page: ") {
                return Self { child, address: address.expect("it was printed before"), _lines: lines };
            }
        }
    }

    async fn kill(mut self) {
        self.child.kill().await.expect("it is killed");
    }

    fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_a_directory_is_told_who_has_it_and_what_to_do() {
    let (home, server) = (folder(), plex().await);
    let url = format!("http://{}", server.address);
    let first = Running::start(&home, &url, &[]).await;
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
    assert!(
        code == 1 && errors.contains(&format!("{cache} is in use by process {}", first.pid())),
        "{errors}"
    );
    assert!(ask(first.address, true).is_ok_and(|is_good| is_good), "the first goes on");
    first.kill().await;
    Running::start(&home, &url, &[]).await.kill().await;
    Running::start(&home, &url, &["--take-over"]).await.kill().await;
    server.stop();
}

/// Asks once on a connection of its own; true if the answer is whole.
fn ask(address: SocketAddr, closes: bool) -> std::io::Result<bool> {
    let mut stream = connect(address)?;
    exchange(&mut stream, closes).map(|(is_good, _)| is_good)
}

fn connect(address: SocketAddr) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LONG))?;
    Ok(BufReader::new(stream))
}

/// One request and its answer: whether it is a whole 200, and whether the connection may be used again.
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

/// Asks without end: on one connection as long as it is kept, or on a new one each time. Nothing is tried again.
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
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_after_the_other_takes_over_and_no_request_of_a_looping_client_fails() {
    let (home, server) = (folder(), plex().await);
    let url = format!("http://{}", server.address);
    let mut running = Running::start(&home, &url, &[]).await;
    let address = running.address;
    let (is_over, failed) = (AtomicBool::new(false), AtomicU64::new(0));
    let asked = [AtomicU64::new(0), AtomicU64::new(0)];
    let count = || asked.each_ref().map(|asked| asked.load(Ordering::Relaxed));
    std::thread::scope(|scope| {
        // Also if an assertion fails: else it would be waited for them for ever.
        let _end = End(&is_over);
        for (closes, asked) in [false, true].into_iter().zip(&asked) {
            let (is_over, failed) = (&is_over, &failed);
            scope.spawn(move || loops(address, closes, is_over, asked, failed));
        }
        let takes_over = async {
            for round in 0..TAKEOVERS {
                let before = count();
                until(|| count().iter().zip(&before).all(|(now, before)| *now > before + 50)).await;
                let next = Running::start(&home, &url, &["--take-over"]).await;
                assert_eq!(next.address, address, "round {round}");
                let mut left = std::mem::replace(&mut running, next);
                assert!(left.child.wait().await.expect("it ends").success(), "round {round}");
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
