//! Each warning is raised while its cause holds, and cleared when it ends.

use greenroom_cache::Clock;
use greenroom_dialect::credential::Secret;
use http::HeaderMap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use greenroom_config::{ConfigSource, Settings};
use greenroom_proxy::change_feed::EventStreamState;
use greenroom_proxy::trusted_proxies::ProxyTrust;
use greenroom_sync::index::Library;

struct RecommendationsFixture {
    advisor: Recommender,
    server: Arc<Server>,
    libraries: Arc<Libraries>,
}

impl RecommendationsFixture {
    fn new(kind: &str) -> Self {
        let mut tree = ConfigSource::default();
        let file = format!(
            "[[server]]\nname = \"home\"\nkind = \"{kind}\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"owner\"\n"
        );
        tree.add_toml("g.toml", &file);
        let mut settings = Settings::read(tree).expect("it is valid");
        let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
        let cache = Cache::new(greenroom_cache::CacheSettings::default(), clock.clone(), tasks.clone());
        let secrets = (greenroom_state::secrets::HashKey([1; 32]), Secret::new("hook"));
        let server = Server::new(settings.servers.remove(0), cache.clone(), clock, tasks, stop, secrets);
        let server = Arc::new(server.expect("it can be had"));
        let libraries = Arc::new(Libraries::default());
        let all = vec![Arc::clone(&server)];
        let advisor = Recommender::new(all, cache, Arc::clone(&libraries), Arc::default(), Vec::new());
        Self { advisor, server, libraries }
    }

    fn warning_codes(&self) -> Vec<String> {
        self.advisor.evaluate();
        self.server.origin.warnings.active().iter().map(Warning::name).collect()
    }
}

#[tokio::test]
async fn what_is_so_of_a_server_is_raised_and_lowered() {
    let house = RecommendationsFixture::new("jellyfin");
    assert_eq!(house.warning_codes(), [""; 0]);
    house.server.set_events_state(EventStreamState::Refused(401));
    house.server.proxy_trust.set(ProxyTrust::None);
    assert_eq!(house.warning_codes(), ["token-rejected", "proxy-not-trusted"]);
    house.server.set_events_state(EventStreamState::Subscribed);
    assert_eq!(house.warning_codes(), ["proxy-not-trusted"]);
    house.server.origin.record_own_token(false);
    assert_eq!(house.warning_codes(), ["token-rejected", "proxy-not-trusted"], "whoever heard it");
    house.server.origin.record_own_token(true);
    house.server.set_events_state(EventStreamState::TokenWithoutUser);
    assert_eq!(house.warning_codes(), ["events-do-not-reach", "proxy-not-trusted"]);
    house.server.set_events_state(EventStreamState::Subscribed);
    house.server.proxy_trust.set(ProxyTrust::Some);
    assert_eq!(house.warning_codes(), [""; 0]);
    house.server.origin.record_version("10.8.1");
    assert_eq!(house.warning_codes(), ["version-too-old"]);
    house.server.origin.record_version("13.1.0");
    assert_eq!(house.warning_codes(), ["version-untested"]);
    house.server.origin.record_version("10.11.0");
    assert_eq!(house.warning_codes(), [""; 0]);
    let at = |seconds| {
        let now = std::time::UNIX_EPOCH + Duration::from_millis(house.server.origin.clock.now_ms());
        let date = httpdate::fmt_http_date(now + Duration::from_secs(seconds));
        HeaderMap::from_iter([(http::header::DATE, date.parse().expect("a date"))])
    };
    house.server.origin.record_clock(&at(90));
    assert_eq!(house.warning_codes(), ["clock-skew"]);
    house.server.origin.record_clock(&HeaderMap::new());
    assert_eq!(house.warning_codes(), ["clock-skew"], "an answer without a date tells nothing");
    house.server.origin.record_clock(&at(1));
    assert_eq!(house.warning_codes(), [""; 0]);
}

#[tokio::test]
async fn a_sync_into_a_library_that_is_off_is_warned_of_until_it_is_on() {
    let house = RecommendationsFixture::new("plex");
    let id: LibraryId = "home:3".parse().expect("an id");
    let library = Arc::new(Library::new(id, "Music", Arc::clone(&house.server)));
    house.libraries.add(Arc::clone(&library));
    house.libraries.set_enabled(&library, false).await.expect("it can be");
    let warning = Warning::notice(SYNC_WITHOUT_INDEX, "It is off.", "Turn it on.").about("home:3");
    house.server.origin.warnings.raise(warning);
    assert_eq!(house.warning_codes(), ["sync-without-index/home:3"]);
    house.libraries.set_enabled(&library, true).await.expect("it can be");
    assert_eq!(house.warning_codes(), [""; 0]);
}

#[tokio::test]
async fn what_others_warn_of_is_left_alone() {
    let house = RecommendationsFixture::new("plex");
    house.server.origin.warnings.raise(Warning::notice("odd", "It is odd.", "Mend it."));
    assert_eq!(house.warning_codes(), ["odd"]);
}
