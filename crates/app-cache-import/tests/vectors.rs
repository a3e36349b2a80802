//! The vectors that the Python client's importer is tested with, too: what is read of pickles and of what `repr` wrote, how
//! it is stored, and what is refused.

use std::sync::LazyLock;

use data_encoding::BASE64;
use greenroom_app_cache_import::encoding::{EncodedValue, encode};
use greenroom_app_cache_import::entry_key;
use greenroom_app_cache_import::literal::read_literal;
use greenroom_app_cache_import::pickle::read_pickle;
use greenroom_app_cache_import::unreadable::UnreadableValue;
use greenroom_app_cache_import::value_arena::ValueArena;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Vectors {
    pickles: Vec<PickleVector>,
    literals: Vec<LiteralVector>,
    keys: Vec<KeyVector>,
    refused_pickles: Vec<String>,
    refused_literals: Vec<String>,
}

#[derive(Deserialize)]
struct PickleVector {
    data: String,
    #[serde(flatten)]
    expected: ExpectedValue,
}

#[derive(Deserialize)]
struct LiteralVector {
    text: String,
    #[serde(flatten)]
    expected: ExpectedValue,
}

#[derive(Deserialize)]
struct ExpectedValue {
    media_type: String,
    value: String,
}

#[derive(Deserialize)]
struct KeyVector {
    data: String,
    key: String,
}

static VECTORS: LazyLock<Vectors> =
    LazyLock::new(|| serde_json::from_str(include_str!("vectors.json")).expect("the vectors are well-formed"));

fn bytes(text: &str) -> Vec<u8> {
    BASE64.decode(text.as_bytes()).expect("it is base 64")
}

fn of_pickle(data: &[u8]) -> Result<EncodedValue, UnreadableValue> {
    let mut arena = ValueArena::default();
    let id = read_pickle(data, &mut arena)?;
    encode(&arena, id)
}

fn of_literal(text: &str) -> Result<EncodedValue, UnreadableValue> {
    let mut arena = ValueArena::default();
    let id = read_literal(text, &mut arena)?;
    encode(&arena, id)
}

impl ExpectedValue {
    /// Numbers may be written in several ways.
    fn assert_is(&self, found: &EncodedValue, what: &str) {
        assert_eq!(found.media_type, self.media_type, "{what}");
        let expected = bytes(&self.value);
        if self.media_type.ends_with("json") {
            let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("it is JSON");
            assert_eq!(json(&found.bytes), json(&expected), "{what}");
        } else {
            assert_eq!(found.bytes, expected, "{what}");
        }
    }
}

#[test]
fn plain_values_are_read_from_pickles_of_any_protocol() {
    for PickleVector { data, expected } in &VECTORS.pickles {
        let found = of_pickle(&bytes(data)).unwrap_or_else(|reason| panic!("{data}: {reason}"));
        expected.assert_is(&found, data);
    }
}

#[test]
fn what_repr_or_json_wrote_is_read() {
    for LiteralVector { text, expected } in &VECTORS.literals {
        let found = of_literal(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        expected.assert_is(&found, text);
    }
}

#[test]
fn a_key_is_called_as_the_python_client_calls_it() {
    for KeyVector { data, key } in &VECTORS.keys {
        let mut arena = ValueArena::default();
        let id = read_pickle(&bytes(data), &mut arena).expect("a plain value");
        assert_eq!(entry_key::to_text(&arena, id), Ok(key.clone()), "{data}");
    }
}

#[test]
fn objects_calls_and_malformed_pickles_are_refused() {
    for data in &VECTORS.refused_pickles {
        assert!(of_pickle(&bytes(data)).is_err(), "{data}");
    }
}

#[test]
fn texts_that_are_no_plain_value_are_refused() {
    for text in &VECTORS.refused_literals {
        assert!(of_literal(text).is_err(), "{text}");
    }
}

#[test]
fn a_short_pickle_that_makes_bytes_without_end_is_refused() {
    let text = "x".repeat(1 << 20);
    let mut data = b"c_codecs\nencode\nq\x00X".to_vec();
    data.extend_from_slice(&u32::try_from(text.len()).expect("it is short").to_le_bytes());
    data.extend_from_slice(text.as_bytes());
    data.extend_from_slice(b"q\x01X\x06\x00\x00\x00latin1\x86q\x02");
    for _ in 0..65 {
        data.extend_from_slice(b"h\x00h\x02R");
    }
    data.push(b'.');
    assert_eq!(of_pickle(&data).map_err(|reason| reason.0), Err("too large".into()));
}

proptest! {
    #[test]
    fn any_bytes_are_a_value_or_refused(data in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = of_pickle(&data);
        let _ = of_literal(&String::from_utf8_lossy(&data));
    }

    #[test]
    fn a_pickle_or_a_text_with_changes_is_a_value_or_refused(
        which in 0..1000_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let vectors = &VECTORS;
        let mut data = bytes(&vectors.pickles[which % vectors.pickles.len()].data);
        let mut text = vectors.literals[which % vectors.literals.len()].text.clone().into_bytes();
        for (place, byte) in changes {
            let at = place.index(data.len());
            data[at] = byte;
            let at = place.index(text.len());
            text[at] = byte;
        }
        if let Ok(EncodedValue { media_type, bytes }) = of_pickle(&data)
            && media_type.ends_with("json")
        {
            prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok());
        }
        let _ = of_literal(&String::from_utf8_lossy(&text));
    }
}
