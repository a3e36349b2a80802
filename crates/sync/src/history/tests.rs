//! The playback history in its file: what is stored, shown and deleted.
use greenroom_cache::Timestamp;
use greenroom_dialect::dashboard::{DashboardItem, DashboardUser, ItemDetails, PlayHistoryEntry};
use rusqlite::Connection;
use std::time::Duration;

use super::query::HistoryQuery;
use super::store::{GRACE, HistoryStore};
use greenroom_state::db::FILE;
use greenroom_state::migrations;

const NOW: Timestamp = Timestamp::from_millis(100 * 30 * 24 * 3_600_000);

fn data_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join(FILE);
    let mut db = Connection::open(&path).expect("a database");
    migrations::migrate(&mut db, &path, migrations::STEPS).expect("migrations");
    dir
}

fn played(id: u64, at_s: u64) -> PlayHistoryEntry {
    let item = DashboardItem { title: format!("film {id}"), kind: "movie".into(), ..DashboardItem::default() };
    PlayHistoryEntry { id: id.to_string(), at_s, user: "7".into(), item, player: None }
}

fn all(server: &str) -> HistoryQuery {
    HistoryQuery { servers: vec![server.into()], limit: 100, ..HistoryQuery::default() }
}

#[test]
fn a_playback_is_stored_once_and_shown_with_its_user_name() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 100, &["home"], NOW).expect("an open store");
    let rows = [played(1, 10), played(2, 20)];
    assert_eq!(store.insert("home", &rows, 1).expect("written"), 2);
    assert_eq!(store.insert("home", &rows, 2).expect("written"), 0);
    let user = DashboardUser { id: "7".into(), name: "anna".into(), thumb: None };
    store.set_user_names("home", &[user]).expect("written");
    let page = store.page(&HistoryQuery { limit: 1, ..all("home") }).expect("read");
    assert_eq!((page.total, page.playbacks.len()), (2, 1));
    assert_eq!((page.playbacks[0].id.as_str(), page.playbacks[0].at_ms), ("2", 20_000));
    assert_eq!(page.playbacks[0].user, "anna");
    for user in ["anna", "7"] {
        let query =
            HistoryQuery { user: Some(user.into()), since_ms: Some(Timestamp::from_millis(15_000)), ..all("home") };
        assert_eq!(store.page(&query).expect("read").total, 1, "{user}");
    }
    let other = HistoryQuery { user: Some("kim".into()), ..all("home") };
    assert_eq!(store.page(&other).expect("read").total, 0);
}

#[test]
fn a_search_matches_titles_and_users_and_escapes_wildcards() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 100, &["home"], NOW).expect("an open store");
    let mut episode = played(1, 10);
    episode.item.title = "100 % Pilot".into();
    episode.item.grandparent_title = Some("Harbour".into());
    let unnamed = PlayHistoryEntry { user: "9".into(), ..played(2, 20) };
    store.insert("home", &[episode, unnamed], 1).expect("written");
    store
        .set_user_names("home", &[DashboardUser { id: "7".into(), name: "anna".into(), thumb: None }])
        .expect("written");
    let search_ids = |search: &str| {
        let page = store.page(&HistoryQuery { search: Some(search.into()), ..all("home") }).expect("read");
        assert_eq!(page.total, page.playbacks.len() as u64);
        page.playbacks.into_iter().map(|playback| playback.id).collect::<Vec<_>>()
    };
    for (search, ids) in [
        ("pilot", vec!["1"]),
        ("HARB", vec!["1"]),
        ("Anna", vec!["1"]),
        ("9", vec!["2"]),
        ("film 2", vec!["2"]),
        ("", vec!["2", "1"]),
        ("0 % P", vec!["1"]),
        ("i_m", vec![]),
        ("\\", vec![]),
    ] {
        assert_eq!(search_ids(search), ids, "{search}");
    }
    let both =
        HistoryQuery { search: Some("film".into()), since_ms: Some(Timestamp::from_millis(30_000)), ..all("home") };
    assert_eq!(store.page(&both).expect("read").total, 0, "both filters apply");
}

#[test]
fn a_removed_server_is_hidden_at_once_and_deleted_after_a_grace_period() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 100, &["home", "attic"], NOW).expect("an open store");
    store.insert("home", &[played(1, 10)], 1).expect("written");
    store.insert("attic", &[played(1, 11), played(2, 12)], 1).expect("written");
    assert_eq!(store.page(&all("home")).expect("read").total, 1);
    assert_eq!(store.page(&HistoryQuery { limit: 9, ..HistoryQuery::default() }).expect("read").total, 0);
    drop(store);
    let remaining = |now_ms: Timestamp| {
        drop(HistoryStore::open(dir.path(), 100, &["home"], now_ms).expect("an open store"));
        let store = HistoryStore::open(dir.path(), 100, &["home"], now_ms).expect("an open store");
        assert_eq!(store.page(&all("home")).expect("read").total, 1);
        store.page(&all("attic")).expect("read").total
    };
    assert_eq!(remaining(NOW), 2, "one start without the server deletes nothing");
    assert_eq!(remaining(NOW + GRACE - Duration::from_millis(1)), 2);
    drop(HistoryStore::open(dir.path(), 100, &["home", "attic"], NOW + GRACE).expect("an open store"));
    assert_eq!(remaining(NOW + GRACE), 2, "the grace period restarts");
    assert_eq!(remaining(NOW + 2 * GRACE), 0);
}

#[test]
fn a_reused_id_at_another_time_is_another_playback() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 100, &["home"], NOW).expect("an open store");
    store.insert("home", &[played(1, 10)], 1).expect("written");
    assert_eq!(store.insert("home", &[played(1, 500)], 1).expect("written"), 1);
    let page = store.page(&all("home")).expect("read");
    assert_eq!((page.total, page.playbacks[0].at_ms), (1, 500_000));
}

#[test]
fn a_playback_with_a_truncated_id_is_recognised_again() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 100, &["home"], NOW).expect("an open store");
    let long = PlayHistoryEntry { id: "x".repeat(5_000), ..played(1, 10) };
    assert_eq!(store.insert("home", std::slice::from_ref(&long), 1).expect("written"), 1);
    assert_eq!(store.insert("home", &[long], 2).expect("written"), 0);
    assert_eq!(store.count_unseen("home", 2, 100).expect("read"), 0);
}

#[test]
fn a_playback_without_titles_gets_them_later_and_is_not_new_then() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 100, &["home"], NOW).expect("an open store");
    let mut row = played(1, 10);
    row.item.kind = "video".into();
    store.insert("home", std::slice::from_ref(&row), 1).expect("written");
    assert!(store.named_ids("home", std::slice::from_ref(&row)).expect("read").is_empty());
    row.item = DashboardItem { kind: "episode".into(), title: "Pilot".into(), duration_ms: Some(9), ..row.item };
    assert_eq!(store.insert("home", std::slice::from_ref(&row), 1).expect("written"), 0);
    let page = store.page(&all("home")).expect("read");
    assert_eq!((page.playbacks[0].kind.as_str(), page.playbacks[0].title.as_str()), ("episode", "Pilot"));
    assert_eq!(store.named_ids("home", &[row]).expect("read").len(), 1);
}

#[test]
fn a_cursor_in_the_future_moves_back_to_the_newest_stored_row() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 100, &["home"], NOW).expect("an open store");
    store.insert("home", &[played(1, 10), played(2, 9_000)], 1).expect("written");
    store.advance_cursor("home", 9_000).expect("written");
    store.repair_cursor("home", 9_000).expect("done");
    assert_eq!(store.cursor("home").expect("read").cursor_s, 9_000);
    store.repair_cursor("home", 100).expect("done");
    assert_eq!(store.cursor("home").expect("read").cursor_s, 10);
}

#[test]
fn a_full_store_does_not_insert_rows_it_would_evict() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 2, &["home"], NOW).expect("an open store");
    store.insert("home", &[played(3, 30), played(4, 40)], 1).expect("written");
    assert_eq!(store.insert("home", &[played(1, 10), played(2, 20)], 2).expect("written"), 0);
    assert_eq!(store.evict_oldest().expect("done"), 0);
    assert_eq!(store.insert("home", &[played(5, 50)], 2).expect("written"), 1);
    assert_eq!(store.evict_oldest().expect("done"), 1);
}

#[test]
fn a_page_can_skip_the_total() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 100, &["home"], NOW).expect("an open store");
    store.insert("home", &[played(1, 10), played(2, 20)], 1).expect("written");
    let page = store.page(&HistoryQuery { skips_total: true, ..all("home") }).expect("read");
    assert_eq!((page.total, page.playbacks.len()), (0, 2));
}

#[test]
fn the_oldest_rows_are_evicted_first() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 3, &["home"], NOW).expect("an open store");
    let rows: Vec<PlayHistoryEntry> = (1..=5).map(|id| played(id, id * 10)).collect();
    store.insert("home", &rows, 1).expect("written");
    assert_eq!(store.evict_oldest().expect("done"), 2);
    let ids: Vec<String> =
        store.page(&all("home")).expect("read").playbacks.into_iter().map(|playback| playback.id).collect();
    assert_eq!(ids, ["5", "4", "3"]);
    assert_eq!(store.evict_oldest().expect("done"), 0);
}

#[test]
fn a_full_comparison_deletes_unseen_rows_up_to_its_start() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 100, &["home"], NOW).expect("an open store");
    store.insert("home", &[played(1, 10), played(2, 20), played(3, 30)], 1).expect("written");
    store.insert("home", &[played(1, 10)], 2).expect("written");
    assert_eq!(store.count_unseen("home", 2, 20).expect("read"), 1);
    store.forget_unseen("home", 2, 20).expect("done");
    let ids: Vec<String> =
        store.page(&all("home")).expect("read").playbacks.into_iter().map(|playback| playback.id).collect();
    assert_eq!(ids, ["3", "1"]);
}

#[test]
fn the_mirror_is_as_old_as_its_least_recently_synced_server() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 100, &["home", "attic", "den"], NOW).expect("an open store");
    let at = |servers: &[(&str, bool)]| store.last_sync_times().expect("read").oldest(servers.iter().copied());
    let both = [("home", true), ("attic", true)];
    assert_eq!(at(&both), None);
    store.record_synced("home", Timestamp::from_millis(2_000)).expect("written");
    store.advance_cursor("attic", 7).expect("written");
    assert_eq!((at(&both), at(&both[..1])), (None, Some(2_000)), "the other server was never synced completely");
    store.record_synced("attic", Timestamp::from_millis(1_000)).expect("written");
    assert_eq!(at(&both), Some(1_000));
    assert_eq!(at(&[("home", true), ("den", false)]), Some(2_000), "a server that cannot be asked is ignored");
    assert_eq!(at(&[("home", true), ("attic", false)]), Some(1_000), "unless it was synced before");
    assert_eq!((at(&[("den", false)]), at(&[])), (None, None));
}

#[test]
fn a_sync_without_new_rows_is_recorded_once_a_day() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 100, &["home"], NOW).expect("an open store");
    let at = || store.last_sync_times().expect("read").oldest([("home", true)].into_iter());
    let (hour_ms, day_ms) = (3_600_000, 24 * 3_600_000);
    store.record_synced("home", Timestamp::from_millis(day_ms)).expect("written");
    for (now_ms, stored_ms) in
        [(day_ms + hour_ms, day_ms), (2 * day_ms, 2 * day_ms), (2 * day_ms + 1, 2 * day_ms), (7, 7)]
    {
        store.record_unchanged_sync("home", Timestamp::from_millis(now_ms)).expect("written or not");
        assert_eq!(at(), Some(stored_ms), "at {now_ms}");
    }
}

#[test]
fn details_of_an_item_are_read_once_and_again_when_it_was_played_again() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 100, &["home"], NOW).expect("an open store");
    let now_s = NOW.as_secs();
    let of_item = |id: u64, at_s: u64, key: &str| {
        let mut row = played(id, at_s);
        row.item.key = key.into();
        row
    };
    let rows = [of_item(1, 10, "7"), of_item(2, 30, "12"), of_item(3, 20, "7"), of_item(4, 40, ""), of_item(5, 5, "9")];
    store.insert("home", &rows, 1).expect("written");
    let due = |now_ms: Timestamp| store.keys_without_details("home", now_ms, 10).expect("read");
    assert_eq!(due(NOW), ["12", "7", "9"], "the newest playbacks first");
    assert_eq!(store.keys_without_details("home", NOW, 1).expect("read"), ["12"]);
    let film = ItemDetails {
        key: "7".into(),
        year: Some(1999),
        duration_ms: Some(8_160_000),
        rating: Some(8.7),
        summary: Some("A hacker.".into()),
        genres: vec!["Action".into()],
        ..ItemDetails::default()
    };
    let episode = ItemDetails { key: "12".into(), grandparent_key: Some("10".into()), ..ItemDetails::default() };
    let keys = ["12", "7", "9"].map(str::to_owned);
    store.put_details("home", &keys, &[film.clone(), episode], NOW).expect("written");
    assert_eq!(due(NOW), ["10"], "the show of the episode; the missing item is not asked for again");
    let show = ItemDetails {
        key: "10".into(),
        studio: Some("Network".into()),
        genres: vec!["Drama".into()],
        ..ItemDetails::default()
    };
    store.put_details("home", &["10".to_owned()], &[show], NOW).expect("written");
    assert_eq!(due(NOW), [""; 0]);
    let page = store.page(&all("home")).expect("read").playbacks;
    let of_key = |key: &str| page.iter().find(|playback| playback.details.item_key == key).expect("it is listed");
    let shown = of_key("7");
    assert_eq!((shown.duration_s, shown.details.year), (Some(8_160), Some(1999)));
    assert_eq!((shown.details.item.rating, &shown.details.item.genres), (film.rating, &film.genres));
    assert_eq!(shown.details.item.summary, film.summary);
    let shown = &of_key("12").details.item;
    assert_eq!((shown.studio.as_deref(), shown.genres.join("|")), (Some("Network"), "Drama".to_owned()));
    assert_eq!(of_key("9").details.item, ItemDetails::default());
    // A time in the future asks for nothing again and again.
    let again = [of_item(6, now_s + 100, "7"), of_item(7, now_s + 9_999, "12")];
    store.insert("home", &again, 1).expect("written");
    assert_eq!(due(NOW + Duration::from_millis(200_000)), ["7"]);
    assert_eq!(
        due(NOW + Duration::from_millis(31 * 24 * 3_600_000)),
        ["12", "7", "9"],
        "a missing item may be there a month later"
    );
}

#[test]
fn details_go_with_the_playbacks_of_their_item() {
    let dir = data_dir();
    let store = HistoryStore::open(dir.path(), 1, &["home"], NOW).expect("an open store");
    let of_item = |id: u64, at_s: u64, key: &str| {
        let mut row = played(id, at_s);
        row.item.key = key.into();
        row
    };
    store.insert("home", &[of_item(1, 10, "7"), of_item(2, 20, "12")], 1).expect("written");
    let details = |key: &str| ItemDetails { key: key.into(), year: Some(1999), ..ItemDetails::default() };
    let keys = ["7", "12"].map(str::to_owned);
    store.put_details("home", &keys, &[details("7"), details("12")], NOW).expect("written");
    store.evict_oldest().expect("evicted");
    store.forget_unplayed_items().expect("deleted");
    let db = Connection::open(dir.path().join(FILE)).expect("a database");
    let stored: String = db.query_row("SELECT group_concat(key) FROM played_item", [], |row| row.get(0)).expect("read");
    assert_eq!(stored, "12");
}
