//! The commented file written by `greenroom config init`.

/// Every key with its default, commented out where the default suits most.
pub const TEMPLATE: &str = r#"# Greenroom. Every key is also an environment variable: control.listen is GREENROOM_CONTROL_LISTEN, and a server's
# url is GREENROOM_SERVER_<NAME>_URL. Check this file with: greenroom config check FILE
#
# A key that is commented out shows its default, unless its comment begins with "example".

# Variables alone are enough, without any file. A server is there as soon as its kind is said:
#   GREENROOM_SERVER_HOME_KIND=plex  GREENROOM_SERVER_HOME_URL=http://192.168.1.10:32400

# Where the control token, the key that hides identities and the cache are kept.
# data_dir = "/var/lib/greenroom"      # example; default: your state directory

# Reverse proxies whose word on a client's address counts. From anybody else it is not even passed on.
# trusted_proxies = ["127.0.0.1", "172.16.0.0/12"]   # example; default: none

[control]
# The page, the API and /metrics. Reads without the control token are answered on loopback only.
listen = "127.0.0.1:8710"
# hosts = ["media.example", "greenroom"]   # example: names it is called by, beside localhost and addresses
# max_connections = 256                # at a time; beyond, an idle one is closed, or one whose head is not there yet
# max_connections_per_peer = 64        # from one address; trusted proxies may have more
# base_path = "/greenroom"             # example: a path that a reverse proxy puts before ours
# open_reads = ["/metrics from 192.168.1.0/24"]   # example: what may be read without the token, and from where

# The certificate shown there; without it nothing is encrypted. It is read again when the files change.
# [control.listen_tls]
# cert_file = "/etc/greenroom/certificate.pem"   # example
# key_file = "/etc/greenroom/key.pem"            # example

[memory]
# max_bytes = 268435456            # all kept answers together
# max_entry_bytes = 33554432       # one answer
# max_partition_bytes = 134217728  # the answers of one identity
# max_held_body_bytes = 67108864   # bodies of requests on their way to all servers, beside the answers

[state]
# settle_ms = 50                   # longest wait of a response that rejects a token until the rejection is on disk

# The part of the cache that outlives a restart. It may be deleted at any time, also while Greenroom runs.
[disk]
# enabled = true
# dir = "/var/cache/greenroom"     # example: a local disk; default: the folder "cache" in data_dir
# max_bytes = 2147483648           # beyond, what was read longest ago makes room
# max_queued_bytes = 67108864      # answers that wait to be written; beyond, the oldest are dropped
# max_wal_bytes = 16777216         # the write-ahead log is cut above this
# write_linger_ms = 1000           # answers are written together; a crash loses what came within this time
# rewrite_after_s = 600            # short-lived or unchanged answers are not written again before this; 0: every one
# short_life_s = 60                # an answer that is served for less than this without its server is short-lived
# max_rewrite_keys = 16384         # answers of which it is remembered when they were written
# read_timeout_ms = 20             # a slower disk is passed over
# drain_timeout_ms = 5000          # for writing what is left when it is stopped

# A Redis or Valkey behind memory and disk: answers outlive this machine, and several gateways share them. Read
# docs/scaling.md first. Variables of other tools count where no url is said: REDIS_ENABLED, REDIS_HOST, REDIS_PORT,
# REDIS_DB, REDIS_PASSWORD.
# [store.redis]
# enabled = true
# url = "redis://127.0.0.1:6379"   # example; rediss:// is encrypted, unix:/PATH a socket; several, separated by commas: a Cluster
# user = "greenroom"               # example
# password = "..."                 # example
# password_file = "/run/secrets/redis-password"      # example
# database = 0                     # example; a Cluster has only this one
# prefix = "greenroom"             # begins every key; gateways with the same prefix share what is there
# shared = false                   # true: other gateways use this prefix, each with the same cluster_key and servers
# cluster_key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"   # example; make your own: greenroom cluster key
# cluster_key_file = "/etc/greenroom/cluster.key"    # example
# ca_file = "/etc/greenroom/authority.pem"            # example
# client_cert_file = "/etc/greenroom/client.pem"      # example
# client_key_file = "/etc/greenroom/client-key.pem"   # example
# resp3 = true                     # the newer protocol, from version 6 on
# read_timeout_ms = 50             # a slower store is passed over
# response_timeout_ms = 250        # for everything that no request waits for
# peer_timeout_ms = 3000           # a gateway not heard for this long serves nothing that others could have changed
# when_away = "through"            # shared, and the store is away: ask the server; "bounded": serve what is young
# bounded_s = 10                   # how young
# max_body_bytes = 4194304         # longer answers stay in memory and on disk
# max_queued_bytes = 33554432      # answers that wait to be written; beyond, the oldest are dropped

# How `greenroom serve --take-over` takes the place of a running one without failing a request.
[takeover]
# idle_ms = 1000                   # connections that are idle for longer are closed
# drain_s = 10                     # requests under way and films may take so long to end

# Libraries are kept whole, so that playlists, paths and ids are found without asking the server. That needs a token
# of the owner. Variables of other tools count where nothing is said here: AUTO_ENABLE_LIBRARY_CACHE,
# LIBRARY_CACHE_PLEX_ENABLED, LIBRARY_CACHE_JELLYFIN_ENABLED, IMMEDIATE_CACHE_BUILD, CACHE_BUILD_TIMEOUT_MINUTES,
# LIBRARY_CACHE_MEMORY_LIMIT_MB, LIBRARY_CACHE_SCHEDULE_HOURS, PLEX_LIBRARY_NAME.
[library]
# enabled = true
# index_at_start = true            # example: video too; default: music at once, video when it is first needed; false: nothing before
# timeout_minutes = 180            # for one build, with everything that holds it up
# memory_limit_mb = 1024           # what all of them together may take
# schedule_hours = 24              # then it is compared as a whole; 0: never by itself
# music = "Music"                  # example: the library that is meant where none is named; default: the music library

# What is remembered of matches. The server is searched only if the request says so.
[matching]
# max_decisions = 100000           # pins, rejections, and what was confirmed by use
# live_per_call = 50               # searches of one call
# live_per_minute = 60             # searches in any minute, for each server

# What is done by itself from time to time: greenroom jobs
[jobs]
# at_once = 3                      # that run at a time; the others wait in line

# What was played, mirrored for dashboards.
[history]
# max_rows = 1000000               # the oldest go first; 0: nothing is mirrored

# Figures that dashboards ask for are computed in advance while they do.
[dashboard]
# refresh_s = 60                   # or STATS_REFRESH_INTERVAL, a variable of another tool

# What was asked and how it was answered is counted by minute (48 hours), hour (35 days) and day (two years).
[statistics]
# max_bytes = 67108864             # in state.db; beyond, the oldest minutes go first
# write_every_s = 60               # so much a crash may lose
# spot_check_one_in = 200          # of so many answers from the cache, one is compared with the server; 0: none
# spot_checks_per_minute = 6       # for each server at most
# user_names = true                # show users by name where their server tells it; false: by a hash

[[server]]
name   = "home"
kind   = "plex"                        # or "jellyfin"; "http": any HTTP API, see docs/http-apis.md
url    = "http://192.168.1.10:32400"   # a base path is allowed: https://media.example/jellyfin
listen = "0.0.0.0:32500"               # point your apps here
# A token of the owner lets Greenroom follow the server's events. Without it everything works, only a change made
# on the server itself is noticed later.
# token = "..."                        # example
# token_file = "/run/secrets/plex-token"   # example
# mode = "cache"                       # "observe": the server answers, the cache only judges; "bypass": plain proxy
# public_url = "https://media.example/jellyfin"   # example; Jellyfin: where clients find it; default: where they asked
# listen_base_path = "/jellyfin"       # example: a path that a reverse proxy leaves before ours; default: that of url
# load_timeout_s = 30
# max_body_bytes = 33554432
# upstream_concurrency = 8             # requests at a time; only media, sockets and bodies on their way do not count
# max_waiting = 1000                   # requests that may wait for one of these
# auth_ttl_s = 300                     # how long the server's yes to a token holds
# offline_auth_ttl_s = 86400           # how long that yes holds on while the server is down
# feed_lost_fresh_s = 10               # user state is fresh for this long while the server's events were lost
# confirmation_interval_s = 30         # the library and an account's user state are checked at most this often
# pulse_interval_s = 5                 # while the cache answers, how often the server is asked what changed; 0: never
# translate_legacy_auth = true         # Jellyfin: send old forms of credentials on in the new form
# max_connections = 1024               # of apps at a time
# max_connections_per_peer = 256       # from one address; trusted proxies may have more
# max_sockets = 256                    # notification sockets and event streams at a time
# max_sockets_per_identity = 32
# max_streams = 256                    # films, downloads and other long answers at a time; beyond, 503
# max_streams_per_identity = 128       # of them, with one token
# max_streams_unproven = 64            # of them and of the sockets, without a token that the server has accepted
# max_streams_unproven_per_peer = 32   # of those, from one address
# max_request_body_bytes = 67108864    # the longest body of a write; a longer one is refused with 413
# max_whole_body_bytes = 1048576       # read whole before it is sent; a longer one is passed on while it arrives
# max_whole_body_bytes_unproven = 65536          # with a token that the server has never accepted
# max_held_body_bytes = 33554432       # of bodies held in memory at a time; beyond, writes are refused with 503
# max_held_body_bytes_per_peer = 8388608         # for one address
# max_held_body_bytes_unproven = 2097152         # for all tokens that the server has never accepted
# max_held_body_bytes_unproven_per_peer = 524288 # for those of one address; default: a quarter of it
# max_uploads = 32                     # bodies passed on while they arrive, at a time
# max_uploads_per_peer = 16
# max_uploads_unproven = 8
# known_proxy = false                  # Jellyfin: its KnownProxies names this machine
# public_images = false                # Jellyfin: serve cached images without a token, as the server itself does
# fast_path = true                     # answer a repeated request from memory before it is parsed; false: parse all

# Which certificates to accept where url begins with https://. Without this: those that this machine trusts.
# [server.tls]
# ca_file = "/etc/greenroom/authority.pem"   # example: believe what these authorities signed, and nothing else
# server_name = "media.example"              # example: the certificate is for this name, not for the one in url
# pin_sha256 = "..."                         # example: accept this certificate or public key, whatever signed it

# The certificate shown to apps, as above.
# [server.listen_tls]
# cert_file = "/etc/greenroom/certificate.pem"   # example
# key_file = "/etc/greenroom/key.pem"            # example

# Further users whose playlists may be written: greenroom sync --account kids
# [server.accounts.kids]
# token = "..."                              # or token_file
# user = "kids"                              # example; Jellyfin: the user for a token that is an API key

# What an app is likely to ask next, learnt from what it asked before, is loaded when an answer has left.
# [server.prefetch]
# enabled = false
# max_per_answer = 12                        # loads after one answer
# budget_per_minute = 120                    # loads in any minute
# classes = ["item", "lists", "images"]      # of these classes

# The same for the libraries of one server.
# [server.library]
# enabled = true
# index_at_start = true                      # example
# timeout_minutes = 180
# schedule_hours = 24
# music = "Music"                            # example

# How the paths that apps know become the server's, for lookups by path: a regular expression, and what its first match
# becomes. Several may follow one another; the first that matches counts. It is used in both directions.
# [[server.path_map]]
# from = '^/data/(.*)$'                      # example
# to = '/mnt/media/$1'                       # example

# Lifetimes of a class of answers, in seconds. The three windows add up. Variables of another tool count where nothing is said:
# CACHE_ACTIVITIES_TTL (activities, sessions), CACHE_WATCH_HISTORY_TTL (history), CACHE_LIBRARY_TTL (sections, counts).
# [server.lifetimes.sessions]
# fresh_s = 10                               # example; default: what `greenroom policies` shows
# stale_s = 10                               # example
# stale_on_error_s = 86400                   # example

# Who is told when a server goes down or comes back, a build fails, a library shrinks, a token is rejected, the disk is
# off. Try it with: greenroom notices test
# [[notice]]
# name = "phone"
# url = "https://ntfy.example/my-topic"      # or url_file; it may hold a token, so it is never shown
# template = "json"                          # "ntfy", "gotify", "discord", "apprise"
# token = "..."                              # example; or token_file, where the service wants one beside the url
# secret = "..."                             # example; or secret_file; signs every message: see docs/notices.md
# events = ["server-down", "server-up", "build-failed", "library-shrank", "token-rejected", "disk-off", "disk-back"]
# group_s = 30                               # what happens within this time is told together
# max_per_10_minutes = 6                     # beyond, everything waits and is told as one

# Traces: one span for each sampled request, as OTLP over HTTP in JSON, to this address with /v1/traces after it.
# [tracing]
# otlp_url = "http://127.0.0.1:4318"
# token = "..."                              # example: where the collector wants one
# token_file = "/run/secrets/collector-token"   # example
# sample_one_in = 10

# Folders of files, such as comics: an index that is never empty while it is built, with marks and covers. A gateway
# may have folders and no server.
# [[folder]]
# name = "comics"
# path = "/srv/comics"
# extensions = ["cbz", "cbr", "cb7", "cbt"]  # whatever their case
# ignore = ["*.partial", "incoming/"]        # example: as in an ignore file
# follow_links = false                       # links are never followed
# watch = "auto"                             # "poll": look for changes; "off": only the comparison
# poll_interval_s = 60                       # on network file systems and with "poll"
# compare_interval_s = 3600                  # then the whole tree is compared
# first_wait_s = 5                           # how long a list waits for the first scan
# scan_threads = 2
# max_files = 1000000
# enrich = true                              # read page counts and ComicInfo.xml
# cover_cache_bytes = 268435456              # thumbnails; 0: no covers
# marks = ["processed", "duplicate", "web_modified"]   # the first is the main one
# compat = false                             # true: this folder answers GET /api/files and the like
# marker_dir = "/config/markers"             # example: marker files or database of another program that goes on writing them

# Caches for apps: a store that any program may use over the API, with a token of its own. A cache that is not listed
# here has the defaults, and is made on first use by a token that may (greenroom token add NAME --caches worker).
# [apps]
# socket = "/run/greenroom/apps.sock"        # example: the caches on a Unix socket as well
# socket_group = "media"                     # example: this group may connect; default: the owner alone
# max_caches = 10000
# [[app_cache]]
# name = "worker"
# max_bytes = 268435456
# max_entries = 20000000
# max_value_bytes = 16777216
# ttl_s = 0                                  # for entries that are stored without a time; 0: for ever
# stale_s = 0                                # how long after that they may be served as stale
# eviction = "least-recently-stored"         # "none": a full cache refuses writes

# Playlists that are kept in step by themselves: a file, a folder of files, or a playlist of another server.
# [playlist.weekly]
# server = "home"                            # where it is written
# file = "/srv/playlists/weekly.jspf"        # or folder = "/srv/playlists", or from = "attic/Weekly"
# library = "3"                              # example; default: the music library
# name = "Weekly"                            # example; default: what it calls itself, else the file's name
# mode = "replace"                           # "create": once; "append": add what is missing
# shrink = false                             # true: it may lose most of its tracks at once
# accounts = ["kids"]                        # example; default: the owner's token
# policy = "strict"                          # "prefer-version-else-any", "ids-only"
# every_hours = 24                           # a file is also taken when it has changed
# results = "/srv/playlists/results"         # example; reports and missing rows; default: beside the file
"#;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::source::variable;
    use super::super::{ConfigSource, Settings};
    use super::TEMPLATE;

    #[test]
    fn the_template_is_valid_as_it_stands() {
        let mut tree = ConfigSource::default();
        tree.add_toml("template", TEMPLATE);
        assert!(Settings::read(tree).is_ok());
    }

    /// Keys that a table needs before another of its keys counts: `tls` needs a server with TLS, a playlist a source.
    fn required_lines(table: &str) -> &'static str {
        match table {
            "[[notice]]" => "name = \"phone\"\nurl = \"https://ntfy.example/my-topic\"\n",
            "[playlist.weekly]" => "server = \"home\"\nfile = \"/srv/playlists/weekly.jspf\"\n",
            "[[folder]]" => "name = \"comics\"\npath = \"/srv/comics\"\n",
            "[[app_cache]]" => "name = \"worker\"\n",
            "[tracing]" => "otlp_url = \"http://127.0.0.1:4318\"\n",
            "[store.redis]" => "url = \"redis://127.0.0.1:6379\"\n",
            "[server.accounts.kids]" => "token = \"x\"\n",
            _ => "",
        }
    }

    /// The settings of the template's active lines, with further lines in one of its tables.
    fn settings_with(table: &str, lines: &str) -> Result<String, String> {
        let mut text = String::new();
        let mut is_added = table.is_empty();
        if is_added {
            text.push_str(lines);
        }
        for line in TEMPLATE.lines().filter(|line| !line.starts_with('#')) {
            text.extend([line, "\n"]);
            if line == table {
                text.push_str(lines);
                is_added = true;
            }
        }
        if !is_added {
            text.extend([table, "\n", lines]);
        }
        let mut tree = ConfigSource::default();
        tree.add_toml("template", &text);
        let mut settings = Settings::read(tree).map_err(|problems| format!("{problems:?}"))?;
        // The line of the URL depends on the lines before it.
        settings.servers.iter_mut().for_each(|server| server.url_place.clear());
        Ok(format!("{settings:?}"))
    }

    #[test]
    fn a_key_that_is_commented_out_shows_its_default_or_says_that_it_is_an_example() {
        let mut table = "";
        let mut wrong = Vec::new();
        let mut checked = 0;
        for line in TEMPLATE.lines() {
            let rest = line.strip_prefix("# ").unwrap_or(line);
            if rest.starts_with('[') {
                table = rest;
            }
            let is_key =
                |name: &str| name.trim_end().bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
            let Some((name, value)) = rest.split_once('=').filter(|(name, _)| is_key(name)) else { continue };
            if !line.starts_with('#') || required_lines(table).contains(&format!("{} =", name.trim_end())) {
                continue;
            }
            checked += 1;
            let required = required_lines(table);
            let without = settings_with(table, required);
            let with = settings_with(table, &format!("{required}{rest}\n"));
            let is_example =
                value.split_once(" # ").is_some_and(|(_, comment)| comment.trim_start().starts_with("example"));
            if (with == without) == is_example {
                wrong.push(format!("{table} {line}"));
            }
        }
        assert!(checked > 80, "keys are written in another way now: {checked}");
        assert!(wrong.is_empty(), "{} keys:\n{}", wrong.len(), wrong.join("\n"));
    }

    /// The template with all keys active.
    fn uncommented() -> String {
        let is_key = |word: &str| word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        let in_force = |rest: &str| {
            rest.starts_with('[') || rest.split_once(" =").is_some_and(|(word, _)| is_key(word.trim_end()))
        };
        let line = |line: &'static str| line.strip_prefix("# ").filter(|rest| in_force(rest)).unwrap_or(line);
        TEMPLATE.lines().flat_map(|text| [line(text), "\n"]).collect()
    }

    #[test]
    fn every_key_of_the_template_is_known() {
        // Keys that name a file need an existing one, and TLS keys need a TLS URL.
        let without_files: String = uncommented()
            .lines()
            .filter(|line| !line.contains("_file =") && !line.contains("pin_sha256 ="))
            .map(|line| line.replace("\"http://", "\"https://") + "\n")
            .collect();
        let mut tree = ConfigSource::default();
        tree.add_toml("template", &without_files);
        assert_eq!(Settings::read(tree).map(|_| ()), Ok(()));
    }

    #[test]
    fn every_key_there_is_stands_in_the_template_and_has_a_variable_of_its_own() {
        let mut tree = ConfigSource::default();
        tree.add_toml("template", TEMPLATE);
        let asked = tree.asked.clone();
        assert!(Settings::read(tree).is_ok());
        let mut written = ConfigSource::default();
        written.add_toml("template", &uncommented());
        let mut variables = BTreeMap::new();
        let asked = asked.lock().clone();
        for path in &asked {
            if let Some(other) = variables.insert(variable(path), path) {
                panic!("{path} and {other} have the same variable");
            }
            let mut tree = ConfigSource::default();
            let server = ("GREENROOM_SERVER_HOME_KIND".to_owned(), "plex".to_owned());
            tree.add_environment([server, (variable(path), "said".into())].into_iter());
            assert_eq!(tree.take(path).map(|leaf| leaf.text).as_deref(), Some("said"), "{path}");
            let lifetime = path.strip_prefix("server.home.lifetimes.").and_then(|rest| rest.split_once('.'));
            let is_map = path.starts_with("server.home.path_map.");
            let shown =
                lifetime.map_or_else(|| path.clone(), |(_, last)| format!("server.home.lifetimes.sessions.{last}"));
            // Only the first of several is shown; the one after the last is looked up.
            let shown = if is_map { shown.replace(".path_map.2.", ".path_map.1.") } else { shown };
            assert!(written.has(&shown), "{shown} is not in the template");
        }
        assert!(asked.len() > 80, "only {} keys were asked for", asked.len());
    }
}
