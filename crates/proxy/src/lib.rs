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
//! - The server's own events: [`feed_worker`] subscribes to them, asks what changed, and calls [`invalidate`].
//! - After a gap, or when an entry expires: [`confirmation`] remembers what vouches for it, `confirmation_check` asks.
//! - Recording: [`access_log`] makes a [`greenroom_request_log::Decision`] of each request; [`otlp`] sends spans. Observe mode:
//!   [`shadow`].
//!
//! Modules, lowest first; none uses one above it:
//!
//! - without a server: [`identity`], [`request`], [`shadow`], [`otlp`], [`mode`],
//!   [`ttl_overrides`], [`feed`], [`invalidation_state`], [`warm_keys`], [`prefetch`],
//!   [`listing_watch`], [`cache_setup`], [`confirmation`];
//! - [`server`]: one media server with all of that;
//! - parts of one request: [`proxy_request`], [`access_log`], [`response`], [`invalidate`], [`forward`];
//! - the kinds of requests: [`read`] with `confirmation_check`, [`write`](mod@write), [`stream`];
//! - what runs beside them: [`feed_worker`], [`prefetch_worker`], [`warm_restart`], [`persistence`];
//! - [`dispatch`], [`accept`]; [`internal_client`]: internal reads.

pub mod accept;
pub mod access_log;
pub mod account_request;
pub mod cache_setup;
pub mod confirmation;
mod confirmation_check;
pub mod dispatch;
pub mod feed;
pub mod feed_worker;
pub mod forward;
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
pub mod request;
pub mod response;
mod sabotage;
pub mod server;
pub mod shadow;
pub mod stored_responses;
pub mod stream;
pub mod ttl_overrides;
pub mod warm_keys;
pub mod warm_restart;
pub mod write;
