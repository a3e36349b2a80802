//! Settings of scheduled syncs.

use std::path::PathBuf;

use greenroom_library::matching::MatchPolicy;

use super::playlist_mode::{PlaylistMode, parse_policy};
use super::server::ServerSettings;
use super::source::ConfigSource;

/// Max number of scheduled syncs.
const MAX_SCHEDULED: usize = 200;
/// Keys of a playlist.
const PLAYLIST_KEYS: [&str; 12] = [
    "server",
    "library",
    "name",
    "mode",
    "shrink",
    "accounts",
    "policy",
    "file",
    "folder",
    "from",
    "every_hours",
    "results",
];

/// Source of a playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduledPlaylistSource {
    /// A file.
    File(PathBuf),
    /// Every playlist in a folder.
    Folder(PathBuf),
    /// A playlist of another configured server, by its name or id.
    Server {
        /// The server.
        server: String,
        /// The playlist.
        playlist: String,
    },
}

impl ScheduledPlaylistSource {
    /// All sources that the entry's keys name.
    fn all_named(word: &mut impl FnMut(&str) -> Option<String>) -> Vec<Self> {
        let origins = [
            word("file").map(|path| Self::File(path.into())),
            word("folder").map(|path| Self::Folder(path.into())),
            word("from").and_then(|from| {
                let (server, playlist) = from.split_once('/')?;
                Some(Self::Server { server: server.trim().to_owned(), playlist: playlist.trim().to_owned() })
            }),
        ];
        origins.into_iter().flatten().collect()
    }
}

/// A scheduled sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledPlaylist {
    /// Its name in the configuration.
    pub title: String,
    /// Its source.
    pub origin: ScheduledPlaylistSource,
    /// The target server.
    pub server: String,
    /// The library, if not the music library.
    pub library: Option<String>,
    /// Name of the target playlist, if not the source's own.
    pub name: Option<String>,
    /// Changes allowed to an existing playlist.
    pub mode: PlaylistMode,
    /// Whether it may lose most entries, or any entry if few rows matched.
    pub shrink: bool,
    /// Target accounts; the owner's if empty.
    pub accounts: Vec<String>,
    /// Policy that decides which matches are accepted.
    pub policy: MatchPolicy,
    /// Interval of syncs without a change, in hours.
    pub every_hours: u64,
    /// Folder of the reports, if not beside the file.
    pub results: Option<PathBuf>,
}

impl ScheduledPlaylist {
    /// Reads all scheduled syncs.
    pub(super) fn read_all(tree: &mut ConfigSource, servers: &[ServerSettings]) -> Vec<Self> {
        let names = tree.names_below("playlist", &PLAYLIST_KEYS);
        if names.len() > MAX_SCHEDULED {
            tree.problem(tree.place("playlist"), format!("there are more than {MAX_SCHEDULED} playlists"));
            return Vec::new();
        }
        names.iter().filter_map(|name| Self::read(tree, name, servers)).collect()
    }

    fn read(tree: &mut ConfigSource, title: &str, servers: &[ServerSettings]) -> Option<Self> {
        let key = |last: &str| format!("playlist.{title}.{last}");
        let place = tree.place(&key("server"));
        let mut word = |last: &str| {
            let said = tree.take(&key(last)).map(|leaf| leaf.text.trim().to_owned());
            said.filter(|text| !text.is_empty())
        };
        let (server, library, name) = (word("server"), word("library"), word("name"));
        let origins = ScheduledPlaylistSource::all_named(&mut word);
        let (mode, accounts, policy) = (word("mode"), word("accounts"), word("policy"));
        let results = word("results").map(PathBuf::from);
        let shrink = tree.parse(&key("shrink"), "true or false").unwrap_or(false);
        let every_hours = tree.number(&key("every_hours"), 1, 24 * 366, 24);
        let mut wrong = |message: String| tree.problem(place.clone(), format!("playlist \"{title}\" {message}"));
        if origins.len() != 1 {
            wrong("needs one of file, folder and from = \"SERVER/PLAYLIST\"".into());
        }
        let origin = origins.into_iter().next_back()?;
        if matches!(origin, ScheduledPlaylistSource::Folder(_)) && name.is_some() {
            wrong("is a folder, whose playlists have their own names: leave name out".into());
        }
        let Some(server) = server else {
            wrong("needs server = \"NAME\", the one it is written to".into());
            return None;
        };
        let known = |name: &str| servers.iter().find(|server| server.name == name);
        let target = known(&server);
        if target.is_none() {
            wrong(format!("names the server \"{server}\", which is not configured"));
        }
        if let ScheduledPlaylistSource::Server { server: from, .. } = &origin
            && known(from).is_none()
        {
            wrong(format!("comes from the server \"{from}\", which is not configured"));
        }
        let accounts: Vec<String> = accounts
            .iter()
            .flat_map(|text| text.split(','))
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        for account in &accounts {
            if target.is_some_and(|target| !target.accounts.contains_key(account)) {
                wrong(format!("names the account \"{account}\", which \"{server}\" does not have"));
            }
        }
        let chosen = mode.as_deref().map_or(Some(PlaylistMode::Replace), PlaylistMode::parse);
        if chosen.is_none() {
            wrong("has another mode than \"create\", \"replace\" and \"append\"".into());
        }
        let counts = policy.as_deref().map_or(Some(MatchPolicy::Strict), parse_policy);
        if counts.is_none() {
            wrong("has another policy than \"strict\", \"prefer-version-else-any\" and \"ids-only\"".into());
        }
        Some(Self {
            title: title.to_owned(),
            origin,
            server,
            library,
            name,
            mode: chosen?,
            shrink,
            accounts,
            policy: counts?,
            every_hours,
            results,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;
    use greenroom_dialect::credential::Secret;

    const HOME: &str = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";

    fn read(more: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", &format!("{HOME}{more}"));
        tree.add_environment(environment.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        Settings::read(tree).map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn accounts_are_tables_or_variables() {
        let settings = read(
            "[server.accounts.kids]\ntoken = \"k\"\n",
            &[("GREENROOM_SERVER_HOME_ACCOUNTS_LIVING_ROOM_TOKEN", "l")],
        );
        let accounts = &settings.expect("valid").servers[0].accounts;
        assert_eq!(accounts.keys().collect::<Vec<_>>(), ["kids", "living-room"]);
        assert_eq!(accounts["kids"].token.as_ref().map(Secret::expose), Some("k"));
        let problem = read("[server.accounts.kids]\nuser = \"kids\"\n", &[]).expect_err("no token");
        assert!(problem.contains("needs a token"), "{problem}");
        let problem = read("[server.accounts.kids]\ntoken = \"k\"\ncolour = 1\n", &[]).expect_err("unknown");
        assert!(problem.contains("unknown key server.home.accounts.kids.colour"), "{problem}");
    }

    #[test]
    fn a_playlist_says_where_it_comes_from_and_where_it_goes() {
        let settings = read(
            "[server.accounts.kids]\ntoken = \"k\"\n[playlist.weekly]\nserver = \"home\"\nfile = \"/w.jspf\"\naccounts = [\"kids\"]\n",
            &[],
        );
        let standing = settings.expect("valid").playlists.remove(0);
        assert_eq!(
            (standing.title.as_str(), standing.mode, standing.every_hours),
            ("weekly", PlaylistMode::Replace, 24)
        );
        assert_eq!(standing.origin, ScheduledPlaylistSource::File("/w.jspf".into()));
        for (more, wrong) in [
            ("server = \"home\"\n", "needs one of"),
            ("file = \"/w\"\n", "needs server"),
            ("server = \"attic\"\nfile = \"/w\"\n", "not configured"),
            ("server = \"home\"\nfrom = \"attic/Weekly\"\n", "comes from"),
            ("server = \"home\"\nfile = \"/w\"\naccounts = [\"sam\"]\n", "does not have"),
            ("server = \"home\"\nfile = \"/w\"\nmode = \"swap\"\n", "another mode"),
            ("server = \"home\"\nfolder = \"/w\"\nname = \"W\"\n", "own names"),
            ("server = \"home\"\nfile = \"/w\"\nfolder = \"/f\"\n", "needs one of"),
        ] {
            let problem = read(&format!("[playlist.weekly]\n{more}"), &[]).expect_err(more);
            assert!(problem.contains(wrong), "{problem}");
        }
    }
}
