//! Memory of request recording, in a process of its own: resident memory under a million requests stays within the
//! documented limit. Linux only, because it reads the kernel's counters.
#![cfg(target_os = "linux")]

use greenroom_cache::Timestamp;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{Cache, CacheSettings as Engine, Clock};
use greenroom_config::{ConfigSource, Settings, StatisticsSettings as Kept};
use greenroom_dialect::class::Class;
use greenroom_dialect::credential::Secret;
use greenroom_origin::client_apps::ClientApp;
use greenroom_proxy::persistence::StatePersistence;
use greenroom_proxy::server::Server;
use greenroom_request_log::{CacheResult, Decision, DecisionOutcome, RequestCategory, UserHash};
use greenroom_state::secrets::HashKey;
use greenroom_statistics::Statistics;
use greenroom_statistics::report::{StatisticsGrouping, TimeSpan};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const REQUESTS: u64 = 1_000_000;
const QUESTIONS: u64 = 10_000;
const APPS: usize = 50;
const USERS: u64 = 200;
/// Minutes covered by the requests; the recorded time runs faster than the clock.
const MINUTES: u64 = 200;
/// Limit for recording, beside the process's own memory.
const MOST_BYTES: u64 = 16 << 20;

/// Resident anonymous memory of this process.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("a line of that name");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

fn server(clock: &Clock) -> Arc<Server> {
    let mut tree = ConfigSource::default();
    tree.add_toml("g.toml", "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n");
    let settings = Settings::read(tree).expect("it is valid").servers.remove(0);
    let tasks = TaskTracker::new();
    let cache = Cache::new(Engine::default(), clock.clone(), tasks.clone());
    let secrets = (HashKey([1; 32]), Secret::new("hook"));
    let server = Server::new(settings, cache, clock.clone(), tasks, CancellationToken::new(), secrets);
    Arc::new(server.expect("it can be had"))
}

/// Scatters a request's number, as hashes are.
fn scattered(number: u64) -> u64 {
    number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[tokio::test]
async fn a_million_requests_of_fifty_apps_and_two_hundred_users_take_little_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(StatePersistence::open(folder.path(), &Arc::default()));
    let clock = Clock::system();
    let server = server(&clock);
    let kept = (vec![Arc::clone(&server)], clock.clone());
    let statistics = Arc::new(Statistics::open(folder.path(), &Kept::default(), kept, Arc::default()));
    let app = |number| Arc::new(ClientApp::new(format!("app{number}"), number));
    let apps: Vec<Arc<ClientApp>> = (1..=APPS).map(app).collect();
    let began_ms = clock.now_ms() - MINUTES * 60_000;
    let before = resident();
    let mut most = before;
    for minute in 0..MINUTES {
        for number in 0..REQUESTS / MINUTES {
            let question = (number * 7 + minute * 131) % QUESTIONS;
            let user = question % USERS;
            let verdict = if question.is_multiple_of(3) { CacheResult::Loaded } else { CacheResult::Hit };
            let class = Class::EVERY[usize::try_from(question).expect("it is small") % Class::EVERY.len()];
            server.recorders.requests.record(Decision {
                at_ms: Timestamp::from_millis(began_ms + minute * 60_000),
                category: RequestCategory::Read(class),
                app: Arc::clone(&apps[usize::try_from(user).expect("it is small") % APPS]),
                user: Some(UserHash::new(u32::try_from(user).expect("it is small").to_be_bytes())),
                request_hash: Some(scattered(question)),
                outcome: DecisionOutcome {
                    age_ms: Some(Duration::from_millis(number % 60_000)),
                    is_saved: verdict == CacheResult::Hit,
                    ..DecisionOutcome::without_reason(verdict)
                },
                status: 200,
                elapsed_us: 50 + number % 5_000,
                bytes: 1_000 + number,
            });
        }
        if minute % 20 == 0 {
            statistics.rows(StatisticsGrouping::User, None, TimeSpan::Hour).await.expect("it can be read");
        }
        statistics.flush().await.expect("it is written");
        most = most.max(resident());
    }
    let table = statistics.rows(StatisticsGrouping::User, None, TimeSpan::Year).await.expect("it can be read");
    let asked: u64 = table.rows.iter().map(|row| row.sums.asked).sum();
    assert_eq!((table.rows.len() as u64, asked), (USERS, REQUESTS));
    let (grown, kept) = (most.saturating_sub(before), Kept::default().max_bytes);
    let file = fs::metadata(folder.path().join("state.db")).expect("it is there").len();
    println!("{} KiB resident, {} KiB on disk", grown / 1024, file / 1024);
    assert!(grown <= MOST_BYTES, "{} KiB resident", grown / 1024);
    assert!(file <= kept + kept / 2, "{} KiB on disk", file / 1024);
}
