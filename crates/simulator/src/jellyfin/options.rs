//! Options of a simulated Jellyfin.

use std::time::Duration;

use crate::options::DialectSwitches;

/// Behaviour that differs between versions or is not known for sure. Every combination of switches is a server that may
/// exist.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct JellyfinSwitches {
    /// Only `Authorization: MediaBrowser …` and `ApiKey` carry a token.
    pub reject_legacy_auth: bool,
    /// Responses are compressed for clients that accept it.
    pub compress: bool,
    /// The routes below `/Users/{id}/` are still served.
    pub legacy_routes: bool,
    /// Everything is also served below `/emby`.
    pub emby_prefix: bool,
    /// Names of libraries follow `Accept-Language`.
    pub localized_names: bool,
    /// `ChannelId` is written though it is null.
    pub channel_id_null: bool,
    /// The item id within user data is zero in lists.
    pub zero_user_data_ids: bool,
    /// Without a count of all records the total is the length of the page, else 0.
    pub uncounted_is_page: bool,
    /// User data posted for another user is written to the caller's.
    pub user_data_to_caller: bool,
    /// Lists of names are split at commas as well as at `|`.
    pub split_names_at_commas: bool,
    /// Joined members of a list that can only be repeated become one other member, else they are refused.
    pub joined_enums_lose: bool,
    /// The cutoff of the next episodes is a moment, else the day that it is on (up to 10.10).
    pub cutoff_is_moment: bool,
    /// The number of children of a library is drawn anew at each request.
    pub random_folder_counts: bool,
    /// Similar items are drawn anew at each request, as suggestions are, else ordered by common genres.
    pub random_similar: bool,
    /// Lists show counts of descendants to some clients, by their names, though they are not requested.
    pub client_fields: bool,
    /// Shows are listed without seasons and episodes, as after a scan that failed.
    pub shows_without_episodes: bool,
    /// API keys may subscribe to sessions on the socket.
    pub keys_may_subscribe: bool,
    /// A library the user may not see is refused with 401 and a sentence, else with 404.
    pub denied_library_is_401: bool,
    /// Logging in by code is possible.
    pub quick_connect: bool,
    /// Bodies contain the user and the number of writes; real servers' do not.
    pub marks: bool,
    /// Base path of everything, such as `/jellyfin`; empty for none.
    pub base_url: String,
    /// Messages to a session go to one of its sockets, the last active one; else to all.
    pub one_socket_per_session: bool,
    /// A play counts at its start, and positions are kept within the shipped limits; else as a Plex does.
    pub jellyfin_play_rules: bool,
    /// Quiet time before changes of the library are announced (`LibraryUpdateDuration`). Every change restarts it.
    pub library_changed_delay: Duration,
    /// Quiet time before changes of user data are announced.
    pub user_data_changed_delay: Duration,
    /// Time that a socket may be silent.
    pub keep_alive: Duration,
}

impl DialectSwitches for JellyfinSwitches {
    fn quick() -> Self {
        Self {
            library_changed_delay: Duration::from_millis(100),
            user_data_changed_delay: Duration::ZERO,
            ..Self::default()
        }
    }
}

impl Default for JellyfinSwitches {
    fn default() -> Self {
        Self {
            reject_legacy_auth: false,
            compress: true,
            legacy_routes: true,
            emby_prefix: false,
            localized_names: false,
            channel_id_null: true,
            zero_user_data_ids: false,
            uncounted_is_page: false,
            user_data_to_caller: true,
            split_names_at_commas: false,
            joined_enums_lose: false,
            cutoff_is_moment: true,
            random_folder_counts: false,
            random_similar: true,
            client_fields: true,
            shows_without_episodes: false,
            keys_may_subscribe: false,
            denied_library_is_401: true,
            quick_connect: true,
            marks: true,
            base_url: String::new(),
            one_socket_per_session: true,
            jellyfin_play_rules: true,
            library_changed_delay: Duration::from_secs(30),
            user_data_changed_delay: Duration::from_millis(500),
            keep_alive: Duration::from_mins(1),
        }
    }
}
