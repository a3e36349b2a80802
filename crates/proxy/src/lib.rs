//! From a client's connection to its answer: what a request means, whether it may be answered from the cache, what is
//! asked of the server, and what a write or an event makes stale.
//!
//! Knows no page, no job and no playlist. What a request *is* the dialects of `greenroom-dialect` say; when an entry may be
//! served the engine of `greenroom-cache` says; how the server is asked `greenroom-origin` says.
//!
//! - A read: [`accept`] takes the connection, [`dispatch`] the request; [`visit::classify`] says what it means; [`read`]
//!   looks for a proof and asks the engine ([`read::consult`]), which asks the server through [`read::origin_loader`];
//!   [`response`] builds what leaves. While the server is down: [`read::offline`].
//! - A write: [`accept`], [`dispatch`], [`write`](mod@write), which sends it once and tells [`invalidate`] what went stale.
//! - What passes: [`accept`], [`dispatch`], [`stream`], with [`stream::websocket`] and [`stream::webhook`]; [`forward`] sends
//!   it as it is, and reads event streams while they pass.
//! - The server's own events: [`events`] follows them and tells [`invalidate`].
//! - What is recorded of each: [`access_log`] makes a [`record::Decision`]; [`statistics`] keeps and tells what these add up
//!   to; [`otlp`] sends spans. What would have been answered: [`shadow`].
//!
//! The rooms, the lowest first; none knows one above it:
//!
//! - what knows no server: [`http`], [`record`], [`identity`], [`request`], [`shadow`], [`otlp`], [`bypass`], [`mode`],
//!   [`ttl_overrides`], [`shrink_guard`], [`change_feed`], [`trusted_proxies`], [`invalidation_state`], [`warm_keys`],
//!   [`prefetch`], [`known_tokens`], [`cache_setup`];
//! - [`server`]: one media server with all of that;
//! - what is said and done of one request: [`visit`], [`access_log`], [`response`], [`invalidate`], [`forward`];
//! - the kinds of requests: [`read`], [`write`](mod@write), [`stream`];
//! - what runs beside them: [`events`], [`prefetch_worker`], [`warm_restart`], [`statistics`], [`persistence`];
//! - [`dispatch`], [`accept`]; [`internal_client`]: a read of our own.

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
pub mod known_tokens;
pub mod mode;
pub mod otlp;

pub mod persistence;
pub mod prefetch;
pub mod prefetch_worker;
pub mod proxy_trust_check;
pub mod read;
pub mod record;
pub mod request;
pub mod response;
pub mod server;
pub mod shadow;
pub mod shrink_guard;
pub mod statistics;
pub mod stored_responses;
pub mod stream;
pub mod trusted_proxies;
pub mod ttl_overrides;
pub mod visit;
pub mod warm_keys;
pub mod warm_restart;
pub mod write;
