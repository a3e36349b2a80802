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
use crate::config;

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

    /// Whoever is configured to be believed for this server: the one place where that is decided for these tools.
    pub fn of_server(_server: &config::Server) -> Self {
        Self::system()
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
        // A signature that is wrong is that of another authority of the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => CertificateFault::UnknownIssuer,
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

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, KeyPair, date_time_ymd};
    use tokio::io::duplex;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

    use super::*;

    /// A certificate of an authority of its own, for these names and years.
    struct Signed {
        roots: RootCertStore,
        acceptor: TlsAcceptor,
        fingerprint: String,
    }

    fn signed(names: &[&str], years: (i32, i32)) -> Signed {
        let authority_key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority.distinguished_name = DistinguishedName::new();
        let root = authority.self_signed(&authority_key).expect("a certificate");
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        let certificate = params.signed_by(&key, &issuer).expect("a certificate").der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).expect("a root");
        let fingerprint = fingerprint(&certificate);
        Signed { roots, acceptor: accepting(certificate, &key), fingerprint }
    }

    fn accepting(certificate: CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], private)
            .expect("a certificate with its key");
        TlsAcceptor::from(Arc::new(config))
    }

    async fn shaken(trust: &Trust, host: &str, acceptor: &TlsAcceptor) -> Result<(), Silence> {
        let (ours, theirs) = duplex(64 * 1024);
        let (shaken, _) = tokio::join!(trust.shake_hands(host, ours), acceptor.accept(theirs));
        shaken.map(drop)
    }

    fn fault(outcome: Result<(), Silence>) -> Certificate {
        match outcome {
            Err(Silence::Certificate(certificate)) => certificate,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_certificate_is_believed_for_its_names_in_its_time_from_its_authority() {
        let good = signed(&["nas.example"], (2020, 2090));
        let trust = Trust::of(good.roots);
        assert_eq!(shaken(&trust, "nas.example", &good.acceptor).await, Ok(()));
        let other = fault(shaken(&trust, "other.example", &good.acceptor).await);
        assert_eq!(other.fault, CertificateFault::OtherName(vec!["nas.example".into()]));
        assert_eq!(other.fingerprint, good.fingerprint);
        assert_eq!(other.fingerprint.len(), 64);
    }

    #[tokio::test]
    async fn a_certificate_out_of_its_time_or_of_a_stranger_is_not_believed() {
        let old = signed(&["nas.example"], (2000, 2001));
        assert_eq!(
            fault(shaken(&Trust::of(old.roots), "nas.example", &old.acceptor).await).fault,
            CertificateFault::Expired
        );
        let early = signed(&["nas.example"], (2080, 2090));
        assert_eq!(
            fault(shaken(&Trust::of(early.roots), "nas.example", &early.acceptor).await).fault,
            CertificateFault::NotYetValid
        );
        let good = signed(&["nas.example"], (2020, 2090));
        let stranger = signed(&["nas.example"], (2020, 2090));
        assert_eq!(
            fault(shaken(&Trust::of(stranger.roots), "nas.example", &good.acceptor).await).fault,
            CertificateFault::UnknownIssuer
        );
    }

    #[tokio::test]
    async fn a_certificate_that_signed_itself_is_not_believed() {
        let key = KeyPair::generate().expect("a key");
        for is_ca in [rcgen::IsCa::NoCa, rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained)] {
            let mut params = CertificateParams::new(vec!["nas.example".into()]).expect("names");
            params.is_ca = is_ca;
            let own = params.self_signed(&key).expect("a certificate").der().clone();
            let acceptor = accepting(own, &key);
            let trust = Trust::of(signed(&["x"], (2020, 2090)).roots);
            let found = fault(shaken(&trust, "nas.example", &acceptor).await);
            assert_eq!(found.fault, CertificateFault::UnknownIssuer);
        }
    }

    #[tokio::test]
    async fn a_side_that_does_not_speak_tls_is_told_from_one_that_hangs_up() {
        let trust = Trust::of(signed(&["x"], (2020, 2090)).roots);
        let (ours, mut theirs) = duplex(64 * 1024);
        let plain = async {
            use tokio::io::AsyncWriteExt;
            drop(theirs.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
            theirs
        };
        let (shaken, _) = tokio::join!(trust.shake_hands("nas.example", ours), plain);
        assert_eq!(shaken.map(drop), Err(Silence::NotEncrypted));
        let (ours, theirs) = duplex(64 * 1024);
        drop(theirs);
        let shaken = trust.shake_hands("nas.example", ours).await.map(drop);
        assert!(matches!(shaken, Err(Silence::BrokeOff | Silence::Encryption(_))), "{shaken:?}");
    }
}
