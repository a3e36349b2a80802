//! Encryption before a server that speaks none: certificates made for the test, and a terminator that shows them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PublicKeyData, date_time_ymd,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ServerConfig, sign};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use greenroom_config::Fingerprint;

/// A certificate with its key.
pub struct Made {
    pub certificate: CertificateDer<'static>,
    pub key: KeyPair,
    pub pem: String,
}

/// Somebody who signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "An authority of this test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names.
    pub fn signs(&self, names: &[&str]) -> Made {
        self.signs_with(names, |_| {})
    }

    /// A certificate whose time was over long ago.
    pub fn signed_long_ago(&self, names: &[&str]) -> Made {
        self.signs_with(names, |params| {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        })
    }

    fn signs_with(&self, names: &[&str], change: impl Fn(&mut CertificateParams)) -> Made {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Made { certificate: certificate.der().clone(), pem: certificate.pem(), key }
    }
}

impl Made {
    /// One that nobody signed but itself.
    pub fn by_itself(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        Self { certificate: made.cert.der().clone(), pem: made.cert.pem(), key: made.signing_key }
    }

    pub fn fingerprint(&self) -> String {
        Fingerprint::of(&self.certificate).to_string()
    }

    pub fn key_fingerprint(&self) -> String {
        Fingerprint::of(&self.key.subject_public_key_info()).to_string()
    }

    /// Writes certificate and key into a folder.
    pub fn write(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        std::fs::write(&certificate, &self.pem).expect("written");
        std::fs::write(&key, self.key.serialize_pem()).expect("written");
        (certificate, key)
    }

    /// The same certificate in the hands of somebody who does not have its key.
    pub fn stolen(&self) -> Self {
        Self {
            certificate: self.certificate.clone(),
            pem: self.pem.clone(),
            key: KeyPair::generate().expect("a key"),
        }
    }
}

/// Decrypts in front of `inner`.
pub struct Terminator {
    pub address: SocketAddr,
    stop: CancellationToken,
}

/// Shows whatever it was given, fitting or not.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl Terminator {
    pub async fn start(tasks: &TaskTracker, made: &Made, inner: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let acceptor = TlsAcceptor::from(Arc::new(shows(made)));
        let (ended, owner) = (stop.clone(), tasks.clone());
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = ended.cancelled() => return,
                    Ok((stream, _)) = listener.accept() => {
                        let (ended, talk) = (ended.clone(), pass(acceptor.clone(), stream, inner));
                        owner.spawn(async move { tokio::select! { () = ended.cancelled() => {}, () = talk => {} } });
                    }
                }
            }
        });
        Self { address, stop }
    }

    pub fn stop(&self) {
        self.stop.cancel();
    }
}

fn shows(made: &Made) -> ServerConfig {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.key.serialize_der()));
    let key = ring::sign::any_supported_type(&key).expect("a usable key");
    let shown = sign::CertifiedKey::new(vec![made.certificate.clone()], key);
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shows(Arc::new(shown))))
}

async fn pass(acceptor: TlsAcceptor, stream: TcpStream, inner: SocketAddr) {
    let Ok(mut outer) = acceptor.accept(stream).await else { return };
    let Ok(mut inner) = TcpStream::connect(inner).await else { return };
    // How it ends is the concern of both sides, which see it end.
    drop(tokio::io::copy_bidirectional(&mut outer, &mut inner).await);
}
