//! Properties of any GraphQL request: it is read in bounded stack and time, and in other words it is the same.

use greenroom_http_api::{GraphqlRequest, OperationKind, PersistedDocuments};
use serde_json::Value;

/// Checks a request, as the body of a POST and as the query of a GET.
pub fn check(bytes: &[u8]) {
    let asked = of_body(bytes);
    assert_eq!(of_body(bytes), asked, "the same each time");
    let _ = GraphqlRequest::of_query(&String::from_utf8_lossy(bytes), &PersistedDocuments::default());
    // A document alone, without JSON around it.
    let document = Value::String(String::from_utf8_lossy(bytes).into_owned());
    let _ = of_body(format!("{{\"query\":{document}}}").as_bytes());
    if asked.kind != OperationKind::Query {
        return;
    }
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { panic!("a query that is no JSON") };
    assert_eq!(of_body(format!(" {value} ").as_bytes()).kind, asked.kind);
    if let Some(object) = value.as_object() {
        let reversed: Vec<String> =
            object.iter().rev().map(|(name, member)| format!("{}:{member}", Value::String(name.clone()))).collect();
        let again = of_body(format!("{{{}}}", reversed.join(" , ")).as_bytes());
        assert!(again == asked || has_fraction(&value), "the order of members makes no difference");
    }
}

fn of_body(body: &[u8]) -> GraphqlRequest {
    GraphqlRequest::of_body(body, &PersistedDocuments::default())
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(elements) => elements.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        _ => false,
    }
}
