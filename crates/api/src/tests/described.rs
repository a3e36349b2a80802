//! The OpenAPI document describes responses field by field.

use serde_json::Value;

use crate::router::openapi;

/// Bodies without described fields, and why.
const WITHOUT_FIELDS: [(&str, &str, &str); 1] =
    [("get", "/api/v1/openapi.json", "the OpenAPI document itself, whose form is standardised")];

/// True if a schema names its fields: its own, those of its items, and those of every variant.
fn has_fields(document: &Value, schema: &Value) -> bool {
    if let Some(name) = schema["$ref"].as_str() {
        let path = name.trim_start_matches('#');
        return document.pointer(path).is_some_and(|schema| has_fields(document, schema));
    }
    let all = |key: &str| schema[key].as_array().filter(|parts| !parts.is_empty());
    let is_of_type = |key: &str| schema["type"] == key || all("type").is_some_and(|types| types.contains(&key.into()));
    if let Some(parts) = ["allOf", "oneOf", "anyOf"].into_iter().find_map(all) {
        return parts.iter().all(|part| part["type"] == "null" || has_fields(document, part));
    }
    if is_of_type("array") {
        return has_fields(document, &schema["items"]);
    }
    if is_of_type("object") {
        let properties = schema["properties"].as_object().is_some_and(|properties| !properties.is_empty());
        return properties || schema["additionalProperties"].is_object();
    }
    // A scalar.
    schema["type"].is_string() || schema["type"].is_array()
}

#[test]
fn every_json_response_is_described_field_by_field() {
    let document: Value = serde_json::from_str(openapi::as_json()).expect("valid JSON");
    let (mut undescribed, mut checked) = (Vec::new(), 0);
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                let json = &response["content"]["application/json"];
                if !status.starts_with('2') || json.is_null() {
                    continue;
                }
                checked += 1;
                if !has_fields(&document, &json["schema"]) {
                    undescribed.push((method.clone(), path.clone()));
                }
            }
        }
    }
    let expected: Vec<_> = WITHOUT_FIELDS.map(|(method, path, _)| (method.to_owned(), path.to_owned())).to_vec();
    assert_eq!(undescribed, expected, "these responses do not describe their fields");
    assert!(checked > 50, "too few described responses found: {checked}");
}

#[test]
fn a_body_without_fields_is_detected_in_references_lists_and_variants() {
    let document = serde_json::json!({"components": {"schemas": {
        "Bare": {"type": "object"},
        "Named": {"type": "object", "properties": {"name": {"type": "string"}}},
    }}});
    let named = serde_json::json!({"$ref": "#/components/schemas/Named"});
    let undescribed = serde_json::json!({"$ref": "#/components/schemas/Bare"});
    assert!(has_fields(&document, &named) && !has_fields(&document, &undescribed));
    let list = |items: &Value| serde_json::json!({"type": "array", "items": items});
    assert!(has_fields(&document, &list(&named)) && !has_fields(&document, &list(&undescribed)));
    let either = serde_json::json!({"oneOf": [named, undescribed]});
    assert!(!has_fields(&document, &either));
}
