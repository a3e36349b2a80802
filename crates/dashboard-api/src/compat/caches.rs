//! `/api/plex/cache/…`: shows, clears and warms the caches behind `/api/plex/…`. Hits and misses count requests to
//! these paths; own requests do not count.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use greenroom_cache::{Invalidation, Scope};
use greenroom_dialect::class::Class;
use greenroom_remote_store::StoreState;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::{iso, merge, percent, seconds};
use greenroom_control::ControlPlane;
use greenroom_control::compat_cache_counters::CompatCache;
use greenroom_control::state::ApiState;

use greenroom_proxy::internal_client::InternalCaller;
use greenroom_proxy::read::origin_loader::class_tag;
use greenroom_proxy::server::Server;

/// The caches.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexCacheStats)]
pub(crate) struct CompatCachesResponse {
    caches: Vec<Row>,
    redis: Redis,
    redis_keys_expected: [&'static str; 6],
    timestamp: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexCacheRow)]
struct Row {
    name: &'static str,
    hits: u64,
    misses: u64,
    total_requests: u64,
    hit_rate: String,
    ttl_seconds: u64,
    cached: bool,
    cache_age_seconds: Option<f64>,
    #[serde(flatten)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    background: Option<Background>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Background {
    enabled: bool,
    last_update: Option<String>,
    update_interval: u64,
}

/// The remote store. Without one the cache is built in, and the keys are its entries.
#[derive(Debug, Serialize, ToSchema)]
struct Redis {
    #[serde(rename = "type")]
    kind: &'static str,
    enabled: bool,
    connected: bool,
    total_keys: u64,
}

impl Redis {
    fn of(control: &ControlPlane) -> Self {
        let entries = control.cache.stats().entries;
        match control.store_status() {
            None => Self { kind: "memory", enabled: false, connected: false, total_keys: entries },
            Some(status) => {
                let connected = status.state == StoreState::Connected;
                let total_keys = status.total_keys.filter(|_| connected).unwrap_or(entries);
                Self { kind: if connected { "redis" } else { "memory" }, enabled: true, connected, total_keys }
            }
        }
    }
}

/// Result of clearing the caches.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatClearResponse {
    success: bool,
    message: String,
    redis_cleared: bool,
}

/// Result of warming.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatWarmResponse {
    success: bool,
    message: String,
    warmed: Vec<&'static str>,
    /// Servers whose response is incomplete.
    unavailable: Vec<String>,
}

/// The caches behind these paths.
#[utoipa::path(get, path = "/api/plex/cache/stats", tag = "compatible",
    responses((status = 200, description = "The caches behind these paths", body = CompatCachesResponse)))]
pub(crate) async fn stats(State(state): State<Arc<ApiState>>) -> Json<CompatCachesResponse> {
    let now_ms = state.control.clock.now();
    Json(CompatCachesResponse {
        caches: CompatCache::EVERY.iter().map(|cached| cache_row(&state, *cached, now_ms)).collect(),
        redis: Redis::of(&state.control),
        redis_keys_expected: [
            "plex:activities",
            "plex:sessions",
            "plex:stats_live",
            "plex:stats",
            "plex:recent_media",
            "plex:watch_history",
        ],
        timestamp: iso(now_ms),
    })
}

/// Invalidates everything behind these paths; old responses are served only while a server is down.
#[utoipa::path(post, path = "/api/plex/cache/clear", tag = "compatible",
    responses((status = 200, description = "The caches were cleared", body = CompatClearResponse)))]
pub(crate) async fn clear(State(state): State<Arc<ApiState>>) -> Json<CompatClearResponse> {
    let classes = [Class::Activities, Class::Sessions, Class::Recent, Class::Sections, Class::History];
    for server in crate::compat::compat_servers(&state) {
        for class in classes {
            let namespace = server.name().to_owned();
            let scope = Scope::Tag { namespace, partition: None, tag: class_tag(class) };
            server.invalidate(&scope, &Invalidation::mark_stale());
        }
    }
    state.control.compat_cache_counters.reset();
    let is_heard = state.control.cache.flush_invalidations().await;
    let is_connected = state.control.store_status().is_some_and(|status| status.state == StoreState::Connected);
    state.control.dashboard.request_refresh();
    tracing::info!("caches of the compatibility endpoints invalidated");
    let message = "All caches cleared successfully".to_owned();
    Json(CompatClearResponse { success: true, message, redis_cleared: is_connected && is_heard })
}

/// Loads everything from the servers now and reports the result.
#[utoipa::path(post, path = "/api/plex/cache/warm", tag = "compatible",
    responses((status = 200, description = "The warmed caches", body = CompatWarmResponse)))]
pub(crate) async fn warm(State(state): State<Arc<ApiState>>, headers: HeaderMap) -> Json<CompatWarmResponse> {
    let control = &state.control;
    let caller = InternalCaller::requiring_fresh(&headers);
    let servers = crate::compat::compat_servers(&state);
    let internal_client = &control.internal_client;
    let began_ms = control.clock.now();
    control.dashboard.record_view();
    let (activities, sessions, (recent, recent_unavailable), history, refreshed_stats) = tokio::join!(
        merge::fetch_all(
            internal_client,
            &servers,
            caller,
            |server| server.origin.settings.kind.activities_target().into(),
            |_, _| Some(())
        ),
        merge::fetch_all(
            internal_client,
            &servers,
            caller,
            |server| server.origin.settings.kind.sessions_target().into(),
            |_, _| Some(())
        ),
        crate::compat::recently_added::warm_recent(&state, caller),
        control.run_fresh_and_wait("history"),
        control.run_fresh_and_wait("dashboard"),
    );
    let is_loaded = |metadata: &merge::CacheMetadata| !metadata.is_cached;
    let mut warmed = Vec::new();
    let mut record = |is_warm: bool, caches: &[CompatCache]| {
        if is_warm {
            warmed.extend(caches.iter().map(|cached| cached.name()));
        }
    };
    record(!activities.is_error() && is_loaded(&activities.metadata), &[CompatCache::Activities]);
    record(!sessions.is_error() && is_loaded(&sessions.metadata), &[CompatCache::Sessions]);
    record(recent, &[CompatCache::Recent]);
    let is_synced =
        control.history.synced_ms(servers.iter().copied()).is_some_and(|at_ms| at_ms >= began_ms.as_millis());
    record(history.is_done() && is_synced, &[CompatCache::History]);
    let stats = control.dashboard.stats();
    let is_refreshed = |server: &&Arc<Server>| {
        stats
            .data_timestamps
            .get(server.name())
            .is_some_and(|timestamps| greenroom_dashboard::is_recent(timestamps, began_ms))
    };
    record(
        refreshed_stats.is_done() && servers.iter().any(is_refreshed),
        &[CompatCache::Stats, CompatCache::LiveStats, CompatCache::Background],
    );
    let unavailable: Vec<String> = servers
        .iter()
        .filter(|server| {
            let name = server.name();
            let unavailable_lists = [&activities.unavailable, &sessions.unavailable, &recent_unavailable];
            !is_refreshed(server) || unavailable_lists.iter().any(|names| names.iter().any(|other| other == name))
        })
        .map(|server| server.name().to_owned())
        .collect();
    let success = warmed.contains(&CompatCache::Sessions.name());
    let message = if success {
        "Caches warmed successfully".to_owned()
    } else {
        sessions.message().unwrap_or("the server did not respond; cached responses stay").to_owned()
    };
    Json(CompatWarmResponse { success, message, warmed, unavailable })
}

fn cache_row(state: &ApiState, cached: CompatCache, now_ms: Timestamp) -> Row {
    let (hits, misses) = state.control.compat_cache_counters.get(cached);
    let age_ms = cached_age_ms(state, cached, now_ms);
    let background = (cached == CompatCache::Background).then(|| {
        let as_of_ms = state.control.dashboard.stats().as_of_ms;
        Background {
            enabled: true,
            last_update: (as_of_ms > 0).then(|| iso(Timestamp::from_millis(as_of_ms))),
            update_interval: state.control.dashboard.interval().as_secs(),
        }
    });
    Row {
        name: cached.name(),
        hits,
        misses,
        total_requests: hits + misses,
        hit_rate: format!("{:.1}%", percent(hits, hits + misses)),
        ttl_seconds: fresh_s(state, cached),
        cached: age_ms.is_some(),
        cache_age_seconds: age_ms.map(seconds),
        background,
    }
}

/// Age of its cached data in milliseconds; the oldest of all servers.
fn cached_age_ms(state: &ApiState, cached: CompatCache, now_ms: Timestamp) -> Option<Duration> {
    let control = &state.control;
    let peek = |target: fn(greenroom_dialect::request::ServerKind) -> &'static str| {
        let ages_ms = crate::compat::compat_servers(state).into_iter().filter_map(|server| {
            let found = control.internal_client.peek(server, target(server.origin.settings.kind))?;
            Some(found.age)
        });
        ages_ms.max()
    };
    match cached {
        CompatCache::Activities => peek(greenroom_dialect::request::ServerKind::activities_target),
        CompatCache::Sessions => peek(greenroom_dialect::request::ServerKind::sessions_target),
        CompatCache::Recent => crate::compat::recently_added::cached_recent_age(state),
        CompatCache::History => {
            let synced_ms = control.history.synced_ms(crate::compat::compat_servers(state));
            synced_ms.map(|at_ms| now_ms.duration_since(Timestamp::from_millis(at_ms)))
        }
        CompatCache::Stats | CompatCache::LiveStats | CompatCache::Background => {
            let timestamps = crate::compat::stats::data_timestamps(state, &control.dashboard.stats())?;
            Some(now_ms.duration_since(timestamps.oldest_ms))
        }
    }
}

fn fresh_s(state: &ApiState, cached: CompatCache) -> u64 {
    match (cached, cached.class(), crate::compat::compat_servers(state).first()) {
        (_, Some(class), Some(server)) => {
            let default = class.lifetime(server.origin.settings.kind);
            server.lifetime(class, default).fresh_s.into()
        }
        (CompatCache::History, ..) => 900,
        (CompatCache::Stats | CompatCache::LiveStats, ..) => greenroom_dashboard::COUNTS_FRESH.as_secs(),
        _ => state.control.dashboard.interval().as_secs(),
    }
}
