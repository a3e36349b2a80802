//! Keys and tags as the Python client names them to the gateway.
//!
//! A key that is a text is that text. Any other is U+0001 and the hexadecimal digits of bytes that are equal where Python
//! calls two keys equal: 1, 1.0 and True are one key.

use data_encoding::HEXLOWER;

use crate::unreadable::UnreadableValue;
use crate::value_arena::{PythonValue, ValueArena, ValueId};

/// Max bytes of an encoded key.
const MAX_KEY_BYTES: usize = 4096;
/// Max nested tuples in a key.
const MAX_TUPLES: u32 = 16;
/// First character of a key that is no text.
const MARK: char = '\u{1}';
/// Integers below this are exact as 128 bits.
const EXACT_BELOW: f64 = 1e38;

/// The text of a key.
///
/// # Errors
/// No cache has such a key.
pub fn to_text(arena: &ValueArena, id: ValueId) -> Result<String, UnreadableValue> {
    arena.check_extent(id)?;
    check(arena, id, 0)?;
    let bytes = identity(arena, id)?;
    if bytes.len() > MAX_KEY_BYTES {
        return Err(UnreadableValue::new("cannot be stored (a key of more than 4096 bytes)"));
    }
    Ok(match arena.get(id) {
        PythonValue::Text(text) if !text.is_empty() && !text.starts_with(MARK) => text.clone(),
        _ => format!("{MARK}{}", HEXLOWER.encode(&bytes)),
    })
}

fn check(arena: &ValueArena, id: ValueId, depth: u32) -> Result<(), UnreadableValue> {
    match arena.get(id) {
        PythonValue::Float(number) if number.is_nan() => Err(UnreadableValue::new("cannot be stored (NaN is no key)")),
        PythonValue::Text(_)
        | PythonValue::Bytes(_)
        | PythonValue::Null
        | PythonValue::Integer(_)
        | PythonValue::Bool(_)
        | PythonValue::Float(_) => Ok(()),
        PythonValue::Tuple(_) if depth >= MAX_TUPLES => {
            Err(UnreadableValue::new("cannot be stored (a key of more than 16 nested tuples)"))
        }
        PythonValue::Tuple(items) => items.iter().try_for_each(|item| check(arena, *item, depth + 1)),
        _ => Err(UnreadableValue::new("cannot be stored (its key is of another type)")),
    }
}

/// Bytes that are equal for equal keys of a dict.
pub(crate) fn identity(arena: &ValueArena, id: ValueId) -> Result<Vec<u8>, UnreadableValue> {
    Ok(match arena.get(id) {
        PythonValue::Text(text) => [b"s", text.as_bytes()].concat(),
        PythonValue::Bytes(bytes) => [b"b", bytes.as_slice()].concat(),
        PythonValue::Null => b"n".to_vec(),
        PythonValue::Bool(truth) => integer(i128::from(*truth)).into_bytes(),
        PythonValue::Integer(number) => integer(*number).into_bytes(),
        PythonValue::Float(number) => float(*number).into_bytes(),
        PythonValue::Tuple(items) => {
            let mut bytes = b"t".to_vec();
            for item in items {
                let part = identity(arena, *item)?;
                let length = u32::try_from(part.len()).map_err(|_| UnreadableValue::new("too large"))?;
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(&part);
            }
            bytes
        }
        PythonValue::Date(date) => format!("D{}", date.to_iso()).into_bytes(),
        PythonValue::Time(time) => format!("T{}", time.to_iso()).into_bytes(),
        PythonValue::Span(span) => format!("S{:?}", span.parts()).into_bytes(),
        PythonValue::Zone(_) | PythonValue::List(_) | PythonValue::Dict(_) => {
            return Err(UnreadableValue::new("a key that cannot be one"));
        }
    })
}

fn integer(number: i128) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("i{sign}{:x}", number.unsigned_abs())
}

/// A whole number as an integer, another one as Python's `float.hex` writes it.
fn float(number: f64) -> String {
    if number.is_nan() {
        return "fnan".to_owned();
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    if number.is_infinite() {
        return format!("f{sign}inf");
    }
    if number.fract() == 0.0 && number.abs() < EXACT_BELOW {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and below 2^127")]
        return integer(number as i128);
    }
    let fraction = number.to_bits() & ((1 << 52) - 1);
    let exponent = (number.to_bits() >> 52 & 0x7ff).cast_signed();
    if number.fract() == 0.0 {
        // Its fraction, shifted to the left of the point.
        let zeros = exponent - 1075;
        let digits = u128::from(fraction | 1 << 52) << (zeros % 4);
        return format!("i{sign}{digits:x}{}", (0..zeros / 4).map(|_| '0').collect::<String>());
    }
    match exponent {
        0 => format!("f{sign}0x0.{fraction:013x}p-1022"),
        _ => format!("f{sign}0x1.{fraction:013x}p{:+}", exponent - 1023),
    }
}
