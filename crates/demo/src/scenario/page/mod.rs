//! The demo's page: a listener of its own on this machine, useless to other machines and other pages.
//!
//! - `auth`: access check. `routes`: responses; `greenroom`: those of Greenroom's own page, on the same port. The
//!   document, its style and its script lie beside them.

mod auth;
mod greenroom;
mod routes;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::live_view::LiveView;
use super::race::PagePort;

/// Port of every demo's page, unless another one is chosen or it is taken.
const USUAL_PORT: u16 = 8711;
/// Max concurrent connections. One more waits to be accepted.
const MAX_CONNECTIONS: usize = 64;
/// Timeout for the head of a request and for idle connections.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Pause after a connection could not be accepted (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The open page.
#[derive(Debug)]
pub(super) struct DemoPage {
    address: SocketAddr,
    stop: CancellationToken,
    door: JoinHandle<()>,
}

impl DemoPage {
    /// Opens it on this machine.
    pub(super) async fn open(board: &Arc<LiveView>, tasks: &TaskTracker, port: PagePort) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("the demo's page cannot be opened: {error}");
        let listener = bind(port).await.map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        let stop = CancellationToken::new();
        let pass = auth::PageToken::new(address.port()).map_err(|error| failed(&error))?;
        let router = routes::router(Arc::clone(board), pass, tasks.clone(), stop.clone());
        let door = tasks.spawn(serve(listener, router, stop.clone()));
        Ok(Self { address, stop, door })
    }

    /// Listening address.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes it. No viewer is left when this returns.
    pub(super) async fn close(self) {
        self.stop.cancel();
        if let Err(error) = self.door.await {
            tracing::error!(%error, "the demo's page died");
        }
    }
}

async fn bind(port: PagePort) -> std::io::Result<TcpListener> {
    match port {
        PagePort::Fixed(port) => TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await,
        PagePort::Usual => match TcpListener::bind((Ipv4Addr::LOCALHOST, USUAL_PORT)).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
            }
            bound => bound,
        },
    }
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept(), if tasks.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => drop(tasks.spawn(converse(stream, router.clone(), stop.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "a connection to the demo's page could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

async fn converse(stream: TcpStream, router: Router, stop: CancellationToken) {
    // Without this a small response waits for the client's delayed acknowledgement: slower, not wrong.
    let _ = stream.set_nodelay(true);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

    use super::super::live_view::GatewayPage;
    use super::*;

    const LENGTH: Duration = Duration::from_secs(90);

    struct PageFixture {
        board: Arc<LiveView>,
        page: DemoPage,
        tasks: TaskTracker,
    }

    impl PageFixture {
        async fn open() -> Self {
            let (board, tasks) = (Arc::new(LiveView::new(LENGTH)), TaskTracker::new());
            let page = DemoPage::open(&board, &tasks, PagePort::Fixed(0)).await.expect("there are free ports");
            Self { board, page, tasks }
        }

        async fn begin(&self, head: &str, body: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.page.address()).await.expect("it listens");
            let (host, length) = (self.page.address(), body.len());
            let text = format!("{head}\r\nhost: {host}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).await.expect("it takes the request");
            stream
        }

        /// The whole response, head and body.
        async fn ask(&self, head: &str, body: &str) -> String {
            let mut answer = String::new();
            self.begin(head, body).await.read_to_string(&mut answer).await.expect("it answers in text");
            answer
        }

        async fn token(&self) -> String {
            let document = self.ask("GET / HTTP/1.1", "").await;
            let (_, rest) = document.split_once("name=\"demo-token\" content=\"").expect("the page has its token");
            rest.split('"').next().unwrap_or_default().to_owned()
        }
    }

    #[tokio::test]
    async fn the_page_moves_the_plug_with_its_token_and_nobody_without() {
        let stand = PageFixture::open().await;
        let token = stand.token().await;
        let json = "content-type: application/json";
        let post = format!("POST /plug HTTP/1.1\r\n{json}");
        let refused = stand.ask(&post, r#"{"pulled":true}"#).await;
        assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
        assert!(stand.board.are_servers_up());
        let foreign = format!("{post}\r\nx-demo-token: {token}\r\norigin: http://evil.example");
        assert!(stand.ask(&foreign, r#"{"pulled":true}"#).await.starts_with("HTTP/1.1 403"));
        assert!(stand.board.are_servers_up());
        let own = format!("{post}\r\nx-demo-token: {token}");
        let moved = stand.ask(&own, r#"{"pulled":true}"#).await;
        assert!(moved.starts_with("HTTP/1.1 200") && moved.contains(r#""state":"pulled""#), "{moved}");
        assert!(!stand.board.are_servers_up());
        assert!(stand.ask(&own, r#"{"pulled":false}"#).await.starts_with("HTTP/1.1 200"));
        assert!(stand.board.are_servers_up());
        // A GET changes nothing, whatever it contains.
        let get = format!("GET /plug HTTP/1.1\r\nx-demo-token: {token}");
        assert!(stand.ask(&get, "").await.starts_with("HTTP/1.1 405"));
    }

    #[tokio::test]
    async fn a_plug_that_is_held_says_so() {
        let stand = PageFixture::open().await;
        let token = stand.token().await;
        stand.board.begin_race_outage();
        let own = format!("POST /plug HTTP/1.1\r\ncontent-type: application/json\r\nx-demo-token: {token}");
        let answer = stand.ask(&own, r#"{"pulled":false}"#).await;
        assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("holds the switch"), "{answer}");
    }

    #[tokio::test]
    async fn every_answer_keeps_a_browser_from_doing_harm() {
        let stand = PageFixture::open().await;
        for head in ["GET / HTTP/1.1", "GET /board HTTP/1.1", "POST /plug HTTP/1.1", "GET /nowhere HTTP/1.1"] {
            let answer = stand.ask(head, "").await;
            for line in ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff"] {
                assert!(answer.contains(line), "{head}: {answer}");
            }
        }
    }

    #[tokio::test]
    async fn greenrooms_own_page_is_below_the_demos() {
        let stand = PageFixture::open().await;
        let early = stand.ask("GET /greenroom/ HTTP/1.1", "").await;
        assert!(early.starts_with("HTTP/1.1 503"), "{early}");
        let control = TcpListener::bind("127.0.0.1:0").await.expect("there are free ports");
        let address = control.local_addr().expect("it has an address");
        stand.board.set_gateway_page(GatewayPage { address, token_command: "greenroom token show".into() });
        let gateway = async {
            let (mut stream, _) = control.accept().await.expect("a connection arrives");
            let mut head = vec![0; 4_096];
            let length = stream.read(&mut head).await.expect("it is asked");
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nkeep-alive: 1\r\n\r\nhello";
            stream.write_all(answer.as_bytes()).await.expect("it is taken");
            String::from_utf8_lossy(&head[..length]).into_owned()
        };
        let (asked, answer) = tokio::join!(gateway, stand.ask("GET /greenroom/api/v1/status HTTP/1.1", ""));
        assert!(asked.starts_with("GET /api/v1/status HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains(&format!("host: {}", stand.page.address())), "{asked}");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
        assert!(!answer.contains("keep-alive"), "{answer}");
        let redirected = stand.ask("GET /greenroom HTTP/1.1", "").await;
        assert!(redirected.contains("location: /greenroom/"), "{redirected}");
        let mut stream = TcpStream::connect(stand.page.address()).await.expect("it listens");
        let foreign = "GET /greenroom/ HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
        stream.write_all(foreign.as_bytes()).await.expect("it takes the request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers in text");
        assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    }

    #[tokio::test]
    async fn whoever_comes_late_sees_all_of_it_and_is_let_go_when_the_page_closes() {
        let stand = PageFixture::open().await;
        stand.board.finish_race("It is over.".into());
        let stream = stand.begin("GET /events HTTP/1.1", "").await;
        let mut lines = BufReader::new(stream).lines();
        let first = async {
            loop {
                let line = lines.next_line().await.expect("it sends").expect("it goes on");
                if let Some(frame) = line.strip_prefix("data: ") {
                    break frame.to_owned();
                }
            }
        };
        let frame = tokio::time::timeout(Duration::from_mins(1), first).await.expect("a frame comes");
        assert!(frame.contains("It is over.") && frame.contains(r#""phase":"afterwards""#), "{frame}");
        stand.board.wait_for_viewer().await;
        let PageFixture { page, tasks, board } = stand;
        page.close().await;
        tasks.close();
        tasks.wait().await;
        assert_eq!(Arc::strong_count(&board), 1, "no page is open any more");
    }
}
