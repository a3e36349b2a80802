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
    let settings = Settings::read(tree).expect("valid configuration").servers.remove(0);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    // The server has its own task tracker, because the test waits for its tasks.
    let cache = Cache::new(greenroom_cache::CacheSettings::default(), clock.clone(), TaskTracker::new());
    let secrets = (HashKey([1; 32]), Secret::new("hook"));
    Arc::new(Server::new(settings, cache, clock.clone(), tasks, stop, secrets).expect("a server"))
}

#[tokio::test(start_paused = true)]
async fn without_views_no_server_is_asked_and_a_view_asks_at_once() {
    let clock = Clock::system();
    let server = server(&clock);
    let internal_client = Arc::new(InternalClient::new(vec![Arc::clone(&server)]));
    let dashboard = Arc::new(Dashboard::new(internal_client, Arc::default(), clock.clone()));
    let own_requests = || server.origin.counters.own.load(Ordering::Relaxed);
    for _ in 0..60 {
        dashboard.recompute().await.expect("no request failed");
        clock.sleep(DASHBOARD_INTERVAL).await;
    }
    assert_eq!(own_requests(), 0, "an idle hour");
    let stats = dashboard.stats();
    assert!(stats.as_of_ms > 0 && stats.sessions.stale, "the known values are available: {stats:?}");
    server.origin.tasks.close();
    server.origin.tasks.wait().await;
    let after_view = own_requests();
    assert!(after_view > 0, "the view starts a recomputation");
    dashboard.stats();
    assert!(server.origin.tasks.is_empty(), "only the first view starts one");
    clock.sleep(VIEWED_RECENTLY).await;
    dashboard.recompute().await.expect("no request failed");
    assert_eq!(own_requests(), after_view, "no recent view");
}
