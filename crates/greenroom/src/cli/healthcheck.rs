//! `greenroom healthcheck`: checks that the process with the same configuration is alive.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{ConfigArgs, DONE, FAILED, block_on, settings};
use greenroom_config::certificate_files::certificates;
use greenroom_config::{CertificateTrust, Fingerprint};
use greenroom_origin::certificate_verifier::client_config;

/// Request timeout. Supervisors have a longer one of their own.
const PATIENCE: Duration = Duration::from_secs(3);
/// The response is one line; of anything else the beginning is enough.
const MAX_BYTES: u64 = 4096;

pub(super) fn run(serve: &ConfigArgs) -> u8 {
    let Ok(settings) = settings(serve) else { return FAILED };
    block_on(async {
        let asked = tokio::time::timeout(PATIENCE, ask(&settings.control)).await;
        let outcome = asked.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())));
        match outcome {
            Ok(()) => DONE,
            Err(reason) => {
                eprintln!("greenroom: {}: {reason}", settings.control.listen);
                FAILED
            }
        }
    })
}

async fn ask(control: &greenroom_config::ControlSettings) -> Result<(), String> {
    if control.listen.port() == 0 {
        return Err("its port is chosen at the start and not known here; configure control.listen".into());
    }
    let address = on_this_machine(control.listen);
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let Some(files) = &control.certificate else { return converse(stream, address).await };
    // It presents the certificate of this very file, whatever name that is for.
    let chain = certificates(&files.certificate)?;
    let own = chain.first().ok_or("there is no certificate")?;
    let config = client_config(&CertificateTrust::Pin(Fingerprint::sha256(own)))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::from(address.ip()), stream).await;
    converse(stream.map_err(|error| error.to_string())?, address).await
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, address: SocketAddr) -> Result<(), String> {
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream.take(MAX_BYTES).read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
    if answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err("what answers there is not well".into()) }
}

/// Address that reaches this listener from the same machine.
fn on_this_machine(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everywhere_is_here_too() {
        for (listen, asked) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("192.168.1.2:1", "192.168.1.2:1")]
        {
            assert_eq!(on_this_machine(listen.parse().expect("an address")).to_string(), asked);
        }
    }
}
