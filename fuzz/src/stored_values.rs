//! Properties of any value in another cache's store, as a pickle or as what `repr` wrote: it is refused in one short
//! sentence, or stored within the limits, the same each time; plain JSON that was made of it means the same when it is
//! read as a literal.

use greenroom_app_cache_import::encoding::{self, EncodedValue, JSON, MAX_VALUE_BYTES};
use greenroom_app_cache_import::entry_key;
use greenroom_app_cache_import::literal::read_literal;
use greenroom_app_cache_import::pickle::read_pickle;
use greenroom_app_cache_import::unreadable::UnreadableValue;
use greenroom_app_cache_import::value_arena::{ValueArena, ValueId};
use serde_json::Value;

/// Bytes of a key's text: its mark and two digits for each of 4,096 bytes.
const MAX_KEY_TEXT_BYTES: usize = 1 + 2 * 4096;
/// Bytes of a reason.
const MAX_REASON_BYTES: usize = 256;

/// A value as it is stored, and its text if it is a key.
#[derive(Debug, PartialEq)]
struct Import {
    value: Result<EncodedValue, String>,
    key: Result<String, String>,
}

/// Checks a value. The first byte tells how it was written.
pub fn check(bytes: &[u8]) {
    let Some((form, data)) = bytes.split_first() else { return };
    let import = if form % 2 == 0 { of_pickle(data) } else { of_literal(&String::from_utf8_lossy(data)) };
    let again = if form % 2 == 0 { of_pickle(data) } else { of_literal(&String::from_utf8_lossy(data)) };
    assert_eq!(import, again, "a second reading differs");
    let Ok(import) = import else { return };
    if let Ok(key) = &import.key {
        assert!(!key.is_empty() && key.len() <= MAX_KEY_TEXT_BYTES, "a key of {} bytes", key.len());
    }
    if let Ok(value) = &import.value {
        check_value(value);
    }
}

fn of_pickle(data: &[u8]) -> Result<Import, String> {
    let mut arena = ValueArena::default();
    let id = read_pickle(data, &mut arena);
    import(&arena, id)
}

fn of_literal(text: &str) -> Result<Import, String> {
    let mut arena = ValueArena::default();
    let id = read_literal(text, &mut arena);
    import(&arena, id)
}

fn import(arena: &ValueArena, id: Result<ValueId, UnreadableValue>) -> Result<Import, String> {
    let id = id.map_err(|unreadable| reason(&unreadable))?;
    Ok(Import {
        value: encoding::encode(arena, id).map_err(|unreadable| reason(&unreadable)),
        key: entry_key::to_text(arena, id).map_err(|unreadable| reason(&unreadable)),
    })
}

/// The reason as a person reads it.
fn reason(unreadable: &UnreadableValue) -> String {
    let text = unreadable.to_string();
    assert!(!text.is_empty() && text.len() <= MAX_REASON_BYTES, "a reason of {} bytes", text.len());
    assert!(!text.contains(char::is_control), "a reason that moves the cursor: {text:?}");
    text
}

fn check_value(value: &EncodedValue) {
    assert!(value.bytes.len() <= MAX_VALUE_BYTES, "a value of {} bytes", value.bytes.len());
    if !value.media_type.ends_with("json") {
        return;
    }
    let text = std::str::from_utf8(&value.bytes).expect("JSON is text");
    assert!(text.is_ascii(), "JSON in ASCII");
    // Its numbers may be larger than this reader's, and it may be nested deeper.
    let Ok(_) = serde_json::from_str::<Value>(text) else { return check_structure(text) };
    if value.media_type == JSON {
        let read = of_literal(text).and_then(|import| import.value);
        assert_eq!(read.as_ref(), Ok(value), "its JSON means something else as a literal");
    }
}

/// Brackets and quotes of JSON that the other reader does not take.
fn check_structure(text: &str) {
    let (mut open, mut is_quoted, mut is_escaped) = (Vec::new(), false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'[' => open.push(b']'),
            b'{' => open.push(b'}'),
            b']' | b'}' => assert_eq!(open.pop(), Some(byte), "brackets that do not match: {text}"),
            _ => {}
        }
    }
    assert!(open.is_empty() && !is_quoted, "JSON without an end: {text}");
}
