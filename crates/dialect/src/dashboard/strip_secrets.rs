//! Removes secrets from raw rows: fields whose names indicate a token, and tokens in addresses.

use serde_json::Value;

use crate::redact;

/// Max nesting depth searched; deeper values are dropped.
const MAX_DEPTH: usize = 16;

pub(super) fn without_secrets(row: &Value) -> Value {
    clean(row, MAX_DEPTH)
}

fn clean(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) if may_hold_secret(text) => Value::String(redact::text(text)),
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::Null,
        Value::Array(rows) => Value::Array(rows.iter().map(|row| clean(row, depth - 1)).collect()),
        Value::Object(fields) => {
            let public = fields.iter().filter(|(name, _)| !is_secret(name));
            Value::Object(public.map(|(name, value)| (name.clone(), clean(value, depth - 1))).collect())
        }
        other => other.clone(),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "password", "apikey", "api_key", "secret"].iter().any(|word| name.contains(word))
}

/// Secrets in a text follow their name.
fn may_hold_secret(text: &str) -> bool {
    text.contains(['=', '%', ':'])
}
