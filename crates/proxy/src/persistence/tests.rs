//! What is kept comes back, what was refused does not, and a file in trouble is left alone.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use greenroom_dialect::class::Class;
use rusqlite::Connection;

use super::State;
use greenroom_state::db::{Book, FILE, Page};
use greenroom_state::error::Trouble;
use greenroom_state::grants::{Changes, Hearing, IdentityProofs, ImageProof};
use greenroom_state::migrations;
use greenroom_state::revocations::{Refusals, Refused};

const NOW_MS: u64 = 1_000_000_000;
const ANNA: &str = "0123456789abcdef0123456789abcdef";
const BERT: &str = "ffffffffffffffffffffffffffffffff";

fn proofs(partition: &str) -> IdentityProofs {
    IdentityProofs {
        partition: partition.to_owned(),
        account: Some("7".to_owned()),
        proven_ms: NOW_MS,
        accepted: vec![(Class::Lists, NOW_MS - 5), (Class::Item, NOW_MS)],
    }
}

fn image(partition: &str, at_ms: u64) -> ImageProof {
    ImageProof { partition: partition.to_owned(), item: u64::MAX - 3, at_ms }
}

fn page(identities: Vec<IdentityProofs>, images: Vec<ImageProof>) -> Page {
    let changes = Changes { all: false, identities, images };
    Page { server: "home".to_owned(), changes, ..Page::default() }
}

fn refusal(partition: &str) -> Page {
    let refused = Refused { partitions: HashSet::from([partition.to_owned()]), everybody: false };
    Page { server: "home".to_owned(), refused, ..Page::default() }
}

#[test]
fn what_is_kept_comes_back_with_another_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let hearing =
        Hearing { heard_ms: NOW_MS, down_since_ms: 3, introduction: Some(b"{}".to_vec()), is_choosy: true };
    let mut book = Book::open(folder.path()).expect("it can be made");
    let written = Page {
        hearing: Some(hearing.clone()),
        ..page(vec![proofs(ANNA), proofs(BERT)], vec![image(ANNA, NOW_MS)])
    };
    book.write(&[written], NOW_MS).expect("it is written");
    drop(book);
    let book = Book::open(folder.path()).expect("it opens");
    let kept = book.read("home", NOW_MS).expect("it is read");
    let found: HashSet<_> = kept.identities.iter().map(|one| one.partition.as_str()).collect();
    assert_eq!(found, HashSet::from([ANNA, BERT]));
    let mut anna = kept.identities.into_iter().find(|one| one.partition == ANNA).expect("she is kept");
    anna.accepted.sort_by_key(|(_, at_ms)| *at_ms);
    assert_eq!(anna, proofs(ANNA));
    assert_eq!((kept.images, kept.hearing), (vec![image(ANNA, NOW_MS)], hearing));
    let stranger = super::Kept { is_stranger: true, ..super::Kept::default() };
    assert_eq!(book.read("den", NOW_MS).expect("it is read"), stranger);
    let mode = std::fs::metadata(folder.path().join(FILE)).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_refusal_takes_every_proof_of_that_token_and_of_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut book = Book::open(folder.path()).expect("it can be made");
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
    let mut book = Book::open(folder.path()).expect("it can be made");
    let hearing = Some(Hearing { heard_ms: NOW_MS, ..Hearing::default() });
    let written = Page { hearing, ..page(vec![proofs(ANNA)], vec![image(ANNA, NOW_MS)]) };
    book.write(&[written], NOW_MS).expect("it is written");
    let kept = book.read("home", NOW_MS - 60_000).expect("it is read");
    assert_eq!((kept.hearing.heard_ms, kept.images.len()), (0, 0));
    assert_eq!((kept.identities[0].proven_ms, kept.identities[0].accepted.len()), (0, 0));
}

#[test]
fn what_counts_no_more_is_taken_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut book = Book::open(folder.path()).expect("it can be made");
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
        let mut book = Book::open(folder.path()).expect("it can be made");
        let many = (0..200).map(|index| image(ANNA, NOW_MS + index)).enumerate();
        let many = many.map(|(index, image)| ImageProof { item: index as u64, ..image }).collect();
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
        ("text", b"this is not a database, but long enough to look at".repeat(20), Trouble::Damaged),
        ("cut", whole[..whole.len() / 2].to_vec(), Trouble::Damaged),
        ("flipped", flipped, Trouble::Damaged),
        ("foreign", changed("PRAGMA application_id = 7"), Trouble::Damaged),
        ("newer", changed("PRAGMA user_version = 99"), Trouble::Newer),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        std::fs::write(&path, &bytes).expect("written");
        let state = State::open(folder.path(), &Arc::default());
        assert_eq!(state.trouble(), Some(trouble), "{what}");
        drop(state);
        assert!(std::fs::read(&path).expect("it is there") == bytes, "{what}: it was changed");
    }
}

#[test]
fn an_empty_file_is_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(FILE), "").expect("written");
    assert_eq!(State::open(folder.path(), &Arc::default()).trouble(), None);
}

#[test]
fn what_is_written_anew_leaves_what_was_kept_of_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut book = Book::open(folder.path()).expect("it can be made");
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
    let mut book = Book::open(folder.path()).expect("it can be made");
    book.write(&[page(vec![proofs(ANNA)], vec![])], NOW_MS).expect("it is written");
    let earlier_ms = NOW_MS - 3_600_000;
    let again = IdentityProofs {
        proven_ms: earlier_ms,
        accepted: vec![(Class::Lists, earlier_ms), (Class::Item, earlier_ms)],
        ..proofs(ANNA)
    };
    book.write(&[page(vec![again.clone()], vec![])], earlier_ms).expect("it is written");
    let kept = book.read("home", earlier_ms).expect("it is read");
    assert_eq!(kept.identities[0].proven_ms, earlier_ms);
    assert_eq!(kept.identities[0].accepted.len(), 2, "{kept:?}");
    // Of two times of today the later one does.
    let older = IdentityProofs { proven_ms: earlier_ms - 9, accepted: vec![], ..again };
    book.write(&[page(vec![older], vec![])], earlier_ms).expect("it is written");
    assert_eq!(book.read("home", earlier_ms).expect("it is read").identities[0].proven_ms, earlier_ms);
}

#[test]
fn a_layout_that_another_version_changed_meanwhile_is_newer_and_refusals_are_written_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut book = Book::open(folder.path()).expect("it can be made");
    book.write(&[page(vec![proofs(ANNA), proofs(BERT)], vec![])], NOW_MS).expect("it is written");
    let other = Connection::open(folder.path().join(FILE)).expect("it opens");
    let change = format!("DROP TABLE accepted; PRAGMA user_version = {};", migrations::newest() + 1);
    other.execute_batch(&change).expect("it is changed");
    assert_eq!(book.check_layout().map_err(|failing| failing.trouble), Err(Trouble::Newer));
    let pages = [page(vec![proofs(ANNA)], vec![])];
    let failing = book.write(&pages, NOW_MS).expect_err("the table is gone");
    assert_eq!(failing.trouble, Trouble::Newer, "{failing}");
    book.write_refusals(&[refusal(BERT)]).expect("it is written");
    let left: i64 =
        other.query_row("SELECT count(*) FROM identity", [], |row| row.get(0)).expect("it is read");
    assert_eq!(left, 1);
}

#[test]
fn a_refusal_of_everybody_takes_every_proof_of_that_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut book = Book::open(folder.path()).expect("it can be made");
    book.write(&[page(vec![proofs(BERT)], vec![image(BERT, NOW_MS)])], NOW_MS).expect("written");
    let refusals = Refusals::default();
    refusals.note_everybody();
    let refused = refusals.take();
    assert!(refused.everybody && refusals.take().is_empty());
    let everybody = Page { server: "home".to_owned(), refused, ..Page::default() };
    book.write(&[everybody], NOW_MS).expect("it is written");
    assert_eq!(book.read("home", NOW_MS).expect("it is read").identities, []);
}
