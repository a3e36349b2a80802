//! `/api/plex/cache/…`: the caches behind `/api/plex/…`, as they are shown, cleared and warmed. Hits and misses are those
//! of who asked here: what we load of our own accord is nobody's question.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::extract::State;
use greenroom_cache::{Invalidation, Scope};
use greenroom_dialect::class::Class;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::{iso, merged, percent, seconds};
use crate::Plane;
use crate::dashboard;
use greenroom_proxy::internal_client::Asker;
use greenroom_proxy::read::origin_loader::class_tag;
use greenroom_proxy::server::Server;

/// What is behind one of the paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cached {
    Activities,
    Sessions,
    LiveStats,
    Stats,
    Recent,
    History,
    Background,
}

impl Cached {
    const EVERY: [Self; 7] = [
        Self::Activities,
        Self::Sessions,
        Self::LiveStats,
        Self::Stats,
        Self::Recent,
        Self::History,
        Self::Background,
    ];

    /// What these dashboards call it.
    fn name(self) -> &'static str {
        match self {
            Self::Activities => "plex_activities",
            Self::Sessions => "plex_sessions",
            Self::LiveStats => "plex_stats_live",
            Self::Stats => "plex_stats",
            Self::Recent => "plex_recent_media",
            Self::History => "watch_history",
            Self::Background => "background_stats",
        }
    }

    /// The class of reads it is made of, where it is one.
    fn class(self) -> Option<Class> {
        match self {
            Self::Activities => Some(Class::Activities),
            Self::Sessions => Some(Class::Sessions),
            Self::Recent => Some(Class::Recent),
            Self::LiveStats | Self::Stats | Self::History | Self::Background => None,
        }
    }
}

/// Who was answered at once, and who was not, since start or since they were cleared.
#[derive(Debug, Default)]
pub(crate) struct Counts([(AtomicU64, AtomicU64); Cached::EVERY.len()]);

impl Counts {
    /// Somebody was answered.
    pub(super) fn note(&self, of: Cached, is_hit: bool) {
        let (hits, misses) = &self.0[of as usize];
        if is_hit { hits } else { misses }.fetch_add(1, Ordering::Relaxed);
    }

    /// Counting begins anew.
    pub(super) fn reset(&self) {
        for (hits, misses) in &self.0 {
            hits.store(0, Ordering::Relaxed);
            misses.store(0, Ordering::Relaxed);
        }
    }

    fn of(&self, of: Cached) -> (u64, u64) {
        let (hits, misses) = &self.0[of as usize];
        (hits.load(Ordering::Relaxed), misses.load(Ordering::Relaxed))
    }
}

/// The caches.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexCacheStats)]
pub(crate) struct Stats {
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

/// There is none: what is kept is kept here.
#[derive(Debug, Serialize, ToSchema)]
struct Redis {
    #[serde(rename = "type")]
    kind: &'static str,
    enabled: bool,
    connected: bool,
    total_keys: u64,
}

/// What was cleared.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cleared {
    success: bool,
    message: String,
    redis_cleared: bool,
}

/// What was warmed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Warmed {
    success: bool,
    message: String,
    warmed: Vec<&'static str>,
    /// Servers that did not say all of it.
    unavailable: Vec<String>,
}

/// The caches behind these paths.
#[utoipa::path(get, path = "/api/plex/cache/stats", tag = "compatible",
    responses((status = 200, description = "The caches behind these paths", body = Stats)))]
pub(crate) async fn stats(State(plane): State<Arc<Plane>>) -> Json<Stats> {
    let now_ms = plane.control.clock.now_ms();
    Json(Stats {
        caches: Cached::EVERY.iter().map(|cached| plane.cache_row(*cached, now_ms)).collect(),
        redis: Redis {
            kind: "memory",
            enabled: false,
            connected: false,
            total_keys: plane.control.cache.stats().entries,
        },
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

/// Everything behind these paths is asked anew from now on; what was kept stands in only while a server is down.
#[utoipa::path(post, path = "/api/plex/cache/clear", tag = "compatible",
    responses((status = 200, description = "It was done", body = Cleared)))]
pub(crate) async fn clear(State(plane): State<Arc<Plane>>) -> Json<Cleared> {
    let classes = [Class::Activities, Class::Sessions, Class::Recent, Class::Sections, Class::History];
    for server in plane.shown_servers() {
        for class in classes {
            let namespace = server.name().to_owned();
            let scope = Scope::Tag { namespace, partition: None, tag: class_tag(class) };
            server.invalidate(&scope, &Invalidation::mark());
        }
    }
    plane.control.counts.reset();
    plane.control.cache.settled().await;
    plane.control.dashboard.renew();
    tracing::info!("what dashboards read was cleared");
    let message = "All caches cleared successfully".to_owned();
    Json(Cleared { success: true, message, redis_cleared: false })
}

/// Asks the servers now, and says what they answered.
#[utoipa::path(post, path = "/api/plex/cache/warm", tag = "compatible",
    responses((status = 200, description = "What was warmed", body = Warmed)))]
pub(crate) async fn warm(State(plane): State<Arc<Plane>>, headers: HeaderMap) -> Json<Warmed> {
    let control = &plane.control;
    let asker = Asker::insistent(&headers);
    let servers = plane.shown_servers();
    let inside = &control.inside;
    let began_ms = control.clock.now_ms();
    control.dashboard.note_look();
    let (activities, sessions, (recent, recent_unavailable), history, figures) = tokio::join!(
        merged::ask(
            inside,
            &servers,
            asker,
            |server| server.origin.settings.kind.activities_target().into(),
            |_, _| Some(())
        ),
        merged::ask(
            inside,
            &servers,
            asker,
            |server| server.origin.settings.kind.sessions_target().into(),
            |_, _| Some(())
        ),
        plane.warm_recent(asker),
        control.run_or_join("history"),
        control.run_or_join("dashboard"),
    );
    let is_asked = |marks: &merged::Marks| !marks.is_cached;
    let mut warmed = Vec::new();
    let mut note = |is_warm: bool, what: &[Cached]| {
        if is_warm {
            warmed.extend(what.iter().map(|cached| cached.name()));
        }
    };
    note(!activities.is_error() && is_asked(&activities.marks), &[Cached::Activities]);
    note(!sessions.is_error() && is_asked(&sessions.marks), &[Cached::Sessions]);
    note(recent, &[Cached::Recent]);
    let is_synced = control.history.synced_ms(servers.iter().copied()).is_some_and(|at_ms| at_ms >= began_ms);
    note(history.is_done() && is_synced, &[Cached::History]);
    let shown = control.dashboard.figures();
    let is_heard = |server: &&Arc<Server>| {
        shown.heard.get(server.name()).is_some_and(|heard| dashboard::is_just_heard(heard, began_ms))
    };
    note(
        figures.is_done() && servers.iter().any(is_heard),
        &[Cached::Stats, Cached::LiveStats, Cached::Background],
    );
    let unavailable: Vec<String> = servers
        .iter()
        .filter(|server| {
            let name = server.name();
            let of = [&activities.unavailable, &sessions.unavailable, &recent_unavailable];
            !is_heard(server) || of.iter().any(|names| names.iter().any(|other| other == name))
        })
        .map(|server| server.name().to_owned())
        .collect();
    let success = warmed.contains(&Cached::Sessions.name());
    let message = if success {
        "Caches warmed successfully".to_owned()
    } else {
        sessions.message().unwrap_or("the server did not answer; what was kept before is kept on").to_owned()
    };
    Json(Warmed { success, message, warmed, unavailable })
}

impl Plane {
    fn cache_row(&self, cached: Cached, now_ms: u64) -> Row {
        let (hits, misses) = self.control.counts.of(cached);
        let age_ms = self.kept_age_ms(cached, now_ms);
        let background = (cached == Cached::Background).then(|| {
            let as_of_ms = self.control.dashboard.figures().as_of_ms;
            Background {
                enabled: true,
                last_update: (as_of_ms > 0).then(|| iso(as_of_ms)),
                update_interval: dashboard::EVERY.as_secs(),
            }
        });
        Row {
            name: cached.name(),
            hits,
            misses,
            total_requests: hits + misses,
            hit_rate: format!("{:.1}%", percent(hits, hits + misses)),
            ttl_seconds: self.fresh_s(cached),
            cached: age_ms.is_some(),
            cache_age_seconds: age_ms.map(seconds),
            background,
        }
    }

    /// How old what is kept of it is, in milliseconds; the oldest of all servers.
    fn kept_age_ms(&self, cached: Cached, now_ms: u64) -> Option<u64> {
        let control = &self.control;
        let peek = |target: fn(greenroom_dialect::ask::Kind) -> &'static str| {
            let of = self.shown_servers().into_iter().filter_map(|server| {
                let found = control.inside.peek(server, target(server.origin.settings.kind))?;
                u64::try_from(found.age.as_millis()).ok()
            });
            of.max()
        };
        match cached {
            Cached::Activities => peek(greenroom_dialect::ask::Kind::activities_target),
            Cached::Sessions => peek(greenroom_dialect::ask::Kind::sessions_target),
            Cached::Recent => self.kept_recent_age().and_then(|age| u64::try_from(age.as_millis()).ok()),
            Cached::History => {
                let synced_ms = control.history.synced_ms(self.shown_servers());
                synced_ms.map(|at_ms| now_ms.saturating_sub(at_ms))
            }
            Cached::Stats | Cached::LiveStats | Cached::Background => {
                let heard = self.heard(&control.dashboard.figures())?;
                Some(now_ms.saturating_sub(heard.oldest_ms))
            }
        }
    }

    fn fresh_s(&self, cached: Cached) -> u64 {
        match (cached, cached.class(), self.shown_servers().first()) {
            (_, Some(class), Some(server)) => {
                let usual = class.lifetime(server.origin.settings.kind);
                server.lifetime(class, usual).fresh_s.into()
            }
            (Cached::History, ..) => 900,
            (Cached::Stats | Cached::LiveStats, ..) => dashboard::COUNTS_GOOD.as_secs(),
            _ => dashboard::EVERY.as_secs(),
        }
    }
}
