//! Parses GraphQL requests: the kind, the name and the identity of their operations.

use std::collections::BTreeMap;

use async_graphql_parser::parse_query;
use async_graphql_parser::types::{DocumentOperations, OperationType};
use http::Method;
use serde_json::Value;

use super::document::{MAX_DOCUMENT_BYTES, normal_form};
use super::persisted_documents::PersistedDocuments;
use super::strict_json;

/// Max operations of one batch.
const MAX_BATCH: usize = 64;
/// Members of a request object that are understood.
const MEMBERS: [&str; 4] = ["query", "operationName", "variables", "extensions"];

/// Kind of a request; that of a batch is the greatest of its operations'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationKind {
    /// It reads.
    Query,
    /// A subscription, whose response has no end: it is passed through.
    Subscription,
    /// It is not understood, so it may be anything.
    Other,
    /// It may change something.
    Mutation,
}

/// A request: one operation, or a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphqlRequest {
    /// Its kind.
    pub kind: OperationKind,
    /// Name of the operation; empty without one, and for a batch of different ones.
    pub name: String,
    /// A text that is equal for equivalent requests, and only for those.
    pub identity: String,
}

impl GraphqlRequest {
    /// The request in the body of a POST.
    pub fn of_body(body: &[u8], documents: &PersistedDocuments) -> Self {
        let Some(mut value) = strict_json::parse(body) else { return Self::other() };
        match &mut value {
            Value::Array(batch) => batch.iter_mut().take(MAX_BATCH).for_each(|operation| documents.complete(operation)),
            single => documents.complete(single),
        }
        let operations = match &value {
            Value::Array(batch) if (1..=MAX_BATCH).contains(&batch.len()) => batch.iter().map(operation).collect(),
            Value::Object(_) => vec![operation(&value)],
            _ => return Self::other(),
        };
        let mut request = Self::of_operations(operations, value.is_array());
        if has_inexact_number(&value) {
            // Rounding a number while parsing could give two different requests the same identity.
            request.identity.push_str(&String::from_utf8_lossy(body));
        }
        request
    }

    /// The request in the query of a GET.
    pub fn of_query(query: &str, documents: &PersistedDocuments) -> Self {
        let mut pairs = BTreeMap::new();
        for (name, text) in form_urlencoded::parse(query.as_bytes()).into_owned().filter(|(name, _)| is_member(name)) {
            if !MEMBERS.contains(&name.as_str()) || pairs.insert(name, text).is_some() {
                return Self::other();
            }
        }
        let parsed = |name: &str| match pairs.get(name) {
            None => Some(Value::Null),
            Some(text) => strict_json::parse(text.as_bytes()),
        };
        let (Some(variables), Some(extensions)) = (parsed("variables"), parsed("extensions")) else {
            return Self::other();
        };
        let text = |name: &str| pairs.get(name).map_or(Value::Null, |text| Value::String(text.clone()));
        let exact = !has_inexact_number(&variables) && !has_inexact_number(&extensions);
        let mut value = serde_json::json!({
            "query": text("query"), "operationName": text("operationName"), "variables": variables,
            "extensions": extensions,
        });
        documents.complete(&mut value);
        let mut request = Self::of_operations(vec![operation(&value)], false);
        if !exact {
            request.identity.push_str(query);
        }
        request
    }

    /// The request of a method, target and body.
    pub(crate) fn new(method: &Method, target: &str, body: &[u8], documents: &PersistedDocuments) -> Self {
        if *method == Method::POST {
            return Self::of_body(body, documents);
        }
        Self::of_query(target.split_once('?').map_or("", |(_, query)| query), documents)
    }

    fn of_operations(operations: Vec<Self>, is_batch: bool) -> Self {
        let kind = operations.iter().map(|operation| operation.kind).max().unwrap_or(OperationKind::Other);
        let name = operations.first().map(|operation| operation.name.clone()).unwrap_or_default();
        let is_one_name = operations.iter().all(|operation| operation.name == name);
        let texts: Vec<Value> = operations.into_iter().map(|operation| Value::String(operation.identity)).collect();
        let identity =
            if is_batch { format!("batch {}", Value::Array(texts)) } else { Value::Array(texts).to_string() };
        Self { kind, name: if is_one_name { name } else { String::new() }, identity }
    }

    fn other() -> Self {
        Self { kind: OperationKind::Other, name: String::new(), identity: String::new() }
    }
}

/// Whether a name is one of [`MEMBERS`], in whatever case: some servers do not care.
pub(crate) fn is_member(name: &str) -> bool {
    MEMBERS.iter().any(|member| member.eq_ignore_ascii_case(name))
}

/// One operation of a request.
fn operation(value: &Value) -> GraphqlRequest {
    // A server might read its operation from a member that is not known here.
    let are_known =
        value.as_object().is_some_and(|members| members.keys().all(|name| MEMBERS.contains(&name.as_str())));
    if !are_known {
        return GraphqlRequest::other();
    }
    let document = value.get("query").and_then(Value::as_str).filter(|text| text.len() <= MAX_DOCUMENT_BYTES);
    // Without its document an operation may be a mutation, whatever its hash.
    let Some(document) = document else { return GraphqlRequest::other() };
    let wanted = value.get("operationName").and_then(Value::as_str).filter(|name| !name.is_empty());
    // This bounds the nesting, and with it the parser's recursion.
    let Some(normal) = normal_form(document) else { return GraphqlRequest::other() };
    let Ok(parsed) = parse_query(document) else { return GraphqlRequest::other() };
    let (kind, name) = match &parsed.operations {
        DocumentOperations::Single(operation) => (Some(operation.node.ty), wanted.unwrap_or_default().to_owned()),
        DocumentOperations::Multiple(operations) => {
            let chosen = match wanted {
                Some(wanted) => operations.iter().find(|(name, _)| name.as_str() == wanted),
                None => operations.iter().next().filter(|_| operations.len() == 1),
            };
            (
                chosen.map(|(_, operation)| operation.node.ty),
                chosen.map(|(name, _)| name.to_string()).unwrap_or_default(),
            )
        }
    };
    let kind = match kind {
        Some(OperationType::Query) => OperationKind::Query,
        Some(OperationType::Mutation) => OperationKind::Mutation,
        Some(OperationType::Subscription) => OperationKind::Subscription,
        None => OperationKind::Other,
    };
    let mut identity = String::new();
    for part in [
        &Value::String(normal),
        &Value::String(name.clone()),
        &member(value, "variables"),
        &member(value, "extensions"),
    ] {
        write_canonical(part, &mut identity);
        identity.push('\n');
    }
    GraphqlRequest { kind, name, identity }
}

/// A member of an object; missing, null and empty are the same.
fn member(value: &Value, name: &str) -> Value {
    let member = value.get(name).cloned().unwrap_or_default();
    if member.as_object().is_some_and(serde_json::Map::is_empty) { Value::Null } else { member }
}

/// Writes JSON with sorted keys.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            out.push('{');
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            for (name, member) in sorted {
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                write_canonical(member, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(elements) => {
            out.push('[');
            for element in elements {
                write_canonical(element, out);
                out.push(',');
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

/// Whether a number may have been rounded when it was read.
fn has_inexact_number(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(elements) => elements.iter().any(has_inexact_number),
        Value::Object(members) => members.values().any(has_inexact_number),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> GraphqlRequest {
        GraphqlRequest::of_body(body.as_bytes(), &PersistedDocuments::default())
    }

    fn of_query(query: &str) -> GraphqlRequest {
        GraphqlRequest::of_query(query, &PersistedDocuments::default())
    }

    #[test]
    fn a_query_reads_a_mutation_writes_and_all_else_is_passed() {
        for (body, wanted) in [
            (r#"{"query":"{a}"}"#, OperationKind::Query),
            (r#"{"query":"query A{a}"}"#, OperationKind::Query),
            (r#"{"query":"mutation A{a}"}"#, OperationKind::Mutation),
            (r#"{"query":"subscription A{a}"}"#, OperationKind::Subscription),
            (r#"{"query":"mutation{a}","query":"{a}"}"#, OperationKind::Other),
            (r#"{"query":"{a}","Query":"mutation{a}"}"#, OperationKind::Other),
            (r#"{"query":"{a}","id":"a-stored-mutation"}"#, OperationKind::Other),
            (r#"{"query":"{a}","variables":{"x":1,"x":2}}"#, OperationKind::Other),
            (r#"{"query":"query A{a} mutation B{b}","operationName":"A"}"#, OperationKind::Query),
            (r#"{"query":"query A{a} mutation B{b}","operationName":"B"}"#, OperationKind::Mutation),
            (r#"{"query":"query A{a} mutation B{b}"}"#, OperationKind::Other),
            (r#"{"query":"{a"}"#, OperationKind::Other),
            (r#"{"extensions":{"persistedQuery":{"sha256Hash":"x"}}}"#, OperationKind::Other),
            (r#"[{"query":"{a}"},{"query":"mutation{b}"}]"#, OperationKind::Mutation),
            (r#"[{"query":"{a}"},{"query":"{b}"}]"#, OperationKind::Query),
            ("[]", OperationKind::Other),
            ("", OperationKind::Other),
        ] {
            assert_eq!(of(body).kind, wanted, "{body}");
        }
    }

    #[test]
    fn the_same_question_in_other_words_is_the_same() {
        let wanted = of(r#"{"query":"query A($x:Int){a(x:$x)}","variables":{"x":1,"y":{"b":1,"a":2}}}"#);
        let same = of(
            r#"{"variables":{"y":{"a":2,"b":1},"x":1},"query":"query A( $x : Int ) { a(x: $x) }","operationName":"A"}"#,
        );
        assert_eq!(wanted, same);
        let query = "query=query+A($x:Int)%7Ba(x:$x)%7D&variables=%7B%22x%22:1,%22y%22:%7B%22a%22:2,%22b%22:1%7D%7D";
        assert_eq!(of_query(query), wanted, "a GET meets the POST");
        assert_eq!(of(r#"{"query":"{a}","variables":{}}"#), of(r#"{"query":"{a}","variables":null}"#));
    }

    #[test]
    fn other_questions_are_others() {
        let bodies = [
            r#"{"query":"{a}"}"#,
            r#"{"query":"{b}"}"#,
            r#"{"query":"{a}","variables":{"x":1}}"#,
            r#"{"query":"{a}","variables":{"x":"1"}}"#,
            r#"{"query":"{a}","variables":{"x":18446744073709551617}}"#,
            r#"{"query":"{a}","variables":{"x":18446744073709551618}}"#,
            r#"{"query":"{a}","extensions":{"x":1}}"#,
            r#"[{"query":"{a}"}]"#,
            r#"[{"query":"{a}"},{"query":"{a}"}]"#,
        ];
        let mut all: Vec<String> = bodies.iter().map(|body| of(body).identity).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), bodies.len());
    }

    #[test]
    fn a_get_that_names_its_document_twice_is_not_understood() {
        for query in ["query={a}&query=mutation{b}", "query={a}&Query=mutation{b}", "query={a}&QUERY={a}"] {
            assert_eq!(of_query(query).kind, OperationKind::Other, "{query}");
        }
        assert_eq!(of_query("query={a}&lang=de").kind, OperationKind::Query);
    }

    #[test]
    fn a_document_that_is_nested_too_deep_is_passed() {
        for open in ["{a(x:[", "{a(x:{b:", "{a @b(c:[", "query A($x:["] {
            let deep = format!("{open}{}", "[".repeat(100_000));
            assert_eq!(of(&serde_json::json!({ "query": deep }).to_string()).kind, OperationKind::Other);
        }
        let deep = format!("{}a{}", "{a".repeat(5000), "}".repeat(5000));
        assert_eq!(of(&serde_json::json!({ "query": deep }).to_string()).kind, OperationKind::Other);
    }
}
