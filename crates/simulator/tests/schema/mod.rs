//! A small validator of JSON answers against the schemas of an OpenAPI 3.0 description: property names known, types,
//! formats and enumerations right, required properties present.

use serde_json::Value;

/// Properties the simulator adds to what the real server sends.
const OWN_PREFIX: &str = "Greenroom";

/// An API description.
pub(crate) struct ApiSchema(Value);

impl ApiSchema {
    /// Reads a description from its JSON text.
    pub(crate) fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("the description is JSON"))
    }

    /// The schema of the JSON answer with `status` to `method path`, where `path` is the template of the description.
    pub(crate) fn answer(&self, method: &str, path: &str, status: u16) -> Option<&Value> {
        let status = status.to_string();
        let content = &self.0["paths"].get(path)?.get(method)?["responses"].get(&status)?["content"];
        content.get("application/json").map(|media| &media["schema"])
    }

    /// Everything in which `value` differs from `schema`, each with its place.
    pub(crate) fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(schema, value, "$", &mut faults);
        faults
    }

    /// The named schema.
    pub(crate) fn named(&self, name: &str) -> &Value {
        let found = &self.0["components"]["schemas"][name];
        assert!(!found.is_null(), "the description has no schema {name}");
        found
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        if value.is_null() {
            if schema["nullable"] != true && (schema.get("type").is_some() || schema.get("$ref").is_some()) {
                faults.push(format!("{at}: null is not allowed"));
            }
            return;
        }
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().expect("a reference has a last part");
            return self.check(self.named(name), value, at, faults);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return parts.iter().for_each(|part| self.check(part, value, at, faults));
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            if !choices.iter().any(|choice| self.faults(choice, value).is_empty()) {
                faults.push(format!("{at}: fits none of the choices"));
            }
            return;
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            faults.push(format!("{at}: {value} is not one of the allowed values"));
        }
        self.check_type(schema, value, at, faults);
    }

    fn check_type(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let format = schema["format"].as_str();
        match schema["type"].as_str() {
            Some("object") => self.check_object(schema, value, at, faults),
            Some("array") => match value.as_array() {
                Some(rows) => {
                    for (index, row) in rows.iter().enumerate() {
                        self.check(&schema["items"], row, &format!("{at}[{index}]"), faults);
                    }
                }
                None => faults.push(format!("{at}: not an array")),
            },
            Some("string") if !string_fits(format, value) => {
                faults.push(format!("{at}: {value} is not a string of format {format:?}"));
            }
            Some("integer") if !integer_fits(format, value) => {
                faults.push(format!("{at}: {value} is not an integer of format {format:?}"));
            }
            Some("number") if !value.is_number() => faults.push(format!("{at}: {value} is not a number")),
            Some("boolean") if !value.is_boolean() => faults.push(format!("{at}: {value} is not a boolean")),
            _ => {}
        }
    }

    fn check_object(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let Some(fields) = value.as_object() else {
            return faults.push(format!("{at}: not an object"));
        };
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                faults.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, field) in fields.iter().filter(|(name, _)| !name.starts_with(OWN_PREFIX)) {
            let place = format!("{at}.{name}");
            match schema["properties"].get(name) {
                Some(property) => self.check(property, field, &place, faults),
                None if schema["additionalProperties"].is_object() => {
                    self.check(&schema["additionalProperties"], field, &place, faults);
                }
                None => faults.push(format!("{place}: not a known property")),
            }
        }
    }
}

fn string_fits(format: Option<&str>, value: &Value) -> bool {
    value.as_str().is_some_and(|text| match format {
        Some("uuid") => is_hex_id(text),
        Some("date-time") => is_instant(text),
        _ => true,
    })
}

fn integer_fits(format: Option<&str>, value: &Value) -> bool {
    value.as_i64().is_some_and(|number| format != Some("int32") || i32::try_from(number).is_ok())
}

/// 32 lower-case hexadecimal digits without dashes, as the server writes ids.
pub(crate) fn is_hex_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `2024-02-20T19:26:41.1362081Z`: seven decimals and a `Z`.
fn is_instant(text: &str) -> bool {
    let pattern = b"dddd-dd-ddTdd:dd:dd.dddddddZ";
    text.len() == pattern.len()
        && text
            .bytes()
            .zip(pattern)
            .all(|(byte, like)| if *like == b'd' { byte.is_ascii_digit() } else { byte == *like })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(value: &Value) -> Vec<String> {
        let text = r##"{"components": {"schemas": {
            "Kind": {"enum": ["Movie", "Audio"], "type": "string"},
            "Item": {"type": "object", "required": ["Id"], "additionalProperties": false, "properties": {
                "Id": {"type": "string", "format": "uuid"},
                "Type": {"allOf": [{"$ref": "#/components/schemas/Kind"}]},
                "Year": {"type": "integer", "format": "int32", "nullable": true},
                "When": {"type": "string", "format": "date-time"},
                "Ids": {"type": "object", "additionalProperties": {"type": "string"}},
                "Below": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}}}}}}"##;
        let description = ApiSchema::parse(text);
        description.faults(description.named("Item"), value)
    }

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_sound_value_has_no_faults() {
        let sound = json!({"Id": ID, "Type": "Movie", "Year": null, "Ids": {"Any": "x"}, "GreenroomSeq": 3,
            "When": "2024-02-20T19:26:41.1361081Z", "Below": [{"Id": ID}]});
        assert_eq!(faults(&sound), [""; 0]);
    }

    #[test]
    fn every_kind_of_fault_is_found() {
        for (wrong, place) in [
            (json!({}), "$: Id"),
            (json!({"Id": "0123"}), "$.Id"),
            (json!({"Id": ID, "Type": "Book"}), "$.Type"),
            (json!({"Id": ID, "Year": "1999"}), "$.Year"),
            (json!({"Id": ID, "Year": 3_000_000_000_u64}), "$.Year"),
            (json!({"Id": ID, "When": "2024-02-20"}), "$.When"),
            (json!({"Id": null}), "$.Id"),
            (json!({"Id": ID, "Ids": {"Any": 1}}), "$.Ids.Any"),
            (json!({"Id": ID, "Below": [{"Id": ID, "Extra": 1}]}), "$.Below[0].Extra"),
            (json!([]), "$: not an object"),
        ] {
            let found = faults(&wrong);
            assert!(found.len() == 1 && found[0].starts_with(place), "{wrong}: {found:?}");
        }
    }
}
