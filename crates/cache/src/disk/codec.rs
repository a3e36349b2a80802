//! Encodes a cached value for the database: text bodies compressed, tags in one field, one checksum over everything.

use bytes::Bytes;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::key::Tag;

/// Bodies up to this length in bytes are not compressed: there is little to gain.
const COMPRESS_ABOVE: usize = 1024;
/// The fastest regular compression level of zstd.
const LEVEL: i32 = 1;
/// Length of the sample that decides whether a body is text.
const SAMPLE_BYTES: usize = 512;
/// Ends each tag in the field; a tag that contains it cannot be stored.
const TAG_END: u8 = 0x1f;

/// A body in the form in which it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedBody {
    /// Its bytes.
    pub bytes: Bytes,
    /// Whether they are compressed.
    pub compressed: bool,
}

/// Encodes a body. Images and other binary bodies stay as they are, and so do bodies that would not shrink by at least
/// a tenth.
pub(crate) fn encode_body(body: &Bytes) -> EncodedBody {
    let uncompressed = || EncodedBody { bytes: body.clone(), compressed: false };
    if body.len() <= COMPRESS_ABOVE || !is_text(body) {
        return uncompressed();
    }
    match zstd::bulk::compress(body, LEVEL) {
        Ok(bytes) if bytes.len() < body.len() - body.len() / 10 => {
            EncodedBody { bytes: bytes.into(), compressed: true }
        }
        _ => uncompressed(),
    }
}

/// Decodes a body of known length; `None` if it cannot be decompressed or the length differs.
pub(crate) fn decode_body(encoded: EncodedBody, length: usize) -> Option<Bytes> {
    let body =
        if encoded.compressed { zstd::bulk::decompress(&encoded.bytes, length).ok()?.into() } else { encoded.bytes };
    (body.len() == length).then_some(body)
}

/// Whether the first bytes look like text: no control characters but white space, and mostly ASCII.
fn is_text(body: &[u8]) -> bool {
    let sample = &body[..body.len().min(SAMPLE_BYTES)];
    let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    let non_ascii = sample.iter().filter(|byte| !byte.is_ascii()).count();
    !sample.iter().any(is_control) && non_ascii * 2 < sample.len()
}

/// Joins tags into one field; `None` if one cannot be encoded.
pub(crate) fn join_tags(tags: &[Tag]) -> Option<Vec<u8>> {
    let mut field = Vec::with_capacity(tags.iter().map(|tag| tag.as_str().len() + 1).sum());
    for tag in tags {
        if tag.as_str().as_bytes().contains(&TAG_END) {
            return None;
        }
        field.extend_from_slice(tag.as_str().as_bytes());
        field.push(TAG_END);
    }
    Some(field)
}

/// Splits a field into tags; `None` if it is damaged.
pub(crate) fn split_tags(field: &[u8]) -> Option<Vec<Tag>> {
    let Some(field) = field.strip_suffix(&[TAG_END]) else {
        return field.is_empty().then(Vec::new);
    };
    field.split(|byte| *byte == TAG_END).map(|tag| std::str::from_utf8(tag).ok().map(Tag::new)).collect()
}

/// Checksum of everything written of a value; `numbers` are its times and other numeric columns. Each part is hashed in
/// one call, which is faster than an incremental hasher; the hash of one seeds the next.
pub(crate) fn checksum(key: &str, body: &[u8], meta: &[u8], tags: &[u8], numbers: &[i64]) -> i64 {
    let body = [body.len() as u64, xxh3_64(body)];
    let small = [key.as_bytes(), meta, tags]
        .into_iter()
        .fold(body[1], |seed, part| xxh3_64_with_seed(part, seed.wrapping_add(part.len() as u64)));
    let numbers = numbers.iter().map(|number| number.cast_unsigned());
    let all = body.into_iter().chain(numbers);
    all.fold(small, |seed, number| xxh3_64_with_seed(&number.to_le_bytes(), seed)).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_gets_smaller_and_images_stay() {
        let text = Bytes::from("{\"title\":\"Solaris\"},".repeat(200));
        assert!(encode_body(&text).compressed && encode_body(&text).bytes.len() < text.len() / 4);
        let image: Bytes = (0..4000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        assert!(!encode_body(&image).compressed);
        let short = Bytes::from("{}".repeat(100));
        assert!(!encode_body(&short).compressed);
    }

    #[test]
    fn a_body_that_unpacks_to_another_length_is_refused() {
        let text = Bytes::from("a".repeat(5000));
        assert_eq!(decode_body(encode_body(&text), 5000), Some(text.clone()));
        assert_eq!(decode_body(encode_body(&text), 4999), None, "a body never grows beyond what its row says");
        assert_eq!(decode_body(encode_body(&text), 5001), None);
    }

    proptest! {
        #[test]
        fn an_encoded_body_is_decoded(body in proptest::collection::vec(any::<u8>(), 0..3000), times in 1usize..40) {
            let body = Bytes::from(body.repeat(times));
            prop_assert_eq!(decode_body(encode_body(&body), body.len()), Some(body));
        }

        #[test]
        fn tags_come_back(tags in proptest::collection::vec("[a-z:0-9]{0,8}", 0..5)) {
            let tags: Vec<Tag> = tags.into_iter().map(Tag::new).collect();
            let field = join_tags(&tags).expect("they can be written");
            prop_assert_eq!(split_tags(&field), Some(tags));
        }
    }
}
