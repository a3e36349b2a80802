//! The load generator: persistent connections with one request at a time each.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Buffer for the largest response of the bench with its head.
const BUFFER_BYTES: usize = 256 * 1024;

/// Concurrent connections in the rounds that measure CPU time.
pub(crate) const CONNECTIONS: usize = 16;

#[expect(clippy::disallowed_methods, reason = "a load generator measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A request for `target` as a companion app writes it.
pub(crate) fn request(target: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\n\
         Host: 127.0.0.1\r\n\
         User-Agent: PlexAPI/4.17.0\r\n\
         Accept-Encoding: gzip, deflate\r\n\
         Accept: application/json\r\n\
         Connection: keep-alive\r\n\
         X-Plex-Product: PlexAPI\r\n\
         X-Plex-Version: 4.17.0\r\n\
         X-Plex-Client-Identifier: 2f6c1b0e9a7d\r\n\
         X-Plex-Token: bench-token-0123456789\r\n\r\n"
    )
    .into_bytes()
}

/// One open connection.
pub(crate) struct BenchConnection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response: the head as text, and the body.
#[derive(Debug)]
pub(crate) struct BenchResponse<'a> {
    /// Status line and headers.
    pub(crate) head: &'a str,
    /// Body.
    pub(crate) body: &'a [u8],
}

impl BenchConnection {
    pub(crate) async fn open(port: u16) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| format!("port {port}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES] })
    }

    /// Sends a request and reads the whole response, which must have a `Content-Length`.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<BenchResponse<'_>, String> {
        self.stream.write_all(request).await.map_err(|error| error.to_string())?;
        let (mut read, mut length) = (0, None);
        loop {
            let more = self.stream.read(&mut self.buffer[read..]).await.map_err(|error| error.to_string())?;
            if more == 0 {
                return Err("the connection was closed, or the answer is too long".into());
            }
            read += more;
            if length.is_none() {
                length = head_and_body(&self.buffer[..read])?;
            }
            if let Some((head, body)) = length
                && read >= head + body
            {
                let text = std::str::from_utf8(&self.buffer[..head]).map_err(|error| error.to_string())?;
                return Ok(BenchResponse { head: text, body: &self.buffer[head..head + body] });
            }
        }
    }
}

/// Lengths of head and body, once the head is complete.
fn head_and_body(bytes: &[u8]) -> Result<Option<(usize, usize)>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        return Err(format!("not 200: {head}"));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    length.map(|length| Some((end + 4, length))).ok_or_else(|| format!("no length: {head}"))
}

/// Sends the same request `each` times on every connection; every body must be `expected`. Returns the latencies,
/// shortest first.
pub(crate) async fn drive(
    connections: &mut [BenchConnection],
    request: &[u8],
    expected: &[u8],
    each: usize,
) -> Result<Vec<Duration>, String> {
    let lanes = connections.iter_mut().map(|connection| async move {
        let mut took = Vec::with_capacity(each);
        for _ in 0..each {
            let began = now();
            let answer = connection.send(request).await?;
            took.push(began.elapsed());
            if answer.body != expected {
                return Err(format!("another body came: {}", answer.head));
            }
        }
        Ok(took)
    });
    let mut took: Vec<Duration> = try_join_all(lanes).await?.into_iter().flatten().collect();
    took.sort_unstable();
    Ok(took)
}

/// Opens `count` connections.
pub(crate) async fn open(port: u16, count: usize) -> Result<Vec<BenchConnection>, String> {
    try_join_all((0..count).map(|_| BenchConnection::open(port))).await
}
