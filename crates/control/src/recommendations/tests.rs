//! Each warning is raised by what is so, and lowered when it is not any more.

use greenroom_cache::Clock;
use greenroom_dialect::credential::Secret;
use http::HeaderMap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use greenroom_config::{Settings, Tree};
use greenroom_proxy::change_feed::Events;
use greenroom_proxy::trusted_proxies::Proxies;
use greenroom_sync::index::Library;

struct House {
    advisor: Advisor,
    server: Arc<Server>,
    libraries: Arc<Libraries>,
}

impl House {
    fn new(kind: &str) -> Self {
        let mut tree = Tree::default();
        let file = format!(
            "[[server]]\nname = \"home\"\nkind = \"{kind}\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"owner\"\n"
        );
        tree.add_toml("g.toml", &file);
        let mut settings = Settings::read(tree).expect("it is valid");
        let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
        let cache = Cache::new(greenroom_cache::Settings::default(), clock.clone(), tasks.clone());
        let secrets = (greenroom_state::secrets::HashKey([1; 32]), Secret::new("hook"));
        let server = Server::new(settings.servers.remove(0), cache.clone(), clock, tasks, stop, secrets);
        let server = Arc::new(server.expect("it can be had"));
        let libraries = Arc::new(Libraries::default());
        let all = vec![Arc::clone(&server)];
        let advisor = Advisor::new(all, cache, Arc::clone(&libraries), Arc::default(), Vec::new());
        Self { advisor, server, libraries }
    }

    fn said(&self) -> Vec<String> {
        self.advisor.look();
        self.server.origin.warnings.holding().iter().map(Warning::name).collect()
    }
}

#[tokio::test]
async fn what_is_so_of_a_server_is_raised_and_lowered() {
    let house = House::new("jellyfin");
    assert_eq!(house.said(), [""; 0]);
    house.server.note_events(Events::Refused(401));
    house.server.proxies.note(Proxies::None);
    assert_eq!(house.said(), ["token-rejected", "proxy-not-trusted"]);
    house.server.note_events(Events::Followed);
    assert_eq!(house.said(), ["proxy-not-trusted"]);
    house.server.origin.note_own_token(false);
    assert_eq!(house.said(), ["token-rejected", "proxy-not-trusted"], "whoever heard it");
    house.server.origin.note_own_token(true);
    house.server.note_events(Events::NobodysKey);
    assert_eq!(house.said(), ["events-do-not-reach", "proxy-not-trusted"]);
    house.server.note_events(Events::Followed);
    house.server.proxies.note(Proxies::Some);
    assert_eq!(house.said(), [""; 0]);
    house.server.origin.note_version("10.8.1");
    assert_eq!(house.said(), ["version-too-old"]);
    house.server.origin.note_version("13.1.0");
    assert_eq!(house.said(), ["version-untested"]);
    house.server.origin.note_version("10.11.0");
    assert_eq!(house.said(), [""; 0]);
    let at = |seconds| {
        let now = std::time::UNIX_EPOCH + Duration::from_millis(house.server.origin.clock.now_ms());
        let date = httpdate::fmt_http_date(now + Duration::from_secs(seconds));
        HeaderMap::from_iter([(http::header::DATE, date.parse().expect("a date"))])
    };
    house.server.origin.note_time(&at(90));
    assert_eq!(house.said(), ["clock-skew"]);
    house.server.origin.note_time(&HeaderMap::new());
    assert_eq!(house.said(), ["clock-skew"], "an answer without a date tells nothing");
    house.server.origin.note_time(&at(1));
    assert_eq!(house.said(), [""; 0]);
}

#[tokio::test]
async fn a_sync_into_a_library_that_is_off_is_warned_of_until_it_is_on() {
    let house = House::new("plex");
    let id: LibraryId = "home:3".parse().expect("an id");
    let library = Arc::new(Library::new(id, "Music", Arc::clone(&house.server)));
    house.libraries.add(Arc::clone(&library));
    house.libraries.choose(&library, false).await.expect("it can be");
    let warning = Warning::notice(SYNC_WITHOUT_INDEX, "It is off.", "Turn it on.").about("home:3");
    house.server.origin.warnings.raise(warning);
    assert_eq!(house.said(), ["sync-without-index/home:3"]);
    house.libraries.choose(&library, true).await.expect("it can be");
    assert_eq!(house.said(), [""; 0]);
}

#[tokio::test]
async fn what_others_warn_of_is_left_alone() {
    let house = House::new("plex");
    house.server.origin.warnings.raise(Warning::notice("odd", "It is odd.", "Mend it."));
    assert_eq!(house.said(), ["odd"]);
}
