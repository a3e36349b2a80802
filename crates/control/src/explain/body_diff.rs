//! Compares two responses: the place of the first difference, without the values there.

use serde_json::Value;

/// The first place at which `other` differs from `kept`; `None` if they are equal.
pub fn first_difference(kept: &[u8], other: &[u8]) -> Option<String> {
    if kept == other {
        return None;
    }
    let parsed = |bytes| serde_json::from_slice::<Value>(bytes).ok();
    if let (Some(one), Some(two)) = (parsed(kept), parsed(other)) {
        let mut path = String::new();
        let parts = part(&one, &two, &mut path);
        let place = if path.is_empty() { "/" } else { &path };
        let spelling = || "in the order or the spelling, not in what it says".to_owned();
        return Some(if parts { format!("at {place}") } else { spelling() });
    }
    let at = kept.iter().zip(other).position(|(one, two)| one != two).unwrap_or(kept.len().min(other.len()));
    let place = element_before(kept, at).map_or_else(String::new, |name| format!(", in <{name}>"));
    Some(format!("at byte {at} of {}{place}", kept.len()))
}

/// Descends to the first difference. Returns true if there is one.
fn part(one: &Value, two: &Value, path: &mut String) -> bool {
    let length = path.len();
    match (one, two) {
        (Value::Object(one), Value::Object(two)) => {
            for name in one.keys().chain(two.keys()) {
                path.push('/');
                path.push_str(name);
                match (one.get(name), two.get(name)) {
                    (Some(one), Some(two)) if !part(one, two, path) => path.truncate(length),
                    _ => return true,
                }
            }
            false
        }
        (Value::Array(one), Value::Array(two)) => {
            for at in 0..one.len().max(two.len()) {
                path.push('/');
                path.push_str(&at.to_string());
                match (one.get(at), two.get(at)) {
                    (Some(one), Some(two)) if !part(one, two, path) => path.truncate(length),
                    _ => return true,
                }
            }
            false
        }
        (one, two) => one != two,
    }
}

/// The last XML element that begins before a position.
fn element_before(bytes: &[u8], at: usize) -> Option<String> {
    let before = &bytes[..at.min(bytes.len())];
    let open = before.iter().rposition(|byte| *byte == b'<')?;
    let name: Vec<u8> = bytes[open + 1..].iter().copied().take_while(u8::is_ascii_alphanumeric).take(40).collect();
    String::from_utf8(name).ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(one: &str, two: &str) -> Option<String> {
        first_difference(one.as_bytes(), two.as_bytes())
    }

    #[test]
    fn json_parts_at_a_path() {
        assert_eq!(difference(r#"{"a":1}"#, r#"{"a":1}"#), None);
        assert_eq!(difference(r#"{"a":[{"b":1}]}"#, r#"{"a":[{"b":2}]}"#).as_deref(), Some("at /a/0/b"));
        assert_eq!(difference(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#).as_deref(), Some("at /a/1"));
        assert_eq!(difference(r#"{"a":1}"#, r#"{"a":1,"c":0}"#).as_deref(), Some("at /c"));
        assert_eq!(difference("1", "2").as_deref(), Some("at /"));
    }

    #[test]
    fn spelling_alone_is_told_as_that() {
        let told = difference(r#"{"a":1,"b":2}"#, r#"{"b":2, "a":1}"#).expect("the bytes differ");
        assert!(told.contains("order"), "{told}");
    }

    #[test]
    fn xml_parts_at_a_byte_in_an_element() {
        let told = difference("<M size=\"2\"><Video key=\"1\"/></M>", "<M size=\"2\"><Video key=\"2\"/></M>");
        assert_eq!(told.as_deref(), Some("at byte 24 of 32, in <Video>"));
    }

    #[test]
    fn what_stands_there_is_not_repeated() {
        let told = difference(r#"{"token":"SECRET-1"}"#, r#"{"token":"SECRET-2"}"#).expect("they differ");
        assert!(!told.contains("SECRET"));
    }
}
