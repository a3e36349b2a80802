//! JSON pointers (RFC 6901) that may point to many values: `*` is every element of a list.

use serde_json::Value;

/// The texts, numbers and booleans that a pointer points to, as text; `None` if they are more than `max`.
pub fn values(body: &Value, pointer: &str, max: usize) -> Option<Vec<String>> {
    let mut found = Vec::new();
    collect(body, &segments(pointer), max, &mut found).then_some(found)
}

/// The first `max` of them.
pub fn first_values(body: &Value, pointer: &str, max: usize) -> Vec<String> {
    let mut found = Vec::new();
    collect(body, &segments(pointer), max, &mut found);
    found.truncate(max);
    found
}

fn segments(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()
}

/// Adds what is found; false if it is too much.
fn collect(value: &Value, segments: &[String], max: usize, found: &mut Vec<String>) -> bool {
    let Some((segment, rest)) = segments.split_first() else {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return true,
        };
        if !found.contains(&text) {
            found.push(text);
        }
        return found.len() <= max;
    };
    match value {
        Value::Array(elements) if segment == "*" => elements.iter().all(|element| collect(element, rest, max, found)),
        Value::Array(elements) => {
            let index = segment.parse::<usize>().ok();
            index.and_then(|index| elements.get(index)).is_none_or(|element| collect(element, rest, max, found))
        }
        Value::Object(members) => members.get(segment).is_none_or(|member| collect(member, rest, max, found)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_finds_scalars_in_lists_and_objects_once_each_and_in_their_order() {
        let body =
            json!({"a": [{"id": 2}, {"id": "x"}, {"id": 2}, {"no": 1}, {"id": null}], "b/c": {"~": true}, "*": 1});
        let found = |pointer: &str| values(&body, pointer, 10).expect("few");
        assert_eq!(found("/a/*/id"), ["2", "x"]);
        assert_eq!(found("/a/1/id"), ["x"]);
        assert_eq!(found("/b~1c/~0"), ["true"]);
        assert_eq!(found("/*"), ["1"], "of an object it is a name like another");
        assert_eq!(found("/a"), [""; 0]);
        assert_eq!(found("/a/9/id"), [""; 0]);
        assert_eq!(values(&body, "/a/*/id", 1), None);
        assert_eq!(first_values(&body, "/a/*/id", 1), ["2"]);
    }
}
