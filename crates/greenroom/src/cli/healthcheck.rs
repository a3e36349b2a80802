//! `greenroom healthcheck`: checks that the process with the same configuration is alive.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{ConfigArgs, SUCCESS, block_on, fail, settings};
use greenroom_config::certificate_files::certificates;
use greenroom_config::local_address::local_address;
use greenroom_config::{CertificateTrust, Fingerprint};
use greenroom_origin::certificate_verifier::client_config;

/// Request timeout. Supervisors have a longer one of their own.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The response is one line; of anything else the beginning is enough.
const MAX_RESPONSE_BYTES: u64 = 4096;

/// `greenroom healthcheck`.
#[derive(Debug, clap::Args)]
pub(super) struct HealthcheckArgs {
    #[command(flatten)]
    serve: ConfigArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &HealthcheckArgs) -> u8 {
    let settings = match settings(&options.serve) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    block_on(async {
        let result = tokio::time::timeout(TIMEOUT, check_health(&settings.control)).await;
        let result = result.unwrap_or_else(|_| Err(format!("no response within {} s", TIMEOUT.as_secs())));
        match result {
            Ok(()) => {
                if options.json {
                    println!("{}", serde_json::json!({ "healthy": true }));
                }
                SUCCESS
            }
            Err(reason) => fail(&format!("{}: {reason}", settings.control.listen)),
        }
    })
}

async fn check_health(control: &greenroom_config::ControlSettings) -> Result<(), String> {
    if control.listen.port() == 0 {
        return Err("its port is chosen at the start; configure a fixed port in control.listen".into());
    }
    let address = local_address(control.listen);
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let Some(files) = &control.certificate else { return read_health(stream, address).await };
    // It presents the certificate of this very file, whatever name that is for.
    let chain = certificates(&files.certificate)?;
    let certificate = chain.first().ok_or("the certificate file contains no certificate")?;
    let config = client_config(&CertificateTrust::Pin(Fingerprint::sha256(certificate)))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::from(address.ip()), stream).await;
    read_health(stream.map_err(|error| error.to_string())?, address).await
}

async fn read_health(mut stream: impl AsyncRead + AsyncWrite + Unpin, address: SocketAddr) -> Result<(), String> {
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut response = Vec::new();
    stream.take(MAX_RESPONSE_BYTES).read_to_end(&mut response).await.map_err(|error| error.to_string())?;
    if response.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err("the response is not 200 OK".into()) }
}
