//! A media server that does what a test tells it, down to the byte: for what a well-behaved one never does.

use std::net::SocketAddr;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::waiting::patiently;

impl Arrived {
    /// The values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(said, _)| said.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// The names of all headers, in lower case and in order.
    pub fn header_names(&self) -> Vec<String> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut names: Vec<String> = lines.map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort();
        names
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub method: String,
    pub target: String,
    /// All header lines, as sent.
    pub head: String,
    /// How many requests with the same method and target came before.
    pub before: usize,
    /// The body, as sent.
    pub body: Vec<u8>,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

/// What to do about it.
pub enum Reply {
    /// Send these bytes, keep the connection.
    Bytes(Vec<u8>),
    /// Send these bytes, then close.
    Last(Vec<u8>),
    /// Wait until told, then send these bytes.
    Held(Arc<Notify>, Vec<u8>),
    /// Send a head, then so many bytes of a pattern, as fast as they are taken.
    Flood(Vec<u8>, u64),
    /// Close without a word.
    Close,
}

type Script = dyn Fn(&Arrived) -> Reply + Send + Sync;

pub struct Scripted {
    pub address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    /// Floods that were cut off by the other side.
    pub cut_off: Arc<AtomicUsize>,
    /// Told whenever a request arrived or a flood was cut off.
    pub news: Arc<Notify>,
    stop: CancellationToken,
}

impl Scripted {
    pub async fn start(
        tasks: &TaskTracker,
        script: impl Fn(&Arrived) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let server = Self {
            address: listener.local_addr().expect("an address"),
            arrived: Arc::default(),
            cut_off: Arc::default(),
            news: Arc::default(),
            stop: CancellationToken::new(),
        };
        let script: Arc<Script> = Arc::new(script);
        let (arrived, cut_off, news) = (server.arrived.clone(), server.cut_off.clone(), server.news.clone());
        let (stop, owner) = (server.stop.clone(), tasks.clone());
        tasks.spawn(async move {
            let mut connections = 0..;
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    Ok((stream, _)) = listener.accept() => {
                        let stream = (connections.next().expect("they never end"), stream);
                        let talk = converse(stream, script.clone(), arrived.clone(), cut_off.clone(), news.clone());
                        let stop = stop.clone();
                        owner.spawn(async move { tokio::select! { () = stop.cancelled() => {}, () = talk => {} } });
                    }
                }
            }
        });
        server
    }

    pub fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().clone()
    }

    /// What arrived since this was asked last.
    pub fn take(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.arrived.lock())
    }

    pub fn count(&self, method: &str, path: &str) -> usize {
        let matches = |request: &&Arrived| request.method == method && request.target.starts_with(path);
        self.arrived.lock().iter().filter(matches).count()
    }

    /// Waits until a condition on what arrived holds.
    #[track_caller]
    pub fn until(&self, holds: impl Fn(&Self) -> bool) -> impl Future<Output = ()> {
        patiently(Location::caller(), async move {
            loop {
                let news = self.news.notified();
                if holds(self) {
                    return;
                }
                news.await;
            }
        })
    }

    pub fn stop(&self) {
        self.stop.cancel();
    }
}

async fn converse(
    (connection, mut stream): (usize, TcpStream),
    script: Arc<Script>,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    cut_off: Arc<AtomicUsize>,
    news: Arc<Notify>,
) {
    let mut buffer = Vec::new();
    while let Some((head, body)) = read_request(&mut stream, &mut buffer).await {
        let mut first = head.lines().next().unwrap_or_default().split(' ');
        let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let request = {
            let mut arrived = arrived.lock();
            let before = arrived.iter().filter(|one| one.method == method && one.target == target).count();
            let (method, target) = (method.to_owned(), target.to_owned());
            let request = Arrived { method, target, head: head.clone(), before, body, connection };
            arrived.push(request.clone());
            request
        };
        let reply = script(&request);
        news.notify_waiters();
        let (bytes, is_last) = match reply {
            Reply::Bytes(bytes) => (bytes, false),
            Reply::Last(bytes) => (bytes, true),
            Reply::Held(go, bytes) => {
                go.notified().await;
                (bytes, false)
            }
            Reply::Flood(head, length) => {
                if flood(&mut stream, &head, length).await.is_err() {
                    cut_off.fetch_add(1, Ordering::SeqCst);
                    news.notify_waiters();
                    return;
                }
                continue;
            }
            Reply::Close => return,
        };
        if stream.write_all(&bytes).await.is_err() || is_last {
            return;
        }
    }
}

/// Byte `index` of what a flood sends.
pub fn pattern(index: u64) -> u8 {
    u8::try_from((index.wrapping_mul(31) ^ (index >> 13)) % 256).expect("it is below 256")
}

async fn flood(stream: &mut TcpStream, head: &[u8], length: u64) -> std::io::Result<()> {
    stream.write_all(head).await?;
    // One period of a shorter pattern is enough to see a byte out of place, and costs no time to make.
    let period: Vec<u8> = (0..PERIOD).map(pattern).collect();
    let mut sent = 0;
    while sent < length {
        let part = (length - sent).min(PERIOD);
        stream.write_all(&period[..usize::try_from(part).expect("it fits")]).await?;
        sent += part;
    }
    Ok(())
}

/// After so many bytes a flood repeats itself.
pub const PERIOD: u64 = 1 << 18;

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..at]).into_owned();
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned))
                .and_then(|length| length.trim().parse::<usize>().ok())
                .unwrap_or(0);
            while buffer.len() < at + 4 + length {
                if stream.read_buf(buffer).await.ok()? == 0 {
                    return None;
                }
            }
            let body = buffer[at + 4..at + 4 + length].to_vec();
            buffer.drain(..at + 4 + length);
            return Some((head, body));
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// A response with a body of a type.
pub fn answer(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// A Plex container with one number in it.
pub fn container(number: usize) -> Vec<u8> {
    let body = format!(r#"{{"MediaContainer":{{"size":0,"number":{number}}}}}"#);
    answer("200 OK", "application/json", &body)
}
