//! Our own listeners: TLS, certificates renewed without a restart, a base path.

use std::sync::Arc;

use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::options::SimulatorOptions as Set;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::task::TaskTracker;

use greenroom_config::CertificateTrust;
use greenroom_origin::certificate_verifier::client_config;

use crate::fixture::encrypted::TestCertificate;
use crate::fixture::{GatewayConfigBuilder, TestClient};

async fn jellyfin(options: jellyfin::JellyfinOptions) -> SimulatedServer {
    let listen = "127.0.0.1:0".parse().expect("an address");
    Jellyfin::new(options).start(listen, &TaskTracker::new()).await.expect("it starts")
}

/// The files of a certificate as lines of a table.
pub fn lines(table: &str, folder: &std::path::Path) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    format!("[{table}]\ncert_file = \"{}\"\nkey_file = \"{}\"\n", file("certificate.pem"), file("key.pem"))
}

/// A connection over TLS, if the certificate is `made`.
pub async fn connect(address: std::net::SocketAddr, made: &TestCertificate) -> Result<TlsStream<TcpStream>, String> {
    let pin = made.fingerprint().parse().expect("a fingerprint");
    let config = client_config(&CertificateTrust::Pin(pin)).expect("it can be had");
    let stream = TcpStream::connect(address).await.expect("it listens");
    let name = ServerName::try_from("localhost").expect("a name");
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    shaken.map_err(|error| error.to_string())
}

/// Sends a request over TLS; returns the whole response as text, if the certificate is `made`.
async fn ask(address: std::net::SocketAddr, made: &TestCertificate, head: &str) -> Result<String, String> {
    let mut stream = connect(address, made).await?;
    stream.write_all(head.as_bytes()).await.expect("it is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost:8196\r\nConnection: close\r\n{more}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_are_served_over_tls_and_get_https_addresses() {
    let server = jellyfin(Set::quick()).await;
    let (folder, made) = (tempfile::tempdir().expect("a folder"), TestCertificate::self_signed(&["localhost"]));
    made.write(folder.path());
    let more = lines("server.listen_tls", folder.path());
    let stage = GatewayConfigBuilder::new().server("home", "jellyfin", &server.url(), &more).start().await;
    let answer = ask(stage.address(0), &made, &get("/System/Info/Public", "")).await.expect("it is believed");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"LocalAddress\":\"https://localhost:8196\""), "{answer}");
    assert!(stage.client().try_send(http::Method::GET, "/System/Info/Public", "").await.is_err(), "in the clear");
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_plane_is_encrypted_with_a_certificate_of_its_own() {
    let server = jellyfin(Set::quick()).await;
    let (folder, made) = (tempfile::tempdir().expect("a folder"), TestCertificate::self_signed(&["localhost"]));
    made.write(folder.path());
    let script = GatewayConfigBuilder::with_control(&lines("control.listen_tls", folder.path()));
    let stage = script.server("home", "jellyfin", &server.url(), "").start().await;
    let control = stage.process.control;
    assert!(stage.process.page.starts_with("https://127.0.0.1:"), "{}", stage.process.page);
    let answer = ask(control, &made, &get("/healthz", "")).await.expect("it is believed");
    assert!(answer.ends_with("ok\n"), "{answer}");
    let body = format!("{{\"token\":\"{}\"}}", stage.process.token.secret.expose());
    let login = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = ask(control, &made, &login).await.expect("it is believed");
    assert!(answer.contains("SameSite=Strict") && answer.contains("; Secure"), "{answer}");
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_found_below_our_path_and_without_it() {
    let mut options: jellyfin::JellyfinOptions = Set::quick();
    options.switches.base_url = "/media".into();
    let server = jellyfin(options).await;
    let url = format!("{}/media", server.url());
    let stage = GatewayConfigBuilder::new()
        .server("home", "jellyfin", &url, "listen_base_path = \"/jellyfin/\"\n")
        .start()
        .await;
    let client = stage.client().with("host", "media.example");
    for prefix in ["", "/jellyfin", "/media"] {
        let answer = client.get(&format!("{prefix}/System/Info/Public")).await;
        assert_eq!(answer.json()["LocalAddress"], "http://media.example/jellyfin", "{prefix}");
    }
    assert_eq!(client.get("/elsewhere/System/Info/Public").await.status, 401);
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_get_the_public_address_where_one_is_configured() {
    let server = jellyfin(Set::quick()).await;
    let more = "public_url = \"https://media.example/jellyfin/\"\n";
    let stage = GatewayConfigBuilder::new().server("home", "jellyfin", &server.url(), more).start().await;
    let info = stage.client().get("/System/Info/Public").await.json();
    assert_eq!(info["LocalAddress"], "https://media.example/jellyfin");
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_below_its_path_where_no_client_counts_as_local() {
    let tasks = TaskTracker::new();
    let server = Plex::new(Set::quick()).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let server = server.expect("it starts");
    let stage = GatewayConfigBuilder::with_control("base_path = \"/greenroom\"\n")
        .server("home", "plex", &server.url(), "")
        .start()
        .await;
    let control = TestClient::new(stage.process.control);
    assert!(stage.process.page.ends_with("/greenroom/"), "{}", stage.process.page);
    let led = control.get("/greenroom").await;
    assert_eq!((led.status.as_u16(), led.header("location")), (308, "/greenroom/"));
    assert!(control.get("/greenroom/").await.text().contains("<title>Greenroom"));
    assert!(control.get("/greenroom/page.js").await.header("content-type").starts_with("text/javascript"));
    assert_eq!(control.get("/metrics").await.status, 200);
    assert_eq!(control.get("/greenroom/metrics").await.status, 401);
    stage.stop().await;
    server.stop().await;
}
