//! Whose certificate is believed: whoever vouches for the server in the configuration, else whoever the system
//! believes. A certificate that is refused is told with its fingerprint; it is never accepted for that.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error};

use crate::certificate_error::Distrust;
use crate::certificate_verifier::client_config;
use crate::probe_client::error::Silence;
use greenroom_config::Fingerprint;
use greenroom_config::certificate_files::{Files, certificates};
use greenroom_state::file_lane::FileLane;

/// Whose certificate is believed, and for which name.
#[derive(Debug, Clone)]
pub struct Trust {
    whom: greenroom_config::Trust,
    /// The name the certificate is for, where that is not the one that is asked.
    name: Option<ServerName<'static>>,
    authorities: Authorities,
}

/// What the system believes lies in many files. They are read once, when the first connection needs them, and not on the
/// thread that makes it. Clones are the same.
#[derive(Debug, Clone, Default)]
struct Authorities {
    lane: FileLane,
    config: Arc<OnceCell<Arc<ClientConfig>>>,
}

impl Authorities {
    async fn config(&self, whom: &greenroom_config::Trust) -> Result<Arc<ClientConfig>, Silence> {
        let (lane, whom) = (self.lane.clone(), whom.clone());
        let read = || async move {
            let config = lane.run(move || client_config(&whom)).await;
            config.unwrap_or_else(|undone| Err(undone.to_string())).map(Arc::new)
        };
        self.config.get_or_try_init(read).await.cloned().map_err(Silence::Encryption)
    }
}

impl Trust {
    fn of(whom: greenroom_config::Trust, name: Option<ServerName<'static>>) -> Self {
        Self { whom, name, authorities: Authorities::default() }
    }

    /// Whoever the system believes.
    pub fn system() -> Self {
        Self::of(greenroom_config::Trust::System, None)
    }

    /// Whoever is configured to be believed for this server.
    pub fn of_server(server: &greenroom_config::Server) -> Self {
        Self::of(server.tls.trust.clone(), server.tls.server_name.clone())
    }

    /// Who shows the certificate of these files, whatever name that is for: a listener of this very configuration.
    /// Where they cannot be read, whoever the system believes.
    pub fn of_shown(files: &Files) -> Self {
        let chain = certificates(&files.certificate).unwrap_or_default();
        let whom = chain.first().map_or(greenroom_config::Trust::System, |own| {
            greenroom_config::Trust::Pin(Fingerprint::of(own))
        });
        Self::of(whom, None)
    }

    pub(super) async fn shake_hands<W: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        wire: W,
    ) -> Result<TlsStream<W>, Silence> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned())
                .map_err(|_| Silence::Encryption(format!("{host} is no name a certificate can be for")))?,
        };
        let config = self.authorities.config(&self.whom).await?;
        TlsConnector::from(config).connect(name, wire).await.map_err(|error| explain(&error))
    }
}

fn explain(error: &io::Error) -> Silence {
    if let Some(distrust) = Distrust::within(error) {
        return Silence::Certificate(distrust.clone());
    }
    match error.get_ref().and_then(|cause| cause.downcast_ref::<Error>()) {
        Some(Error::InvalidMessage(_)) => Silence::NotEncrypted,
        Some(other) => Silence::Encryption(other.to_string()),
        None if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            Silence::BrokeOff
        }
        None => Silence::Encryption(error.to_string()),
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
    use crate::certificate_error::Fault;

    /// A side that shows a certificate that signed itself, for `nas.example`.
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

    async fn shaken(trust: &Trust, host: &str, acceptor: &TlsAcceptor) -> Result<(), Silence> {
        let (ours, theirs) = duplex(64 * 1024);
        let (shaken, _) = tokio::join!(trust.shake_hands(host, ours), acceptor.accept(theirs));
        shaken.map(drop)
    }

    #[tokio::test]
    async fn who_vouches_for_a_server_is_who_is_believed() {
        let (acceptor, certificate) = own();
        let trusting = |whom| Trust::of(whom, None);
        let pinned = trusting(greenroom_config::Trust::Pin(Fingerprint::of(&certificate)));
        assert_eq!(shaken(&pinned, "10.0.0.1", &acceptor).await, Ok(()));
        let vouched = trusting(greenroom_config::Trust::Authorities(vec![certificate.clone()]));
        assert_eq!(shaken(&vouched, "nas.example", &acceptor).await, Ok(()));
        let named = Trust { name: ServerName::try_from("nas.example").ok(), ..vouched.clone() };
        assert_eq!(shaken(&named, "10.0.0.1", &acceptor).await, Ok(()));
        match shaken(&vouched, "other.example", &acceptor).await {
            Err(Silence::Certificate(distrust)) => {
                assert_eq!(distrust.fault, Fault::OtherName(vec!["nas.example".into()]));
                assert_eq!(distrust.certificate, Fingerprint::of(&certificate));
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_certificate_nobody_vouches_for_is_told_with_its_fingerprint() {
        let (acceptor, certificate) = own();
        let (_, stranger) = own();
        let trust = Trust::of(greenroom_config::Trust::Authorities(vec![stranger]), None);
        match shaken(&trust, "nas.example", &acceptor).await {
            Err(Silence::Certificate(distrust)) => {
                assert_eq!(distrust.fault, Fault::UnknownIssuer);
                assert_eq!(distrust.certificate, Fingerprint::of(&certificate));
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_side_that_does_not_speak_tls_is_told_from_one_that_hangs_up() {
        let trust = Trust::of(greenroom_config::Trust::Pin(Fingerprint::of(b"")), None);
        let (ours, mut theirs) = duplex(64 * 1024);
        let plain = async {
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
