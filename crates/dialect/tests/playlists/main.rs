//! Greenroom's own reads and writes of playlists.

use greenroom_dialect::classification::Classification;
use greenroom_dialect::playlists::{AccountContext, MAX_QUERY_BYTES, PlaylistEntry, PlaylistInfo, WriteRequest};
use greenroom_dialect::request::{RequestView, ServerKind};
use http::HeaderMap;

const BOTH: [ServerKind; 2] = [ServerKind::Plex, ServerKind::Jellyfin];

fn account() -> AccountContext {
    AccountContext { machine: "abc".into(), user: "0123456789abcdef0123456789abcdef".into() }
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{:032x}", number + 1)).collect()
}

/// Classification of the request by the proxy.
fn classification(kind: ServerKind, order: &WriteRequest) -> Classification {
    let headers = HeaderMap::new();
    let request = RequestView { method: &order.method, target: &order.target, headers: &headers, body: &order.body };
    kind.classify(&request, None)
}

#[test]
fn every_playlist_change_is_classified_as_a_playlist_write() {
    for kind in BOTH {
        let keys = keys(3);
        let mut orders = vec![
            kind.create_playlist(&account(), "A & B/ü", &keys),
            kind.add_to_playlist(&account(), "77", &keys),
            kind.remove_from_playlist("77", &keys[..1]),
            kind.move_in_playlist("77", "5", Some("4"), 2),
            kind.move_in_playlist("77", "5", None, 0),
        ];
        orders.extend(kind.set_playlist("77", &keys));
        for order in orders {
            let Classification::Write(write) = classification(kind, &order) else { panic!("{order:?} is no write") };
            assert!(
                write.invalidations.iter().any(|stale| stale.tag.as_str().contains("playlist")),
                "{order:?}: {write:?}"
            );
            assert!(
                !write.invalidations.iter().any(|stale| stale.tag.as_str() == "all"),
                "{order:?} makes everything stale"
            );
            assert!(!order.target.contains([' ', '"', 'ü']), "{}", order.target);
        }
    }
}

#[test]
fn the_targets_read_are_classified_as_playlist_or_list_reads() {
    for kind in BOTH {
        for target in [kind.playlists_target(&account(), 0, 100), kind.entries_target(&account(), "77", 100, 100)] {
            let order = WriteRequest { method: http::Method::GET, target, body: Vec::new() };
            assert!(matches!(classification(kind, &order), Classification::Read(_)), "{order:?}");
        }
    }
}

#[test]
fn a_request_holds_as_many_items_as_its_target_allows() {
    for kind in BOTH {
        let many = keys(500);
        let fit = kind.max_add_batch(&many, MAX_QUERY_BYTES, 500);
        assert!((50..=61).contains(&fit), "{kind:?}: {fit}");
        assert!(kind.add_to_playlist(&account(), "77", &many[..fit]).target.len() < MAX_QUERY_BYTES + 200);
        assert_eq!(kind.max_add_batch(&many, 1, 500), 1, "one always goes");
        assert_eq!(kind.max_add_batch(&many, MAX_QUERY_BYTES, 1), 1);
        assert_eq!(kind.max_add_batch(&[], MAX_QUERY_BYTES, 500), 0);
    }
    assert_eq!(ServerKind::Plex.max_remove_batch(&keys(9), 2000, 500), 1, "entries leave a Plex one by one");
    assert_eq!(ServerKind::Jellyfin.max_remove_batch(&keys(9), 2000, 500), 9);
    assert_eq!(ServerKind::Jellyfin.max_create_batch(&keys(400), 2000, 500), 400, "they are in the body");
}

#[test]
fn a_plex_names_items_by_its_own_address() {
    let order = ServerKind::Plex.add_to_playlist(&account(), "77", &["1".into(), "2".into()]);
    let uri = "server%3A%2F%2Fabc%2Fcom.plexapp.plugins.library%2Flibrary%2Fmetadata%2F1%2C2";
    assert_eq!(order.target, format!("/playlists/77/items?uri={uri}"));
    let body = br#"{"MediaContainer":{"size":1,"leafCountAdded":1,"leafCountRequested":2}}"#;
    let taken = ServerKind::Plex.accepted_count(body).expect("it says so");
    assert_eq!((taken.added, taken.requested), (1, 2));
    assert_eq!(ServerKind::Plex.machine_id(br#"{"MediaContainer":{"machineIdentifier":"m"}}"#).as_deref(), Some("m"));
}

#[test]
fn lists_and_entries_are_read_in_both_dialects() {
    let plex = br#"{"MediaContainer":{"size":2,"totalSize":2,"Metadata":[
        {"ratingKey":"500","title":"Weekly","leafCount":3,"smart":false},{"title":"no key"}]}}"#;
    let page = ServerKind::Plex.playlists(plex).expect("a page");
    let weekly = PlaylistInfo {
        id: "500".into(),
        title: "Weekly".into(),
        length: Some(3),
        is_smart: false,
        summary: None,
        may_delete: None,
    };
    assert_eq!((page.rows, page.sent, page.total), (vec![weekly], 2, Some(2)));
    let plex = br#"{"MediaContainer":{"size":1,"Metadata":[{"ratingKey":"9","playlistItemID":41,"title":"T",
        "grandparentTitle":"A","originalTitle":"A feat. B","parentTitle":"L","duration":185400,"Guid":[{"id":"mbid://x"}]}]}}"#;
    let entry = ServerKind::Plex.entries(plex).expect("a page").rows.remove(0);
    let expected = PlaylistEntry {
        entry: Some("41".into()),
        key: "9".into(),
        title: "T".into(),
        artists: vec!["A feat. B".into()],
        album: "L".into(),
        duration_s: Some(185),
        ids: vec!["mbid://x".into()],
    };
    assert_eq!(entry, expected);
    let jellyfin = br#"{"Items":[{"Id":"9","PlaylistItemId":"e","Name":"T","Artists":["A","B"],"Album":"L",
        "RunTimeTicks":1854000000,"ProviderIds":{"MusicBrainzRecording":"x"}}],"TotalRecordCount":1}"#;
    let entry = ServerKind::Jellyfin.entries(jellyfin).expect("a page").rows.remove(0);
    assert_eq!((entry.artists.len(), entry.duration_s, entry.ids), (2, Some(185), vec!["mbid://x".to_owned()]));
    assert_eq!(ServerKind::Plex.playlists(br#"{"MediaContainer":{"size":0}}"#).expect("none").rows, []);
}

#[test]
fn a_foreign_or_broken_body_is_never_an_empty_playlist() {
    for kind in BOTH {
        for body in [
            &b""[..],
            b"<html>",
            b"{}",
            b"{\"MediaContainer\":{}}",
            b"{\"MediaContainer\":{\"size\":3}}",
            b"{\"Items\":",
        ] {
            assert!(kind.entries(body).is_err(), "{kind:?} {body:?}");
            assert!(kind.playlists(body).is_err(), "{kind:?} {body:?}");
            assert!(kind.created_playlist(body).is_err(), "{kind:?} {body:?}");
        }
    }
}

#[test]
fn a_user_is_found_by_name() {
    let users = br#"[{"Name":"Olga","Id":"01234567-89ab-cdef-0123-456789abcdef"},{"Name":"Sam","Id":"2"}]"#;
    assert_eq!(ServerKind::Jellyfin.user_named("olga", users).as_deref(), Some("0123456789abcdef0123456789abcdef"));
    assert_eq!(ServerKind::Jellyfin.user_named("kim", users), None);
}
