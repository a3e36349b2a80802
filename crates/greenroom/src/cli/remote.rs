//! Talking to the gateway that runs: its control plane, asked with the control token.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use greenroom_cache::disk::lock::Holder;
use greenroom_dialect::credential::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::{FAILED, MISUSED};
use greenroom_config::Tree;
use greenroom_config::control::CONTROL_PORT;
use greenroom_config::settings::default_data_dir;
use greenroom_state::ownership;
use greenroom_state::secrets::DataDir;

/// How long an answer may take; a question why waits for the media server.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest answer that is read: a backup is one.
const MAX_ANSWER_BYTES: usize = 1024 * 1024 * 1024;

/// Where the gateway is found.
#[derive(Debug, Args, Default)]
pub(super) struct Place {
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
pub(super) struct Remote {
    base: String,
    token: Option<Secret>,
}

impl Remote {
    /// Finds out where it is and with which token it is asked. A problem is printed.
    pub(super) fn find(place: &Place) -> Result<Self, u8> {
        let mut tree = Tree::default();
        if let Some(path) = &place.config {
            match std::fs::read_to_string(path) {
                Ok(text) => tree.add_toml(&path.display().to_string(), &text),
                Err(error) => return Err(misused(&format!("{}: cannot be read: {error}", path.display()))),
            }
        }
        tree.add_environment(std::env::vars());
        let configured = tree.take("control.listen").map(|leaf| leaf.text);
        let data_dir = place.data_dir.clone().or_else(|| tree.take("data_dir").map(|leaf| leaf.text.into()));
        let data_dir = data_dir.unwrap_or_else(default_data_dir);
        let base = match (&place.control, configured) {
            (Some(url), _) => url.clone(),
            (None, Some(listen)) => reachable(&listen),
            (None, None) => found(&data_dir).unwrap_or_else(|| format!("127.0.0.1:{CONTROL_PORT}")),
        };
        let base = base_of(&base).map_err(|problem| misused(&problem))?;
        let token = match &place.control_token_file {
            Some(path) => Some(read_token(path)?),
            None => DataDir::control_token_in(&data_dir),
        };
        Ok(Self { base, token })
    }

    /// The gateway that holds this data directory.
    pub(super) fn of(holder: &Holder, data_dir: &Path) -> Result<Self, String> {
        if holder.note.is_empty() {
            return Err(format!(
                "{} is in use by {holder}, which cannot be asked yet; try again",
                data_dir.display()
            ));
        }
        let base = base_of(&holder.note).map_err(|_| {
            format!(
                "{} is in use by {holder}, whose control plane is encrypted ({}) and is not asked by commands; \
                 stop it first",
                data_dir.display(),
                holder.note
            )
        })?;
        Ok(Self { base, token: DataDir::control_token_in(data_dir) })
    }

    /// Asks for a document that is made for it. A problem is printed.
    pub(super) async fn made(&self, path: &str) -> Result<Bytes, u8> {
        self.patiently(self.exchange(Method::POST, path, None)).await
    }

    /// Asks for something.
    pub(super) async fn get(&self, path: &str) -> Result<Value, u8> {
        self.ask(Method::GET, path, None).await
    }

    /// Asks with a body. A problem is printed.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, u8> {
        let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
        let answer = self.patiently(self.exchange(method, path, body)).await?;
        serde_json::from_slice(&answer)
            .map_err(|_| failed(&format!("what answers at {} is no Greenroom", self.base)))
    }

    /// Hands in a document that is no JSON of ours. A problem is printed.
    pub(super) async fn hand_in(&self, path: &str, media_type: &str, document: Vec<u8>) -> Result<Value, u8> {
        let body = Some((media_type, Bytes::from(document)));
        let answer = self.patiently(self.exchange(Method::POST, path, body)).await?;
        serde_json::from_slice(&answer)
            .map_err(|_| failed(&format!("what answers at {} is no Greenroom", self.base)))
    }

    /// Asks for a document. A problem is printed.
    pub(super) async fn document(&self, path: &str) -> Result<Bytes, u8> {
        self.patiently(self.exchange(Method::GET, path, None)).await
    }

    async fn patiently<T>(&self, work: impl Future<Output = Result<T, String>>) -> Result<T, u8> {
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(problem)) => Err(failed(&problem)),
            Err(_) => Err(failed(&format!("the gateway at {} does not answer", self.base))),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Bytes)>,
    ) -> Result<Bytes, String> {
        let mut request = Request::builder().method(method).uri(format!("http://{}/{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        if let Some((media_type, _)) = &body {
            request = request.header(CONTENT_TYPE, *media_type);
        }
        let body = body.map(|(_, bytes)| bytes).unwrap_or_default();
        let request = request.body(Full::new(body));
        let request = request.map_err(|_| "the control token is not one: it holds odd letters".to_owned())?;
        let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
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
        let problem: Value = serde_json::from_slice(&body)
            .map_err(|_| format!("what answers at {} is no Greenroom", self.base))?;
        Err(refusal(status, &problem))
    }
}

/// Where the gateway is that holds this data directory, if it can be asked.
fn found(data_dir: &Path) -> Option<String> {
    ownership::holder(data_dir).map(|holder| holder.note).filter(|note| note.starts_with("http://"))
}

/// What the gateway says against it.
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
        return Err(
            "--control: the control plane is asked over http://; use a tunnel for other machines".into()
        );
    }
    let bare = text.strip_prefix("http://").unwrap_or(text);
    let is_address = format!("http://{bare}/").parse::<Uri>().is_ok_and(|uri| {
        uri.query().is_none() && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    if is_address {
        Ok(bare.to_owned())
    } else {
        Err("--control must look like http://127.0.0.1:8710".into())
    }
}

/// Who listens everywhere is found on this machine.
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

/// Reads a token from a file. A problem is printed.
pub(super) fn read_token(path: &std::path::Path) -> Result<Secret, u8> {
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(Secret::new(text.trim())),
        Ok(_) => Err(misused(&format!("{}: the token file is empty", path.display()))),
        Err(error) => Err(misused(&format!("{}: cannot be read: {error}", path.display()))),
    }
}

fn failed(problem: &str) -> u8 {
    eprintln!("greenroom: {problem}");
    FAILED
}

fn misused(problem: &str) -> u8 {
    eprintln!("greenroom: {problem}");
    MISUSED
}

#[cfg(test)]
mod tests {
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
