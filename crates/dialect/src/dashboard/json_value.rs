//! Lenient access to JSON fields: numbers come as numbers or as text.

use serde_json::Value;

use crate::token_shape::looks_like_token;

/// Longest text in bytes; a longer one counts as missing.
const MAX_TEXT_BYTES: usize = 8 * 1024;

/// The list in a field. A single value is a list of one, a missing field an empty list.
pub(super) fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    match of.get(name) {
        Some(Value::Array(rows)) => rows,
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    }
}

/// A text, or a whole number written as one.
pub(super) fn text(of: &Value, name: &str) -> Option<String> {
    match of.get(name)? {
        Value::String(text) if !text.is_empty() && text.len() <= MAX_TEXT_BYTES => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

/// The name of a program or device. It is what a client calls itself, so it may be a token: then it counts as missing.
pub(super) fn name(of: &Value, name: &str) -> Option<String> {
    text(of, name).filter(|name| !looks_like_token(name))
}

/// A non-negative whole number, also written as text or with decimals.
pub(super) fn number(of: &Value, name: &str) -> Option<u64> {
    match of.get(name)? {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_u64().or_else(|| value.as_f64().and_then(whole)),
    }
}

pub(super) fn decimal(of: &Value, name: &str) -> Option<f64> {
    let number = match of.get(name)? {
        Value::String(text) => text.trim().parse().ok()?,
        value => value.as_f64()?,
    };
    number.is_finite().then_some(number)
}

pub(super) fn flag(of: &Value, name: &str) -> bool {
    match of.get(name) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => matches!(text.as_str(), "1" | "true"),
        Some(Value::Number(number)) => number.as_u64() == Some(1),
        _ => false,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is in range")]
fn whole(number: f64) -> Option<u64> {
    (0.0..9e15).contains(&number).then_some(number as u64)
}
