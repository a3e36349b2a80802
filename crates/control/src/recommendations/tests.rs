//! Each warning is raised while its cause holds, and cleared when it ends.

use greenroom_cache::Clock;
use greenroom_dialect::credential::Secret;
use http::HeaderMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use greenroom_config::{ConfigSource, Settings};
use greenroom_origin::trusted_proxies::ProxyTrust;
use greenroom_proxy::feed::EventStreamState;
use greenroom_sync::index::Library;

struct RecommendationsFixture {
    recommender: Recommender,
    server: Arc<Server>,
    libraries: Arc<Libraries>,
}

impl RecommendationsFixture {
    fn new(kind: &str) -> Self {
        let mut source = ConfigSource::default();
        let file = format!(
            "[[server]]\nname = \"home\"\nkind = \"{kind}\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"owner\"\n"
        );
        source.add_toml("g.toml", &file);
        let mut settings = Settings::read(source).expect("valid configuration");
        let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
        let cache = Cache::new(greenroom_cache::CacheSettings::default(), clock.clone(), tasks.clone());
        let secrets = (greenroom_state::secrets::HashKey([1; 32]), Secret::new("hook"));
        let server = Server::new(settings.servers.remove(0), cache.clone(), clock, tasks, stop, secrets);
        let server = Arc::new(server.expect("a server"));
        let libraries = Arc::new(Libraries::default());
        let all = vec![Arc::clone(&server)];
        let recommender = Recommender::new(all, cache, Arc::clone(&libraries), Arc::default(), Vec::new());
        Self { recommender, server, libraries }
    }

    fn warning_codes(&self) -> Vec<String> {
        self.recommender.evaluate();
        self.server.origin.warnings.active().iter().map(Warning::name).collect()
    }
}

#[tokio::test]
async fn server_warnings_are_raised_and_cleared() {
    let fixture = RecommendationsFixture::new("jellyfin");
    assert_eq!(fixture.warning_codes(), [""; 0]);
    fixture.server.set_events_state(EventStreamState::Refused(401));
    fixture.server.proxy_trust.set(ProxyTrust::None);
    assert_eq!(fixture.warning_codes(), ["token-rejected", "proxy-not-trusted"]);
    fixture.server.set_events_state(EventStreamState::Subscribed);
    assert_eq!(fixture.warning_codes(), ["proxy-not-trusted"]);
    fixture.server.origin.record_own_token(false);
    assert_eq!(fixture.warning_codes(), ["token-rejected", "proxy-not-trusted"], "rejected in any response");
    fixture.server.origin.record_own_token(true);
    fixture.server.set_events_state(EventStreamState::TokenWithoutUser);
    assert_eq!(fixture.warning_codes(), ["events-do-not-reach", "proxy-not-trusted"]);
    fixture.server.set_events_state(EventStreamState::Subscribed);
    fixture.server.proxy_trust.set(ProxyTrust::Some);
    assert_eq!(fixture.warning_codes(), [""; 0]);
    fixture.server.origin.record_version("10.8.1");
    assert_eq!(fixture.warning_codes(), ["version-too-old"]);
    fixture.server.origin.record_version("13.1.0");
    assert_eq!(fixture.warning_codes(), ["version-untested"]);
    fixture.server.origin.record_version("10.11.0");
    assert_eq!(fixture.warning_codes(), [""; 0]);
    let at = |seconds| {
        let now = std::time::UNIX_EPOCH + Duration::from_millis(fixture.server.origin.clock.now().as_millis());
        let date = httpdate::fmt_http_date(now + Duration::from_secs(seconds));
        HeaderMap::from_iter([(http::header::DATE, date.parse().expect("a date"))])
    };
    fixture.server.origin.record_clock(&at(90));
    assert_eq!(fixture.warning_codes(), ["clock-skew"]);
    fixture.server.origin.record_clock(&HeaderMap::new());
    assert_eq!(fixture.warning_codes(), ["clock-skew"], "a response without a date changes nothing");
    fixture.server.origin.record_clock(&at(1));
    assert_eq!(fixture.warning_codes(), [""; 0]);
}

#[tokio::test]
async fn a_sync_into_a_disabled_library_warns_until_it_is_enabled() {
    let fixture = RecommendationsFixture::new("plex");
    let id: LibraryId = "home:3".parse().expect("an id");
    let library = Arc::new(Library::new(id, "Music", Arc::clone(&fixture.server)));
    fixture.libraries.add(Arc::clone(&library));
    fixture.libraries.set_enabled(&library, false).await.expect("library setting changed");
    let warning = Warning::notice(SYNC_WITHOUT_INDEX, "It is disabled.", "Enable it.").about("home:3");
    fixture.server.origin.warnings.raise(warning);
    assert_eq!(fixture.warning_codes(), ["sync-without-index/home:3"]);
    fixture.libraries.set_enabled(&library, true).await.expect("library setting changed");
    assert_eq!(fixture.warning_codes(), [""; 0]);
}

#[tokio::test]
async fn warnings_of_other_components_stay() {
    let fixture = RecommendationsFixture::new("plex");
    fixture.server.origin.warnings.raise(Warning::notice("odd", "Something is wrong.", "Fix it."));
    assert_eq!(fixture.warning_codes(), ["odd"]);
}
