//! Certificate trust: as configured for the server, else the system's authorities. A rejected certificate is reported
//! with its fingerprint, but never accepted because of it.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error};

use crate::certificate_error::CertificateRejection;
use crate::certificate_verifier::client_config;
use crate::probe_client::error::ProbeError;
use greenroom_config::Fingerprint;
use greenroom_config::certificate_files::{CertificateFiles, certificates};
use greenroom_state::file_work_queue::FileWorkQueue;

/// Accepted certificates, and the name they must be for.
#[derive(Debug, Clone)]
pub struct ProbeTrust {
    trust: greenroom_config::CertificateTrust,
    /// Name in the certificate, if it differs from the requested one.
    name: Option<ServerName<'static>>,
    authorities: SystemAuthorities,
}

/// The system's authorities, spread over many files. They are read once, for the first connection, off its thread.
/// Clones share them.
#[derive(Debug, Clone, Default)]
struct SystemAuthorities {
    kind: FileWorkQueue,
    config: Arc<OnceCell<Arc<ClientConfig>>>,
}

impl SystemAuthorities {
    async fn config(&self, trust: &greenroom_config::CertificateTrust) -> Result<Arc<ClientConfig>, ProbeError> {
        let (kind, trust) = (self.kind.clone(), trust.clone());
        let load = || async move {
            let config = kind.run(move || client_config(&trust)).await;
            config.unwrap_or_else(|error| Err(error.to_string())).map(Arc::new)
        };
        self.config.get_or_try_init(load).await.cloned().map_err(ProbeError::Encryption)
    }
}

impl ProbeTrust {
    fn new(trust: greenroom_config::CertificateTrust, name: Option<ServerName<'static>>) -> Self {
        Self { trust, name, authorities: SystemAuthorities::default() }
    }

    /// Trusts the system's authorities.
    pub fn system() -> Self {
        Self::new(greenroom_config::CertificateTrust::System, None)
    }

    /// Trusts what is configured for this server.
    pub fn for_server(server: &greenroom_config::ServerSettings) -> Self {
        Self::new(server.tls.trust.clone(), server.tls.server_name.clone())
    }

    /// Trusts what is configured for this server of any HTTP API.
    pub fn for_http_api(server: &greenroom_config::HttpApiSettings) -> Self {
        Self::new(server.tls.trust.clone(), server.tls.server_name.clone())
    }

    /// Trusts the certificate of these files, for any name: that of a listener of this configuration. If they cannot be
    /// read, trusts the system's authorities.
    pub fn for_listener(files: &CertificateFiles) -> Self {
        let chain = certificates(&files.certificate).unwrap_or_default();
        let trust = chain.first().map_or(greenroom_config::CertificateTrust::System, |certificate| {
            greenroom_config::CertificateTrust::Pin(Fingerprint::sha256(certificate))
        });
        Self::new(trust, None)
    }

    pub(super) async fn handshake<W: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        stream: W,
    ) -> Result<TlsStream<W>, ProbeError> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned())
                .map_err(|_| ProbeError::Encryption(format!("{host} is not a valid name for a certificate")))?,
        };
        let config = self.authorities.config(&self.trust).await?;
        TlsConnector::from(config).connect(name, stream).await.map_err(|error| explain(&error))
    }
}

fn explain(error: &io::Error) -> ProbeError {
    if let Some(rejection) = CertificateRejection::find_in(error) {
        return ProbeError::Certificate(rejection.clone());
    }
    match error.get_ref().and_then(|cause| cause.downcast_ref::<Error>()) {
        Some(Error::InvalidMessage(_)) => ProbeError::NotEncrypted,
        Some(other) => ProbeError::Encryption(other.to_string()),
        None if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            ProbeError::BrokeOff
        }
        None => ProbeError::Encryption(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use tokio::io::{AsyncWriteExt, duplex};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

    use super::*;
    use crate::certificate_error::CertificateFault;

    /// A server with a self-signed certificate for `nas.example`.
    fn own() -> (TlsAcceptor, CertificateDer<'static>) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["nas.example".into()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate").der().clone();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], private)
            .expect("a certificate with its key");
        (TlsAcceptor::from(Arc::new(config)), certificate)
    }

    async fn shaken(trust: &ProbeTrust, host: &str, acceptor: &TlsAcceptor) -> Result<(), ProbeError> {
        let (client_end, server_end) = duplex(64 * 1024);
        let (handshake, _) = tokio::join!(trust.handshake(host, client_end), acceptor.accept(server_end));
        handshake.map(drop)
    }

    #[tokio::test]
    async fn only_the_configured_authority_is_trusted() {
        let (acceptor, certificate) = own();
        let trusting = |trust| ProbeTrust::new(trust, None);
        let pinned = trusting(greenroom_config::CertificateTrust::Pin(Fingerprint::sha256(&certificate)));
        assert_eq!(shaken(&pinned, "10.0.0.1", &acceptor).await, Ok(()));
        let vouched = trusting(greenroom_config::CertificateTrust::Authorities(vec![certificate.clone()]));
        assert_eq!(shaken(&vouched, "nas.example", &acceptor).await, Ok(()));
        let named = ProbeTrust { name: ServerName::try_from("nas.example").ok(), ..vouched.clone() };
        assert_eq!(shaken(&named, "10.0.0.1", &acceptor).await, Ok(()));
        match shaken(&vouched, "other.example", &acceptor).await {
            Err(ProbeError::Certificate(rejection)) => {
                assert_eq!(rejection.fault, CertificateFault::OtherName(vec!["nas.example".into()]));
                assert_eq!(rejection.certificate, Fingerprint::sha256(&certificate));
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn an_untrusted_certificate_is_reported_with_its_fingerprint() {
        let (acceptor, certificate) = own();
        let (_, stranger) = own();
        let trust = ProbeTrust::new(greenroom_config::CertificateTrust::Authorities(vec![stranger]), None);
        match shaken(&trust, "nas.example", &acceptor).await {
            Err(ProbeError::Certificate(rejection)) => {
                assert_eq!(rejection.fault, CertificateFault::UnknownIssuer);
                assert_eq!(rejection.certificate, Fingerprint::sha256(&certificate));
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_peer_without_tls_is_distinguished_from_one_that_hangs_up() {
        let trust = ProbeTrust::new(greenroom_config::CertificateTrust::Pin(Fingerprint::sha256(b"")), None);
        let (client_end, mut server_end) = duplex(64 * 1024);
        let plain = async {
            let _ = server_end.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            server_end
        };
        let (handshake, _) = tokio::join!(trust.handshake("nas.example", client_end), plain);
        assert_eq!(handshake.map(drop), Err(ProbeError::NotEncrypted));
        let (client_end, server_end) = duplex(64 * 1024);
        drop(server_end);
        let handshake = trust.handshake("nas.example", client_end).await.map(drop);
        assert!(matches!(handshake, Err(ProbeError::BrokeOff | ProbeError::Encryption(_))), "{handshake:?}");
    }
}
