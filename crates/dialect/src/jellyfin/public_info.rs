//! Rewrites the server's own address in its public information, the only field that is ever rewritten.
//!
//! A client that reads the server's own address there connects to it from then on, past the gateway.

use serde::de::IgnoredAny;

/// The field's name in both profiles, without quotes.
const FIELDS: [&str; 2] = ["LocalAddress", "localAddress"];

/// `body` with the server's own address replaced by `address`, every other byte unchanged. `None` if there is
/// nothing to replace.
pub fn public_info_address(body: &[u8], address: &str) -> Option<Vec<u8>> {
    // Valid JSON has balanced quotes and brackets, which is all that the walk below relies on.
    serde_json::from_slice::<IgnoredAny>(body).ok()?;
    let quoted = serde_json::to_vec(address).ok()?;
    let mut changed = Vec::with_capacity(body.len() + quoted.len());
    let mut copied = 0;
    for (start, end) in addresses(body) {
        changed.extend_from_slice(&body[copied..start]);
        changed.extend_from_slice(&quoted);
        copied = end;
    }
    changed.extend_from_slice(&body[copied..]);
    (copied > 0).then_some(changed)
}

/// Byte ranges of the field's values, if the body is an object that has the field. A repeated field has
/// several values, because readers differ in which they take.
fn addresses(body: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = skip_space(body, 0);
    if body.get(at) != Some(&b'{') {
        return found;
    }
    at = skip_space(body, at + 1);
    while body.get(at) == Some(&b'"') {
        let name_end = end_of_text(body, at);
        let colon = skip_space(body, name_end);
        let start = skip_space(body, colon + 1);
        let end = end_of_value(body, start);
        if is_field(&body[at..name_end]) {
            found.push((start, end));
        }
        let comma = skip_space(body, end);
        at = skip_space(body, comma + 1);
    }
    found
}

/// Whether this quoted name is the field's, with or without escapes.
fn is_field(quoted: &[u8]) -> bool {
    let name = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if !name.contains(&b'\\') {
        return FIELDS.iter().any(|field| field.as_bytes() == name);
    }
    serde_json::from_slice::<String>(quoted).is_ok_and(|name| FIELDS.contains(&name.as_str()))
}

fn skip_space(body: &[u8], start: usize) -> usize {
    let rest = body.get(start..).unwrap_or_default();
    start + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The end of the string that begins with the quote at `start`, after its closing quote.
fn end_of_text(body: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    body.len()
}

fn end_of_value(body: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => {
                at = end_of_text(body, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            b',' | b'}' | b']' if depth == 0 => break,
            byte if depth == 0 && byte.is_ascii_whitespace() => break,
            _ => {}
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn only_the_address_changes() {
        for (before, after) in [
            (r#"{"LocalAddress":"http://10.0.0.1:8096","Id":"x"}"#, r#"{"LocalAddress":"http://g","Id":"x"}"#),
            (
                r#"{ "Id" : "x" , "localAddress" : "a\"},b" , "Version":"1" }"#,
                r#"{ "Id" : "x" , "localAddress" : "http://g" , "Version":"1" }"#,
            ),
            (
                r#"{"a":[{"LocalAddress":"in"}],"b":{"c":"}"},"LocalAddress":null}"#,
                r#"{"a":[{"LocalAddress":"in"}],"b":{"c":"}"},"LocalAddress":"http://g"}"#,
            ),
        ] {
            let changed = public_info_address(before.as_bytes(), "http://g").unwrap();
            assert_eq!(String::from_utf8(changed).unwrap(), after);
        }
    }

    #[test]
    fn no_spelling_of_the_field_keeps_the_servers_address() {
        for (before, after) in [
            (
                r#"{"LocalAddress":"a","Id":"x","LocalAddress":"b"}"#,
                r#"{"LocalAddress":"g","Id":"x","LocalAddress":"g"}"#,
            ),
            (r#"{"Local\u0041ddress":"a"}"#, r#"{"Local\u0041ddress":"g"}"#),
            (r#"{"Local\\u0041ddress":"a","localAddress":"b"}"#, r#"{"Local\\u0041ddress":"a","localAddress":"g"}"#),
        ] {
            let changed = public_info_address(before.as_bytes(), "g").unwrap();
            assert_eq!(String::from_utf8(changed).unwrap(), after);
        }
    }

    #[test]
    fn where_there_is_no_address_nothing_changes() {
        for body in [
            "",
            "[]",
            "{}",
            "\"LocalAddress\"",
            r#"{"Id":"x"}"#,
            r#"{"LocalAddress":"cut"#,
            r#"[{"LocalAddress":"x"}]"#,
        ] {
            assert_eq!(public_info_address(body.as_bytes(), "http://g"), None, "{body}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn every_other_field_stays(name in "\\PC{0,12}", text in "\\PC{0,12}", old in "\\PC{0,12}", new in "\\PC{0,12}") {
            let before = json!({ name.clone(): [text.clone(), {"x": text}], "LocalAddress": old });
            let changed = public_info_address(before.to_string().as_bytes(), &new).unwrap();
            let mut wanted = before;
            wanted["LocalAddress"] = Value::String(new);
            prop_assert_eq!(serde_json::from_slice::<Value>(&changed).unwrap(), wanted);
        }

        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = public_info_address(&bytes, "x");
            let _ = addresses(&bytes);
        }
    }
}
