//! Client of the running gateway's control plane, authenticated by the control token.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use greenroom_cache::disk::lock::LockHolder;
use greenroom_dialect::credential::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::{FAILED, MISUSED};
use greenroom_config::control::CONTROL_PORT;
use greenroom_config::settings::default_data_dir;
use greenroom_config::{CertificateTrust, ConfigSource, Fingerprint};
use greenroom_origin::certificate_verifier::{client_config, no_trust};
use greenroom_state::ownership;
use greenroom_state::secrets::DataDir;

/// Request timeout; `why` waits for the media server.
const PATIENCE: Duration = Duration::from_secs(60);
/// Timeout of work that goes through the whole store. A command that gives up cancels nothing there.
const WORK_PATIENCE: Duration = Duration::from_hours(12);
/// Interval of progress lines during such work.
const WORD_EVERY: Duration = Duration::from_secs(15);
/// Time that a gateway may take to notice a renewed token.
const KNOCK_PATIENCE: Duration = Duration::from_secs(2);
/// Largest response that is read: a backup.
const MAX_ANSWER_BYTES: usize = 1024 * 1024 * 1024;

/// Where the gateway is found.
#[derive(Debug, Args, Default)]
pub(super) struct GatewayArgs {
    /// Configuration file of the running gateway
    #[arg(long, short, value_name = "FILE", env = "GREENROOM_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Its data directory, where the control token is
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Address of its control plane [default: as configured, else 127.0.0.1:8710]
    #[arg(long, value_name = "URL")]
    pub(super) control: Option<String>,
    /// File with its control token [default: the one in the data directory]
    #[arg(long, value_name = "FILE")]
    control_token_file: Option<PathBuf>,
}

/// A running gateway.
#[derive(Debug)]
pub(super) struct ApiClient {
    base: String,
    token: Option<Secret>,
    /// Certificate from the lock file, which only its user can write. No other is trusted.
    certificate: Option<Fingerprint>,
}

impl ApiClient {
    /// Finds the address and the token. Prints a problem.
    pub(super) fn connect(place: &GatewayArgs) -> Result<Self, u8> {
        let mut tree = ConfigSource::default();
        if let Some(path) = &place.config {
            match std::fs::read_to_string(path) {
                Ok(text) => tree.add_toml(&path.display().to_string(), &text),
                Err(error) => {
                    return Err(usage_error(&format!("{}: cannot be read: {error}", path.display())));
                }
            }
        }
        tree.add_environment(std::env::vars());
        let configured = tree.take("control.listen").map(|leaf| leaf.text);
        let data_dir = place.data_dir.clone().or_else(|| tree.take("data_dir").map(|leaf| leaf.text.into()));
        let data_dir = data_dir.unwrap_or_else(default_data_dir);
        let holder = ownership::holder(&data_dir).filter(|_| place.control.is_none());
        let asked = holder.and_then(|holder| asked_at(&holder));
        let (base, certificate) = match (&place.control, configured, asked) {
            (Some(url), _, _) => (url.clone(), None),
            (None, _, Some((base, Some(certificate)))) => (base, Some(certificate)),
            (None, Some(listen), _) => (reachable(&listen), None),
            (None, None, Some((base, None))) => (base, None),
            (None, None, None) => (format!("127.0.0.1:{CONTROL_PORT}"), None),
        };
        let base = base_of(&base).map_err(|problem| usage_error(&problem))?;
        let token = match &place.control_token_file {
            Some(path) => Some(read_token(path)?),
            None => DataDir::control_token_in(&data_dir),
        };
        Ok(Self { base, token, certificate })
    }

    /// Connects to the gateway that owns this data directory.
    pub(super) fn for_lock_holder(holder: &LockHolder, data_dir: &Path) -> Result<Self, String> {
        if holder.note.is_empty() {
            return Err(format!("{} is in use by {holder}, which cannot be asked yet; try again", data_dir.display()));
        }
        let (base, certificate) = asked_at(holder).ok_or_else(|| {
            format!(
                "{} is in use by {holder}, which does not say how its control plane ({}) is asked; stop it first",
                data_dir.display(),
                ownership::address_of(holder)
            )
        })?;
        Ok(Self { base: base_of(&base)?, token: DataDir::control_token_in(data_dir), certificate })
    }

    /// Presents a token created a moment ago, so that the gateway rereads the file at once. It would notice by itself
    /// soon.
    pub(super) async fn show(self, token: &Secret) {
        let remote = Self { token: Some(token.clone()), ..self };
        drop(tokio::time::timeout(KNOCK_PATIENCE, remote.exchange(Method::GET, "metrics", None)).await);
    }

    /// Starts work that may take long, and reports progress on a terminal. Prints a problem.
    pub(super) async fn work(&self, path: &str, asked: &Value, is_at_a_terminal: bool) -> Result<Value, u8> {
        let body = Some(("application/json", Bytes::from(asked.to_string())));
        let mut work = std::pin::pin!(self.exchange(Method::POST, path, body));
        #[expect(clippy::disallowed_methods, reason = "a command waits in real time")]
        let began = tokio::time::Instant::now();
        let answer = loop {
            match tokio::time::timeout(WORD_EVERY, work.as_mut()).await {
                Ok(answer) => break answer.map_err(|problem| failed(&problem))?,
                Err(_) if began.elapsed() >= WORK_PATIENCE => {
                    return Err(failed(&format!("the gateway at {} is still at work; ask again later", self.base)));
                }
                Err(_) if is_at_a_terminal => {
                    eprintln!("the gateway is at work for {} s; Ctrl-C ends the wait only", began.elapsed().as_secs());
                }
                Err(_) => {}
            }
        };
        serde_json::from_slice(&answer).map_err(|_| failed(&format!("what answers at {} is no Greenroom", self.base)))
    }

    /// Requests a document that is created on demand. Prints a problem.
    pub(super) async fn post_for_document(&self, path: &str) -> Result<Bytes, u8> {
        self.with_timeout(self.exchange(Method::POST, path, None)).await
    }

    /// Sends a GET request. Prints a problem.
    pub(super) async fn get(&self, path: &str) -> Result<Value, u8> {
        self.ask(Method::GET, path, None).await
    }

    /// Sends a request with a JSON body. Prints a problem.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, u8> {
        let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
        let answer = self.with_timeout(self.exchange(method, path, body)).await?;
        serde_json::from_slice(&answer).map_err(|_| failed(&format!("what answers at {} is no Greenroom", self.base)))
    }

    /// Uploads a document of another media type. Prints a problem.
    pub(super) async fn upload(&self, path: &str, media_type: &str, document: Vec<u8>) -> Result<Value, u8> {
        let body = Some((media_type, Bytes::from(document)));
        let answer = self.with_timeout(self.exchange(Method::POST, path, body)).await?;
        serde_json::from_slice(&answer).map_err(|_| failed(&format!("what answers at {} is no Greenroom", self.base)))
    }

    /// Downloads a document. Prints a problem.
    pub(super) async fn document(&self, path: &str) -> Result<Bytes, u8> {
        self.with_timeout(self.exchange(Method::GET, path, None)).await
    }

    async fn with_timeout<T>(&self, work: impl Future<Output = Result<T, String>>) -> Result<T, u8> {
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(problem)) => Err(failed(&problem)),
            Err(_) => Err(failed(&format!("the gateway at {} does not answer", self.base))),
        }
    }

    fn connector(&self) -> Result<HttpsConnector<HttpConnector>, String> {
        let trust = match self.certificate {
            Some(certificate) => client_config(&CertificateTrust::Pin(certificate))?,
            None => no_trust()?,
        };
        Ok(HttpsConnectorBuilder::new().with_tls_config(trust).https_or_http().enable_http1().build())
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<(&str, Bytes)>) -> Result<Bytes, String> {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        let mut request = Request::builder().method(method).uri(format!("{scheme}://{}/{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        if let Some((media_type, _)) = &body {
            request = request.header(CONTENT_TYPE, *media_type);
        }
        let body = body.map(|(_, bytes)| bytes).unwrap_or_default();
        let request = request.body(Full::new(body));
        let request = request.map_err(|_| "the control token is not one: it holds odd letters".to_owned())?;
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(self.connector()?);
        let response = client.request(request).await.map_err(|error| {
            if error.is_connect() {
                format!("no gateway answers at {}; is it running? --control names another address", self.base)
            } else {
                format!("the gateway at {} broke off", self.base)
            }
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|_| format!("the answer of {} broke off", self.base))?.to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        let problem: Value =
            serde_json::from_slice(&body).map_err(|_| format!("what answers at {} is no Greenroom", self.base))?;
        Err(refusal(status, &problem))
    }
}

/// Address and certificate of the gateway that owns a data directory. `None` if it published none.
fn asked_at(holder: &LockHolder) -> Option<(String, Option<Fingerprint>)> {
    let address = ownership::address_of(holder);
    if let Some(base) = address.strip_prefix("https://") {
        let certificate = ownership::certificate_of(holder)?.parse().ok()?;
        return Some((base.to_owned(), Some(certificate)));
    }
    address.starts_with("http://").then(|| (address.to_owned(), None))
}

/// The problem's text for people.
fn refusal(status: StatusCode, problem: &Value) -> String {
    let said = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    match (said("title"), said("detail")) {
        (title, detail) if !title.is_empty() => format!("{title}. {detail}"),
        _ => format!("the gateway answers {status}"),
    }
}

/// Host, port and base path of an address, with or without a scheme.
fn base_of(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    if text.starts_with("https://") {
        return Err("--control: the control plane is asked over http://; use a tunnel for other machines".into());
    }
    let bare = text.strip_prefix("http://").unwrap_or(text);
    let is_address = format!("http://{bare}/").parse::<Uri>().is_ok_and(|uri| {
        uri.query().is_none() && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    if is_address { Ok(bare.to_owned()) } else { Err("--control must look like http://127.0.0.1:8710".into()) }
}

/// Replaces a wildcard address by the loopback address.
fn reachable(listen: &str) -> String {
    let Ok(mut address) = listen.trim().parse::<SocketAddr>() else { return listen.to_owned() };
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address.to_string()
}

/// Reads a token from a file. Prints a problem.
pub(super) fn read_token(path: &std::path::Path) -> Result<Secret, u8> {
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(Secret::new(text.trim())),
        Ok(_) => Err(usage_error(&format!("{}: the token file is empty", path.display()))),
        Err(error) => Err(usage_error(&format!("{}: cannot be read: {error}", path.display()))),
    }
}

fn failed(problem: &str) -> u8 {
    eprintln!("greenroom: {problem}");
    FAILED
}

fn usage_error(problem: &str) -> u8 {
    eprintln!("greenroom: {problem}");
    MISUSED
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn an_address_is_taken_with_or_without_its_scheme() {
        for text in ["127.0.0.1:8710", "http://127.0.0.1:8710/", " http://127.0.0.1:8710"] {
            assert_eq!(base_of(text).as_deref(), Ok("127.0.0.1:8710"));
        }
        assert_eq!(base_of("http://nas/greenroom/").as_deref(), Ok("nas/greenroom"));
        for text in ["https://nas", "http://a b", "user:pass@nas", "nas?x=1", ""] {
            assert!(base_of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_gateway_that_shows_a_certificate_is_asked_only_with_its_fingerprint() {
        let fingerprint = Fingerprint::sha256(b"a certificate").to_string();
        let of = |note: String| asked_at(&LockHolder { pid: Some(1), note });
        let plain = of(ownership::note("http://127.0.0.1:8710", None));
        assert_eq!(plain, Some(("http://127.0.0.1:8710".into(), None)));
        let encrypted = of(ownership::note("https://127.0.0.1:8710/base", Some(&fingerprint)));
        assert_eq!(encrypted, Some(("127.0.0.1:8710/base".into(), fingerprint.parse().ok())));
        assert_eq!(of(ownership::note("https://127.0.0.1:8710", None)), None);
        assert_eq!(of(ownership::note("https://127.0.0.1:8710", Some("odd"))), None);
        assert_eq!(of(String::new()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn work_of_the_gateway_that_takes_ten_minutes_is_waited_for() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = listener.local_addr().expect("it has one").to_string();
        let gateway = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut head = [0; 4096];
            assert!(stream.read(&mut head).await.expect("a request") > 0);
            tokio::time::sleep(Duration::from_mins(10)).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"done\":1}";
            stream.write_all(answer).await.expect("it is taken");
            stream
        };
        let remote = ApiClient { base, token: None, certificate: None };
        let asked = serde_json::json!({});
        let (answer, _stream) = tokio::join!(remote.work("api/v1/cache/disk/verify", &asked, false), gateway);
        assert_eq!(answer.map(|answer| answer["done"].as_u64()), Ok(Some(1)));
    }

    #[test]
    fn who_listens_everywhere_is_found_here() {
        assert_eq!(reachable("0.0.0.0:8710"), "127.0.0.1:8710");
        assert_eq!(reachable("[::]:8710"), "[::1]:8710");
        assert_eq!(reachable("192.168.1.2:1"), "192.168.1.2:1");
    }

    #[test]
    fn what_the_gateway_says_against_it_is_repeated() {
        let problem = serde_json::json!({"title": "No such server", "detail": "None."});
        assert_eq!(refusal(StatusCode::NOT_FOUND, &problem), "No such server. None.");
        assert_eq!(refusal(StatusCode::BAD_GATEWAY, &Value::Null), "the gateway answers 502 Bad Gateway");
    }
}
