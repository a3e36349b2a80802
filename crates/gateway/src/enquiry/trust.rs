//! Whose certificate is believed: whoever the system believes. What was shown is noted, so that a refusal can say
//! which certificate it was; it is never accepted for that.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedCipherSuite,
};

use super::silence::{Certificate, CertificateFault, Silence};

/// Whose certificate is believed.
#[derive(Debug, Clone)]
pub struct Trust {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

/// Checks as always, and notes what was shown.
#[derive(Debug)]
struct Noting {
    strict: Arc<WebPkiServerVerifier>,
    shown: Mutex<Option<String>>,
}

impl Trust {
    /// Whoever the system believes. What of that cannot be read is left out: then less is believed.
    pub fn system() -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::of(roots)
    }

    /// Whoever these believe.
    pub fn of(roots: RootCertStore) -> Self {
        Self { roots: Arc::new(roots), provider: Arc::new(ring::default_provider()) }
    }

    pub(super) async fn shake_hands<W: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        wire: W,
    ) -> Result<TlsStream<W>, Silence> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Silence::Encryption(format!("{host} is no name a certificate can be for")))?;
        let strict =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), Arc::clone(&self.provider))
                .build()
                .map_err(|_| {
                    Silence::Encryption(
                        "this machine trusts nobody: install its package of certificates (ca-certificates)"
                            .into(),
                    )
                })?;
        let noting = Arc::new(Noting { strict, shown: Mutex::default() });
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Silence::Encryption(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&noting) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, wire).await;
        shaken.map_err(|error| explain(&error, noting.shown.lock().take()))
    }
}

fn explain(error: &io::Error, shown: Option<String>) -> Silence {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    match cause {
        Some(Error::InvalidCertificate(fault)) => Silence::Certificate(Certificate {
            fault: fault_of(fault),
            fingerprint: shown.unwrap_or_default(),
        }),
        Some(Error::InvalidMessage(_)) => Silence::NotEncrypted,
        Some(other) => Silence::Encryption(other.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof
            || error.kind() == io::ErrorKind::ConnectionReset =>
        {
            Silence::BrokeOff
        }
        None => Silence::Encryption(error.to_string()),
    }
}

fn fault_of(error: &CertificateError) -> CertificateFault {
    match error {
        CertificateError::NotValidForNameContext { presented, .. } => {
            CertificateFault::OtherName(presented.iter().map(|name| plain_name(name)).collect())
        }
        CertificateError::NotValidForName => CertificateFault::OtherName(Vec::new()),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => CertificateFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateFault::NotYetValid
        }
        CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer,
        // A certificate that signed itself and says it may sign others is not one for a server.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            CertificateFault::UnknownIssuer
        }
        other => CertificateFault::Other(other.to_string()),
    }
}

/// `DnsName("a.example")` is how the library writes a name.
fn plain_name(written: &str) -> String {
    let inner = written.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(written);
    inner.trim_matches('"').to_owned()
}

/// SHA-256 of a certificate as people compare it.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let SupportedCipherSuite::Tls13(suite) = ring::cipher_suite::TLS13_AES_128_GCM_SHA256 else {
        return String::new();
    };
    suite.common.hash_provider.hash(certificate).as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.shown.lock() = Some(fingerprint(end_entity));
        self.strict.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}
