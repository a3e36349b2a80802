//! A cache for any HTTP API (`kind = "http"`): from a client's connection to its response.
//!
//! The rules are in `greenroom-http-caching`, the engine in `greenroom-cache`. This crate connects them: `accept` (a
//! listener), `dispatch` (what a request is), `fast_path` with `known_reads` (reads answered before they are parsed), `api_request` (whose it is, and its keys), `route_table` (what is
//! configured for it), `read` (from the cache, or loaded), `loader` (one exchange with the server), `response_index` (what
//! responses vary by), `prefetch` with `prefetch_queue` (what an app is likely to read next), `forward` (writes, and what
//! is passed on), `graphql` (queries and mutations), `response` (what a client gets), `upstream` (breaker, queue, budget)
//! with `request_budget` and `prober`, `resource_name`, `added_secrets` (API keys that clients do not hold),
//! `tag_template` with [`json_pointer`] (tags of routes), `access_log` (records each request of a `caller`),
//! `observed_read` (observe mode) with [`observation`], [`inspection`] (explains a read), [`route_traffic`] (which route
//! would be worth a lifetime).
//!
//! Responses to requests without credentials are shared by all clients. A request with credentials has a partition of
//! its own, named by their keyed hash, unless its route is public.

mod accept;
mod access_log;
mod added_secrets;
mod api_counters;
mod api_request;
mod api_server;
mod caller;
mod dispatch;
mod fast_path;
mod forward;
mod graphql;
pub mod inspection;
pub mod json_pointer;
mod known_reads;
mod loader;
pub mod observation;
mod observed_read;
mod prefetch;
mod prefetch_queue;
mod prober;
mod read;
mod request_budget;
mod resource_name;
mod response;
mod response_index;
mod route_table;
pub mod route_traffic;
mod tag_template;
mod upstream;

pub use accept::serve;
pub use api_counters::ApiCounters;
pub use api_server::ApiServer;
pub use graphql::operation::{GraphqlRequest, OperationKind};
pub use graphql::persisted_documents::PersistedDocuments;
pub use graphql::result::{GraphqlResult, MAX_OBJECTS, ResultKind};
