//! Latency and simulated time.

use std::time::Duration;

use greenroom_simulator::latency::LatencyProfile;

use crate::harness::PlexFixture;

#[tokio::test(start_paused = true)]
async fn each_class_takes_its_own_time() {
    let server = PlexFixture::with(|options| {
        options.latency =
            LatencyProfile { search: Duration::from_secs(7), write: Duration::from_secs(3), ..LatencyProfile::none() };
    })
    .await;
    let now = || server.running.state().clock().now_ms();
    for (path, seconds) in [
        ("/hubs/search?query=a", 7),
        ("/library/sections/3/all?type=10&title=a", 7),
        ("/:/scrobble?key=1", 3),
        ("/library/sections/3/all?type=10", 0),
    ] {
        let before = now();
        server.get(path).send().await;
        assert_eq!((now() - before) / 1_000, seconds, "{path}");
    }
    server.running.set_latency(LatencyProfile::uniform(Duration::from_secs(1)));
    let before = now();
    server.get("/identity").send().await;
    assert_eq!((now() - before) / 1_000, 1);
    server.done().await;
}

#[tokio::test(start_paused = true)]
async fn a_factor_divides_what_is_waited_for() {
    let server = PlexFixture::with(|options| {
        options.latency = LatencyProfile::uniform(Duration::from_mins(1));
        options.time_factor = 60.0;
    })
    .await;
    let waited = tokio::time::timeout(Duration::from_millis(1_500), server.get("/identity").send()).await;
    assert_eq!(waited.expect("a minute passes in a second").status, 200);
    server.done().await;
}
