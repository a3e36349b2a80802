//! A response before it is sent, and its encoding with the marks of every response.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::casing::PropertyCasing;
use super::error::JellyfinError;

/// A response.
#[derive(Debug)]
pub(crate) struct JellyfinResponse {
    /// The status.
    pub(crate) status: StatusCode,
    /// Headers beyond the usual ones.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: JellyfinBody,
}

/// Body of a response.
#[derive(Debug)]
pub(crate) enum JellyfinBody {
    /// No body.
    Empty,
    /// JSON, in Pascal case.
    Json(Value),
    /// Raw bytes.
    Bytes(Bytes),
    /// A range of an item's media file, generated while it is sent.
    File {
        /// Item.
        item: u64,
        /// First byte.
        start: u64,
        /// Number of bytes.
        length: u64,
    },
}

/// User and included writes of a response: marks by which a test distinguishes responses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ResponseMarkers {
    /// Name of the token's user, `key` for an API key, `nobody` without a token.
    pub(crate) user: String,
    /// Name of the user whose state is shown, if it is another.
    pub(crate) state_user: Option<String>,
    /// Number of writes so far.
    pub(crate) seq: u64,
    /// Number of writes so far by the user whose state is shown.
    pub(crate) user_seq: u64,
}

impl JellyfinResponse {
    /// 200 with JSON.
    pub(crate) fn json(value: impl Into<Value>) -> Self {
        Self { status: StatusCode::OK, headers: HeaderMap::new(), body: JellyfinBody::Json(value.into()) }
    }

    /// 204.
    pub(crate) fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: JellyfinBody::Empty }
    }

    /// 200 with bytes.
    pub(crate) fn bytes(content_type: &str, bytes: impl Into<Bytes>) -> Self {
        let mut reply =
            Self { status: StatusCode::OK, headers: HeaderMap::new(), body: JellyfinBody::Bytes(bytes.into()) };
        reply.put(CONTENT_TYPE, content_type);
        reply
    }

    /// The response for an error.
    pub(crate) fn from_error(refusal: &JellyfinError) -> Self {
        let status = refusal.status();
        let problem = |title: &str, section: &str| {
            JellyfinBody::Json(json!({
                "type": format!("https://tools.ietf.org/html/rfc9110#section-{section}"),
                "title": title,
                "status": status.as_u16(),
            }))
        };
        let mut headers = HeaderMap::new();
        let body = match refusal {
            JellyfinError::NotFound => problem("Not Found", "15.5.5"),
            JellyfinError::Invalid(name) => {
                let mut body = json!({
                    "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
                    "title": "One or more validation errors occurred.",
                    "status": status.as_u16(),
                });
                body["errors"] = json!({name.as_str(): ["The value is not valid."]});
                JellyfinBody::Json(body)
            }
            JellyfinError::NotPermitted(sentence) => JellyfinBody::Json(Value::String(sentence.clone())),
            JellyfinError::Range(length) => {
                let value = HeaderValue::from_str(&format!("bytes */{length}"));
                headers.extend(value.ok().map(|value| (http::header::CONTENT_RANGE, value)));
                JellyfinBody::Empty
            }
            JellyfinError::Unauthorized | JellyfinError::Forbidden | JellyfinError::WrongMethod => JellyfinBody::Empty,
        };
        if matches!(refusal, JellyfinError::NotFound | JellyfinError::Invalid(_)) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json; charset=utf-8"));
        }
        Self { status, headers, body }
    }

    /// Sets a header. An invalid value is left out.
    pub(crate) fn put(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    /// Encodes the body in the requested casing, and adds the marks if there are any.
    pub(crate) fn written(
        self,
        casing: PropertyCasing,
        marks: Option<&ResponseMarkers>,
    ) -> (StatusCode, HeaderMap, JellyfinBody) {
        let mut headers = self.headers;
        let body = match self.body {
            JellyfinBody::Json(value) => {
                headers.entry(CONTENT_TYPE).or_insert_with(|| HeaderValue::from_static(casing.content_type()));
                let problem = self.status.is_client_error();
                let spelled = if problem { value } else { casing.apply(value) };
                let marked = match marks {
                    Some(marks) => mark(spelled, marks, problem),
                    None => spelled,
                };
                JellyfinBody::Bytes(Bytes::from(marked.to_string()))
            }
            plain => plain,
        };
        (self.status, headers, body)
    }
}

/// Adds the marks to an object, or to every object of an array. They keep their spelling in every casing.
fn mark(value: Value, marks: &ResponseMarkers, problem: bool) -> Value {
    match value {
        Value::Object(mut fields) if !problem => {
            marks.put(&mut fields);
            Value::Object(fields)
        }
        Value::Array(rows) => Value::Array(rows.into_iter().map(|row| mark(row, marks, problem)).collect()),
        plain => plain,
    }
}

impl ResponseMarkers {
    fn put(&self, fields: &mut Map<String, Value>) {
        fields.insert("GreenroomUser".into(), json!(self.user));
        fields.insert("GreenroomSeq".into(), json!(self.seq));
        fields.insert("GreenroomUserSeq".into(), json!(self.user_seq));
        if let Some(shown) = &self.state_user {
            fields.insert("GreenroomShown".into(), json!(shown));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(body: JellyfinBody) -> Bytes {
        if let JellyfinBody::Bytes(bytes) = body { bytes } else { Bytes::new() }
    }

    fn body(reply: JellyfinResponse) -> Value {
        let marks = ResponseMarkers { user: "sam".into(), state_user: None, seq: 7, user_seq: 3 };
        serde_json::from_slice(&bytes(reply.written(PropertyCasing::Camel, Some(&marks)).2)).expect("JSON")
    }

    #[test]
    fn marks_are_on_objects_and_on_every_row_of_an_array() {
        assert_eq!(body(JellyfinResponse::json(json!({"Id": 1})))["GreenroomUserSeq"], 3);
        let rows = body(JellyfinResponse::json(json!([{"Id": 1}, {"Id": 2}])));
        assert_eq!((&rows[1]["GreenroomUser"], &rows[1]["id"]), (&json!("sam"), &json!(2)));
    }

    #[test]
    fn without_marks_a_body_is_what_a_real_server_says() {
        let bytes = bytes(JellyfinResponse::json(json!({"Id": 1})).written(PropertyCasing::Plain, None).2);
        assert_eq!(bytes, r#"{"Id":1}"#);
    }

    #[test]
    fn problems_have_their_own_type_and_no_marks() {
        let reply = JellyfinResponse::from_error(&JellyfinError::NotFound);
        let (status, headers, body) = reply.written(PropertyCasing::Plain, Some(&ResponseMarkers::default()));
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json; charset=utf-8");
        assert!(!String::from_utf8_lossy(&bytes(body)).contains("Greenroom"));
    }

    #[test]
    fn a_missing_token_is_refused_without_a_word() {
        let (status, _, body) = JellyfinResponse::from_error(&JellyfinError::Unauthorized)
            .written(PropertyCasing::Plain, Some(&ResponseMarkers::default()));
        assert_eq!((status, bytes(body).len()), (StatusCode::UNAUTHORIZED, 0));
    }
}
