//! Files that another program made: what computes while it is read is refused, and nothing of them reaches a terminal raw.

use greenroom_app_cache_import::pickle::read_pickle;
use greenroom_app_cache_import::store::{StoreKind, StoreReader};
use greenroom_app_cache_import::value_arena::ValueArena;
use rusqlite::Connection;

const COLUMNS: &str = "id TEXT, expires INTEGER, data TEXT, checksum INTEGER";

fn first_item(schema: &str) -> Result<bool, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("simplecache.db");
    let db = Connection::open(&file).expect("a file");
    db.execute_batch(schema).expect("it is created");
    drop(db);
    let mut reader = StoreReader::open(StoreKind::Simplecache, folder.path())?;
    reader.next_item().map(|item| item.is_some())
}

#[test]
fn a_table_is_read_and_a_view_or_a_computed_column_is_refused() {
    let row = "INSERT INTO simplecache (id, expires, data, checksum) VALUES ('a', 9000000000, '1', 0);";
    assert_eq!(first_item(&format!("CREATE TABLE simplecache ({COLUMNS}); {row}")), Ok(true));
    let endless = "CREATE VIEW simplecache AS WITH RECURSIVE n(rowid) AS (SELECT 1 UNION ALL SELECT rowid + 1 FROM n) \
                   SELECT rowid, '' AS id, 0 AS expires, '' AS data, 0 AS checksum FROM n;";
    let large = format!("CREATE TABLE simplecache ({COLUMNS}, more BLOB AS (zeroblob(999999999))); {row}");
    for schema in [endless, &large] {
        let error = first_item(schema).expect_err("it computes");
        assert!(error.ends_with("is no such store: it has no table simplecache"), "{error}");
    }
}

#[test]
fn a_reason_holds_no_control_characters() {
    let pickle = b"c\x1b]0;title\x07\nname\n.";
    let error = read_pickle(pickle, &mut ValueArena::default()).expect_err("no such type").to_string();
    assert!(error.contains("title") && !error.chars().any(char::is_control), "{error:?}");
}

#[test]
fn a_value_with_too_many_parts_is_refused_while_it_is_read() {
    // Empty tuples, and marks, which are no values.
    for operation in [b')', b'('] {
        let pickle = vec![operation; 10_000_100];
        assert_eq!(
            read_pickle(&pickle, &mut ValueArena::default()).expect_err("too many").to_string(),
            "too many parts"
        );
    }
}
