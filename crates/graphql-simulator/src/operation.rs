//! A GraphQL request as it is sent: by POST or GET, single or batched, with its document or with the hash of one.

use http::Method;
use serde_json::{Map, Value};

use super::error::GraphQlError;
use crate::serve::SimulatedRequest;

/// Operations in one request.
const MAX_BATCH: usize = 20;

/// One operation of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct OperationRequest {
    /// The document, unless it is persisted.
    pub(super) document: Option<String>,
    /// Name of the operation to execute.
    pub(super) name: Option<String>,
    pub(super) variables: Map<String, Value>,
    /// SHA-256 of the document in hexadecimal digits.
    pub(super) hash: Option<String>,
}

/// The operations of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum OperationBatch {
    Single(OperationRequest),
    Several(Vec<OperationRequest>),
}

/// The operations of a request.
pub(super) fn parsed(asked: &SimulatedRequest) -> Result<OperationBatch, GraphQlError> {
    if asked.method == Method::GET {
        return of_query(asked).map(OperationBatch::Single);
    }
    let bad = || GraphQlError::new("BAD_REQUEST", "The body is a JSON object, or a list of such.");
    match serde_json::from_slice(&asked.body).map_err(|_| bad())? {
        Value::Array(all) if all.is_empty() || all.len() > MAX_BATCH => Err(bad()),
        Value::Array(all) => all.iter().map(of_json).collect::<Result<_, _>>().map(OperationBatch::Several),
        one => of_json(&one).map(OperationBatch::Single),
    }
}

fn of_query(asked: &SimulatedRequest) -> Result<OperationRequest, GraphQlError> {
    let mut body = Map::new();
    for (name, value) in asked.pairs() {
        let value = match name.as_str() {
            "variables" | "extensions" => serde_json::from_str(&value)
                .map_err(|_| GraphQlError::new("BAD_REQUEST", format!("{name} is no JSON")))?,
            _ => Value::String(value),
        };
        body.insert(name, value);
    }
    of_json(&Value::Object(body))
}

fn of_json(body: &Value) -> Result<OperationRequest, GraphQlError> {
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let variables = match &body["variables"] {
        Value::Null => Map::new(),
        Value::Object(variables) => variables.clone(),
        _ => return Err(GraphQlError::new("BAD_REQUEST", "variables is an object")),
    };
    let hash = body["extensions"]["persistedQuery"]["sha256Hash"].as_str().map(str::to_lowercase);
    let operation = OperationRequest { document: text("query"), name: text("operationName"), variables, hash };
    if operation.document.is_none() && operation.hash.is_none() {
        return Err(GraphQlError::new("BAD_REQUEST", "Must provide query string."));
    }
    Ok(operation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_without_a_document_or_its_hash_is_none() {
        assert!(of_json(&json!({"operationName": "Menu"})).is_err());
        assert!(of_json(&json!({"query": "{me{id}}", "variables": [1]})).is_err());
        let known = of_json(&json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "AB"}}}));
        assert_eq!(known.map(|one| one.hash), Ok(Some("ab".into())));
    }
}
