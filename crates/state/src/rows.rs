//! Rows of each server: reading and writing.

use greenroom_cache::AccessRhythmSnapshot;
use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use greenroom_dialect::class::Class;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::time::Duration;

use crate::codec::{signed, unsigned};
use crate::error::StateError;
use crate::grants::{IMAGE_GRANT_TTL, MAX_IDENTITIES, MAX_IMAGE_GRANTS, StoredWarmKey};
use crate::grants::{IdentityGrant, ImageGrant, LastContact};

/// Grants further in the future are from before the clock was set back.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// The latest plausible time.
pub(super) fn latest(now_ms: Timestamp) -> i64 {
    signed(now_ms.saturating_add(CLOCK_TOLERANCE).as_millis())
}

/// Last contact with a server, if any.
pub(super) fn last_contact(db: &Connection, server: &str) -> Result<Option<LastContact>, StateError> {
    let found = db.query_row(
        "SELECT heard_ms, down_since_ms, introduction, is_choosy FROM server WHERE name = ?1",
        [server],
        |row| {
            Ok(LastContact {
                last_response_ms: Timestamp::from_millis(unsigned(row.get(0)?)),
                down_since_ms: Timestamp::from_millis(unsigned(row.get(1)?)),
                identity_response: row.get(2)?,
                is_partially_invalidated: row.get(3)?,
            })
        },
    );
    Ok(found.optional()?)
}

/// Its warm keys.
pub(super) fn warm(db: &Connection, server: &str) -> Result<Vec<StoredWarmKey>, StateError> {
    let mut select = db.prepare(
        "SELECT key, target, headers, last_read_ms, average_ms, latest_ms FROM warm WHERE server = ?1 ORDER BY key",
    )?;
    let rows = select.query_map([server], |row| {
        let rhythm = AccessRhythmSnapshot {
            last_read_ms: Timestamp::from_millis(unsigned(row.get(3)?)),
            average_ms: Duration::from_millis(unsigned(row.get(4)?)),
            latest_ms: Duration::from_millis(unsigned(row.get(5)?)),
        };
        Ok(StoredWarmKey { key: row.get(0)?, target: row.get(1)?, headers: row.get(2)?, rhythm })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Its identities, most recent first.
pub(super) fn identities(db: &Connection, server: &str, until_ms: i64) -> Result<Vec<IdentityGrant>, StateError> {
    let mut select = db.prepare(
        "SELECT id, partition, account, proven_ms FROM identity WHERE server = ?1 ORDER BY kept_ms DESC LIMIT ?2",
    )?;
    let mut accepted = db.prepare("SELECT class, at_ms FROM accepted WHERE identity = ?1")?;
    let mut denied = db.prepare("SELECT path FROM denied_path WHERE identity = ?1")?;
    let most = i64::try_from(MAX_IDENTITIES).unwrap_or(i64::MAX);
    let mut rows = select.query(params![server, most])?;
    let mut identities = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, proven_ms): (i64, i64) = (row.get(0)?, row.get(3)?);
        let classes = accepted.query_map([id], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        let classes = classes.collect::<Result<Vec<_>, _>>()?.into_iter();
        let denied_paths = denied.query_map([id], |row| Ok(row.get::<_, i64>(0)?.cast_unsigned()))?;
        identities.push(IdentityGrant {
            partition: row.get(1)?,
            account: row.get(2)?,
            granted_ms: if proven_ms <= until_ms {
                Timestamp::from_millis(unsigned(proven_ms))
            } else {
                Timestamp::UNIX_EPOCH
            },
            accepted: classes
                .filter(|(_, at_ms)| *at_ms <= until_ms)
                .filter_map(|(class, at_ms)| Some((Class::parse(&class)?, Timestamp::from_millis(unsigned(at_ms)))))
                .collect(),
            denied_paths: denied_paths.collect::<Result<_, _>>()?,
        });
    }
    Ok(identities)
}

/// Its image grants.
pub(super) fn images(
    db: &Connection,
    server: &str,
    now_ms: Timestamp,
    until_ms: i64,
) -> Result<Vec<ImageGrant>, StateError> {
    let mut select = db.prepare(
        "SELECT partition, item, at_ms FROM image JOIN identity ON identity.id = image.identity
         WHERE server = ?1 AND at_ms BETWEEN ?2 AND ?3 ORDER BY image.identity LIMIT ?4",
    )?;
    let most = i64::try_from(MAX_IMAGE_GRANTS).unwrap_or(i64::MAX);
    let rows = select.query_map(params![server, image_end(now_ms), until_ms, most], |row| {
        Ok(ImageGrant {
            partition: row.get(0)?,
            item: row.get::<_, i64>(1)?.cast_unsigned(),
            at_ms: Timestamp::from_millis(unsigned(row.get(2)?)),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds grants of an identity; later times win, and its denied paths replace those before.
pub(super) fn put_identity(
    db: &Transaction<'_>,
    server: &str,
    proofs: &IdentityGrant,
    now_ms: Timestamp,
) -> Result<(), StateError> {
    let until_ms = latest(now_ms);
    let id: i64 = db
        .prepare_cached(
            "INSERT INTO identity (server, partition, account, proven_ms, kept_ms) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (server, partition) DO UPDATE SET account = coalesce(excluded.account, account),
                proven_ms = CASE WHEN proven_ms > ?6 THEN excluded.proven_ms ELSE max(proven_ms, excluded.proven_ms) END,
                kept_ms = excluded.kept_ms
             RETURNING id",
        )?
        .query_row(
            params![server, proofs.partition, proofs.account, signed(proofs.granted_ms.as_millis()), signed(now_ms.as_millis()), until_ms],
            |row| row.get(0),
        )?;
    let mut accept = db.prepare_cached(
        "INSERT INTO accepted (identity, class, at_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (identity, class) DO UPDATE SET
            at_ms = CASE WHEN at_ms > ?4 THEN excluded.at_ms ELSE max(at_ms, excluded.at_ms) END",
    )?;
    for (class, at_ms) in &proofs.accepted {
        accept.execute(params![id, class.name(), signed((*at_ms).as_millis()), until_ms])?;
    }
    db.prepare_cached("DELETE FROM denied_path WHERE identity = ?1")?.execute([id])?;
    let mut deny = db.prepare_cached("INSERT OR IGNORE INTO denied_path (identity, path) VALUES (?1, ?2)")?;
    for path in &proofs.denied_paths {
        deny.execute(params![id, path.cast_signed()])?;
    }
    Ok(())
}

/// Adds an image grant, or deletes a revoked one.
pub(super) fn put_image(
    db: &Transaction<'_>,
    server: &str,
    proof: &ImageGrant,
    now_ms: Timestamp,
) -> Result<(), StateError> {
    let item = proof.item.cast_signed();
    if proof.at_ms == Timestamp::UNIX_EPOCH {
        db.prepare_cached(
            "DELETE FROM image WHERE item = ?3
             AND identity = (SELECT id FROM identity WHERE server = ?1 AND partition = ?2)",
        )?
        .execute(params![server, proof.partition, item])?;
        return Ok(());
    }
    db.prepare_cached(
        "INSERT INTO identity (server, partition, proven_ms, kept_ms) VALUES (?1, ?2, 0, ?3)
         ON CONFLICT (server, partition) DO NOTHING",
    )?
    .execute(params![server, proof.partition, signed(now_ms.as_millis())])?;
    db.prepare_cached(
        "INSERT INTO image (identity, item, at_ms)
         SELECT id, ?3, ?4 FROM identity WHERE server = ?1 AND partition = ?2
         ON CONFLICT (identity, item) DO UPDATE SET at_ms = excluded.at_ms",
    )?
    .execute(params![server, proof.partition, item, signed(proof.at_ms.as_millis())])?;
    Ok(())
}

/// Stores the last contact.
pub(super) fn put_last_contact(db: &Transaction<'_>, server: &str, hearing: &LastContact) -> Result<(), StateError> {
    db.prepare_cached(
        "INSERT INTO server (name, heard_ms, down_since_ms, introduction, is_choosy) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (name) DO UPDATE SET heard_ms = excluded.heard_ms, down_since_ms = excluded.down_since_ms,
            introduction = coalesce(excluded.introduction, introduction),
            is_choosy = max(is_choosy, excluded.is_choosy)",
    )?
    .execute(params![
        server,
        signed(hearing.last_response_ms.as_millis()),
        signed(hearing.down_since_ms.as_millis()),
        hearing.identity_response,
        hearing.is_partially_invalidated
    ])?;
    Ok(())
}

/// Replaces the warm keys.
pub(super) fn put_warm(db: &Transaction<'_>, server: &str, warm: &[StoredWarmKey]) -> Result<(), StateError> {
    db.execute("DELETE FROM warm WHERE server = ?1", [server])?;
    let mut insert = db.prepare_cached("INSERT INTO warm VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for StoredWarmKey { key, target, headers, rhythm } in warm {
        let times = [rhythm.last_read_ms.as_millis(), millis(rhythm.average_ms), millis(rhythm.latest_ms)].map(signed);
        insert.execute(params![server, key, target, headers, times[0], times[1], times[2]])?;
    }
    Ok(())
}

/// Image grants older than this have expired.
pub(super) fn image_end(now_ms: Timestamp) -> i64 {
    let ttl_ms = u64::try_from(IMAGE_GRANT_TTL.as_millis()).unwrap_or(u64::MAX);
    signed(now_ms.saturating_sub(Duration::from_millis(ttl_ms)).as_millis())
}
