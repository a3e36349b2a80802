//! Handles a client's connection up to its responses: classifies requests, serves them from the cache or the server,
//! and invalidates what a write or an event changed.
//!
//! Knows no page, job or playlist. The dialects of `greenroom-dialect` classify a request; the engine of
//! `greenroom-cache` decides whether an entry may be served; `greenroom-origin` sends requests to the server.
//!
//! - A read: [`accept`] takes the connection, [`dispatch`] the request; [`proxy_request::classify`] classifies it;
//!   [`read`] checks for a grant and asks the engine ([`read::consult`]), which loads through [`read::origin_loader`];
//!   [`response`] builds the response. While the server is down: [`read::offline`].
//! - A write: [`accept`], [`dispatch`], [`write`](mod@write), which sends it once and calls [`invalidate`].
//! - A pass-through: [`accept`], [`dispatch`], [`stream`], with [`stream::websocket`] and [`stream::webhook`];
//!   [`forward`] sends it unchanged, and reads event streams as they pass.
//! - The server's own events: [`events`] subscribes to them and calls [`invalidate`].
//! - Recording: [`access_log`] makes a [`record::Decision`] of each request; [`statistics`] stores and reports the
//!   sums; [`otlp`] sends spans. Observe mode: [`shadow`].
//!
//! Modules, lowest first; none uses one above it:
//!
//! - without a server: [`http`], [`record`], [`identity`], [`request`], [`shadow`], [`otlp`], [`bypass`], [`mode`],
//!   [`ttl_overrides`], [`change_feed`], [`invalidation_state`], [`warm_keys`], [`prefetch`],
//!   [`cache_setup`], [`listing_watch`];
//! - [`server`]: one media server with all of that;
//! - parts of one request: [`proxy_request`], [`access_log`], [`response`], [`invalidate`], [`forward`];
//! - the kinds of requests: [`read`], [`write`](mod@write), [`stream`];
//! - what runs beside them: [`events`], [`prefetch_worker`], [`warm_restart`], [`statistics`], [`persistence`];
//! - [`dispatch`], [`accept`]; [`internal_client`]: internal reads.

pub mod accept;
pub mod access_log;
pub mod bypass;
pub mod cache_setup;
pub mod change_feed;
pub mod dispatch;
pub mod events;
pub mod forward;
pub mod http;
pub mod identity;
pub mod internal_client;
pub mod invalidate;
pub mod invalidation_state;
pub mod listing_watch;
pub mod mode;
pub mod otlp;

pub mod persistence;
pub mod prefetch;
pub mod prefetch_worker;
pub mod proxy_request;
pub mod proxy_trust_check;
pub mod read;
pub mod record;
pub mod request;
pub mod response;
pub mod server;
pub mod shadow;
pub mod statistics;
pub mod stored_responses;
pub mod stream;
pub mod ttl_overrides;
pub mod warm_keys;
pub mod warm_restart;
pub mod write;
