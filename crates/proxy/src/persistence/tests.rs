//! Stored grants come back, revoked ones do not, and a damaged file is left alone.

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

fn proofs(partition: &str) -> IdentityGrant {
    IdentityGrant {
        partition: partition.to_owned(),
        account: Some("7".to_owned()),
        granted_ms: NOW_MS,
        accepted: vec![(Class::Lists, NOW_MS - 5), (Class::Item, NOW_MS)],
    }
}

fn image(partition: &str, at_ms: u64) -> ImageGrant {
    ImageGrant { partition: partition.to_owned(), item: u64::MAX - 3, at_ms }
}

fn page(identities: Vec<IdentityGrant>, images: Vec<ImageGrant>) -> ServerRows {
    let changes = GrantChanges { all: false, identities, images };
    ServerRows { server: "home".to_owned(), changes, ..ServerRows::default() }
}

fn refusal(partition: &str) -> ServerRows {
    let refused = RevokedPartitions { partitions: HashSet::from([partition.to_owned()]), all: false };
    ServerRows { server: "home".to_owned(), revoked: refused, ..ServerRows::default() }
}

#[test]
fn what_is_kept_comes_back_with_another_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let hearing = LastContact {
        last_response_ms: NOW_MS,
        down_since_ms: 3,
        identity_response: Some(b"{}".to_vec()),
        is_partially_invalidated: true,
    };
    let mut book = StateDb::open(folder.path()).expect("it can be made");
    let written = ServerRows {
        last_contact: Some(hearing.clone()),
        ..page(vec![proofs(ANNA), proofs(BERT)], vec![image(ANNA, NOW_MS)])
    };
    book.write(&[written], NOW_MS).expect("it is written");
    drop(book);
    let book = StateDb::open(folder.path()).expect("it opens");
    let kept = book.read("home", NOW_MS).expect("it is read");
    let found: HashSet<_> = kept.identities.iter().map(|one| one.partition.as_str()).collect();
    assert_eq!(found, HashSet::from([ANNA, BERT]));
    let mut anna = kept.identities.into_iter().find(|one| one.partition == ANNA).expect("she is kept");
    anna.accepted.sort_by_key(|(_, at_ms)| *at_ms);
    assert_eq!(anna, proofs(ANNA));
    assert_eq!((kept.images, kept.last_contact), (vec![image(ANNA, NOW_MS)], hearing));
    let stranger = super::StoredGrants { is_new: true, ..super::StoredGrants::default() };
    assert_eq!(book.read("den", NOW_MS).expect("it is read"), stranger);
    let mode = std::fs::metadata(folder.path().join(FILE)).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_refusal_takes_every_proof_of_that_token_and_of_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut book = StateDb::open(folder.path()).expect("it can be made");
    let both = page(vec![proofs(ANNA), proofs(BERT)], vec![image(ANNA, NOW_MS), image(BERT, NOW_MS)]);
    book.write(&[both], NOW_MS).expect("it is written");
    book.write(&[refusal(ANNA)], NOW_MS).expect("it is written");
    let kept = book.read("home", NOW_MS).expect("it is read");
    assert_eq!(kept.images, [image(BERT, NOW_MS)]);
    assert!(kept.identities.iter().all(|one| one.partition == BERT) && kept.identities.len() == 1);
    book.write(&[page(vec![], vec![image(BERT, 0)])], NOW_MS).expect("it is written");
    assert_eq!(book.read("home", NOW_MS).expect("it is read").images, [], "taken back");
}

#[test]
fn proofs_from_the_future_count_as_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut book = StateDb::open(folder.path()).expect("it can be made");
    let hearing = Some(LastContact { last_response_ms: NOW_MS, ..LastContact::default() });
    let written = ServerRows { last_contact: hearing, ..page(vec![proofs(ANNA)], vec![image(ANNA, NOW_MS)]) };
    book.write(&[written], NOW_MS).expect("it is written");
    let kept = book.read("home", NOW_MS - 60_000).expect("it is read");
    assert_eq!((kept.last_contact.last_response_ms, kept.images.len()), (0, 0));
    assert_eq!((kept.identities[0].granted_ms, kept.identities[0].accepted.len()), (0, 0));
}

#[test]
fn what_counts_no_more_is_taken_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut book = StateDb::open(folder.path()).expect("it can be made");
    let written = page(vec![proofs(ANNA)], vec![image(ANNA, NOW_MS)]);
    book.write(&[written], NOW_MS).expect("it is written");
    let day_ms = 86_400_000;
    book.sweep(NOW_MS + day_ms + 1).expect("it is swept");
    let kept = book.read("home", NOW_MS).expect("it is read");
    assert_eq!((kept.images.len(), kept.identities.len()), (0, 1));
    book.sweep(NOW_MS + 31 * day_ms).expect("it is swept");
    assert_eq!(book.read("home", NOW_MS).expect("it is read").identities, []);
}

#[test]
fn a_file_that_is_damaged_newer_or_foreign_is_not_touched() {
    let whole = {
        let folder = tempfile::tempdir().expect("a folder");
        let mut book = StateDb::open(folder.path()).expect("it can be made");
        let many = (0..200).map(|index| image(ANNA, NOW_MS + index)).enumerate();
        let many = many.map(|(index, image)| ImageGrant { item: index as u64, ..image }).collect();
        book.write(&[page(vec![proofs(ANNA)], many)], NOW_MS).expect("it is written");
        migrations::copy_into(
            &Connection::open(folder.path().join(FILE)).expect("it opens"),
            &folder.path().join("copy"),
        )
        .expect("it is copied");
        std::fs::read(folder.path().join("copy")).expect("it can be read")
    };
    let flipped = {
        let mut bytes = whole.clone();
        bytes[4096..4096 + 200].fill(0xff);
        bytes
    };
    let changed = |pragma: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("other");
        std::fs::write(&path, &whole).expect("written");
        Connection::open(&path).expect("it opens").execute_batch(pragma).expect("it is changed");
        std::fs::read(path).expect("it can be read")
    };
    for (what, bytes, trouble) in [
        ("text", b"this is not a database, but long enough to look at".repeat(20), StateErrorKind::Damaged),
        ("cut", whole[..whole.len() / 2].to_vec(), StateErrorKind::Damaged),
        ("flipped", flipped, StateErrorKind::Damaged),
        ("foreign", changed("PRAGMA application_id = 7"), StateErrorKind::Damaged),
        ("newer", changed("PRAGMA user_version = 99"), StateErrorKind::Newer),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        std::fs::write(&path, &bytes).expect("written");
        let state = StatePersistence::open(folder.path(), &Arc::default());
        assert_eq!(state.error(), Some(trouble), "{what}");
        drop(state);
        assert!(std::fs::read(&path).expect("it is there") == bytes, "{what}: it was changed");
    }
}

#[test]
fn an_empty_file_is_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(FILE), "").expect("written");
    assert_eq!(StatePersistence::open(folder.path(), &Arc::default()).error(), None);
}

#[test]
fn what_is_written_anew_leaves_what_was_kept_of_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut book = StateDb::open(folder.path()).expect("it can be made");
    let both = page(vec![proofs(ANNA), proofs(BERT)], vec![image(ANNA, NOW_MS), image(BERT, NOW_MS)]);
    book.write(&[both], NOW_MS).expect("it is written");
    let mut anew = page(vec![proofs(ANNA)], vec![image(ANNA, NOW_MS)]);
    anew.changes.all = true;
    book.write(&[anew], NOW_MS).expect("it is written");
    let kept = book.read("home", NOW_MS).expect("it is read");
    assert_eq!(kept.identities.len(), 2, "who is not named is not refused");
    assert_eq!(kept.images, [image(ANNA, NOW_MS)], "an image that is not named was taken back");
}

#[test]
fn after_the_clock_was_set_back_the_new_time_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut book = StateDb::open(folder.path()).expect("it can be made");
    book.write(&[page(vec![proofs(ANNA)], vec![])], NOW_MS).expect("it is written");
    let earlier_ms = NOW_MS - 3_600_000;
    let again = IdentityGrant {
        granted_ms: earlier_ms,
        accepted: vec![(Class::Lists, earlier_ms), (Class::Item, earlier_ms)],
        ..proofs(ANNA)
    };
    book.write(&[page(vec![again.clone()], vec![])], earlier_ms).expect("it is written");
    let kept = book.read("home", earlier_ms).expect("it is read");
    assert_eq!(kept.identities[0].granted_ms, earlier_ms);
    assert_eq!(kept.identities[0].accepted.len(), 2, "{kept:?}");
    // Of two current times, the later one wins.
    let older = IdentityGrant { granted_ms: earlier_ms - 9, accepted: vec![], ..again };
    book.write(&[page(vec![older], vec![])], earlier_ms).expect("it is written");
    assert_eq!(book.read("home", earlier_ms).expect("it is read").identities[0].granted_ms, earlier_ms);
}

#[test]
fn a_layout_that_another_version_changed_meanwhile_is_newer_and_refusals_are_written_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut book = StateDb::open(folder.path()).expect("it can be made");
    book.write(&[page(vec![proofs(ANNA), proofs(BERT)], vec![])], NOW_MS).expect("it is written");
    let other = Connection::open(folder.path().join(FILE)).expect("it opens");
    let change = format!("DROP TABLE accepted; PRAGMA user_version = {};", migrations::latest_version() + 1);
    other.execute_batch(&change).expect("it is changed");
    assert_eq!(book.check_layout().map_err(|failing| failing.kind), Err(StateErrorKind::Newer));
    let pages = [page(vec![proofs(ANNA)], vec![])];
    let failing = book.write(&pages, NOW_MS).expect_err("the table is gone");
    assert_eq!(failing.kind, StateErrorKind::Newer, "{failing}");
    book.write_revocations(&[refusal(BERT)]).expect("it is written");
    let left: i64 = other.query_row("SELECT count(*) FROM identity", [], |row| row.get(0)).expect("it is read");
    assert_eq!(left, 1);
}

#[test]
fn a_refusal_of_everybody_takes_every_proof_of_that_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut book = StateDb::open(folder.path()).expect("it can be made");
    book.write(&[page(vec![proofs(BERT)], vec![image(BERT, NOW_MS)])], NOW_MS).expect("written");
    let refusals = Revocations::default();
    refusals.record_all();
    let refused = refusals.drain();
    assert!(refused.all && refusals.drain().is_empty());
    let everybody = ServerRows { server: "home".to_owned(), revoked: refused, ..ServerRows::default() };
    book.write(&[everybody], NOW_MS).expect("it is written");
    assert_eq!(book.read("home", NOW_MS).expect("it is read").identities, []);
}
