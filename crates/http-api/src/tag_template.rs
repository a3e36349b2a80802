//! Tags of a route: text with captures of the path (`movie:{id}`) or values of a body (`movie:{/results/*/id}`).

use crate::json_pointer;

/// Max values of one template in one body; a body with more has a tag that stands for all of them.
pub(crate) const MAX_VALUES: usize = 512;

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TagPart {
    Text(String),
    /// A captured segment of the path.
    Capture(String),
    /// JSON pointer into the body.
    Pointer(String),
}

/// One template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagTemplate(Vec<TagPart>);

impl TagTemplate {
    /// The template with this text.
    pub(crate) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else { break };
            parts.push(TagPart::Text(before.to_owned()));
            let is_pointer = name.starts_with('/');
            parts.push(if is_pointer { TagPart::Pointer(name.to_owned()) } else { TagPart::Capture(name.to_owned()) });
            rest = after;
        }
        parts.push(TagPart::Text(rest.to_owned()));
        Self(parts)
    }

    /// Whether it needs a body.
    pub(crate) fn reads_body(&self) -> bool {
        self.0.iter().any(|part| matches!(part, TagPart::Pointer(_)))
    }

    /// The tags of a response, without those that stand for many.
    fn filled(&self, captures: &[(String, String)], body: &[u8]) -> Option<Vec<String>> {
        let mut tags = vec![String::new()];
        for part in &self.0 {
            let values = match part {
                TagPart::Text(text) => vec![text.clone()],
                TagPart::Capture(name) => {
                    captures.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
                }
                TagPart::Pointer(pointer) => json_pointer::values(body, pointer, MAX_VALUES)?,
            };
            if tags.len().saturating_mul(values.len()) > MAX_VALUES {
                return None;
            }
            tags = tags.iter().flat_map(|tag| values.iter().map(move |value| format!("{tag}{value}"))).collect();
        }
        Some(tags)
    }

    /// The tags of a response: those of its values, and the one of all responses of this template. A response whose
    /// values are too many, or cannot be read, has the tag that every write to one of them makes stale.
    pub(crate) fn of_response(&self, captures: &[(String, String)], body: &[u8]) -> Vec<String> {
        let mut tags = self.filled(captures, body).unwrap_or_else(|| vec![self.standing_for("*")]);
        if self.0.len() > 1 {
            tags.push(self.standing_for("{}"));
        }
        tags
    }

    /// The tags that a write makes stale. One that does not say which values it changed may have changed any.
    pub(crate) fn of_write(&self, captures: &[(String, String)], body: &[u8]) -> Vec<String> {
        match self.filled(captures, body) {
            Some(mut tags) if !tags.is_empty() => {
                if self.0.len() > 1 {
                    tags.push(self.standing_for("*"));
                }
                tags
            }
            _ => vec![self.standing_for("{}")],
        }
    }

    fn standing_for(&self, values: &str) -> String {
        let text = |part: &TagPart| match part {
            TagPart::Text(text) => text.clone(),
            TagPart::Capture(_) | TagPart::Pointer(_) => values.to_owned(),
        };
        self.0.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn captured(id: &str) -> Vec<(String, String)> {
        vec![("id".to_owned(), id.to_owned())]
    }

    /// Whether this write makes that response stale.
    fn is_hit(write: &(&str, Option<Value>), response: &(&str, Option<Value>)) -> bool {
        let text = |body: &Option<Value>| body.as_ref().map_or_else(|| "no JSON".to_owned(), ToString::to_string);
        let written = TagTemplate::new(write.0).of_write(&captured("7"), text(&write.1).as_bytes());
        let tags = TagTemplate::new(response.0).of_response(&captured("7"), text(&response.1).as_bytes());
        written.iter().any(|tag| tags.contains(tag))
    }

    #[test]
    fn a_write_makes_stale_what_holds_one_of_its_values() {
        let list = |ids: &[u32]| Some(json!({"rows": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()}));
        let rows = "film:{/rows/*/id}";
        assert!(is_hit(&("film:{id}", None), &(rows, list(&[3, 7]))));
        assert!(!is_hit(&("film:{id}", None), &(rows, list(&[3, 8]))));
        assert!(is_hit(&("film:{/id}", Some(json!({"id": 8}))), &(rows, list(&[3, 8]))));
        assert!(is_hit(&("film:{/id}", Some(json!({"id": 7}))), &("film:{id}", None)));
        assert!(!is_hit(&("film:{/id}", Some(json!({"id": 8}))), &("film:{id}", None)));
        assert!(!is_hit(&("show:{id}", None), &(rows, list(&[7]))));
    }

    #[test]
    fn what_is_not_known_is_taken_for_anything_of_its_template() {
        let (rows, few) = ("film:{/rows/*/id}", json!({"rows": [{"id": 3}]}));
        let many = json!({"rows": (1000..=1000 + MAX_VALUES).map(|id| json!({"id": id})).collect::<Vec<_>>()});
        assert!(is_hit(&("film:{id}", None), &(rows, Some(many))), "too many to name each");
        assert!(is_hit(&("film:{id}", None), &(rows, None)), "no JSON");
        for body in [None, Some(json!({}))] {
            assert!(is_hit(&("film:{/id}", body.clone()), &(rows, Some(few.clone()))));
            assert!(is_hit(&("film:{/id}", body.clone()), &("film:{id}", None)));
            assert!(!is_hit(&("film:{/id}", body), &("show:{id}", None)));
        }
        assert!(!is_hit(&("film:{id}", None), &(rows, Some(few))));
    }

    #[test]
    fn a_plain_tag_is_itself() {
        assert_eq!(TagTemplate::new("films").of_response(&[], b""), ["films"]);
        assert_eq!(TagTemplate::new("films").of_write(&[], b""), ["films"]);
    }
}
