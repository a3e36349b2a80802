//! Without views, no server is asked for dashboard statistics.

use greenroom_cache::Cache;
use greenroom_config::{ConfigSource, Settings};
use greenroom_dialect::credential::Secret;
use greenroom_state::secrets::HashKey;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;

/// A server with a token, at an address where nothing listens.
fn server(clock: &Clock) -> Arc<Server> {
    let mut tree = ConfigSource::default();
    let file = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"owner\"\n";
    tree.add_toml("g.toml", file);
    let settings = Settings::read(tree).expect("it is valid").servers.remove(0);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    // The server has its own task tracker, because the test waits for its tasks.
    let cache = Cache::new(greenroom_cache::CacheSettings::default(), clock.clone(), TaskTracker::new());
    let secrets = (HashKey([1; 32]), Secret::new("hook"));
    Arc::new(Server::new(settings, cache, clock.clone(), tasks, stop, secrets).expect("it can be had"))
}

#[tokio::test(start_paused = true)]
async fn an_idle_hour_after_the_start_asks_no_server_and_a_look_asks_at_once() {
    let clock = Clock::system();
    let server = server(&clock);
    let inside = Arc::new(InternalClient::new(vec![Arc::clone(&server)]));
    let dashboard = Arc::new(Dashboard::new(inside, Arc::default(), clock.clone()));
    let asked = || server.origin.counters.own.load(Ordering::Relaxed);
    for _ in 0..60 {
        dashboard.recompute().await.expect("nothing failed: nothing was asked");
        clock.sleep(EVERY).await;
    }
    assert_eq!(asked(), 0, "an idle hour");
    let shown = dashboard.stats();
    assert!(shown.as_of_ms > 0 && shown.sessions.stale, "what is known lies ready: {shown:?}");
    server.origin.tasks.close();
    server.origin.tasks.wait().await;
    let after_look = asked();
    assert!(after_look > 0, "behind the one who looks");
    dashboard.stats();
    assert!(server.origin.tasks.is_empty(), "once: from now on the figures come every minute");
    clock.sleep(Duration::from_millis(LOOKED_MS)).await;
    dashboard.recompute().await.expect("nothing failed: nothing was asked");
    assert_eq!(asked(), after_look, "the one who looked has gone");
}
