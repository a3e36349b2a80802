//! Never mixed, never undone, in any order: users with two tokens each read and write concurrently, over both dialects.
//!
//! The simulated servers write into every body its user and that user's number of writes. So a body that crossed users,
//! or that is older than a confirmed write of its user, shows in its content.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use greenroom_simulator::catalogue::Section;
use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::users::{SimulatedUser, UserId, UserRegistry, UserToken};
use http::Method;
use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::fixture::{GatewayConfigBuilder, TestClient, TestResponse};

/// Interleavings per dialect, and concurrent requests in each.
const ROUNDS: u64 = 500;
const AT_ONCE: usize = 8;
const NAMES: [&str; 3] = ["ann", "ben", "cleo"];

/// Small, seeded, good enough to choose: xorshift.
struct XorShiftRng(u64);

impl XorShiftRng {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("it fits")
    }
}

/// Three users, two tokens each, called `ann-1`, `ann-2` …
pub(crate) fn users() -> UserRegistry {
    let numbered = || NAMES.iter().zip(1_u32..);
    UserRegistry {
        users: numbered()
            .map(|(name, id)| SimulatedUser {
                id: UserId(id),
                name: (*name).into(),
                admin: id == 1,
                sections: Section::EVERY.to_vec(),
            })
            .collect(),
        tokens: numbered()
            .flat_map(|(name, id)| {
                [1, 2].map(|which| UserToken {
                    label: format!("{name}-{which}"),
                    secret: format!("{:032x}", u64::from(id * 16 + which)),
                    user: Some(UserId(id)),
                })
            })
            .collect(),
    }
}

/// Items that are read and written.
const ITEMS: usize = 7;

/// State of one user: confirmed writes, and the least number that the last write of each item can have at the server.
///
/// Two concurrent writes can be confirmed in another order than the server made them, so a write counts only those that
/// were confirmed before it was sent.
#[derive(Default)]
struct ConfirmedWrites {
    confirmed: AtomicU64,
    at_least: [AtomicU64; ITEMS],
    /// The least number of the last write that says how far an item was played.
    played: AtomicU64,
}

/// Subject of a request.
#[derive(Clone, Copy, PartialEq)]
enum RequestSubject {
    /// A write to one item that says how far it was played.
    Write(usize),
    /// A rating of one item.
    Rating(usize),
    /// A read of one item.
    Item(usize),
    /// A page of a library: it has to show every write to the items on it.
    Page(usize),
    /// A list of what was played or not: it has to show every write that says so, and every one to the items on it.
    StateList,
    /// A list that depends on how far items were played: it has to show every write to the items on it.
    PlayedList,
}

/// One request of one user.
struct UserRequest {
    user: usize,
    client: TestClient,
    method: Method,
    target: String,
    about: RequestSubject,
    camel: bool,
    xml: bool,
}

async fn make(play: &UserRequest, known: &[ConfirmedWrites], items: &[String]) {
    let mine = &known[play.user];
    let confirmed_before = mine.confirmed.load(Ordering::SeqCst);
    let before: Vec<u64> = mine.at_least.iter().map(|writes| writes.load(Ordering::SeqCst)).collect();
    let played_before = mine.played.load(Ordering::SeqCst);
    let answer = play.client.send(play.method.clone(), &play.target, "").await;
    assert!(answer.status.is_success(), "{} {}: {} {}", play.method, play.target, answer.status, answer.text());
    if let RequestSubject::Write(item) | RequestSubject::Rating(item) = play.about {
        mine.confirmed.fetch_add(1, Ordering::SeqCst);
        if matches!(play.about, RequestSubject::Write(_)) {
            mine.played.fetch_max(confirmed_before + 1, Ordering::SeqCst);
        }
        mine.at_least[item].fetch_max(confirmed_before + 1, Ordering::SeqCst);
        return;
    }
    let (user, writes, start) = if play.xml { read_xml(&answer) } else { read_json(&answer, play.camel) };
    assert_eq!(user, NAMES[play.user], "{} was answered with somebody else's body", play.target);
    let text = answer.text();
    let shows = |item: usize| {
        let forms = ["ratingKey=\"", "\"ratingKey\":\"", "\"Id\":\"", "\"id\":\""];
        forms.iter().any(|form| text.contains(&format!("{form}{}\"", items[item])))
    };
    let of_shown = || (0..ITEMS).filter(|item| shows(*item)).map(|item| before[item]).max().unwrap_or(0);
    let expected = match play.about {
        RequestSubject::Item(item) | RequestSubject::Write(item) | RequestSubject::Rating(item) => before[item],
        RequestSubject::Page(_) | RequestSubject::PlayedList => of_shown(),
        RequestSubject::StateList => of_shown().max(played_before),
    };
    assert!(writes >= expected, "{}: {writes} writes seen, {expected} were confirmed", play.target);
    if let (RequestSubject::Page(asked), Some(start)) = (play.about, start) {
        assert_eq!(start, asked, "{} was answered with another page", play.target);
    }
}

fn read_xml(answer: &TestResponse) -> (String, u64, Option<usize>) {
    let text = answer.text();
    let head = text.split('>').find(|tag| tag.contains("<MediaContainer")).expect("a container").to_owned();
    let field = |name: &str| {
        let at = head.find(&format!(" {name}=\"")).map(|at| at + name.len() + 3)?;
        head[at..].split('"').next().map(str::to_owned)
    };
    let number = |name| field(name).and_then(|text| text.parse().ok());
    (field("greenroomUser").expect("a user"), number("greenroomUserSeq").expect("a count"), {
        number("offset").and_then(|number| usize::try_from(number).ok())
    })
}

fn read_json(answer: &TestResponse, camel: bool) -> (String, u64, Option<usize>) {
    let body = answer.json();
    if let Some(container) = body.get("MediaContainer") {
        let start = container.get("offset").and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
        let user = container["greenroomUser"].as_str().expect("a user").to_owned();
        return (user, container["greenroomUserSeq"].as_u64().expect("a count"), start);
    }
    let start = if camel { "startIndex" } else { "StartIndex" };
    let in_case = ["items", "id"].iter().any(|name| body.get(*name).is_some());
    assert_eq!(in_case, camel, "answered in another case: {}", answer.text());
    let start = body.get(start).and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
    let user = body["GreenroomUser"].as_str().expect("a user").to_owned();
    (user, body["GreenroomUserSeq"].as_u64().expect("a count"), start)
}

async fn interleave(
    stage: &crate::fixture::GatewayFixture,
    items: &[String],
    seed: u64,
    choose: impl Fn(&mut XorShiftRng, &TestClient, usize) -> UserRequest,
) {
    let users = users();
    let clients: Vec<(usize, TestClient)> = users
        .tokens
        .iter()
        .map(|token| {
            let user = token.user.expect("everybody is somebody").0 as usize - 1;
            (user, stage.client().with("x-greenroom-test-token", &token.secret))
        })
        .collect();
    let mut dice = XorShiftRng(seed);
    let known: [ConfirmedWrites; NAMES.len()] = Default::default();
    for _ in 0..ROUNDS {
        let moves: Vec<UserRequest> = (0..AT_ONCE)
            .map(|_| {
                let (user, client) = &clients[dice.throw(clients.len())];
                choose(&mut dice, client, *user)
            })
            .collect();
        join_all(moves.iter().map(|play| make(play, &known, items))).await;
    }
    assert!(known.iter().all(|user| user.confirmed.load(Ordering::SeqCst) > 100), "everybody wrote");
    let stats = stage.process.cache.stats();
    let hits: u64 = stats.classes.iter().map(|class| class.hits).sum();
    assert!(hits > 200, "the cache took part: {hits} hits");
}

fn secret_of(client: &TestClient) -> String {
    client.header("x-greenroom-test-token")
}

async fn start_plex(tasks: &TaskTracker) -> SimulatedServer {
    let options = SimulatorOptions { users: Some(users()), ..SimulatorOptions::quick() };
    Plex::new(options).start("127.0.0.1:0".parse().expect("an address"), tasks).await.expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn plex_bodies_never_cross_users_and_every_write_is_seen() {
    let tasks = TaskTracker::new();
    let server = start_plex(&tasks).await;
    let stage = GatewayConfigBuilder::new().server("home", "plex", &server.url(), "").start().await;
    let owner = TestClient::new(server.address()).with("x-plex-token", server.tokens().secret("ann-1"));
    let list = owner.with("accept", "application/json").get("/library/sections/1/all").await.json();
    let rows = list["MediaContainer"]["Metadata"].as_array().expect("there are films").clone();
    let items: Vec<String> =
        rows.iter().filter_map(|row| row["ratingKey"].as_str()).take(ITEMS).map(str::to_owned).collect();
    assert_eq!(items.len(), ITEMS);
    interleave(&stage, &items, 7, |dice, client, user| {
        let client = client.without("x-greenroom-test-token").with("x-plex-token", &secret_of(client));
        plex_move(dice, &client, user, &items)
    })
    .await;
    stage.stop().await;
    server.stop().await;
}

fn plex_move(dice: &mut XorShiftRng, client: &TestClient, user: usize, items: &[String]) -> UserRequest {
    let item = dice.throw(ITEMS);
    let key = &items[item];
    let xml = dice.throw(2) == 0;
    let client = client.with("accept", if xml { "application/xml" } else { "application/json" });
    let simple = |method, target: String, about| UserRequest {
        user,
        client: client.clone(),
        method,
        target,
        about,
        camel: false,
        xml,
    };
    let identifier = "identifier=com.plexapp.plugins.library";
    match dice.throw(24) {
        0 => simple(Method::GET, format!("/:/scrobble?{identifier}&key={key}"), RequestSubject::Write(item)),
        1 => simple(Method::PUT, format!("/:/unscrobble?{identifier}&key={key}"), RequestSubject::Write(item)),
        2 => simple(Method::PUT, format!("/:/rate?{identifier}&key={key}&rating=7"), RequestSubject::Rating(item)),
        3..=10 => simple(Method::GET, format!("/library/metadata/{key}"), RequestSubject::Item(item)),
        11..=18 => {
            let start = dice.throw(3) * 2;
            let list = "/library/sections/1/all?type=1".to_owned();
            let page = format!("{list}&X-Plex-Container-Start={start}&X-Plex-Container-Size=3");
            if dice.throw(2) == 0 {
                return simple(Method::GET, page, RequestSubject::Page(start));
            }
            let paging = client.with("x-plex-container-start", &start.to_string()).with("x-plex-container-size", "3");
            UserRequest { client: paging, ..simple(Method::GET, list, RequestSubject::Page(start)) }
        }
        19..=21 => simple(Method::GET, "/library/onDeck".into(), RequestSubject::StateList),
        _ => simple(Method::GET, "/library/sections/1/all?type=1&unwatched=1".into(), RequestSubject::StateList),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jellyfin_bodies_never_cross_users_and_every_write_is_seen() {
    let tasks = TaskTracker::new();
    let options = SimulatorOptions { users: Some(users()), ..SimulatorOptions::quick() };
    let server = Jellyfin::new(options).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let server = server.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("den", "jellyfin", &server.url(), "").start().await;
    let mut ids = Vec::new();
    for name in NAMES {
        let client = authorised(&TestClient::new(server.address()), server.tokens().secret(&format!("{name}-1")));
        ids.push(client.get("/Users/Me").await.json()["Id"].as_str().expect("an id").to_owned());
    }
    let owner = authorised(&TestClient::new(server.address()), server.tokens().secret("ann-1"));
    let list = owner.get("/Items?recursive=true&includeItemTypes=Movie&limit=20").await.json();
    let rows = list["Items"].as_array().expect("there are films").clone();
    let items: Vec<String> = rows.iter().filter_map(|row| row["Id"].as_str()).take(ITEMS).map(str::to_owned).collect();
    assert_eq!(items.len(), ITEMS);
    interleave(&stage, &items, 11, |dice, client, user| {
        let client = authorised(&client.without("x-greenroom-test-token"), &secret_of(client));
        jellyfin_move(dice, &client, user, &ids[user], &items)
    })
    .await;
    stage.stop().await;
    server.stop().await;
}

fn authorised(client: &TestClient, token: &str) -> TestClient {
    let said = format!(
        "MediaBrowser Client=\"Play\", Device=\"Test\", DeviceId=\"d-{token}\", Version=\"1\", Token=\"{token}\""
    );
    client.with("authorization", &said)
}

fn jellyfin_move(dice: &mut XorShiftRng, client: &TestClient, user: usize, id: &str, items: &[String]) -> UserRequest {
    let item = dice.throw(ITEMS);
    let key = &items[item];
    let camel = dice.throw(2) == 0;
    let case = if camel { "CamelCase" } else { "PascalCase" };
    let client = client.with("accept", &format!("application/json; profile=\"{case}\""));
    let simple = |method, target: String, about| UserRequest {
        user,
        client: client.clone(),
        method,
        target,
        about,
        camel,
        xml: false,
    };
    let list = "recursive=true&includeItemTypes=Movie&limit=3";
    let start = dice.throw(3) * 2;
    let page = RequestSubject::Page(start);
    match dice.throw(24) {
        0 => simple(Method::POST, format!("/UserPlayedItems/{key}"), RequestSubject::Write(item)),
        1 => simple(Method::DELETE, format!("/Users/{id}/PlayedItems/{key}"), RequestSubject::Write(item)),
        2 => simple(Method::POST, format!("/UserFavoriteItems/{key}"), RequestSubject::Write(item)),
        3..=6 => simple(Method::GET, format!("/Items/{key}"), RequestSubject::Item(item)),
        7..=10 => simple(Method::GET, format!("/Users/{id}/Items/{key}"), RequestSubject::Item(item)),
        11..=14 => simple(Method::GET, format!("/Items?{list}&startIndex={start}"), page),
        15..=18 => simple(Method::GET, format!("/Users/{id}/Items?{list}&StartIndex={start}"), page),
        19..=21 => simple(Method::GET, "/UserItems/Resume".into(), RequestSubject::PlayedList),
        _ => simple(Method::GET, "/Items?recursive=true&isPlayed=false&limit=5".into(), RequestSubject::PlayedList),
    }
}
