//! The fields and types that clients of these dashboards read, as recorded.

use std::time::Duration;

use greenroom_simulator::catalogue::{MediaKind, SortKey};
use http::Method;
use serde_json::Value;

use super::DashboardFixture;
use crate::fixture::waiting::until_async;

/// Every field with its type; of a list, those of its first row.
fn shape(value: &Value) -> Vec<String> {
    fn walk(at: &str, value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    // The media server's own data is not compared.
                    if name == "raw_data" {
                        into.push(format!("{at}.{name}: object"));
                    } else {
                        walk(&format!("{at}.{name}"), value, into);
                    }
                }
            }
            Value::Array(rows) => match rows.first() {
                Some(first) => walk(&format!("{at}[]"), first, into),
                None => into.push(format!("{at}: list")),
            },
            Value::Null => into.push(format!("{at}: null")),
            Value::Bool(_) => into.push(format!("{at}: bool")),
            Value::Number(_) => into.push(format!("{at}: number")),
            Value::String(_) => into.push(format!("{at}: text")),
        }
    }
    let mut lines = Vec::new();
    walk("", value, &mut lines);
    lines.sort();
    lines
}

/// Asserts that every expected field exists with its type; more may exist.
fn assert_has(path: &str, answer: &Value, expected: &[&str]) {
    let shape = shape(answer);
    for line in expected {
        assert!(shape.iter().any(|other| other == line), "{path} has no `{line}`: {shape:#?}");
    }
}

/// Every path with every field that its readers know.
const FIELDS: [(&str, &[&str]); 11] = [
    (
        "/api/plex/activities",
        &[
            ".error: bool",
            ".activities[].uuid: text",
            ".activities[].title: text",
            ".activities[].subtitle: text",
            ".activities[].type: text",
            ".activities[].progress: number",
            ".activities[].raw_data: object",
            ".cached: bool",
            ".timestamp: text",
            ".cache_age: number",
            ".stale: bool",
        ],
    ),
    (
        "/api/plex/sessions",
        &[
            ".error: bool",
            ".total: number",
            ".cached: bool",
            ".timestamp: text",
            ".cache_age: number",
            ".stale: bool",
            ".sessions[].session_id: text",
            ".sessions[].user.name: text",
            ".sessions[].user.id: text",
            ".sessions[].media.title: text",
            ".sessions[].media.type: text",
            ".sessions[].media.thumb: text",
            ".sessions[].playback.state: text",
            ".sessions[].playback.progress: number",
            ".sessions[].playback.position_ms: number",
            ".sessions[].playback.duration_ms: number",
            ".sessions[].device.name: text",
            ".sessions[].device.client: text",
            ".sessions[].device.platform: text",
            ".sessions[].transcode.is_transcoding: bool",
            ".sessions[].transcode.speed: null",
            ".sessions[].transcode.video_decision: null",
            ".sessions[].stream.video_resolution: text",
            ".sessions[].stream.video_codec: text",
            ".sessions[].stream.audio_codec: text",
            ".sessions[].stream.container: text",
            ".sessions[].stream.bitrate: number",
            ".sessions[].stream.location: text",
            ".sessions[].stream.bandwidth: number",
        ],
    ),
    (
        "/api/plex/stats",
        &[
            ".peak_concurrent: number",
            ".last_updated: text",
            ".server_url: null",
            ".server_name: text",
            ".token_configured: bool",
            ".total_users: number",
            ".total_movies: number",
            ".total_tv_shows: number",
        ],
    ),
    (
        "/api/plex/stats/live",
        &[
            ".total_users: number",
            ".total_movies: number",
            ".total_tv_shows: number",
            ".total_episodes: number",
            ".server_name: text",
        ],
    ),
    (
        "/api/plex/stats/dashboard",
        &[
            ".services.total: number",
            ".services.online: number",
            ".services.offline: number",
            ".services.problem: number",
            ".plex.configured: bool",
            ".plex.peak_concurrent: number",
            ".plex.total_users: number",
            ".plex.total_movies: number",
            ".plex.total_tv_shows: number",
            ".plex.movies: number",
            ".plex.shows: number",
            ".plex.seasons: number",
            ".plex.episodes: number",
            ".traffic.last_24h_download_bytes: number",
            ".traffic.last_24h_upload_bytes: number",
            ".traffic.last_24h_total_bytes: number",
            ".timestamp: text",
            ".cached: bool",
        ],
    ),
    (
        "/api/plex/media/recent",
        &[
            ".media[].title: text",
            ".media[].type: text",
            ".media[].year: number",
            ".media[].poster: text",
            ".cached: bool",
            ".stale: bool",
        ],
    ),
    (
        "/api/plex/watch-history",
        &[
            "[].user_id: text",
            "[].email: text",
            "[].type: text",
            "[].title: text",
            "[].viewed_at: text",
            "[].progress: number",
            "[].view_count: number",
        ],
    ),
    (
        "/api/plex/cache/stats",
        &[
            ".caches[].name: text",
            ".caches[].hits: number",
            ".caches[].misses: number",
            ".caches[].total_requests: number",
            ".caches[].hit_rate: text",
            ".caches[].ttl_seconds: number",
            ".caches[].cached: bool",
            ".caches[].cache_age_seconds: number",
            ".redis.type: text",
            ".redis.enabled: bool",
            ".redis.connected: bool",
            ".redis.total_keys: number",
            ".redis_keys_expected[]: text",
            ".timestamp: text",
        ],
    ),
    (
        "/api/cache/stats",
        &[
            ".file_list_cache.file_count: number",
            ".file_list_cache.age_seconds: number",
            ".file_list_cache.is_populated: bool",
            ".enriched_file_cache.file_count: number",
            ".enriched_file_cache.age_seconds: number",
            ".enriched_file_cache.is_populated: bool",
            ".enriched_file_cache.rebuild_in_progress: bool",
            ".markers.processed_files: number",
            ".markers.duplicate_files: number",
            ".markers.web_modified_files: number",
            ".markers.storage_location: text",
        ],
    ),
    (
        "/api/status/cache",
        &[
            ".plex.target: text",
            ".plex.status: text",
            ".plex.size_mb: number",
            ".plex.object_count: number",
            ".plex.cache_hits: number",
            ".plex.cache_misses: number",
            ".plex.hit_rate: null",
            ".plex.memory_usage_mb: number",
            ".jellyfin.status: text",
        ],
    ),
    ("/api/status/cache?target=plex", &[".target: text", ".status: text", ".object_count: number"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_path_has_the_fields_its_readers_know() {
    let house = DashboardFixture::plex().await;
    house.sync().await;
    // They are counted one library after the other.
    let is_counted = |said: &Value| {
        let mut counts = ["total_movies", "total_tv_shows", "total_episodes"].iter();
        counts.all(|name| said[name].as_u64() > Some(0))
    };
    house.until("/api/plex/stats/live", |answer| is_counted(&answer.json())).await;
    for (path, expected) in FIELDS {
        let answer = house.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_has(path, &answer.json(), expected);
    }
    assert_eq!(house.get("/api/status/cache?target=emby").await.status, 400);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_are_answered_in_the_form_their_callers_expect() {
    let house = DashboardFixture::plex().await;
    let control = house.stage.control();
    let post = async |path: &str, body: &str| {
        let answer = control.send(Method::POST, path, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };
    let warmed = post("/api/plex/cache/warm", "").await;
    assert_eq!(warmed["success"], true, "{warmed}");
    for name in ["plex_activities", "plex_sessions", "plex_recent_media", "background_stats"] {
        assert!(warmed["warmed"].as_array().expect("a list").iter().any(|other| other == name), "{warmed}");
    }
    assert_eq!(warmed["unavailable"], serde_json::json!([]), "{warmed}");
    let stats = house.get("/api/plex/cache/stats").await.json();
    let row = |name: &str| {
        let mut rows = stats["caches"].as_array().expect("a list").iter();
        rows.find(|row| row["name"] == name).expect("it is listed").clone()
    };
    assert_eq!(row("plex_recent_media")["cached"], true, "{stats}");
    assert_eq!((&row("plex_activities")["ttl_seconds"], &row("plex_sessions")["ttl_seconds"]), (&5.into(), &10.into()));
    let keys = ["activities", "sessions", "stats_live", "stats", "recent_media", "watch_history"];
    assert_eq!(stats["redis_keys_expected"], serde_json::json!(keys.map(|key| format!("plex:{key}"))));
    let cleared = post("/api/plex/cache/clear", "").await;
    assert_eq!((&cleared["success"], &cleared["redis_cleared"]), (&Value::Bool(true), &Value::Bool(false)));
    assert!(cleared["message"].is_string());
    // A scheduled sync may be running at this moment, and then the response comes before its end.
    let mut answer = control.send(Method::POST, "/api/plex/watch-history/sync", "").await;
    until_async(async || {
        if answer.status == 202 {
            answer = control.send(Method::POST, "/api/plex/watch-history/sync", "").await;
        }
        answer.status != 202
    })
    .await;
    let (status, synced) = (answer.status, answer.json());
    assert_eq!((status.as_u16(), &synced["success"]), (200, &Value::Bool(true)), "{synced}");
    assert!(post("/api/status/cache/reset", "").await["message"].is_string());
    house.until("/api/status/cache", |answer| answer.json()["plex"]["status"] == "Available").await;
    let order = r#"{"target":"plex","force_rebuild":true}"#;
    let ordered = post("/api/commands/library_cache_builder/refresh", order).await;
    assert_eq!((&ordered["success"], &ordered["target"]), (&Value::Bool(true), &Value::from("plex")));
    assert_eq!(ordered["force_rebuild"], true);
    let none = post("/api/commands/library_cache_builder/refresh", r#"{"target":"jellyfin"}"#).await;
    assert!(none["success"] == false && none["error"].is_string(), "{none}");
    let path = "/api/commands/library_cache_builder/refresh";
    assert_eq!(control.send(Method::POST, path, r#"{"target":"emby"}"#).await.status, 400);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn indexed_libraries_are_counted_and_a_build_is_shown() {
    let house = DashboardFixture::plex().await;
    house.until("/api/status/cache", |answer| answer.json()["plex"]["status"] == "Available").await;
    let tracks = { house.server.state().view().list(MediaKind::Track, SortKey::Id).len() };
    let status = house.get("/api/status/cache?target=plex").await.json();
    assert_eq!(status["object_count"], tracks);
    assert!(status["last_generated"].is_u64() && status["memory_usage_mb"].is_number());
    let files = house.get("/api/cache/stats").await.json();
    assert_eq!(files["enriched_file_cache"]["file_count"], tracks);
    assert_eq!(files["enriched_file_cache"]["is_populated"], true);
    assert_eq!(house.get("/api/status/cache?target=jellyfin").await.json()["status"], "Not built");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cmdarrs_page_computes_with_what_it_is_told() {
    let house = DashboardFixture::plex().await;
    let control = house.stage.control();
    // As its page has them: `new Date(last_generated * 1000)`, `object_count.toLocaleString()`,
    // `hit_rate != null`, `(hit_rate * 100).toFixed(1)`.
    let last_built_ms = |status: &Value| status["last_generated"].as_f64().map(|last_built_s| last_built_s * 1000.0);
    let shown_rate = |status: &Value| status["hit_rate"].as_f64().map(|rate| format!("{:.1}%", rate * 100.0));
    house.until("/api/status/cache", |answer| answer.json()["plex"]["status"] == "Available").await;
    let status = house.get("/api/status/cache").await.json()["plex"].clone();
    let now_ms = house.clock.now_ms();
    let built_ms = last_built_ms(&status).expect("a number of seconds");
    let age_s = Duration::from_millis(now_ms).as_secs_f64() - built_ms / 1000.0;
    assert!(age_s.abs() < 3_600.0, "built now: {status}");
    assert!(status["object_count"].as_u64() > Some(0), "{status}");
    assert_eq!((&status["hit_rate"], shown_rate(&status)), (&Value::Null, None), "reads of apps are no lookups");
    let track = {
        let view = house.server.state().view();
        let id = view.list(MediaKind::Track, SortKey::Id).first().copied().expect("there is one");
        view.record(id).expect("it is there")
    };
    let artist = track.grandparent.as_ref().expect("an artist").title.clone();
    let wanted = serde_json::json!({"title": track.title, "artist": artist});
    let unknown = serde_json::json!({"title": "Nobody recorded this", "artist": "Nobody at all"});
    let body = serde_json::json!({"tracks": [wanted, unknown, wanted, wanted]}).to_string();
    let told = control.send(Method::POST, "/api/v1/match/tracks", &body).await;
    assert_eq!((told.status.as_u16(), &told.json()["rejected"]), (200, &1.into()), "{}", told.text());
    let status = house.get("/api/status/cache?target=plex").await.json();
    assert_eq!((&status["cache_hits"], &status["cache_misses"]), (&3.into(), &1.into()), "{status}");
    assert_eq!(shown_rate(&status).as_deref(), Some("75.0%"), "{status}");
    assert!(status["last_used"].as_u64() >= Some(now_ms / 1000), "{status}");
    assert!(control.send(Method::POST, "/api/status/cache/reset", "").await.status.is_success());
    let status = house.get("/api/status/cache?target=plex").await.json();
    assert_eq!((&status["cache_hits"], shown_rate(&status)), (&0.into(), None), "{status}");
    let jellyfin = house.get("/api/status/cache?target=jellyfin").await.json();
    assert_eq!((&jellyfin["object_count"], last_built_ms(&jellyfin)), (&0.into(), None), "{jellyfin}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_holds_a_token_and_image_links_cannot_be_altered() {
    let house = DashboardFixture::plex().await;
    house.sync().await;
    let mut links = Vec::new();
    for path in [
        "/api/plex/activities",
        "/api/plex/sessions",
        "/api/plex/stats",
        "/api/plex/stats/live",
        "/api/plex/stats/dashboard",
        "/api/plex/media/recent",
        "/api/plex/watch-history",
        "/api/plex/cache/stats",
        "/api/cache/stats",
        "/api/status/cache",
        "/api/v1/dashboard",
        "/api/v1/history",
        "/api/v1/summary",
    ] {
        let text = house.get(path).await.text();
        assert!(!text.to_lowercase().contains("x-plex-token"), "{path}: {text}");
        for secret in house.secrets() {
            assert!(!text.contains(&secret), "{path}");
        }
        let said: Value = serde_json::from_str(&text).expect("it is JSON");
        links.extend(pictures(&said));
    }
    assert!(links.len() > 3, "{links:?}");
    let stranger = crate::fixture::TestClient::new(house.stage.process.control);
    let link = links.first().expect("there is one");
    let picture = stranger.get(link).await;
    assert_eq!(picture.status, 200, "{}", picture.text());
    assert!(picture.header("content-type").starts_with("image/"));
    assert!(picture.header("cache-control").starts_with("private, max-age="));
    for changed in [
        link.replace("metadata%2F", "metadata%2F9"),
        link.replace("until=", "until=9"),
        link.replace("server=home", "server=attic"),
        link.split("&signature").next().expect("it has one").to_owned(),
        link.replace("%2Flibrary%2Fmetadata%2F", "%2Faccounts%2F"),
    ] {
        assert_ne!(&changed, link);
        let answer = stranger.get(&changed).await;
        assert_eq!(answer.status, 403, "{changed}: {}", answer.text());
    }
    let again = house.get("/api/plex/sessions").await.json();
    let before = house.get("/api/plex/sessions").await.json();
    assert_eq!(pictures(&again), pictures(&before), "a browser keeps what has the same address");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn komandorrs_page_gets_its_pictures_and_no_foreign_ones() {
    let house = DashboardFixture::plex().await;
    let sessions = house.get("/api/plex/sessions").await.json();
    let link = sessions["sessions"][0]["media"]["thumb"].as_str().expect("a picture").to_owned();
    // `src={`/api/plex/proxy/image?url=${encodeURIComponent(session.media.thumb)}`}`
    let source = |url: &str| {
        let encoded = form_urlencoded::byte_serialize(url.as_bytes()).collect::<String>();
        format!("/api/plex/proxy/image?url={encoded}")
    };
    let browser = crate::fixture::TestClient::new(house.stage.process.control);
    let picture = browser.get(&source(&link)).await;
    assert_eq!(picture.status, 200, "{}", picture.text());
    assert!(picture.header("content-type").starts_with("image/"));
    assert!(picture.header("cache-control").starts_with("private, max-age="));
    assert_eq!(picture.text(), browser.get(&link).await.text());
    let pictures = || house.server.request_log().count(|seen| seen.target.contains("/thumb"));
    let (before, server) = (pictures(), house.server.url());
    for foreign in [
        format!("{server}/library/metadata/1/thumb/1"),
        "/library/metadata/1/thumb/1".to_owned(),
        format!("http://{}{link}", house.stage.process.control),
        format!("{server}{link}"),
        "https://plex.tv/users/0123456789abcdef/avatar?c=1".to_owned(),
        link.replace("until=", "until=9"),
        link.replace("%2Fmetadata%2F", "%2Fmetadata%2F9"),
        link.split("&signature").next().expect("it has one").to_owned(),
        source(&link),
    ] {
        let answer = browser.get(&source(&foreign)).await;
        assert_eq!(answer.status, 403, "{foreign}: {}", answer.text());
    }
    assert_eq!(pictures(), before, "none of them was requested");
    house.end().await;
}

/// Links to images anywhere in it.
fn pictures(said: &Value) -> Vec<String> {
    match said {
        Value::String(text) if text.starts_with("/api/plex/image?") => vec![text.clone()],
        Value::Array(rows) => rows.iter().flat_map(pictures).collect(),
        Value::Object(fields) => fields.values().flat_map(pictures).collect(),
        _ => Vec::new(),
    }
}
