//! Configuration: one TOML file, the environment and the command line, parsed into [`Settings`].
//!
//! Every key of the file is also an environment variable: `control.listen` is `GREENROOM_CONTROL_LISTEN`, and a
//! server's `url` is `GREENROOM_SERVER_<NAME>_URL`. The command line wins over the environment, which wins over the
//! file. All errors are found in one pass and reported together, each with its place; an unknown key is an error too.
//!
//! Modules: [`source`] (where values come from), [`settings`] (what they mean), [`server`] (one media server),
//! [`address`], `section`, `token` and `toml_text` (shared parsers), [`control`] (access to the control plane), [`disk`] (disk
//! tier), [`folder`] (folders of files), [`app_caches`] (caches for apps), [`remote_store`] (Redis or Valkey),
//! [`http_api`], [`http_route`] and [`http_prefetch`] (servers of any HTTP API),
//! [`listener_limits`], [`body_limits`] and [`networks`] (limits on clients), [`prefetch`], [`library`] (library
//! indexes), [`matching`] (match overrides), [`notification_targets`], [`playlists`] (scheduled syncs), [`statistics`],
//! [`takeover`], [`tls`] (trusted and own certificates), [`tracing`], [`template`] (`config init`), `removed` (settings
//! of earlier versions). For advice to users: [`config_place`] (where a server was configured), [`TokenSetup`] (how to get a
//! token and use it), [`shell_quote`] (words of commands to copy).

pub mod account;
pub mod address;
pub mod app_caches;
pub mod body_limits;
pub mod cache_mode;
pub mod certificate_files;
pub mod config_place;
pub mod control;
pub mod disk;
pub mod endpoint;
pub mod fingerprint;
pub mod folder;
pub mod http_api;
pub mod http_prefetch;
pub mod http_route;
mod library;
pub mod listener_limits;
pub mod local_address;
pub mod matching;
pub mod networks;
pub mod notification_event;
pub mod notification_targets;
pub mod notification_template;
pub mod playlist_mode;
pub mod playlists;
pub mod prefetch;
pub mod remote_store;
mod removed;
mod section;
pub mod server;
pub mod settings;
pub mod shell_quote;
pub mod source;
pub mod statistics;
pub mod takeover;
pub mod target_url;
pub mod template;
pub mod tls;
mod token;
mod token_setup;
mod toml_text;
pub mod tracing;
pub mod trust;

pub use app_caches::{AppCacheSettings, AppCachesSettings, EvictionPolicy};
pub use cache_mode::CacheMode;
pub use control::ControlSettings;
pub use endpoint::Endpoint;
pub use fingerprint::Fingerprint;
pub use folder::{FolderSettings, WatchMode};
pub use http_api::HttpApiSettings;
pub use http_route::HttpRouteSettings;
pub use library::{InitialIndexing, LibrarySettings};
pub use listener_limits::ListenerLimits;
pub use matching::MatchingSettings;
pub use networks::Networks;
pub use notification_event::NotificationEvent;
pub use notification_targets::NotificationTargetSettings;
pub use notification_template::NotificationTemplate;
pub use prefetch::PrefetchSettings;
pub use remote_store::{RemoteStoreSettings, StoreOutageMode};
pub use server::ServerSettings;
pub use settings::{DASHBOARD_INTERVAL, MemorySettings, Settings};
pub use source::{ConfigError, ConfigSource};
pub use statistics::StatisticsSettings;
pub use takeover::TakeoverSettings;
pub use target_url::TargetUrl;
pub use token_setup::TokenSetup;
pub use tracing::TracingSettings;
pub use trust::CertificateTrust;
