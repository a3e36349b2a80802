//! Headers of HTTP APIs about caching, which differs between real ones.

use greenroom_simulator::switch_names::SwitchTable;
use greenroom_simulator_backend::options::DialectSwitches;

/// The switches of simulated HTTP APIs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct HttpApiSwitches {
    /// `/3` and `/api/v3` need a key.
    pub api_key: bool,
    /// `Cache-Control: public, max-age=3600` is sent.
    pub max_age: bool,
    /// `Cache-Control: no-store` is sent, whatever `max_age` says.
    pub no_store: bool,
    /// An `ETag` is sent, and 304 for a client that has it.
    pub etag: bool,
    /// A cookie is set each time.
    pub set_cookie: bool,
    /// `Vary: Accept-Encoding, Accept-Language` is sent.
    pub vary: bool,
    /// Parts are sent for `Range`.
    pub ranges: bool,
    /// `No-Vary-Search: key-order, params=("session")` is sent.
    pub no_vary_search: bool,
    /// A digest of the body is sent after it to clients that accept trailers.
    pub trailers: bool,
    /// `/ws/2` answers one request a second, and 503 with `Retry-After` to the others.
    pub rate_limit: bool,
}

/// The switches by name, for the command line.
pub const HTTP_API_SWITCHES: &SwitchTable<HttpApiSwitches> = &[
    ("api-key", |switches| &mut switches.api_key),
    ("max-age", |switches| &mut switches.max_age),
    ("forbid-store", |switches| &mut switches.no_store),
    ("etag", |switches| &mut switches.etag),
    ("set-cookie", |switches| &mut switches.set_cookie),
    ("vary", |switches| &mut switches.vary),
    ("ranges", |switches| &mut switches.ranges),
    ("ignores-session", |switches| &mut switches.no_vary_search),
    ("trailers", |switches| &mut switches.trailers),
    ("rate-limit", |switches| &mut switches.rate_limit),
];

impl DialectSwitches for HttpApiSwitches {}

impl Default for HttpApiSwitches {
    fn default() -> Self {
        Self {
            api_key: true,
            max_age: false,
            no_store: false,
            etag: false,
            set_cookie: false,
            vary: false,
            ranges: false,
            no_vary_search: false,
            trailers: false,
            rate_limit: false,
        }
    }
}
