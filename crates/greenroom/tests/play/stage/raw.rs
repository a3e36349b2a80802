//! A client that sends bytes as they are, and reads answers without forgiving anything.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection.
pub struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    pub head: String,
    pub body: Vec<u8>,
}

impl RawAnswer {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(said, _)| said.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.expect("it listens"), buffer: Vec::new() }
    }

    /// Sends bytes; the other side may have stopped reading.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.stream.write_all(bytes.as_ref()).await);
    }

    /// Sends a request and reads its answer.
    pub async fn ask(&mut self, request: impl AsRef<[u8]>) -> Option<RawAnswer> {
        self.send(request).await;
        self.answer().await
    }

    /// The next answer; `None` if the other side closes instead.
    pub async fn answer(&mut self) -> Option<RawAnswer> {
        let at = self.until(b"\r\n\r\n").await?;
        let head = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
        self.buffer.drain(..at + 4);
        let mut answer = RawAnswer { head, body: Vec::new() };
        if let Some(length) = answer.header("content-length").first().and_then(|length| length.parse().ok()) {
            while self.buffer.len() < length {
                if !self.more().await {
                    return None;
                }
            }
            answer.body = self.buffer.drain(..length).collect();
        } else if !answer.header("transfer-encoding").is_empty() {
            let at = self.until(b"0\r\n\r\n").await?;
            answer.body = self.buffer.drain(..at + 5).collect();
        }
        Some(answer)
    }

    /// Reads until the other side closes or a head is whole; what came until then.
    pub async fn rest_or_answer(&mut self) -> String {
        self.until(b"\r\n\r\n").await;
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Reads until the other side closes; what came until then.
    pub async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Reads at most so many bytes, if any come; how many did.
    pub async fn some(&mut self, most: usize) -> usize {
        let mut part = vec![0; most];
        self.stream.read(&mut part).await.unwrap_or(0)
    }

    async fn until(&mut self, end: &[u8]) -> Option<usize> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|bytes| bytes == end) {
                return Some(at);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(length) if length > 0)
    }
}
