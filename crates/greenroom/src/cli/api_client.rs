//! Client of the running gateway's control plane, authenticated by the control token.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use greenroom_cache::disk::lock::LockHolder;
use greenroom_dialect::credential::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::progress::ProgressLine;
use super::{api_problem, fail, load_config, usage_error};
use greenroom_config::control::CONTROL_PORT;
use greenroom_config::local_address::local_address;
use greenroom_config::settings::default_data_dir;
use greenroom_config::{CertificateTrust, Fingerprint};
use greenroom_origin::certificate_verifier::{client_config, no_trust};
use greenroom_state::ownership;
use greenroom_state::secrets::DataDir;

/// Request timeout; `why` waits for the media server.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Timeout of work that goes through the whole store. A command that gives up cancels nothing there.
const WORK_TIMEOUT: Duration = Duration::from_hours(12);
/// Interval at which such work is shown to go on.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// Time that a gateway may take to notice a renewed token.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest response that is read: a backup.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024 * 1024;

/// Address of the gateway.
#[derive(Debug, Args, Default)]
pub(super) struct GatewayArgs {
    /// Configuration file of the running gateway
    #[arg(long, short, value_name = "FILE", env = "GREENROOM_CONFIG", global = true)]
    pub(super) config: Option<PathBuf>,
    /// Data directory of the running gateway, which contains the control token
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) data_dir: Option<PathBuf>,
    /// Address of the gateway's control plane [default: as configured, else 127.0.0.1:8710]
    #[arg(long, value_name = "URL", global = true)]
    pub(super) control: Option<String>,
    /// File with the control token [default: the one in the data directory]
    #[arg(long, value_name = "FILE", global = true)]
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
    pub(super) fn connect(arguments: &GatewayArgs) -> Result<Self, u8> {
        let mut config = load_config(arguments.config.as_deref()).map_err(|reason| usage_error(&reason))?;
        let configured = config.take("control.listen").map(|value| value.text);
        let data_dir = arguments.data_dir.clone().or_else(|| config.take("data_dir").map(|value| value.text.into()));
        let data_dir = data_dir.unwrap_or_else(default_data_dir);
        let holder = ownership::holder(&data_dir).filter(|_| arguments.control.is_none());
        let published = holder.and_then(|holder| published_endpoint(&holder));
        let (base, certificate) = match (&arguments.control, configured, published) {
            (Some(url), _, _) => (url.clone(), None),
            (None, _, Some((base, Some(certificate)))) => (base, Some(certificate)),
            (None, Some(listen), _) => (reachable(&listen), None),
            (None, None, Some((base, None))) => (base, None),
            (None, None, None) => (format!("127.0.0.1:{CONTROL_PORT}"), None),
        };
        let base = parse_base(&base).map_err(|problem| usage_error(&problem))?;
        let token = match &arguments.control_token_file {
            Some(path) => Some(read_token(path)?),
            None => DataDir::control_token_in(&data_dir),
        };
        Ok(Self { base, token, certificate })
    }

    /// Connects to the gateway that owns this data directory.
    pub(super) fn for_lock_holder(holder: &LockHolder, data_dir: &Path) -> Result<Self, String> {
        if holder.note.is_empty() {
            return Err(format!(
                "{} is in use by {holder}, which is still starting; try again in a few seconds",
                data_dir.display()
            ));
        }
        let (base, certificate) = published_endpoint(holder).ok_or_else(|| {
            format!(
                "{} is in use by {holder}, and its control plane ({}) cannot be reached from here; stop that process first",
                data_dir.display(),
                ownership::address_of(holder)
            )
        })?;
        Ok(Self { base: parse_base(&base)?, token: DataDir::control_token_in(data_dir), certificate })
    }

    /// Presents a token created a moment ago, so that the gateway rereads the file at once. It would notice by itself
    /// soon.
    pub(super) async fn present_token(self, token: &Secret) {
        let client = Self { token: Some(token.clone()), ..self };
        let _ = tokio::time::timeout(RELOAD_TIMEOUT, client.exchange(Method::GET, "metrics", None)).await; // It would reload by itself.
    }

    /// Starts work that may take long, and shows on a terminal that it goes on. Prints a problem.
    pub(super) async fn run_long(&self, path: &str, request: &Value) -> Result<Value, u8> {
        let line = ProgressLine::new();
        let body = Some(("application/json", Bytes::from(request.to_string())));
        let mut exchange = std::pin::pin!(self.exchange(Method::POST, path, body));
        #[expect(clippy::disallowed_methods, reason = "a command waits in real time")]
        let started = tokio::time::Instant::now();
        let response = loop {
            match tokio::time::timeout(PROGRESS_INTERVAL, exchange.as_mut()).await {
                Ok(response) => break response.map_err(|problem| fail(&problem))?,
                Err(_) if started.elapsed() >= WORK_TIMEOUT => {
                    return Err(fail(&format!(
                        "the gateway at {} has worked for 12 h and has not finished; it continues, so try again later",
                        self.base
                    )));
                }
                Err(_) => {
                    let elapsed_s = started.elapsed().as_secs();
                    line.show_step(&format!("the gateway has worked for {elapsed_s} s; Ctrl-C ends only the waiting"));
                }
            }
        };
        self.parse(&response).map_err(|problem| fail(&problem))
    }

    /// Requests a document that is created on demand. Prints a problem.
    pub(super) async fn post_for_document(&self, path: &str) -> Result<Bytes, u8> {
        self.with_timeout(self.exchange(Method::POST, path, None)).await.map_err(|problem| fail(&problem))
    }

    /// Sends a GET request. Prints a problem.
    pub(super) async fn get(&self, path: &str) -> Result<Value, u8> {
        self.send(Method::GET, path, None).await
    }

    /// Sends a request with a JSON body. Prints a problem.
    pub(super) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, u8> {
        let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
        self.request(method, path, body).await.map_err(|problem| fail(&problem))
    }

    /// Sends a request with a body of any media type. Returns a problem without printing it.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Bytes)>,
    ) -> Result<Value, String> {
        let response = self.with_timeout(self.exchange(method, path, body)).await?;
        self.parse(&response)
    }

    /// Downloads a document. Returns a problem without printing it.
    pub(super) async fn document(&self, path: &str) -> Result<Bytes, String> {
        self.with_timeout(self.exchange(Method::GET, path, None)).await
    }

    fn parse(&self, body: &[u8]) -> Result<Value, String> {
        let foreign = |_| format!("the response from {} is not from Greenroom; check --control", self.base);
        serde_json::from_slice(body).map_err(foreign)
    }

    /// Waits for a response, and shows on a terminal that it does.
    async fn with_timeout<T>(&self, exchange: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let mut exchange = std::pin::pin!(tokio::time::timeout(REQUEST_TIMEOUT, exchange));
        let line = ProgressLine::new();
        let response = loop {
            match tokio::time::timeout(PROGRESS_INTERVAL, exchange.as_mut()).await {
                Ok(response) => break response,
                Err(_) => line.show_step(&format!("waiting for the gateway at {}", self.base)),
            }
        };
        drop(line);
        response.unwrap_or_else(|_| Err(format!("the gateway at {} did not respond within 60 s", self.base)))
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
        let request = request.map_err(|_| {
            "the control token contains characters that no token has; check --control-token-file".to_owned()
        })?;
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(self.connector()?);
        let response = client.request(request).await.map_err(|error| {
            if error.is_connect() {
                format!("no gateway answers at {}; start it, or give another address with --control", self.base)
            } else {
                format!("the gateway at {} closed the connection before it responded", self.base)
            }
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_RESPONSE_BYTES).collect().await;
        let body = body
            .map_err(|_| format!("the response from {} ended early or is longer than 1 GiB", self.base))?
            .to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        let problem = self.parse(&body)?;
        Err(api_problem::describe(status, &problem, path.starts_with("api/v1/playlists/")))
    }
}

/// Address and certificate of the gateway that owns a data directory. `None` if it published none.
fn published_endpoint(holder: &LockHolder) -> Option<(String, Option<Fingerprint>)> {
    let address = ownership::address_of(holder);
    if let Some(base) = address.strip_prefix("https://") {
        let certificate = ownership::certificate_of(holder)?.parse().ok()?;
        return Some((base.to_owned(), Some(certificate)));
    }
    address.starts_with("http://").then(|| (address.to_owned(), None))
}

/// Host, port and base path of an address, with or without a scheme.
fn parse_base(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    if text.starts_with("https://") {
        return Err("--control: only http:// is supported; use a tunnel to reach another machine".into());
    }
    let bare = text.strip_prefix("http://").unwrap_or(text);
    let is_address = format!("http://{bare}/").parse::<Uri>().is_ok_and(|uri| {
        uri.query().is_none() && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    if is_address { Ok(bare.to_owned()) } else { Err("--control must look like http://127.0.0.1:8710".into()) }
}

/// Replaces a wildcard address by the loopback address.
fn reachable(listen: &str) -> String {
    listen.trim().parse().map_or_else(|_| listen.to_owned(), |address| local_address(address).to_string())
}

/// Reads a token from a file. Prints a problem.
pub(super) fn read_token(path: &std::path::Path) -> Result<Secret, u8> {
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(Secret::new(text.trim())),
        Ok(_) => Err(usage_error(&format!("{}: the token file is empty", path.display()))),
        Err(error) => Err(usage_error(&format!("{}: cannot be read: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn an_address_is_accepted_with_or_without_its_scheme() {
        for text in ["127.0.0.1:8710", "http://127.0.0.1:8710/", " http://127.0.0.1:8710"] {
            assert_eq!(parse_base(text).as_deref(), Ok("127.0.0.1:8710"));
        }
        assert_eq!(parse_base("http://nas/greenroom/").as_deref(), Ok("nas/greenroom"));
        for text in ["https://nas", "http://a b", "user:pass@nas", "nas?x=1", ""] {
            assert!(parse_base(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_gateway_with_a_certificate_is_contacted_only_if_its_fingerprint_is_known() {
        let fingerprint = Fingerprint::sha256(b"a certificate").to_string();
        let endpoint = |note: String| published_endpoint(&LockHolder { pid: Some(1), note });
        let plain = endpoint(ownership::note("http://127.0.0.1:8710", None));
        assert_eq!(plain, Some(("http://127.0.0.1:8710".into(), None)));
        let encrypted = endpoint(ownership::note("https://127.0.0.1:8710/base", Some(&fingerprint)));
        assert_eq!(encrypted, Some(("127.0.0.1:8710/base".into(), fingerprint.parse().ok())));
        assert_eq!(endpoint(ownership::note("https://127.0.0.1:8710", None)), None);
        assert_eq!(endpoint(ownership::note("https://127.0.0.1:8710", Some("odd"))), None);
        assert_eq!(endpoint(String::new()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_client_waits_for_work_that_takes_ten_minutes() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind a free port");
        let base = listener.local_addr().expect("read the address").to_string();
        let gateway = async {
            let (mut stream, _) = listener.accept().await.expect("accept a connection");
            let mut head = [0; 4096];
            assert!(stream.read(&mut head).await.expect("read the request") > 0);
            tokio::time::sleep(Duration::from_mins(10)).await;
            let response = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"done\":1}";
            stream.write_all(response).await.expect("write the response");
            stream
        };
        let client = ApiClient { base, token: None, certificate: None };
        let request = serde_json::json!({});
        let (response, _stream) = tokio::join!(client.run_long("api/v1/cache/disk/verify", &request), gateway);
        assert_eq!(response.map(|response| response["done"].as_u64()), Ok(Some(1)));
    }

    #[test]
    fn a_listener_on_every_address_is_reached_over_loopback() {
        assert_eq!(reachable("0.0.0.0:8710"), "127.0.0.1:8710");
        assert_eq!(reachable("[::]:8710"), "[::1]:8710");
        assert_eq!(reachable("192.168.1.2:1"), "192.168.1.2:1");
    }
}
