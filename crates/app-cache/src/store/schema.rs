//! Tables of the file.

/// Application id of the file: "Grnc".
pub(super) const APPLICATION_ID: i64 = 0x4772_6e63;
/// Version of the tables.
pub(super) const FORMAT: i64 = 3;

/// Bytes that a row of `entry` counts, without [`ENTRY_OVERHEAD_BYTES`](crate::entry::ENTRY_OVERHEAD_BYTES): what
/// [`NewEntry::weight`](crate::entry::NewEntry::weight) counts.
pub(super) const ROW_BYTES: &str = "octet_length(entry.key) + octet_length(entry.value) + octet_length(entry.media_type) \
    + coalesce(octet_length(entry.version), 0) + 2 * coalesce(octet_length(entry.tags), 0)";

/// The tables. `store` has the number of the last write, of the next cache, and of the last removal of a cache, which
/// is the floor of new ones. A cache that is emptied gets a new id, and the rows of the old one, in `dropped`, are
/// removed little by little; so are the rows of a large invalidation, which `removal` has until then, with the key or
/// row up to which they are removed. Keys and tags are bytes, so that a NUL is a letter like any other. The value is
/// the last column, so that the others are read without it.
pub(super) const TABLES: &str = "
    CREATE TABLE store (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL, next_cache INTEGER NOT NULL,
        floor INTEGER NOT NULL);
    INSERT INTO store VALUES (1, 0, 1, 0);
    CREATE TABLE cache (
        name TEXT PRIMARY KEY,
        id INTEGER NOT NULL UNIQUE,
        floor INTEGER NOT NULL,
        entries INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE entry (
        id INTEGER PRIMARY KEY,
        cache INTEGER NOT NULL,
        key BLOB NOT NULL,
        media_type TEXT NOT NULL,
        stored_ms INTEGER NOT NULL,
        expires_ms INTEGER,
        dies_ms INTEGER,
        sequence INTEGER NOT NULL,
        tags TEXT,
        version TEXT,
        checksum INTEGER NOT NULL,
        value BLOB NOT NULL
    );
    CREATE UNIQUE INDEX entry_key ON entry (cache, key);
    CREATE INDEX entry_cache ON entry (cache);
    CREATE INDEX entry_dies ON entry (dies_ms) WHERE dies_ms IS NOT NULL;
    CREATE TABLE entry_tag (
        cache INTEGER NOT NULL,
        tag BLOB NOT NULL,
        entry INTEGER NOT NULL,
        PRIMARY KEY (cache, tag, entry)
    ) WITHOUT ROWID;
    CREATE TABLE marker (
        cache INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        value BLOB NOT NULL,
        sequence INTEGER NOT NULL,
        PRIMARY KEY (cache, kind, value)
    ) WITHOUT ROWID;
    CREATE INDEX marker_sequence ON marker (cache, sequence);
    CREATE TABLE lease (
        cache INTEGER NOT NULL,
        key BLOB NOT NULL,
        token INTEGER NOT NULL,
        deadline_ms INTEGER NOT NULL,
        tags TEXT,
        PRIMARY KEY (cache, key)
    ) WITHOUT ROWID;
    CREATE TABLE dropped (cache INTEGER PRIMARY KEY);
";

/// Table that format 2 has and format 1 has not.
pub(super) const REMOVAL_TABLE: &str = "
    CREATE TABLE removal (
        cache INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        value BLOB NOT NULL,
        sequence INTEGER NOT NULL,
        after_key BLOB,
        after_row INTEGER NOT NULL,
        PRIMARY KEY (cache, kind, value)
    ) WITHOUT ROWID;
";
