//! JSON pointers (RFC 6901) that may point to many values: `*` is every element of a list. They are followed while the
//! text is parsed, so that only what they point to takes memory.

use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The texts, numbers and booleans that a pointer points to, as text; `None` if they are more than `max`, or if the
/// body is no JSON.
pub fn values(body: &[u8], pointer: &str, max: usize) -> Option<Vec<String>> {
    let mut found = FoundValues { texts: Vec::new(), max, has_more: false };
    found.follow(body, pointer)?;
    (!found.has_more).then_some(found.texts)
}

/// The first `max` of them; none if the body is no JSON.
pub fn first_values(body: &[u8], pointer: &str, max: usize) -> Vec<String> {
    let mut found = FoundValues { texts: Vec::new(), max, has_more: false };
    if found.follow(body, pointer).is_some() { found.texts } else { Vec::new() }
}

/// Values found.
struct FoundValues {
    texts: Vec<String>,
    max: usize,
    has_more: bool,
}

impl FoundValues {
    fn follow(&mut self, body: &[u8], pointer: &str) -> Option<()> {
        let segments: Vec<String> =
            pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
        let mut parser = serde_json::Deserializer::from_slice(body);
        PointerVisitor { segments: &segments, found: self }.deserialize(&mut parser).ok()?;
        parser.end().ok()
    }

    fn add(&mut self, value: &impl ToString) {
        // Of a long list the rest is only parsed.
        if self.has_more {
            return;
        }
        let text = value.to_string();
        if self.texts.contains(&text) {
            return;
        }
        if self.texts.len() == self.max {
            self.has_more = true;
        } else {
            self.texts.push(text);
        }
    }
}

/// The way that is left from one value on.
struct PointerVisitor<'a> {
    segments: &'a [String],
    found: &'a mut FoundValues,
}

impl PointerVisitor<'_> {
    fn add(self, text: &impl ToString) {
        if self.segments.is_empty() {
            self.found.add(text);
        }
    }
}

impl<'de> DeserializeSeed<'de> for PointerVisitor<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PointerVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.add(&value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.add(&value);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.add(&value);
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.add(&serde_json::Value::from(value));
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.add(&value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Some((segment, rest)) = self.segments.split_first() else {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let wanted = segment.parse::<usize>().ok();
        for at in 0.. {
            let is_on_the_way = segment == "*" || wanted == Some(at);
            let element = if is_on_the_way {
                elements.next_element_seed(PointerVisitor { segments: rest, found: &mut *self.found })?
            } else {
                elements.next_element::<IgnoredAny>()?.map(|_| ())
            };
            if element.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let step = self.segments.split_first();
        while let Some(name) = members.next_key::<String>()? {
            match step {
                Some((segment, rest)) if *segment == name => {
                    members.next_value_seed(PointerVisitor { segments: rest, found: &mut *self.found })?;
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_finds_scalars_in_lists_and_objects_once_each_and_in_their_order() {
        let body = br#"{"a": [{"id": 2}, {"id": "x"}, {"id": 2}, {"no": 1}, {"id": null}], "b/c": {"~": true}, "*": 1,
            "c": [1.5, -3, "\u00e9", [4]]}"#;
        let found = |pointer: &str| values(body, pointer, 10).expect("few");
        assert_eq!(found("/a/*/id"), ["2", "x"]);
        assert_eq!(found("/a/1/id"), ["x"]);
        assert_eq!(found("/b~1c/~0"), ["true"]);
        assert_eq!(found("/*"), ["1"], "of an object it is a name like another");
        assert_eq!(found("/a"), [""; 0]);
        assert_eq!(found("/a/9/id"), [""; 0]);
        assert_eq!(found("/a/0/id/x"), [""; 0]);
        assert_eq!(found("/c/*"), ["1.5", "-3", "é"]);
        assert_eq!(values(body, "/a/*/id", 1), None);
        assert_eq!(first_values(body, "/a/*/id", 1), ["2"]);
    }

    #[test]
    fn what_is_not_wholly_json_has_no_values() {
        for body in ["", "{\"id\":1", "{\"id\":1} x", "<id>1</id>", "{\"id\":1,}"] {
            assert_eq!(values(body.as_bytes(), "/id", 10), None, "{body}");
            assert_eq!(first_values(body.as_bytes(), "/id", 10), [""; 0], "{body}");
        }
    }
}
