//! Figures over a restart: available at once, with their real age, also while the server is down.

use greenroom_simulator::faults::Fault;
use greenroom_simulator::options::SimulatorOptions;
use greenroom_simulator::plex::Plex;
use serde_json::Value;
use tokio_util::task::TaskTracker;

use super::play;
use crate::binary::folder;
use crate::fixture::TestClient;
use crate::fixture::waiting::until_async;
use crate::kept::RestartableProgram;

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_unindexed_libraries_and_the_peak_survive_a_kill() {
    let (home, tasks) = (folder(), TaskTracker::new());
    let server = Plex::new(SimulatorOptions { now: None, ..SimulatorOptions::quick() });
    let server = server.start("127.0.0.1:0".parse().expect("an address"), &tasks).await.expect("it starts");
    play(&server);
    let token = server.tokens().owner_a().to_owned();
    let environment = [("GREENROOM_SERVER_PLEX_TOKEN", token.as_str()), ("AUTO_ENABLE_LIBRARY_CACHE", "false")];
    let until = async |control: &TestClient, path: &str, is_so: fn(&Value) -> bool| {
        let mut said = Value::Null;
        until_async(async || {
            let answer = control.get(path).await;
            said = if answer.status == 200 { answer.json() } else { Value::Null };
            !said.is_null() && is_so(&said)
        })
        .await;
        said
    };
    let mut program = RestartableProgram::start_with(&home, &server.url(), &environment);
    let (_, address) = program.client_and_control(&token).await;
    let control = TestClient::new(address.parse().expect("an address"));
    let before = until(&control, "/api/v1/dashboard", |said| {
        said["libraries"]["tracks"].as_u64() > Some(0) && said["libraries"]["episodes"].as_u64() > Some(0)
    });
    let before = before.await["libraries"].clone();
    until(&control, "/api/plex/stats", |said| said["peak_concurrent"] == 1).await;
    program.kill().await;

    server.faults().set(Fault::Down);
    let mut program = RestartableProgram::start_with(&home, &server.url(), &environment);
    let (_, address) = program.client_and_control(&token).await;
    let control = TestClient::new(address.parse().expect("an address"));
    let after = until(&control, "/api/v1/dashboard", |said| !said["libraries"].is_null()).await;
    assert_eq!(after["libraries"], before, "the same, and as old as it is");
    until(&control, "/api/plex/stats", |said| said["peak_concurrent"] == 1).await;
    program.kill().await;
}
