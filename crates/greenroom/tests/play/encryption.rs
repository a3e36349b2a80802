//! TLS to a media server: exactly the configured certificates are trusted.

use std::sync::atomic::{AtomicUsize, Ordering};

use greenroom_dialect::server_identity::ServerIdentity;
use greenroom_origin::identify::{IdentifyResult, identify};
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use tokio_util::task::TaskTracker;

use crate::fixture::encrypted::{TestAuthority, TestCertificate, TlsTerminator};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture};

struct EncryptionFixture {
    stage: GatewayFixture,
    server: SimulatedServer,
    terminator: TlsTerminator,
}

impl EncryptionFixture {
    /// A Plex that presents `made`, and a gateway with `more` in its server table.
    async fn new(made: &TestCertificate, host: &str, more: &str) -> Self {
        let tasks = TaskTracker::new();
        let server =
            Plex::new(SimulatorOptions::quick()).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
        let server = server.expect("it starts");
        let inner = server.url().trim_start_matches("http://").parse().expect("an address");
        let terminator = TlsTerminator::start(&tasks, made, inner).await;
        let url = format!("https://{host}:{}", terminator.address.port());
        let stage = GatewayConfigBuilder::new().server("home", "plex", &url, more).start().await;
        Self { stage, server, terminator }
    }

    async fn greeting(&self) -> IdentifyResult {
        identify(&self.stage.process.servers[0].0.origin).await
    }

    async fn is_believed(&self) -> bool {
        let token = self.server.tokens().tokens[0].secret.clone();
        let answer = self.stage.client().with("x-plex-token", &token).get("/library/sections").await;
        let is_found = matches!(self.greeting().await, IdentifyResult::Answered(ServerIdentity::Expected(_)));
        assert_eq!(answer.status == 200, is_found, "{}", answer.text());
        is_found
    }

    /// Reason to reject the certificate. The app does not learn it.
    async fn distrust(&self) -> String {
        let answer = self.stage.client().with("x-plex-token", "any").get("/library/sections").await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(!answer.text().contains("certificate"), "{}", answer.text());
        match self.greeting().await {
            IdentifyResult::CertificateRejected(reason) => reason,
            other => panic!("not distrusted: {other:?}"),
        }
    }

    async fn down(self) {
        self.stage.stop().await;
        self.terminator.stop();
        self.server.stop().await;
    }
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("authority.pem");
    std::fs::write(&path, text).expect("written");
    let line = format!("[server.tls]\nca_file = \"{}\"\n", path.display());
    (folder, line)
}

fn pinned(fingerprint: &str) -> String {
    format!("[server.tls]\npin_sha256 = \"{fingerprint}\"\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_a_file_vouches_for_the_names_it_signed() {
    let authority = TestAuthority::new();
    let (_folder, told) = file(&authority.pem());
    let house = EncryptionFixture::new(&authority.sign(&["localhost"]), "localhost", &told).await;
    assert!(house.is_believed().await);
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_trust_setting_an_unknown_certificate_is_rejected() {
    for made in [TestCertificate::self_signed(&["localhost"]), TestAuthority::new().sign(&["localhost"])] {
        let house = EncryptionFixture::new(&made, "localhost", "").await;
        let reason = house.distrust().await;
        assert!(reason.contains("signed by a CA that is not among the trusted CAs"), "{reason}");
        assert!(reason.contains("tls.ca_file") && reason.contains("tls.pin_sha256"), "{reason}");
        assert!(reason.contains(&made.fingerprint()) && reason.contains(&made.key_fingerprint()), "{reason}");
        house.down().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_authority_than_the_files_is_not_believed() {
    let (_folder, told) = file(&TestAuthority::new().pem());
    let house = EncryptionFixture::new(&TestAuthority::new().sign(&["localhost"]), "localhost", &told).await;
    assert!(house.distrust().await.contains("signed by a CA that is not among the trusted CAs"));
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_other_names_is_refused_with_these_names() {
    let authority = TestAuthority::new();
    let made = authority.sign(&["media.example", "tv.example"]);
    let (_folder, told) = file(&authority.pem());
    let house = EncryptionFixture::new(&made, "localhost", &told).await;
    let reason = house.distrust().await;
    assert!(reason.contains("for other names (media.example, tv.example)"), "{reason}");
    assert!(reason.contains("tls.server_name"), "{reason}");
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configured_server_name_is_verified() {
    let authority = TestAuthority::new();
    let (_folder, told) = file(&authority.pem());
    let told = format!("{told}server_name = \"media.example\"\n");
    let house = EncryptionFixture::new(&authority.sign(&["media.example"]), "127.0.0.1", &told).await;
    assert!(house.is_believed().await);
    house.down().await;
    let house = EncryptionFixture::new(&authority.sign(&["localhost"]), "localhost", &told).await;
    assert!(house.distrust().await.contains("for other names (localhost)"));
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_refused_though_its_authority_is_known() {
    let authority = TestAuthority::new();
    let (_folder, told) = file(&authority.pem());
    let house = EncryptionFixture::new(&authority.sign_expired(&["localhost"]), "localhost", &told).await;
    assert!(house.distrust().await.contains("has expired"));
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_names_the_certificate_or_its_key_whatever_names_and_dates_it_has() {
    let authority = TestAuthority::new();
    for made in [TestCertificate::self_signed(&["elsewhere.example"]), authority.sign_expired(&["elsewhere.example"])] {
        for fingerprint in [made.fingerprint(), made.key_fingerprint().to_uppercase()] {
            let house = EncryptionFixture::new(&made, "localhost", &pinned(&fingerprint)).await;
            assert!(house.is_believed().await);
            house.down().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_certificate_than_the_pinned_one_is_refused_however_well_it_is_signed() {
    let authority = TestAuthority::new();
    let pin = pinned(&authority.sign(&["localhost"]).fingerprint());
    let house = EncryptionFixture::new(&authority.sign(&["localhost"]), "localhost", &pin).await;
    assert!(house.distrust().await.contains("not the pinned one"));
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_certificate_without_its_key_is_rejected() {
    let made = TestCertificate::self_signed(&["localhost"]);
    let house = EncryptionFixture::new(&made.with_other_key(), "localhost", &pinned(&made.fingerprint())).await;
    assert!(!house.is_believed().await);
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_request_reaches_a_server_that_is_not_believed() {
    let tasks = TaskTracker::new();
    let heard = std::sync::Arc::new(AtomicUsize::new(0));
    let count = heard.clone();
    let server = crate::fixture::scripted::ScriptedServer::start(&tasks, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        crate::fixture::scripted::ScriptedReply::Close
    })
    .await;
    let terminator = TlsTerminator::start(&tasks, &TestCertificate::self_signed(&["localhost"]), server.address).await;
    let url = format!("https://localhost:{}", terminator.address.port());
    let stage = GatewayConfigBuilder::new().server("home", "plex", &url, "token = \"the-owners\"\n").start().await;
    let client = stage.client().with("x-plex-token", "a-clients");
    for target in ["/library/sections", "/:/scrobble?key=1", "/video/:/transcode/universal/start.m3u8"] {
        assert_eq!(client.get(target).await.status, 503, "{target}");
    }
    assert_eq!(heard.load(Ordering::SeqCst), 0);
    stage.stop().await;
    terminator.stop();
    server.stop();
}
