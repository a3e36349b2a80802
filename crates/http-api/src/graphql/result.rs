//! The reading of a GraphQL response: whether it is good, and which objects it is about.

use greenroom_http_caching::invalidation::{WriteOutcome, write_outcome};
use http::StatusCode;
use serde_json::Value;

/// Max objects of one response that count; a response with more is tagged with none of them.
pub const MAX_OBJECTS: usize = 512;
/// Max bytes of an object's type and id.
const MAX_ID_BYTES: usize = 256;

/// Verdict on a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultKind {
    /// It has data and no errors.
    Good,
    /// It has data and errors.
    Partial,
    /// It has no data, or is no response at all.
    Failed,
}

/// The reading of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphqlResult {
    /// Whether it is good.
    pub kind: ResultKind,
    /// Objects with `__typename` and `id`, as `Type:id`; `None` if they are too many.
    pub objects: Option<Vec<String>>,
}

impl GraphqlResult {
    /// Reads a body.
    pub fn of_body(body: &[u8]) -> Self {
        let failed = Self { kind: ResultKind::Failed, objects: Some(Vec::new()) };
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return failed };
        let results = match &value {
            Value::Array(results) if !results.is_empty() => results.iter().collect(),
            Value::Object(_) => vec![&value],
            _ => return failed,
        };
        let kind = results.iter().map(|result| kind_of(result)).max_by_key(|kind| *kind as u8);
        let mut objects = Vec::new();
        let is_complete = results.iter().all(|result| collect_objects(&result["data"], &mut objects));
        objects.sort_unstable();
        objects.dedup();
        Self { kind: kind.unwrap_or(ResultKind::Failed), objects: is_complete.then_some(objects) }
    }
}

fn kind_of(result: &Value) -> ResultKind {
    let has_data = result.get("data").is_some_and(|data| !data.is_null());
    let has_errors = result.get("errors").is_some_and(|errors| match errors {
        Value::Null => false,
        Value::Array(errors) => !errors.is_empty(),
        _ => true,
    });
    match (has_data, has_errors) {
        (true, false) => ResultKind::Good,
        (true, true) => ResultKind::Partial,
        (false, _) => ResultKind::Failed,
    }
}

/// Adds all objects of a value; false if they are too many.
fn collect_objects(value: &Value, objects: &mut Vec<String>) -> bool {
    match value {
        Value::Object(members) => {
            let id = match members.get("id") {
                Some(Value::String(id)) => Some(id.clone()),
                Some(Value::Number(id)) => Some(id.to_string()),
                _ => None,
            };
            if let (Some(kind), Some(id)) = (members.get("__typename").and_then(Value::as_str), id)
                && kind.len() + id.len() <= MAX_ID_BYTES
            {
                objects.push(format!("{kind}:{id}"));
            }
            objects.len() <= MAX_OBJECTS && members.values().all(|member| collect_objects(member, objects))
        }
        Value::Array(elements) => elements.iter().all(|element| collect_objects(element, objects)),
        _ => true,
    }
}

/// Effect of a mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MutationEffect {
    /// Nothing: the server says that it did nothing.
    None,
    /// The objects that its response returns.
    Objects,
    /// All responses of its route.
    Route,
    /// The same, and nothing of it is stored for a while, because it may still be done.
    Uncertain,
}

/// Effect of a mutation by its response; `result` is `None` if that is too long to be read. The status counts as
/// for any write, but data shows that something was done whatever the status says. With errors a part was done, and the
/// response does not say which objects that touched.
pub(crate) fn mutation_effect(
    status: StatusCode,
    result: Option<&GraphqlResult>,
    tags_objects: bool,
) -> MutationEffect {
    let has_data = result.is_some_and(|result| result.kind != ResultKind::Failed);
    match write_outcome(status) {
        WriteOutcome::Rejected if !has_data => return MutationEffect::None,
        WriteOutcome::Unknown if !has_data => return MutationEffect::Uncertain,
        WriteOutcome::Rejected | WriteOutcome::Unknown | WriteOutcome::Confirmed => {}
    }
    let names_objects = result.is_some_and(|result| {
        result.kind == ResultKind::Good && result.objects.as_ref().is_some_and(|objects| !objects.is_empty())
    });
    if tags_objects && names_objects { MutationEffect::Objects } else { MutationEffect::Route }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutation_invalidates_its_objects_only_if_all_of_it_was_done() {
        let good = r#"{"data":{"p":{"__typename":"P","id":1}}}"#;
        let partial = r#"{"data":{"p":{"__typename":"P","id":1}},"errors":[{"message":"half"}]}"#;
        let failed = r#"{"data":null,"errors":[{"message":"no"}]}"#;
        for (status, body, tags_objects, wanted) in [
            (200, Some(good), true, MutationEffect::Objects),
            (200, Some(good), false, MutationEffect::Route),
            (200, Some(r#"{"data":{"p":true}}"#), true, MutationEffect::Route),
            (200, Some(partial), true, MutationEffect::Route),
            (200, Some(failed), true, MutationEffect::Route),
            (200, Some("<html>"), true, MutationEffect::Route),
            (200, None, true, MutationEffect::Route),
            (302, Some(""), true, MutationEffect::Route),
            (400, Some(failed), true, MutationEffect::None),
            (400, Some(partial), true, MutationEffect::Route),
            (500, Some(""), true, MutationEffect::None),
            (500, None, true, MutationEffect::None),
            (502, Some("<html>"), true, MutationEffect::Uncertain),
            (504, None, false, MutationEffect::Uncertain),
        ] {
            let result = body.map(|body| GraphqlResult::of_body(body.as_bytes()));
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(mutation_effect(status, result.as_ref(), tags_objects), wanted, "{status} {body:?}");
        }
    }

    fn kind(body: &str) -> ResultKind {
        GraphqlResult::of_body(body.as_bytes()).kind
    }

    #[test]
    fn a_response_is_good_partial_or_failed_and_a_batch_is_as_bad_as_its_worst() {
        for (body, wanted) in [
            (r#"{"data":{"a":1}}"#, ResultKind::Good),
            (r#"{"data":{"a":1},"errors":[]}"#, ResultKind::Good),
            (r#"{"data":{"a":null},"errors":[{"message":"x"}]}"#, ResultKind::Partial),
            (r#"{"data":null,"errors":[{"message":"x"}]}"#, ResultKind::Failed),
            (r#"{"errors":[{"message":"x"}]}"#, ResultKind::Failed),
            (r#"[{"data":{"a":1}},{"data":{"a":1},"errors":[1]}]"#, ResultKind::Partial),
            (r#"[{"data":{"a":1}},{"errors":[1]}]"#, ResultKind::Failed),
            ("<html>", ResultKind::Failed),
            ("[]", ResultKind::Failed),
            ("{\"data\":{", ResultKind::Failed),
        ] {
            assert_eq!(kind(body), wanted, "{body}");
        }
    }

    #[test]
    fn objects_are_found_at_every_depth_once() {
        let body = r#"{"data":{"p":{"__typename":"Project","id":"1","s":[{"__typename":"Season","id":2},{"id":3},{"__typename":"Season","id":2}]}}}"#;
        let objects = GraphqlResult::of_body(body.as_bytes()).objects.expect("few");
        assert_eq!(objects, ["Project:1", "Season:2"]);
        let many: Vec<Value> = (0..=MAX_OBJECTS).map(|id| serde_json::json!({"__typename": "A", "id": id})).collect();
        let body = serde_json::json!({ "data": many }).to_string();
        assert_eq!(GraphqlResult::of_body(body.as_bytes()).objects, None);
    }
}
