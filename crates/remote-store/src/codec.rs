//! An entry as bytes: a head of fixed size, then tags, metadata and body.
//!
//! The digest is keyed with the gateways' key and covers the cache key, so an entry that another program wrote, or moved
//! under another key, is not an entry. Times are the store's: gateways whose clocks differ agree on them.

use bytes::Bytes;
use greenroom_cache::Timestamp;
use greenroom_cache::remote::{EncodedBody, RemoteEntry, RemoteSequence, RemoteWrite, decode_body, encode_body};
use greenroom_cache::{EntryDeadlines, Key, Tag, Value};

/// Begins every entry; the last byte is the version of the format, and of what tags mean.
const MAGIC: [u8; 4] = *b"GRE\x02";
/// Length of the head.
pub(crate) const HEAD_BYTES: usize = 120;
const DIGEST_BYTES: usize = 16;
const FLAG_COMPRESSED: u32 = 1;
const FLAG_ADAPTED: u32 = 2;
/// Ends each tag.
const TAG_END: u8 = 0x1f;
/// Longest decoded body, whatever a head says.
const MAX_BODY_BYTES: u64 = 512 * 1024 * 1024;
/// "Never", which no offset moves.
const NEVER: Timestamp = Timestamp::MAX;

/// The key by which gateways name and sign entries.
#[derive(Clone, Copy)]
pub(crate) struct StoreKey(pub(crate) [u8; 32]);

impl std::fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreKey(…)")
    }
}

impl StoreKey {
    /// The name of a key in the store: it reveals neither identity nor path.
    pub(crate) fn name(self, key: &Key) -> String {
        let hash = blake3::keyed_hash(&self.0, key.encoded().as_bytes());
        hash.as_bytes()[..16].iter().fold(String::with_capacity(32), |mut name, byte| {
            use std::fmt::Write as _;
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
            name
        })
    }

    fn digest(self, key: &Key, head: &[u8], content: &[u8]) -> [u8; DIGEST_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&(key.encoded().len() as u64).to_be_bytes()).update(key.encoded().as_bytes());
        hasher.update(head).update(content);
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(&hasher.finalize().as_bytes()[..DIGEST_BYTES]);
        digest
    }
}

/// Encodes an entry. `offset_ms` is what the store's clock is ahead of ours. `None` if a tag cannot be encoded.
pub(crate) fn encode(store_key: StoreKey, key: &Key, write: &RemoteWrite, offset_ms: i64) -> Option<Vec<u8>> {
    let entry = &write.entry;
    let body = encode_body(entry.body());
    let mut tags = Vec::new();
    for tag in entry.tags() {
        if tag.as_str().as_bytes().contains(&TAG_END) {
            return None;
        }
        tags.extend_from_slice(tag.as_str().as_bytes());
        tags.push(TAG_END);
    }
    let flags = if body.compressed { FLAG_COMPRESSED } else { 0 } | if entry.adapted() { FLAG_ADAPTED } else { 0 };
    let deadlines = entry.deadlines();
    let times = [
        entry.created_ms(),
        entry.stored_ms(),
        deadlines.fresh_until_ms,
        deadlines.stale_until_ms,
        deadlines.error_until_ms,
        deadlines.refresh_at_ms,
    ];
    let mut bytes = Vec::with_capacity(HEAD_BYTES + tags.len() + entry.meta().len() + body.bytes.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&flags.to_be_bytes());
    bytes.extend_from_slice(&write.known.epoch.to_be_bytes());
    bytes.extend_from_slice(&write.known.seq.to_be_bytes());
    for time in times {
        bytes.extend_from_slice(&shift(time, offset_ms).as_millis().to_be_bytes());
    }
    bytes.extend_from_slice(&u32::try_from(tags.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(&u32::try_from(entry.meta().len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(&(entry.body().len() as u64).to_be_bytes());
    bytes.resize(HEAD_BYTES, 0);
    bytes.extend_from_slice(&tags);
    bytes.extend_from_slice(entry.meta());
    bytes.extend_from_slice(&body.bytes);
    let digest = store_key.digest(key, &bytes[..HEAD_BYTES - DIGEST_BYTES], &bytes[HEAD_BYTES..]);
    bytes[HEAD_BYTES - DIGEST_BYTES..HEAD_BYTES].copy_from_slice(&digest);
    Some(bytes)
}

/// Decodes an entry; `None` if it is damaged, of another format or not ours.
pub(crate) fn decode(store_key: StoreKey, key: &Key, bytes: &Bytes, offset_ms: i64) -> Option<RemoteEntry> {
    let head = bytes.get(..HEAD_BYTES)?;
    let (signed, digest) = head.split_at(HEAD_BYTES - DIGEST_BYTES);
    // A digest that is compared in varying time tells its author nothing that the entry does not say.
    if signed[..4] != MAGIC || store_key.digest(key, signed, &bytes[HEAD_BYTES..]) != *digest {
        return None;
    }
    let number = |at: usize| signed.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
    let short = |at: usize| signed.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    let flags = short(4)?;
    let time =
        |at: usize| number(24 + 8 * at).map(|time| shift(Timestamp::from_millis(time), offset_ms.saturating_neg()));
    let (tags_bytes, meta_bytes) = (short(72)? as usize, short(76)? as usize);
    let length = usize::try_from(number(80)?).ok().filter(|length| *length as u64 <= MAX_BODY_BYTES)?;
    let content = bytes.slice(HEAD_BYTES..);
    if tags_bytes.checked_add(meta_bytes)? > content.len() {
        return None;
    }
    let (tags, meta) = (content.slice(..tags_bytes), content.slice(tags_bytes..tags_bytes + meta_bytes));
    let encoded =
        EncodedBody { bytes: content.slice(tags_bytes + meta_bytes..), compressed: flags & FLAG_COMPRESSED != 0 };
    Some(RemoteEntry {
        value: Value { body: decode_body(encoded, length)?, meta },
        tags: split_tags(&tags)?,
        created_ms: time(0)?,
        stored_ms: time(1)?,
        deadlines: EntryDeadlines {
            fresh_until_ms: time(2)?,
            stale_until_ms: time(3)?,
            error_until_ms: time(4)?,
            refresh_at_ms: time(5)?,
        },
        adapted: flags & FLAG_ADAPTED != 0,
        known: RemoteSequence { epoch: number(8)?, seq: number(16)? },
    })
}

fn shift(time: Timestamp, offset_ms: i64) -> Timestamp {
    let shifted = |time: Timestamp| Timestamp::from_millis(time.as_millis().saturating_add_signed(offset_ms));
    if time == NEVER { NEVER } else { shifted(time) }
}

fn split_tags(field: &[u8]) -> Option<Vec<Tag>> {
    let Some(field) = field.strip_suffix(&[TAG_END]) else { return field.is_empty().then(Vec::new) };
    field.split(|byte| *byte == TAG_END).map(|tag| std::str::from_utf8(tag).ok().map(Tag::new)).collect()
}
