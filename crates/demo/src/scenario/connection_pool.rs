//! An app's connection pool for one address: as many connections as concurrent requests. A connection is driven by the
//! request that uses it, so a cut connection also ends that request's wait.

use std::net::SocketAddr;
use std::pin::pin;

use bytes::Bytes;
use futures_util::poll;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;

/// Connections to one address.
#[derive(Debug)]
pub(super) struct ConnectionPool {
    address: SocketAddr,
    idle: Mutex<Vec<PooledConnection>>,
}

/// One connection.
#[derive(Debug)]
struct PooledConnection {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended. A request waiting for an ended connection to accept it would wait for ever.
    connection: Option<Connection<TokioIo<TcpStream>, Full<Bytes>>>,
}

/// A response, read whole.
#[derive(Debug)]
pub(super) struct FullResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl ConnectionPool {
    /// An empty pool.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default() }
    }

    /// Sends a request and waits for the whole response; `None` if there is none.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Option<FullResponse> {
        while let Some(mut line) = self.idle().await {
            match line.ask(request.clone()).await {
                Ok(answer) => return Some(self.put_back(line, answer)),
                // The idle connection had been closed: that says nothing of this request.
                Err(error) if error.is_canceled() || error.is_incomplete_message() => {}
                Err(_) => return None,
            }
        }
        let mut line = PooledConnection::open(self.address).await?;
        let answer = line.ask(request).await.ok()?;
        Some(self.put_back(line, answer))
    }

    /// An idle connection that seems to be usable.
    async fn idle(&self) -> Option<PooledConnection> {
        loop {
            let mut line = self.idle.lock().pop()?;
            if let Some(connection) = &mut line.connection
                && poll!(connection).is_pending()
            {
                return Some(line);
            }
        }
    }

    fn put_back(&self, line: PooledConnection, answer: FullResponse) -> FullResponse {
        if line.connection.is_some() {
            self.idle.lock().push(line);
        }
        answer
    }
}

impl PooledConnection {
    async fn open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        Some(Self { sender, connection: Some(connection) })
    }

    async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<FullResponse, hyper::Error> {
        let Self { sender, connection } = self;
        let mut answer = pin!(async {
            sender.ready().await?;
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(FullResponse { status: head.status, headers: head.headers, body })
        });
        if let Some(open) = connection {
            tokio::select! {
                answer = &mut answer => return answer,
                _ = open => *connection = None,
            }
        }
        // A response that arrived before the end counts all the same.
        answer.await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const LAST: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

    fn request() -> Request<Full<Bytes>> {
        Request::builder().uri("/").body(Full::default()).expect("it is a request")
    }

    async fn take(listener: &TcpListener) -> TcpStream {
        listener.accept().await.expect("a connection arrives").0
    }

    async fn answer(stream: &mut TcpStream, text: &[u8]) {
        let mut head = [0; 256];
        assert!(stream.read(&mut head).await.expect("it is asked") > 0);
        stream.write_all(text).await.expect("it is taken");
    }

    async fn stage() -> (TcpListener, ConnectionPool) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let lines = ConnectionPool::new(listener.local_addr().expect("it has an address"));
        (listener, lines)
    }

    #[tokio::test]
    async fn one_connection_after_another_is_one_connection() {
        let (listener, lines) = stage().await;
        let server = async {
            let mut stream = take(&listener).await;
            answer(&mut stream, ANSWER).await;
            answer(&mut stream, ANSWER).await;
        };
        let client = async {
            for _ in 0..2 {
                assert_eq!(lines.send(request()).await.expect("it answers").body, "ok");
            }
        };
        tokio::join!(server, client);
    }

    #[tokio::test]
    async fn a_connection_that_ended_meanwhile_is_replaced() {
        let (listener, lines) = stage().await;
        let server = async {
            for text in [LAST, ANSWER] {
                let mut stream = take(&listener).await;
                answer(&mut stream, text).await;
            }
            let mut stream = take(&listener).await;
            answer(&mut stream, ANSWER).await;
        };
        let client = async {
            for _ in 0..3 {
                assert!(lines.send(request()).await.is_some());
            }
        };
        tokio::join!(server, client);
    }

    #[tokio::test]
    async fn who_asks_while_the_connection_is_cut_waits_no_longer() {
        const PATIENCE: Duration = Duration::from_secs(5);
        // Whether the request or the connection is polled first is a matter of chance.
        for _ in 0..16 {
            let (listener, lines) = stage().await;
            let server = async {
                let mut stream = take(&listener).await;
                answer(&mut stream, ANSWER).await;
                stream
            };
            let (stream, answered) = tokio::join!(server, lines.send(request()));
            assert!(answered.is_some());
            let line = lines.idle().await.expect("it is kept");
            lines.idle.lock().push(line);
            drop((stream, listener));
            let asked = tokio::time::timeout(PATIENCE, lines.send(request())).await;
            assert!(asked.expect("it is noticed at once").is_none(), "the listener is closed");
        }
    }

    #[tokio::test]
    async fn whoever_is_cut_off_waits_no_longer() {
        let (listener, lines) = stage().await;
        let server = async {
            for text in [b"".as_slice(), b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
                let mut stream = take(&listener).await;
                answer(&mut stream, text).await;
                stream.set_zero_linger().expect("it is open");
            }
            // Reset before anything is read.
            take(&listener).await.set_zero_linger().expect("it is open");
            drop(listener);
        };
        let client = async {
            for _ in 0..3 {
                assert!(lines.send(request()).await.is_none());
            }
        };
        tokio::join!(server, client);
        assert!(lines.send(request()).await.is_none(), "the listener is closed");
    }
}
