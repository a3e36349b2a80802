//! Inspecting a store: everything is listed, damage is found and removed, space is returned.

use std::ops::ControlFlow;
use std::path::Path;

use super::super::inspect::{EntrySummary, Inspection, StoreDamage};
use super::super::store::FILE;
use super::{CountingLoader, LONG, key, open, read, tag};
use crate::*;

fn inspect(dir: &Path) -> Inspection {
    Inspection::open(dir).expect("it opens").expect("there is one")
}

fn rows(store: &Inspection) -> Vec<EntrySummary> {
    let mut rows = Vec::new();
    store
        .for_each_entry(|row| {
            rows.push(row);
            ControlFlow::Continue(())
        })
        .expect("they are read");
    rows.sort_by(|left, right| left.key.text().cmp(right.key.text()));
    rows
}

/// A large body that does not compress.
fn large() -> Vec<u8> {
    (0..200_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

async fn fill(dir: &Path) -> Cache {
    let cache = open(dir);
    read(&cache, "/a", &CountingLoader::tagged("small", "red")).await.expect("it loads");
    read(&cache, "/b", &CountingLoader::new(large())).await.expect("it loads");
    assert!(cache.flush(LONG).await);
    cache
}

#[tokio::test]
async fn everything_is_listed_while_a_cache_runs_and_shown_in_full() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(Inspection::open(folder.path()).expect("nothing is wrong").is_none());
    let cache = fill(folder.path()).await;
    let store = inspect(folder.path());
    let found = rows(&store);
    assert_eq!(found.iter().map(|row| row.key.clone()).collect::<Vec<_>>(), [key("/a"), key("/b")]);
    assert_eq!((found[0].tags.as_slice(), found[0].length, found[0].has_file), (&[Tag::new("red")][..], 5, false));
    assert!(found[1].has_file && found[1].length == 200_000);
    assert_eq!(store.value(&found[1]).expect("it is read").expect("it is whole").body, large());
    assert!(store.covering_invalidations(&found[0]).expect("they are read").is_empty());
    cache.invalidate(&tag("red"), &Invalidation::purge());
    assert!(cache.flush_invalidations().await);
    let covering = store.covering_invalidations(&found[0]).expect("they are read");
    assert!(covering.len() == 1 && covering[0].is_newer && covering[0].purges, "{covering:?}");
    assert_eq!(covering[0].scope, tag("red"));
    assert!(store.covering_invalidations(&found[1]).expect("they are read").is_empty());
    let totals = store.totals().expect("they are read");
    assert!(totals.markers == 1 && totals.database_bytes > 0 && totals.log_bytes > 0, "{totals:?}");
    cache.close_disk().await;
}

#[tokio::test]
async fn damage_is_found_and_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = fill(folder.path()).await;
    read(&cache, "/c", &CountingLoader::new("whole")).await.expect("it loads");
    read(&cache, "/d", &CountingLoader::new(large())).await.expect("it loads");
    cache.close_disk().await;
    let store = inspect(folder.path());
    let mut steps = Vec::new();
    let well = store.verify(false, false, Timestamp::MAX, |done, of| steps.push((done, of))).expect("it is read");
    assert_eq!((well.rows, well.bytes, well.damage.len(), well.orphans), (4, 400_010, 0, 0));
    assert_eq!(steps.last(), Some(&(4, 4)));

    let db = rusqlite::Connection::open(folder.path().join(FILE)).expect("it opens");
    db.execute("UPDATE entry SET body = 'smalL' WHERE length = 5 AND key LIKE '%/a'", []).expect("it is changed");
    let file: String =
        db.query_row("SELECT file FROM entry WHERE key LIKE '%/d'", [], |row| row.get(0)).expect("a file");
    drop(db);
    let bodies = folder.path().join("bodies");
    std::fs::rename(bodies.join(&file), bodies.join(format!("{}.new", &file))).expect("it was there");

    let found = store.verify(false, false, Timestamp::MAX, |_, _| {}).expect("it is read");
    let key = |text: &str| key(text).encoded().to_owned();
    let mut damage = found.damage.clone();
    damage.sort_by_key(|damage| format!("{damage:?}"));
    assert_eq!(damage, [StoreDamage::CorruptRow(key("/a")), StoreDamage::MissingBody(key("/d"))]);
    assert_eq!((found.rows, found.orphans, found.repaired), (4, 1, 0));
    let repaired = store.verify(true, false, Timestamp::MAX, |_, _| {}).expect("it is read");
    assert_eq!(repaired.repaired, 2);
    let after = store.verify(false, false, Timestamp::MAX, |_, _| {}).expect("it is read");
    assert_eq!((after.rows, after.damage.len()), (2, 0));
}

#[tokio::test]
async fn removed_entries_are_gone_and_their_space_is_freed() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = open(folder.path());
    for index in 0..300 {
        let mut body = large();
        body.truncate(8_000);
        read(&cache, &format!("/{index}"), &CountingLoader::new(body)).await.expect("it loads");
    }
    cache.close_disk().await;
    let store = inspect(folder.path());
    let removed = store.remove(Timestamp::from_millis(1), |row| row.key.text() != "/7").expect("they are removed");
    assert_eq!((removed, rows(&store).len()), (299, 1));
    let freed = store.vacuum(false).expect("no other connection holds the file");
    assert!(freed.after_bytes * 4 < freed.before_bytes, "{freed:?}");
    let cache = open(folder.path());
    assert_eq!(super::served(&cache, "/7", &CountingLoader::down()).await.0, CacheStatus::Hit);
    cache.close_disk().await;
}

#[test]
fn a_file_that_is_no_store_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(FILE), "something else, which is no database at all").expect("written");
    let reason = Inspection::open(folder.path()).expect_err("it is none");
    assert!(reason.contains(FILE), "{reason}");
}
