//! Properties of every parser of foreign bytes, one room per parser: a property is a function that panics where
//! it does not hold. The fuzz targets call them with whatever the fuzzer makes up, a test calls them with the seeds.
//!
//! Rooms: [`requests`] with [`spelling`], [`credentials`], [`forwarding`]: what clients send. [`answers`] with
//! [`xml`], [`greetings`], [`address`], [`frames`], [`events`], [`webhooks`]: what servers send; [`http_fields`], [`graphql_requests`], [`api_bodies`]: exchanges with HTTP APIs; [`crawls`]: what of it is kept
//! of a library, [`snapshots`]: the file it is kept in. [`sequels`]: what clients are expected to ask. [`configuration`],
//! [`control`], [`app_caches`], [`playlists`], [`places`]: what people, browsers and apps send. [`archives`]: what files of comics hold. [`logins`], [`surveys`], [`comparisons`]: what the tools are told. [`matching`]: what libraries and playlists call tracks. [`stored_values`]: what other caches' stores hold. [`redaction`]: what is shown of all that. [`target`] lists them;
//! [`request`] writes requests as text.

pub mod address;
pub mod answers;
pub mod api_bodies;
pub mod app_caches;
pub mod archives;
pub mod comparisons;
pub mod configuration;
pub mod control;
pub mod crawls;
pub mod credentials;
pub mod events;
pub mod forwarding;
pub mod frames;
pub mod graphql_requests;
pub mod greetings;
pub mod http_fields;
pub mod logins;
pub mod matching;
pub mod places;
pub mod playlists;
pub mod redaction;
pub mod request;
pub mod requests;
pub mod sequels;
pub mod snapshots;
pub mod spelling;
pub mod stored_values;
pub mod surveys;
pub mod target;
pub mod webhooks;
pub mod xml;
