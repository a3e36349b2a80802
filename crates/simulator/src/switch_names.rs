//! Switches of both dialects by name, for the command line.

use crate::{jellyfin, plex};

/// The switches of one dialect by name.
pub type SwitchTable<S> = [(&'static str, fn(&mut S) -> &mut bool)];

/// Switches of a Plex.
pub const PLEX_SWITCHES: &SwitchTable<plex::PlexSwitches> = &[
    ("scrobble-announced", |switches| &mut switches.scrobble_announced),
    ("content-changed-by-edits", |switches| &mut switches.content_changed_by_edits),
    ("sockets-for-owner-only", |switches| &mut switches.sockets_for_owner_only),
    ("playing-every-second", |switches| &mut switches.playing_every_second),
    ("gzip", |switches| &mut switches.gzip),
    ("double-content-length", |switches| &mut switches.double_content_length),
    ("vary", |switches| &mut switches.vary),
    ("etag-on-images", |switches| &mut switches.etag_on_images),
    ("unknown-filter-refused", |switches| &mut switches.unknown_filter_refused),
    ("playlist-takes-one", |switches| &mut switches.playlist_takes_one),
    ("hubs-differ-by-client", |switches| &mut switches.hubs_differ_by_client),
    ("search-differs-by-features", |switches| &mut switches.search_differs_by_features),
    ("ignores-paging-in-query", |switches| &mut switches.ignores_paging_in_query),
    ("ignores-paging-in-headers", |switches| &mut switches.ignores_paging_in_headers),
    ("trusts-forwarded-for", |switches| &mut switches.trusts_forwarded_for),
    ("claimed", |switches| &mut switches.claimed),
    ("marks", |switches| &mut switches.marks),
    ("trusts-neighbours", |switches| &mut switches.trusts_neighbours),
    ("shows-without-episodes", |switches| &mut switches.shows_without_episodes),
];

/// Switches of a Jellyfin.
pub const JELLYFIN_SWITCHES: &SwitchTable<jellyfin::JellyfinSwitches> = &[
    ("reject-legacy-auth", |switches| &mut switches.reject_legacy_auth),
    ("compress", |switches| &mut switches.compress),
    ("legacy-routes", |switches| &mut switches.legacy_routes),
    ("emby-prefix", |switches| &mut switches.emby_prefix),
    ("localized-names", |switches| &mut switches.localized_names),
    ("channel-id-null", |switches| &mut switches.channel_id_null),
    ("zero-user-data-ids", |switches| &mut switches.zero_user_data_ids),
    ("uncounted-is-page", |switches| &mut switches.uncounted_is_page),
    ("user-data-to-caller", |switches| &mut switches.user_data_to_caller),
    ("split-names-at-commas", |switches| &mut switches.split_names_at_commas),
    ("keys-may-subscribe", |switches| &mut switches.keys_may_subscribe),
    ("denied-library-is-401", |switches| &mut switches.denied_library_is_401),
    ("quick-connect", |switches| &mut switches.quick_connect),
    ("marks", |switches| &mut switches.marks),
    ("joined-enums-lose", |switches| &mut switches.joined_enums_lose),
    ("client-fields", |switches| &mut switches.client_fields),
    ("shows-without-episodes", |switches| &mut switches.shows_without_episodes),
    ("cutoff-is-moment", |switches| &mut switches.cutoff_is_moment),
    ("random-similar", |switches| &mut switches.random_similar),
    ("random-folder-counts", |switches| &mut switches.random_folder_counts),
    ("one-socket-per-session", |switches| &mut switches.one_socket_per_session),
    ("jellyfin-play-rules", |switches| &mut switches.jellyfin_play_rules),
];

/// The default switches with the named changes: `NAME` turns one on, `no-NAME` off.
///
/// # Errors
/// If there is no such switch; the message names all there are.
pub fn turned<S: Default>(known: &SwitchTable<S>, names: &[String]) -> Result<S, String> {
    let mut switches = S::default();
    for name in names {
        let (plain, on) = name.strip_prefix("no-").map_or((name.as_str(), true), |plain| (plain, false));
        let Some((_, place)) = known.iter().find(|(known, _)| *known == plain) else {
            let all: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
            return Err(format!("no such switch: {plain}; there are {}", all.join(", ")));
        };
        *place(&mut switches) = on;
    }
    Ok(switches)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plex(names: &[&str]) -> Result<plex::PlexSwitches, String> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        turned(PLEX_SWITCHES, &names)
    }

    #[test]
    fn a_switch_is_turned_by_its_name() {
        assert!(plex(&["gzip"]).expect("it exists").gzip);
        assert!(!plex(&["gzip", "no-gzip"]).expect("it exists").gzip);
        assert_eq!(plex(&[]).expect("nothing is wrong with nothing"), plex::PlexSwitches::default());
    }

    #[test]
    fn an_unknown_switch_is_refused_with_those_there_are() {
        let reason = plex(&["gzipp"]).expect_err("there is no such switch");
        assert!(reason.contains("gzipp") && reason.contains("playing-every-second"), "{reason}");
    }

    #[test]
    fn every_switch_turns_one_thing_only() {
        for (name, place) in JELLYFIN_SWITCHES {
            let (mut turned, default) = (jellyfin::JellyfinSwitches::default(), jellyfin::JellyfinSwitches::default());
            let before = *place(&mut turned);
            *place(&mut turned) = !before;
            assert_ne!(turned, default, "{name}");
            *place(&mut turned) = before;
            assert_eq!(turned, default, "{name}");
        }
    }
}
