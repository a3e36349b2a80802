//! Three gateways with one store, restarted one after another under a client that goes on reading.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;
use tokio::io::{BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::binary::{configured, folder};
use crate::fixture::TestClient;
use crate::fixture::redis::RedisServer;
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, container};
use crate::fixture::waiting::{until_async, with_deadline};

const GATEWAYS: usize = 3;
/// Reads that are answered between two restarts, so that each state of the cluster is read from.
const READS_BETWEEN: usize = 30;
const SHARED: &str = "shared = true\npeer_timeout_ms = 1500\n\
    cluster_key = \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"\n";

/// Reads from one gateway after the other. A gateway that gives no response is passed over, as a load balancer does; a
/// response that is wrong or breaks off is a failure.
struct Balancer {
    client: Client<HttpConnector, Empty<Bytes>>,
    gateways: Vec<SocketAddr>,
    turn: AtomicUsize,
    answered: AtomicUsize,
}

impl Balancer {
    async fn read(&self, path: &str) {
        for _ in 0..GATEWAYS {
            let turn = self.turn.fetch_add(1, Ordering::SeqCst);
            let request = http::Request::get(format!("http://{}{path}", self.gateways[turn % GATEWAYS]))
                .header("x-plex-token", "token")
                .header("accept", "application/json")
                .body(Empty::new())
                .expect("a request");
            let Ok(response) = self.client.request(request).await else { continue };
            let status = response.status();
            let body = response.into_body().collect().await.expect("a whole body").to_bytes();
            assert!(status == 200 && body.starts_with(b"{"), "{path}: {status} {body:?}");
            self.answered.fetch_add(1, Ordering::SeqCst);
            return;
        }
        panic!("no gateway answered {path}");
    }

    async fn loop_until(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            for item in 1..=5 {
                self.read(&format!("/library/metadata/{item}")).await;
            }
        }
    }

    /// Waits until this many more reads are answered.
    async fn answers_more(&self, reads: usize) {
        let target = self.answered.load(Ordering::SeqCst) + reads;
        until_async(async || self.answered.load(Ordering::SeqCst) >= target).await;
    }
}

/// A gateway on a port of its own: its folder outlives it.
struct Node {
    folder: TempDir,
    running: Option<(Child, TestClient, Lines<BufReader<ChildStdout>>)>,
}

impl Node {
    async fn new(address: SocketAddr, server: &str, store: &RedisServer) -> Self {
        let folder = folder();
        let config = format!(
            "data_dir = \"{}\"\n[control]\nlisten = \"127.0.0.1:0\"\n{}\n[[server]]\nname = \"home\"\nkind = \"plex\"\n\
             url = \"{server}\"\nlisten = \"{address}\"\npulse_interval_s = 0\n",
            folder.path().join("data").display(),
            store.table(SHARED)
        );
        std::fs::write(folder.path().join("greenroom.toml"), config).expect("written");
        let running = Some(configured(folder.path()).await);
        Self { folder, running }
    }

    /// Waits until it serves its cache and sees this many others.
    async fn sees(&self, others: usize) {
        let (_, control, _) = self.running.as_ref().expect("it runs");
        until_async(async || {
            let store = control.get("/api/v1/cluster").await.json()["store"].clone();
            let live =
                store["peers"].as_array().map_or(0, |peers| peers.iter().filter(|peer| peer["live"] == true).count());
            store["trusted"] == true && live == others
        })
        .await;
    }

    /// Sends SIGTERM, and waits for its end.
    async fn stop(&mut self) {
        let (mut child, _, _lines) = self.running.take().expect("it runs");
        let pid = child.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").arg(&pid).status().expect("kill runs").success());
        let status = with_deadline("the end of a gateway", child.wait()).await.expect("it ends");
        assert_eq!(status.code(), Some(0));
    }

    async fn start(&mut self) {
        self.running = Some(configured(self.folder.path()).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_three_gateways_fails_no_request() {
    let (tasks, store) = (TaskTracker::new(), RedisServer::start().await);
    let server = ScriptedServer::start(&tasks, |_: &ReceivedRequest| ScriptedReply::Bytes(container(5))).await;
    let url = format!("http://{}", server.address);
    let held: Vec<TcpListener> = (0..GATEWAYS).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let addresses: Vec<SocketAddr> = held.iter().map(|held| held.local_addr().expect("an address")).collect();
    drop(held);
    let mut nodes = Vec::new();
    for address in &addresses {
        nodes.push(Node::new(*address, &url, &store).await);
    }
    for node in &nodes {
        node.sees(GATEWAYS - 1).await;
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let balancer = Balancer { client, gateways: addresses, turn: AtomicUsize::new(0), answered: AtomicUsize::new(0) };
    let stop = CancellationToken::new();
    let restarting = async {
        for node in &mut nodes {
            balancer.answers_more(READS_BETWEEN).await;
            node.stop().await;
            balancer.answers_more(READS_BETWEEN).await;
            node.start().await;
            node.sees(GATEWAYS - 1).await;
        }
        balancer.answers_more(READS_BETWEEN).await;
        stop.cancel();
    };
    tokio::join!(balancer.loop_until(&stop), restarting);
    let asked: usize = (1..=5).map(|item| server.count("GET", &format!("/library/metadata/{item}"))).sum();
    let answered = balancer.answered.load(Ordering::SeqCst);
    assert!(asked * 2 < answered, "{asked} requests to the server for {answered} reads: the cache did not answer");
    for node in &mut nodes {
        node.stop().await;
    }
    server.stop();
}
