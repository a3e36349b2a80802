//! Tokens of one account share that account's answers, and nothing else crosses: log-ins, several televisions of one
//! user, tokens that end while others are used, users made anew, and equal accounts on two servers.

use futures_util::future::join_all;
use greenroom_simulator::catalogue::{MediaKind, SortKey};
use greenroom_simulator::jellyfin::{Jellyfin, JellyfinOptions, item_id, user_id};
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::users::{UserId, UserToken};
use http::Method;
use serde_json::json;
use tokio_util::task::TaskTracker;

use crate::fixture::{GatewayConfigBuilder, GatewayFixture, TestClient, TestResponse};
use crate::mixing::users;

const ANN: UserId = UserId(1);
const BEN: UserId = UserId(2);
/// Responses that may expire while a slow machine runs a test.
const EXPIRED: usize = 12;

async fn jellyfin() -> SimulatedServer {
    let options = JellyfinOptions { users: Some(users()), ..SimulatorOptions::quick() };
    let listen = "127.0.0.1:0".parse().expect("an address");
    Jellyfin::new(options).start(listen, &TaskTracker::new()).await.expect("it starts")
}

async fn gateway(server: &SimulatedServer) -> GatewayFixture {
    GatewayConfigBuilder::new().server("home", "jellyfin", &server.url(), "").start().await
}

/// A client of this app with this token.
fn app(client: &TestClient, app: &str, token: &str) -> TestClient {
    let line =
        format!("MediaBrowser Client=\"{app}\", Device=\"D\", DeviceId=\"{token}\", Version=\"1\", Token=\"{token}\"");
    client.with("authorization", &line)
}

/// Logs in through the gateway, as a device of its own.
async fn log_in(stage: &GatewayFixture, name: &str, device: &str) -> TestClient {
    let line = format!("MediaBrowser Client=\"Jellyfin Web\", Device=\"D\", DeviceId=\"{device}\", Version=\"1\"");
    let client = stage.client().with("authorization", &line).with("content-type", "application/json");
    let body = json!({"Username": name, "Pw": ""}).to_string();
    let entered = client.send(Method::POST, "/Users/AuthenticateByName", &body).await;
    assert_eq!(entered.status, 200, "{}", entered.text());
    let token = entered.json()["AccessToken"].as_str().expect("a token").to_owned();
    app(&stage.client(), "Jellyfin Web", &token)
}

fn films(server: &SimulatedServer, count: usize) -> Vec<String> {
    server.state().view().list(MediaKind::Film, SortKey::Title).iter().take(count).map(|id| item_id(*id)).collect()
}

/// Reads of a web client in its first minute: 96 of lists, single items, and what is about the user.
fn first_minute(server: &SimulatedServer, user: &str) -> Vec<String> {
    let mut targets: Vec<String> =
        ["/UserViews", "/UserItems/Resume?limit=12", "/Items/Latest?limit=16", "/Shows/NextUp?limit=24"]
            .map(|target| format!("{target}{}userId={user}", if target.contains('?') { '&' } else { '?' }))
            .into();
    targets.push(format!("/Users/{user}"));
    targets.extend(films(server, 30).iter().map(|film| format!("/Users/{user}/Items/{film}")));
    targets.extend(
        (0..61).map(|page| {
            format!("/Items?userId={user}&recursive=true&includeItemTypes=Movie&limit=1&startIndex={page}")
        }),
    );
    assert_eq!(targets.len(), 96);
    targets
}

async fn read_all(client: &TestClient, targets: &[String]) -> Vec<TestResponse> {
    join_all(targets.iter().map(|target| client.get(target))).await
}

fn classes_of(targets: &[String]) -> usize {
    use greenroom_dialect::classification::Classification;
    use greenroom_dialect::request::{RequestView, ServerKind};
    let class = |target: &String| {
        let headers = http::HeaderMap::new();
        let view = RequestView { method: &Method::GET, target, headers: &headers, body: &[] };
        let Classification::Read(read) = ServerKind::Jellyfin.classify(&view, None) else {
            panic!("{target} is no read")
        };
        read.class
    };
    targets.iter().map(class).collect::<std::collections::HashSet<_>>().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_login_hits_what_another_session_of_the_user_read_before() {
    let server = jellyfin().await;
    let stage = gateway(&server).await;
    let ben = user_id(BEN);
    let targets = first_minute(&server, &ben);
    let first = log_in(&stage, "ben", "office").await;
    for target in &targets {
        assert_eq!(first.get(target).await.status, 200, "{target}");
    }
    let second = log_in(&stage, "ben", "kitchen").await;
    server.request_log().reset();
    let mut hits = 0;
    for target in &targets {
        let answer = second.get(target).await;
        assert_eq!(answer.status, 200, "{target}");
        hits += usize::from(answer.was_hit());
    }
    let classes = classes_of(&targets);
    assert!(hits + classes + EXPIRED >= targets.len(), "each class is proven once for the new token: {hits} hits");
    let asked = server.request_log().requests();
    assert!(asked.iter().all(|seen| seen.target != "/Users/Me"), "its log-in told whose it is: {asked:?}");
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_kodis_of_one_account_are_one_sync() {
    let server = jellyfin().await;
    let stage = gateway(&server).await;
    let (ben, direct) =
        (user_id(BEN), app(&TestClient::new(server.address()), "Kodi", server.tokens().secret("ben-1")));
    let targets = first_minute(&server, &ben);
    let mut asked = Vec::new();
    let mut tokens = vec![server.tokens().secret("ben-1").to_owned(), server.tokens().secret("ben-2").to_owned()];
    let third = log_in(&stage, "ben", "bedroom").await.header("authorization");
    tokens.push(third.split("Token=\"").nth(1).expect("a token").trim_end_matches('"').to_owned());
    for token in &tokens {
        server.request_log().reset();
        let kodi = app(&stage.client(), "Kodi", token);
        for target in &targets {
            let (got, wanted) = (kodi.get(target).await, direct.get(target).await);
            assert_eq!(got.status, wanted.status, "{target}");
            // A user's own row has the time of the last activity.
            assert!(got.json() == wanted.json() || *target == format!("/Users/{ben}"), "{target}");
        }
        asked.push(server.request_log().requests().len() - targets.len());
    }
    let classes = classes_of(&targets);
    assert_eq!(asked[0], targets.len() + 1, "a sync, and whose token it is");
    // A request per class proves the next ones, and one whose they are. On a slow machine some of it expires meanwhile.
    for more in &asked[1..] {
        assert!((classes..=classes + 1 + EXPIRED).contains(more), "{asked:?}");
    }
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_while_another_is_used_is_served_nothing_and_costs_the_other_nothing() {
    let server = jellyfin().await;
    let stage = gateway(&server).await;
    let ben = user_id(BEN);
    let targets = first_minute(&server, &ben);
    let [ending, staying] = ["ben-1", "ben-2"].map(|label| app(&stage.client(), "Kodi", server.tokens().secret(label)));
    for client in [&ending, &staying] {
        for target in &targets {
            assert_eq!(client.get(target).await.status, 200);
        }
    }
    // Both read all the time while one signs out.
    let (_, stayed, ended) = tokio::join!(
        read_all(&ending, &targets),
        read_all(&staying, &targets),
        ending.send(Method::POST, "/Sessions/Logout", "")
    );
    assert!(ended.status.is_success());
    assert!(stayed.iter().all(|answer| answer.status == 200));
    for _ in 0..2 {
        let mut missed = 0;
        for (target, answer) in targets.iter().zip(read_all(&ending, &targets).await) {
            assert_eq!(answer.status, 401, "{target} after its end");
        }
        for (target, answer) in targets.iter().zip(read_all(&staying, &targets).await) {
            assert_eq!(answer.status, 200, "{target}");
            // A sign-out changes what is said of users.
            let is_about_users = target.starts_with("/UserViews") || *target == format!("/Users/{ben}");
            missed += usize::from(!answer.was_hit() && !is_about_users);
        }
        assert!(missed <= EXPIRED, "{missed} were lost with the other token");
    }
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_deleted_and_made_anew_finds_nothing_of_before_and_the_old_tokens_nothing_at_all() {
    let server = jellyfin().await;
    let stage = gateway(&server).await;
    let admin = app(&stage.client(), "Kodi", server.tokens().secret("ann-1")).with("content-type", "application/json");
    let old = log_in(&stage, "ben", "old").await;
    let film = &films(&server, 1)[0];
    assert_eq!(old.send(Method::POST, &format!("/UserFavoriteItems/{film}"), "").await.status, 200);
    let favourites = "/Items?recursive=true&filters=IsFavorite";
    for target in [favourites, "/UserViews", "/Users/Me"] {
        assert_eq!(old.get(target).await.status, 200);
    }
    assert_eq!(old.get(favourites).await.json()["TotalRecordCount"], 1);
    assert!(admin.send(Method::DELETE, &format!("/Users/{}", user_id(BEN)), "").await.status.is_success());
    let made = admin.send(Method::POST, "/Users/New", &json!({"Name": "ben"}).to_string()).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let new = log_in(&stage, "ben", "new").await;
    assert_eq!(new.get(favourites).await.json()["TotalRecordCount"], 0);
    assert_eq!(new.get("/Users/Me").await.json()["Id"], made.json()["Id"]);
    for target in [favourites, "/UserViews", "/Users/Me"] {
        assert_eq!(old.get(target).await.status, 401, "{target}");
    }
    stage.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_accounts_of_two_servers_and_two_users_of_one_never_cross() {
    let (home, den) = (jellyfin().await, jellyfin().await);
    let stage = GatewayConfigBuilder::new()
        .server("home", "jellyfin", &home.url(), "")
        .server("den", "jellyfin", &den.url(), "")
        .start()
        .await;
    let film = films(&home, 1).remove(0);
    // Equal users with equal ids and tokens, of which one server knows more writes.
    for (at, writes) in [(0, 3), (1, 1)] {
        let client = app(&TestClient::new(stage.address(at)), "Kodi", home.tokens().secret("ann-1"));
        for _ in 0..writes {
            assert!(client.send(Method::POST, &format!("/UserPlayedItems/{film}"), "").await.status.is_success());
        }
    }
    let mut seen = Vec::new();
    for round in 0..2 {
        for at in [0, 1] {
            for label in ["ann-1", "ann-2", "ben-1", "ben-2"] {
                let client = app(&TestClient::new(stage.address(at)), "Kodi", home.tokens().secret(label));
                let body = client.get("/Items?recursive=true&includeItemTypes=Movie&limit=3").await;
                let said = body.json();
                let expected = match (label.split('-').next(), at) {
                    (Some("ann"), 0) => ("ann", 3),
                    (Some("ann"), _) => ("ann", 1),
                    _ => ("ben", 0),
                };
                assert_eq!(
                    (&said["GreenroomUser"], &said["GreenroomUserSeq"]),
                    (&json!(expected.0), &json!(expected.1))
                );
                seen.push((round, body.was_hit()));
            }
        }
    }
    assert!(seen.iter().filter(|(round, _)| *round == 1).all(|(_, hit)| *hit), "{seen:?}");
    assert_eq!(user_id(ANN).len(), 32);
    stage.stop().await;
    home.stop().await;
    den.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn api_keys_are_one_account_and_no_users() {
    let mut registry = users();
    let labels = ["key-1", "key-2", "key-3"];
    let key = |label: &str| UserToken { label: label.to_owned(), secret: format!("secret-of-{label}"), user: None };
    registry.tokens.extend(labels.map(key));
    let options = JellyfinOptions { users: Some(registry), ..SimulatorOptions::quick() };
    let listen = "127.0.0.1:0".parse().expect("an address");
    let server = Jellyfin::new(options).start(listen, &TaskTracker::new()).await.expect("it starts");
    let stage = gateway(&server).await;
    let key = |label: &str| stage.client().with("x-emby-token", server.tokens().secret(label));
    let owner = app(&stage.client(), "Kodi", server.tokens().secret("ann-1"));
    assert_eq!(owner.get("/Library/VirtualFolders").await.status, 200);
    for label in labels {
        assert_eq!(key(label).get("/Library/VirtualFolders").await.status, 200, "{label}");
        assert_eq!(key(label).get("/Items/Counts").await.status, 200, "{label}");
        assert!(key(label).get("/Library/VirtualFolders").await.was_hit(), "{label}");
    }
    let home = &stage.process.servers[0].0;
    let partitions: std::collections::HashSet<_> =
        home.identities.all().iter().map(|identity| identity.partition().clone()).collect();
    assert_eq!(partitions.len(), 2, "the owner's and the keys': {labels:?}");
    stage.stop().await;
    server.stop().await;
}
