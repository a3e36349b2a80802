//! The ways to a remote store: encrypted with certificates on both sides, over a socket, with a user of limited rights; and
//! the doctor's findings on it. Each through a real redis-server.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::binary::{folder, run};
use crate::fixture::encrypted::TestAuthority;
use crate::fixture::redis::RedisServer;
use crate::fixture::scripted::{ReceivedRequest, ScriptedReply, ScriptedServer, container};
use crate::fixture::waiting::until_async;
use crate::fixture::{GatewayConfigBuilder, GatewayFixture};

const ITEM: &str = "/library/metadata/5";

/// Runs a gateway with this table until the store has an answer of it.
async fn assert_stores(table: &str) {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |_: &ReceivedRequest| ScriptedReply::Bytes(container(5))).await;
    let url = format!("http://{}", server.address);
    let gateway = GatewayConfigBuilder::new().table(table).server("home", "plex", &url, "").start().await;
    until_async(async || cluster(&gateway).await["state"] == "connected").await;
    let client = gateway.client().with("x-plex-token", "token").with("accept", "application/json");
    assert_eq!(client.get(ITEM).await.status, 200);
    until_async(async || cluster(&gateway).await["written"].as_u64().unwrap_or_default() > 0).await;
    server.stop();
    gateway.stop().await;
}

async fn cluster(gateway: &GatewayFixture) -> Value {
    gateway.control().get("/api/v1/cluster").await.json()["store"].clone()
}

/// The doctor's findings on a gateway's store, by name of check.
async fn diagnose(table: &str) -> Value {
    let tasks = TaskTracker::new();
    let server = ScriptedServer::start(&tasks, |_: &ReceivedRequest| ScriptedReply::Bytes(container(5))).await;
    let folder = folder();
    let config = folder.path().join("greenroom.toml");
    let url = format!("http://{}", server.address);
    let text = format!(
        "[control]\nlisten = \"127.0.0.1:0\"\n{table}\n[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"{url}\"\n\
         listen = \"127.0.0.1:0\"\n"
    );
    std::fs::write(&config, text).expect("written");
    let (_, shown, errors) = run(&folder, &["doctor", "--json", "-c", &config.display().to_string()], &[]).await;
    server.stop();
    assert!(!shown.contains("a-secret") && !errors.contains("a-secret"), "a password is shown");
    let report: Value = serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}{errors}"));
    let subjects = report["subjects"].as_array().expect("subjects").iter();
    let mut stores =
        subjects.filter(|subject| subject["name"].as_str().is_some_and(|name| name.starts_with("remote store (")));
    let findings = stores.next().expect("the store")["findings"].as_array().expect("findings").iter();
    let named = findings.map(|finding| (finding["check"].as_str().expect("a name").to_owned(), finding.clone()));
    Value::Object(named.collect())
}

/// A store with TLS that wants its clients' certificates, and the files of a client.
async fn encrypted() -> (RedisServer, TempDir, String) {
    let (authority, dir) = (TestAuthority::new(), folder());
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).expect("written");
    let write = |name: &str| {
        let of = dir.path().join(name);
        std::fs::create_dir(&of).expect("a folder");
        authority.sign(&["localhost", "127.0.0.1"]).write(&of)
    };
    let (own, clients) = (write("store"), write("client"));
    let arguments = ["--tls-cert-file", text(&own.0), "--tls-key-file", text(&own.1), "--tls-ca-cert-file", text(&ca)];
    let store = RedisServer::start_encrypted(&arguments).await;
    let files = |ca: &Path, (certificate, key): &(PathBuf, PathBuf)| {
        format!(
            "ca_file = \"{}\"\nclient_cert_file = \"{}\"\nclient_key_file = \"{}\"\n",
            text(ca),
            text(certificate),
            text(key)
        )
    };
    let table = format!("[store.redis]\nurl = \"{}\"\n{}", store.encrypted_url(), files(&ca, &clients));
    (store, dir, table)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_store_that_wants_a_certificate_is_used() {
    let (_store, _dir, table) = encrypted().await;
    assert_stores(&table).await;
    let found = diagnose(&table).await;
    assert_eq!(found["remote store"]["level"], "ok", "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_certificate_is_not_trusted_is_refused_and_the_doctor_says_why() {
    let (store, _dir, table) = encrypted().await;
    let unsigned = format!("[store.redis]\nurl = \"{}\"\n", store.encrypted_url());
    let without_own = table.lines().filter(|line| !line.starts_with("client_")).collect::<Vec<_>>().join("\n");
    for table in [unsigned, without_own] {
        let found = diagnose(&table).await;
        assert_eq!(found["remote store"]["level"], "problem", "{table}: {found}");
        assert!(found["remote store"]["remedy"].as_str().is_some_and(|remedy| remedy.contains("ca_file")), "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_reached_over_a_socket() {
    let dir = folder();
    let socket = dir.path().join("store.sock");
    let _store = RedisServer::start_with(&["--unixsocket", text(&socket)]).await;
    assert_stores(&format!("[store.redis]\nurl = \"unix:{}\"\n", text(&socket))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_limited_rights_with_a_database_and_a_prefix_of_its_own_is_enough() {
    let dir = folder();
    let password = dir.path().join("password");
    std::fs::write(&password, "a-secret\n").expect("written");
    let rights = "on >a-secret ~den:* ~{den}:* +@all -@admin -@dangerous +info";
    let arguments: Vec<&str> = ["--user", "greenroom"].into_iter().chain(rights.split(' ')).collect();
    let store = RedisServer::start_with(&arguments).await;
    let more =
        format!("user = \"greenroom\"\npassword_file = \"{}\"\ndatabase = 3\nprefix = \"den\"\n", text(&password));
    assert_stores(&store.table(&more)).await;
    let found = diagnose(&store.table(&more)).await;
    assert_eq!(found["remote store"]["level"], "ok", "{found}");
    let found = diagnose(&store.table("user = \"greenroom\"\npassword = \"not-a-secret\"\n")).await;
    let remedy = found["remote store"]["remedy"].as_str().unwrap_or_default();
    assert!(remedy.contains("password_file"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_is_weak_at_a_store() {
    let store = RedisServer::start_with(&["--maxmemory", "64mb", "--maxmemory-policy", "noeviction"]).await;
    let found = diagnose(&store.table("read_timeout_ms = 1000")).await;
    let levels =
        ["remote store", "store version", "store latency", "store eviction"].map(|name| found[name]["level"].clone());
    assert_eq!(levels, ["ok", "ok", "ok", "warning"].map(Value::from), "{found}");
}
