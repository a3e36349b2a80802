//! Stored grants come back, revoked ones do not, and a damaged file is left alone.

use greenroom_cache::Timestamp;
use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use greenroom_dialect::class::Class;
use rusqlite::Connection;

use super::StatePersistence;
use greenroom_state::db::{FILE, ServerRows, StateDb};
use greenroom_state::error::StateErrorKind;
use greenroom_state::grants::{GrantChanges, IdentityGrant, ImageGrant, LastContact};
use greenroom_state::migrations;
use greenroom_state::revocations::{Revocations, RevokedPartitions};

const NOW_MS: u64 = 1_000_000_000;
const ANNA: &str = "0123456789abcdef0123456789abcdef";
const BERT: &str = "ffffffffffffffffffffffffffffffff";

fn grant(partition: &str) -> IdentityGrant {
    IdentityGrant {
        partition: partition.to_owned(),
        account: Some("7".to_owned()),
        granted_ms: Timestamp::from_millis(NOW_MS),
        accepted: vec![
            (Class::Lists, Timestamp::from_millis(NOW_MS - 5)),
            (Class::Item, Timestamp::from_millis(NOW_MS)),
        ],
        denied_paths: vec![3, 1 << 40],
    }
}

fn image(partition: &str, at_ms: u64) -> ImageGrant {
    ImageGrant { partition: partition.to_owned(), item: u64::MAX - 3, at_ms: Timestamp::from_millis(at_ms) }
}

fn rows(identities: Vec<IdentityGrant>, images: Vec<ImageGrant>) -> ServerRows {
    let changes = GrantChanges { all: false, identities, images };
    ServerRows { server: "home".to_owned(), changes, ..ServerRows::default() }
}

fn revocation(partition: &str) -> ServerRows {
    let revoked = RevokedPartitions { partitions: HashSet::from([partition.to_owned()]), all: false };
    ServerRows { server: "home".to_owned(), revoked, ..ServerRows::default() }
}

#[test]
fn stored_grants_are_restored_by_another_process() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let last_contact = LastContact {
        last_response_ms: Timestamp::from_millis(NOW_MS),
        down_since_ms: Timestamp::from_millis(3),
        identity_response: Some(b"{}".to_vec()),
        is_partially_invalidated: true,
    };
    let mut db = StateDb::open(dir.path()).expect("a state database");
    let rows_to_write = ServerRows {
        last_contact: Some(last_contact.clone()),
        ..rows(vec![grant(ANNA), grant(BERT)], vec![image(ANNA, NOW_MS)])
    };
    db.write(&[rows_to_write], Timestamp::from_millis(NOW_MS)).expect("rows written");
    drop(db);
    let db = StateDb::open(dir.path()).expect("an open database");
    let stored = db.read("home", Timestamp::from_millis(NOW_MS)).expect("stored rows");
    let partitions: HashSet<_> = stored.identities.iter().map(|identity| identity.partition.as_str()).collect();
    assert_eq!(partitions, HashSet::from([ANNA, BERT]));
    let mut anna =
        stored.identities.into_iter().find(|identity| identity.partition == ANNA).expect("the stored identity");
    anna.accepted.sort_by_key(|(_, at_ms)| *at_ms);
    assert_eq!(anna, grant(ANNA));
    assert_eq!((stored.images, stored.last_contact), (vec![image(ANNA, NOW_MS)], last_contact));
    let unknown = super::StoredGrants { is_new: true, ..super::StoredGrants::default() };
    assert_eq!(db.read("den", Timestamp::from_millis(NOW_MS)).expect("stored rows"), unknown);
    let mode = std::fs::metadata(dir.path().join(FILE)).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_revocation_removes_all_grants_of_that_token_only() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut db = StateDb::open(dir.path()).expect("a state database");
    let both = rows(vec![grant(ANNA), grant(BERT)], vec![image(ANNA, NOW_MS), image(BERT, NOW_MS)]);
    db.write(&[both], Timestamp::from_millis(NOW_MS)).expect("rows written");
    db.write(&[revocation(ANNA)], Timestamp::from_millis(NOW_MS)).expect("rows written");
    let stored = db.read("home", Timestamp::from_millis(NOW_MS)).expect("stored rows");
    assert_eq!(stored.images, [image(BERT, NOW_MS)]);
    assert!(stored.identities.iter().all(|identity| identity.partition == BERT) && stored.identities.len() == 1);
    db.write(&[rows(vec![], vec![image(BERT, 0)])], Timestamp::from_millis(NOW_MS)).expect("rows written");
    assert_eq!(db.read("home", Timestamp::from_millis(NOW_MS)).expect("stored rows").images, [], "revoked");
}

#[test]
fn grants_from_the_future_are_ignored() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut db = StateDb::open(dir.path()).expect("a state database");
    let last_contact = Some(LastContact { last_response_ms: Timestamp::from_millis(NOW_MS), ..LastContact::default() });
    let rows_to_write = ServerRows { last_contact, ..rows(vec![grant(ANNA)], vec![image(ANNA, NOW_MS)]) };
    db.write(&[rows_to_write], Timestamp::from_millis(NOW_MS)).expect("rows written");
    let stored = db.read("home", Timestamp::from_millis(NOW_MS - 60_000)).expect("stored rows");
    assert_eq!((stored.last_contact.last_response_ms, stored.images.len()), (Timestamp::UNIX_EPOCH, 0));
    assert_eq!((stored.identities[0].granted_ms, stored.identities[0].accepted.len()), (Timestamp::UNIX_EPOCH, 0));
}

#[test]
fn expired_grants_are_removed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut db = StateDb::open(dir.path()).expect("a state database");
    let rows_to_write = rows(vec![grant(ANNA)], vec![image(ANNA, NOW_MS)]);
    db.write(&[rows_to_write], Timestamp::from_millis(NOW_MS)).expect("rows written");
    let day_ms = 86_400_000;
    db.sweep(Timestamp::from_millis(NOW_MS + day_ms + 1)).expect("expired rows removed");
    let stored = db.read("home", Timestamp::from_millis(NOW_MS)).expect("stored rows");
    assert_eq!((stored.images.len(), stored.identities.len()), (0, 1));
    db.sweep(Timestamp::from_millis(NOW_MS + 31 * day_ms)).expect("expired rows removed");
    assert_eq!(db.read("home", Timestamp::from_millis(NOW_MS)).expect("stored rows").identities, []);
}

#[test]
fn a_file_that_is_damaged_newer_or_foreign_is_not_touched() {
    let intact = {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut db = StateDb::open(dir.path()).expect("a state database");
        let images = (0..200).map(|index| image(ANNA, NOW_MS + index)).enumerate();
        let images = images.map(|(index, image)| ImageGrant { item: index as u64, ..image }).collect();
        db.write(&[rows(vec![grant(ANNA)], images)], Timestamp::from_millis(NOW_MS)).expect("rows written");
        migrations::copy_into(
            &Connection::open(dir.path().join(FILE)).expect("an open database"),
            &dir.path().join("copy"),
        )
        .expect("a copy");
        std::fs::read(dir.path().join("copy")).expect("file content")
    };
    let flipped = {
        let mut bytes = intact.clone();
        bytes[4096..4096 + 200].fill(0xff);
        bytes
    };
    let altered = |pragma: &str| {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("other");
        std::fs::write(&path, &intact).expect("written");
        Connection::open(&path).expect("an open database").execute_batch(pragma).expect("SQL executed");
        std::fs::read(path).expect("file content")
    };
    for (case, bytes, error) in [
        ("text", b"this is not a database, but long enough to look at".repeat(20), StateErrorKind::Damaged),
        ("cut", intact[..intact.len() / 2].to_vec(), StateErrorKind::Damaged),
        ("flipped", flipped, StateErrorKind::Damaged),
        ("foreign", altered("PRAGMA application_id = 7"), StateErrorKind::Damaged),
        ("newer", altered("PRAGMA user_version = 99"), StateErrorKind::Newer),
    ] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join(FILE);
        std::fs::write(&path, &bytes).expect("written");
        let state = StatePersistence::open(dir.path(), &Arc::default());
        assert_eq!(state.error(), Some(error), "{case}");
        drop(state);
        assert!(std::fs::read(&path).expect("the file") == bytes, "{case}: the file was changed");
    }
}

#[test]
fn an_empty_file_is_initialised() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join(FILE), "").expect("written");
    assert_eq!(StatePersistence::open(dir.path(), &Arc::default()).error(), None);
}

#[test]
fn a_full_write_keeps_the_identities_it_does_not_name() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut db = StateDb::open(dir.path()).expect("a state database");
    let both = rows(vec![grant(ANNA), grant(BERT)], vec![image(ANNA, NOW_MS), image(BERT, NOW_MS)]);
    db.write(&[both], Timestamp::from_millis(NOW_MS)).expect("rows written");
    let mut full = rows(vec![grant(ANNA)], vec![image(ANNA, NOW_MS)]);
    full.changes.all = true;
    db.write(&[full], Timestamp::from_millis(NOW_MS)).expect("rows written");
    let stored = db.read("home", Timestamp::from_millis(NOW_MS)).expect("stored rows");
    assert_eq!(stored.identities.len(), 2, "identities that are absent are not revoked");
    assert_eq!(stored.images, [image(ANNA, NOW_MS)], "image grants that are absent are revoked");
}

#[test]
fn after_the_clock_is_set_back_the_new_time_is_stored() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut db = StateDb::open(dir.path()).expect("a state database");
    db.write(&[rows(vec![grant(ANNA)], vec![])], Timestamp::from_millis(NOW_MS)).expect("rows written");
    let earlier_ms = NOW_MS - 3_600_000;
    let newer = IdentityGrant {
        granted_ms: Timestamp::from_millis(earlier_ms),
        accepted: vec![
            (Class::Lists, Timestamp::from_millis(earlier_ms)),
            (Class::Item, Timestamp::from_millis(earlier_ms)),
        ],
        ..grant(ANNA)
    };
    db.write(&[rows(vec![newer.clone()], vec![])], Timestamp::from_millis(earlier_ms)).expect("rows written");
    let stored = db.read("home", Timestamp::from_millis(earlier_ms)).expect("stored rows");
    assert_eq!(stored.identities[0].granted_ms, Timestamp::from_millis(earlier_ms));
    assert_eq!(stored.identities[0].accepted.len(), 2, "{stored:?}");
    // Of two current times, the later one wins.
    let older = IdentityGrant { granted_ms: Timestamp::from_millis(earlier_ms - 9), accepted: vec![], ..newer };
    db.write(&[rows(vec![older], vec![])], Timestamp::from_millis(earlier_ms)).expect("rows written");
    assert_eq!(
        db.read("home", Timestamp::from_millis(earlier_ms)).expect("stored rows").identities[0].granted_ms,
        Timestamp::from_millis(earlier_ms)
    );
}

#[test]
fn a_path_that_is_allowed_again_is_no_longer_stored_as_denied() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut db = StateDb::open(dir.path()).expect("a state database");
    db.write(&[rows(vec![grant(ANNA), grant(BERT)], vec![])], Timestamp::from_millis(NOW_MS)).expect("rows written");
    let one_left = IdentityGrant { denied_paths: vec![u64::MAX], ..grant(ANNA) };
    db.write(&[rows(vec![one_left], vec![])], Timestamp::from_millis(NOW_MS)).expect("rows written");
    let stored = db.read("home", Timestamp::from_millis(NOW_MS)).expect("stored rows").identities;
    let denied_of = |partition: &str| {
        stored.iter().find(|identity| identity.partition == partition).map(|identity| identity.denied_paths.clone())
    };
    assert_eq!((denied_of(ANNA), denied_of(BERT)), (Some(vec![u64::MAX]), Some(vec![3, 1 << 40])));
}

#[test]
fn revocations_are_written_even_if_a_newer_version_changed_the_schema() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut db = StateDb::open(dir.path()).expect("a state database");
    db.write(&[rows(vec![grant(ANNA), grant(BERT)], vec![])], Timestamp::from_millis(NOW_MS)).expect("rows written");
    let other = Connection::open(dir.path().join(FILE)).expect("an open database");
    let change = format!("DROP TABLE accepted; PRAGMA user_version = {};", migrations::latest_version() + 1);
    other.execute_batch(&change).expect("SQL executed");
    assert_eq!(db.check_layout().map_err(|error| error.kind), Err(StateErrorKind::Newer));
    let row_list = [rows(vec![grant(ANNA)], vec![])];
    let error = db.write(&row_list, Timestamp::from_millis(NOW_MS)).expect_err("a missing table");
    assert_eq!(error.kind, StateErrorKind::Newer, "{error}");
    db.write_revocations(&[revocation(BERT)]).expect("rows written");
    let remaining: i64 = other.query_row("SELECT count(*) FROM identity", [], |row| row.get(0)).expect("stored rows");
    assert_eq!(remaining, 1);
}

#[test]
fn revoking_all_tokens_removes_every_grant_of_that_server() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut db = StateDb::open(dir.path()).expect("a state database");
    db.write(&[rows(vec![grant(BERT)], vec![image(BERT, NOW_MS)])], Timestamp::from_millis(NOW_MS)).expect("written");
    let revocations = Revocations::default();
    revocations.record_all();
    let revoked = revocations.drain();
    assert!(revoked.all && revocations.drain().is_empty());
    let all_revoked = ServerRows { server: "home".to_owned(), revoked, ..ServerRows::default() };
    db.write(&[all_revoked], Timestamp::from_millis(NOW_MS)).expect("rows written");
    assert_eq!(db.read("home", Timestamp::from_millis(NOW_MS)).expect("stored rows").identities, []);
}
