//! Every answer that was passed on says so, and why.

use greenroom_simulator::jellyfin::Jellyfin;
use greenroom_simulator::options::SimulatorOptions;
use http::Method;
use tokio_util::task::TaskTracker;

use crate::fixture::GatewayConfigBuilder;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_write_and_a_file_of_the_web_client_say_that_they_were_passed_on() {
    let tasks = TaskTracker::new();
    let server =
        Jellyfin::new(SimulatorOptions::quick()).start("127.0.0.1:0".parse().expect("an address"), &tasks).await;
    let server = server.expect("it starts");
    let stage = GatewayConfigBuilder::new().server("den", "jellyfin", &server.url(), "").start().await;
    let said = format!("MediaBrowser Token=\"{}\"", server.tokens().sam());
    let client = stage.client().with("authorization", &said);
    let list = client.get("/Items?recursive=true&includeItemTypes=Movie&limit=1").await.json();
    let film = list["Items"][0]["Id"].as_str().expect("an id").to_owned();
    let write = client.send(Method::POST, &format!("/UserFavoriteItems/{film}"), "").await;
    assert!(write.status.is_success());
    assert_eq!(write.header("cache-status"), "Greenroom; fwd=bypass; detail=write");
    let file = client.get("/web/index.html").await;
    assert_eq!(file.header("cache-status"), "Greenroom; fwd=bypass; detail=asset");
    stage.stop().await;
    server.stop().await;
}
