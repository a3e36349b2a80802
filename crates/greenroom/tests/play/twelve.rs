//! A later Jellyfin refuses the legacy forms of a credential; apps that know no other still work through Greenroom.

use futures_util::StreamExt;
use greenroom_dialect::server_identity::ServerIdentity;
use greenroom_origin::identify::{IdentifyResult, identify};
use greenroom_simulator::jellyfin::{self, Jellyfin};
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::simulated_server::SimulatedServer;
use http::Method;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_util::task::TaskTracker;

use crate::fixture::scripted::{ScriptedReply, ScriptedServer, answer};
use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient, TestResponse};

struct CredentialFixture {
    server: SimulatedServer,
    stage: GatewayFixture,
    token: String,
    user: String,
}

/// Legacy form of a credential: a header, or a pair in the query.
#[derive(Debug, Clone, Copy)]
enum LegacyCredential {
    Header(&'static str, &'static str),
    Query,
}

const FORMS: [LegacyCredential; 5] = [
    LegacyCredential::Header("x-emby-token", "{}"),
    LegacyCredential::Header("x-mediabrowser-token", "{}"),
    LegacyCredential::Header(
        "x-emby-authorization",
        "MediaBrowser Client=\"C\", Device=\"D\", DeviceId=\"i\", Version=\"1\", Token=\"{}\"",
    ),
    LegacyCredential::Header("authorization", "Emby Client=\"C\", Token=\"{}\""),
    LegacyCredential::Query,
];

impl CredentialFixture {
    async fn new(more: &str) -> Self {
        let mut options: jellyfin::JellyfinOptions = SimulatorOptions::quick();
        options.switches.reject_legacy_auth = true;
        let listen = "127.0.0.1:0".parse().expect("an address");
        let server = Jellyfin::new(options).start(listen, &TaskTracker::new()).await.expect("it starts");
        let stage = GatewayConfigBuilder::new().server("home", "jellyfin", &server.url(), more).start().await;
        let owned = server.tokens().tokens.iter().find(|token| token.user.is_some()).expect("a user's token");
        let token = owned.secret.clone();
        let today = stage.client().with("authorization", &format!("MediaBrowser Token=\"{token}\""));
        let user = today.get("/Users/Me").await.json()["Id"].as_str().expect("an id").to_owned();
        Self { server, stage, token, user }
    }

    fn direct(&self) -> TestClient {
        TestClient::new(self.server.url().trim_start_matches("http://").parse().expect("an address"))
    }

    async fn ask(&self, client: &TestClient, old: LegacyCredential, method: Method, target: &str) -> TestResponse {
        match old {
            LegacyCredential::Header(name, form) => {
                client.with(name, &form.replace("{}", &self.token)).send(method, target, "").await
            }
            LegacyCredential::Query => {
                let mark = if target.contains('?') { '&' } else { '?' };
                client.send(method, &format!("{target}{mark}api_key={}", self.token), "").await
            }
        }
    }

    async fn film(&self) -> String {
        let list = format!("/Items?userId={}&includeItemTypes=Movie&recursive=true&limit=1", self.user);
        let list = self.ask(&self.stage.client(), FORMS[0], Method::GET, &list).await.json();
        list["Items"][0]["Id"].as_str().expect("a film").to_owned()
    }

    async fn down(self) {
        self.stage.stop().await;
        self.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_old_form_reads_writes_and_streams() {
    let house = CredentialFixture::new("").await;
    let film = house.film().await;
    let asked = [
        (Method::GET, format!("/UserViews?userId={}", house.user)),
        (Method::GET, format!("/Users/{}/Items/{film}", house.user)),
        (Method::POST, format!("/UserPlayedItems/{film}?userId={}", house.user)),
        (Method::DELETE, format!("/UserPlayedItems/{film}?userId={}", house.user)),
        (Method::GET, format!("/Items/{film}/Download")),
        (Method::GET, "/Users/Me".to_owned()),
    ];
    for old in FORMS {
        for (method, target) in &asked {
            let refused = house.ask(&house.direct().with("range", "bytes=0-99"), old, method.clone(), target).await;
            assert_eq!(refused.status, 401, "{old:?} {method} {target}, directly");
            // A range of a film is enough.
            let taken = house.stage.client().with("range", "bytes=0-99");
            let taken = house.ask(&taken, old, method.clone(), target).await;
            assert!(taken.status.is_success(), "{old:?} {method} {target}: {} {}", taken.status, taken.text());
        }
    }
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_old_logs_in_and_listens() {
    let house = CredentialFixture::new("").await;
    let named = "MediaBrowser Client=\"Old\", Device=\"D\", DeviceId=\"i\", Version=\"1\"";
    let client = house.stage.client().with("x-emby-authorization", named).with("content-type", "application/json");
    let login = r#"{"Username":"olga","Pw":""}"#;
    let answer = client.send(Method::POST, "/Users/AuthenticateByName", login).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let token = answer.json()["AccessToken"].as_str().expect("a token").to_owned();
    let address = house.stage.address(0);
    let request = format!("ws://{address}/socket?api_key={token}&deviceId=i").into_client_request();
    let stream = TcpStream::connect(address).await.expect("it listens");
    let socket = tokio_tungstenite::client_async(request.expect("a request"), stream).await;
    let (mut socket, _) = socket.expect("it is a socket");
    let first = socket.next().await.expect("it speaks").expect("a frame");
    assert!(first.to_string().contains("ForceKeepAlive"), "{first}");
    drop(socket);
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_old_reaches_the_server() {
    let tasks = TaskTracker::new();
    let server =
        ScriptedServer::start(&tasks, |_| ScriptedReply::Bytes(answer("200 OK", "application/json", "{}"))).await;
    let stage =
        GatewayConfigBuilder::new().server("home", "jellyfin", &format!("http://{}", server.address), "").start().await;
    let plain = stage.client();
    let old = plain.with("x-emby-token", "tok").with("x-emby-authorization", "Emby Client=\"C\", Version=\"1\"");
    for (method, target) in [
        (Method::GET, "/Items/1/Download?x=%41&api_key=tok&y"),
        (Method::GET, "/UserViews?api_key=tok"),
        (Method::POST, "/UserPlayedItems/1?api_key=tok"),
    ] {
        old.send(method, target, "").await;
    }
    let arrived = server.received();
    assert_eq!(arrived.len(), 4, "these, and whose token it is: {arrived:?}");
    for request in &arrived {
        let head = request.head.to_ascii_lowercase();
        assert!(!head.contains("api_key") && !head.contains("x-emby"), "{head}");
        assert!(head.contains("authorization: mediabrowser client=\"c\", version=\"1\", token=\"tok\""), "{head}");
    }
    assert!(arrived.iter().any(|request| request.target == "/Items/1/Download?x=%41&y"), "{arrived:?}");
    stage.stop().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_translation_old_forms_are_left_to_the_server() {
    let house = CredentialFixture::new("translate_legacy_auth = false\n").await;
    for old in FORMS {
        for target in ["/UserViews", "/Users/Me", "/Items/0123/Download"] {
            let answer = house.ask(&house.stage.client(), old, Method::GET, target).await;
            assert_eq!(answer.status, 401, "{old:?} {target}");
        }
    }
    house.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emby_is_recognised_and_refused() {
    let nameless = r#"{"ServerName":"Den","Version":"4.9.1.2","LocalAddresses":[],"Id":"x"}"#;
    for prefix in ["/System", "/emby/System"] {
        let tasks = TaskTracker::new();
        let server = ScriptedServer::start(&tasks, move |request| {
            ScriptedReply::Bytes(if request.target.starts_with(prefix) {
                answer("200 OK", "application/json", nameless)
            } else {
                answer("404 Not Found", "text/plain", "nothing")
            })
        })
        .await;
        let url = format!("http://{}", server.address);
        let stage = GatewayConfigBuilder::new().server("home", "jellyfin", &url, "").start().await;
        let greeting = identify(&stage.process.servers[0].0.origin).await;
        let emby = ServerIdentity::Emby { version: "4.9.1.2".into() };
        assert_eq!(greeting, IdentifyResult::Answered(emby));
        let before = server.received().len();
        let refused = stage.client().with("x-emby-token", "t").get("/Items").await;
        assert_eq!(refused.status, 501);
        assert!(refused.text().contains("not supported yet"), "{}", refused.text());
        assert_eq!(server.received().len(), before, "nothing is asked of it");
        stage.stop().await;
        server.stop();
    }
}
