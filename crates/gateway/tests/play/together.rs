//! Two gateways on one directory, in front of one server: many who ask either of them alike cost one request, and a
//! write that one of them answered is never followed by the older value from the other.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{join, join_all};
use greenroom_cache::Clock;
use http::Method;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::binary::folder;
use crate::outages::{gateway, json};
use crate::stage::scripted::{Reply, Scripted, answer, container};
use crate::stage::waiting::{until, until_told};
use crate::stage::{Client, Script, Stage};

const CALLERS: usize = 100;
const COLD: &str = "/library/sections/3/all";
const SHOW: &str = "/library/metadata/1/children";
const WATCHED: &str = "/:/scrobble?key=3&identifier=com.plexapp.plugins.library";
/// Slow test machines: neither the disk nor the other process is given up.
const PATIENT: &str = "[disk]\nread_timeout_ms = 20000\ndrain_timeout_ms = 60000\nshared_lag_ms = 1000\n";
const LONG: Duration = Duration::from_mins(1);

async fn open(data_dir: &Path, server: &Scripted) -> Stage {
    let url = format!("http://{}", server.address);
    let script = Script::new().data_dir(data_dir).table(PATIENT).mark_timeout(LONG);
    script.server("home", "plex", &url, "load_timeout_s = 600\n").start_at(Clock::system()).await
}

/// Two of them, each of which knows of the other, and that the server takes this token.
async fn both(data_dir: &Path, server: &Scripted) -> (Stage, Stage) {
    let one = open(data_dir, server).await;
    assert_eq!(json(&one, "anna").get("/library/sections/1/all").await.status, 200);
    // The second one finds her: a stranger with answers on disk would lose them.
    assert!(one.process.state.flush().await);
    let two = open(data_dir, server).await;
    assert!(gateway(&two, 0).identities.all().len() == 1);
    for stage in [&one, &two] {
        let has_company = || stage.process.cache.disk_stats().expect("there is a disk").has_company;
        until(|| !stage.process.state.is_alone() && has_company()).await;
    }
    (one, two)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_cold_callers_of_each_of_two_gateways_cost_one_request() {
    let go = Arc::new(Notify::new());
    let held = Arc::clone(&go);
    let server = Scripted::start(&TaskTracker::new(), move |request| {
        if request.target == COLD && request.before == 0 {
            Reply::Held(Arc::clone(&held), container(7))
        } else {
            Reply::Bytes(container(request.before))
        }
    })
    .await;
    let data = folder();
    let (one, two) = both(data.path(), &server).await;
    let asked = |stage: &Stage| gateway(stage, 0).counters.asked.load(Ordering::Relaxed);
    let before = [asked(&one), asked(&two)];
    let crowd = async |stage: &Stage| {
        let callers: Vec<_> = (0..CALLERS).map(|_| json(stage, "anna")).collect();
        join_all(callers.iter().map(|caller| caller.get(COLD))).await
    };
    let release = async {
        let enough = before.map(|asked| asked + CALLERS as u64);
        until(|| asked(&one) >= enough[0] && asked(&two) >= enough[1]).await;
        server.until(|server| server.count("GET", COLD) > 0).await;
        go.notify_one();
    };
    let ((in_one, in_two), ()) = join(join(crowd(&one), crowd(&two)), release).await;
    for answer in in_one.iter().chain(&in_two) {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["MediaContainer"]["number"], 7);
    }
    assert_eq!(server.count("GET", COLD), 1);
    two.down().await;
    one.down().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_one_gateway_answered_is_never_followed_by_the_older_value_from_the_other() {
    let server = Scripted::start(&TaskTracker::new(), |request| {
        Reply::Bytes(match request.target.split('?').next() {
            Some("/:/scrobble") => answer("200 OK", "text/html", ""),
            _ => container(request.before),
        })
    })
    .await;
    let data = folder();
    let (one, two) = both(data.path(), &server).await;
    let clients = [json(&one, "anna"), json(&two, "anna")];
    let number = |body: serde_json::Value| body["MediaContainer"]["number"].as_u64().expect("a number");
    for round in 0..4 {
        let (writer, reader) = (&clients[round % 2], &clients[(round + 1) % 2]);
        for client in [reader, writer] {
            assert_eq!(client.get(SHOW).await.status, 200);
        }
        // What the server was asked for so far is from before the write.
        let older = server.count("GET", SHOW) as u64;
        assert_eq!(writer.get(WATCHED).await.status, 200);
        let seen = number(reader.get(SHOW).await.json());
        assert!(seen >= older, "round {round}: {seen} is from before the write, after which it is {older}");
    }
    two.down().await;
    one.down().await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_gateway_is_told_of_lifetimes_and_bypasses_holds_in_the_other_a_second_later() {
    let server =
        Scripted::start(&TaskTracker::new(), |request| Reply::Bytes(container(request.before))).await;
    let data = folder();
    let (one, two) = both(data.path(), &server).await;
    let (in_one, in_two) = (one.control(), two.control());
    let policy = async |control: &Client| {
        let all = control.get("/api/v1/cache/policies").await.json();
        let mut all = all["items"].as_array().expect("a list").clone().into_iter();
        all.find(|policy| policy["class"] == "sessions").expect("every class is there")
    };
    let told = async |control: &Client, name: &str, seconds: u64| {
        until_told(async || policy(control).await[name] == seconds).await;
    };
    let say = async |control: &Client, method: Method, path: &str, body: &str| {
        let answer = control.send(method, path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
    };
    let usual_s = policy(&in_two).await["fresh_s"].as_u64().expect("a number");
    let policies = "/api/v1/cache/policies";
    say(&in_one, Method::PUT, policies, "{\"class\":\"sessions\",\"fresh_s\":77}").await;
    // At once, so that it cannot know yet: what is said there is laid over it all the same.
    say(&in_two, Method::PUT, policies, "{\"class\":\"sessions\",\"stale_s\":88}").await;
    assert_eq!(policy(&in_two).await["fresh_s"], 77);
    told(&in_one, "stale_s", 88).await;
    say(&in_two, Method::DELETE, policies, "{\"class\":\"sessions\"}").await;
    told(&in_one, "fresh_s", usual_s).await;

    let bypassed = async |control: &Client| control.get("/api/v1/bypass").await.json()["bypasses"].clone();
    say(&in_one, Method::PUT, "/api/v1/bypass", "{\"class\":\"lists\"}").await;
    until_told(async || bypassed(&in_two).await == serde_json::json!([{"class": "lists"}])).await;
    say(&in_two, Method::DELETE, "/api/v1/bypass", "{}").await;
    until_told(async || bypassed(&in_one).await == serde_json::json!([])).await;
    two.down().await;
    one.down().await;
    server.stop();
}
