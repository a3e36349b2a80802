//! An answer before it goes out: what it is, and how it becomes bytes with the marks every answer carries.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::casing::Casing;
use super::refusal::Refusal;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: StatusCode,
    /// Headers beyond the usual ones.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Body,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Body {
    /// Nothing.
    Empty,
    /// JSON, in Pascal case.
    Json(Value),
    /// Bytes as they are.
    Bytes(Bytes),
    /// A part of the media file of an item, made as it is sent.
    File {
        /// Which item.
        item: u64,
        /// From which byte on.
        start: u64,
        /// How many bytes.
        length: u64,
    },
}

/// Who an answer is for and how many writes it includes: the marks by which a test tells answers apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Name of the user whose token was sent, `key` for an API key, `nobody` without a token.
    pub(crate) user: String,
    /// Name of the user whose state is shown, where it is another.
    pub(crate) shown: Option<String>,
    /// Number of writes so far.
    pub(crate) seq: u64,
    /// Number of writes so far by the user whose state is shown.
    pub(crate) user_seq: u64,
}

impl Reply {
    /// 200 with JSON.
    pub(crate) fn json(value: impl Into<Value>) -> Self {
        Self { status: StatusCode::OK, headers: HeaderMap::new(), body: Body::Json(value.into()) }
    }

    /// 204.
    pub(crate) fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Body::Empty }
    }

    /// 200 with bytes.
    pub(crate) fn bytes(content_type: &str, bytes: impl Into<Bytes>) -> Self {
        let mut reply =
            Self { status: StatusCode::OK, headers: HeaderMap::new(), body: Body::Bytes(bytes.into()) };
        reply.put(CONTENT_TYPE, content_type);
        reply
    }

    /// What a refusal looks like.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        let status = refusal.status();
        let problem = |title: &str, section: &str| {
            Body::Json(json!({
                "type": format!("https://tools.ietf.org/html/rfc9110#section-{section}"),
                "title": title,
                "status": status.as_u16(),
            }))
        };
        let mut headers = HeaderMap::new();
        let body = match refusal {
            Refusal::NotFound => problem("Not Found", "15.5.5"),
            Refusal::Invalid(name) => {
                let mut body = json!({
                    "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
                    "title": "One or more validation errors occurred.",
                    "status": status.as_u16(),
                });
                body["errors"] = json!({name.as_str(): ["The value is not valid."]});
                Body::Json(body)
            }
            Refusal::NotPermitted(sentence) => Body::Json(Value::String(sentence.clone())),
            Refusal::Range(length) => {
                let value = HeaderValue::from_str(&format!("bytes */{length}"));
                headers.extend(value.ok().map(|value| (http::header::CONTENT_RANGE, value)));
                Body::Empty
            }
            Refusal::Unauthorized | Refusal::Forbidden | Refusal::WrongMethod => Body::Empty,
        };
        if matches!(refusal, Refusal::NotFound | Refusal::Invalid(_)) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json; charset=utf-8"));
        }
        Self { status, headers, body }
    }

    /// Sets a header. A value that is none is left out.
    pub(crate) fn put(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    /// Turns the body into bytes, spelled as asked, and marked if there are marks.
    pub(crate) fn written(self, casing: Casing, marks: Option<&Marks>) -> (StatusCode, HeaderMap, Body) {
        let mut headers = self.headers;
        let body = match self.body {
            Body::Json(value) => {
                headers
                    .entry(CONTENT_TYPE)
                    .or_insert_with(|| HeaderValue::from_static(casing.content_type()));
                let problem = self.status.is_client_error();
                let spelled = if problem { value } else { casing.apply(value) };
                let marked = match marks {
                    Some(marks) => mark(spelled, marks, problem),
                    None => spelled,
                };
                Body::Bytes(Bytes::from(marked.to_string()))
            }
            plain => plain,
        };
        (self.status, headers, body)
    }
}

/// Puts the marks on an object, or on every object of an array. They keep their spelling in every case profile.
fn mark(value: Value, marks: &Marks, problem: bool) -> Value {
    match value {
        Value::Object(mut fields) if !problem => {
            marks.put(&mut fields);
            Value::Object(fields)
        }
        Value::Array(rows) => Value::Array(rows.into_iter().map(|row| mark(row, marks, problem)).collect()),
        plain => plain,
    }
}

impl Marks {
    fn put(&self, fields: &mut Map<String, Value>) {
        fields.insert("GreenroomUser".into(), json!(self.user));
        fields.insert("GreenroomSeq".into(), json!(self.seq));
        fields.insert("GreenroomUserSeq".into(), json!(self.user_seq));
        if let Some(shown) = &self.shown {
            fields.insert("GreenroomShown".into(), json!(shown));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(body: Body) -> Bytes {
        if let Body::Bytes(bytes) = body { bytes } else { Bytes::new() }
    }

    fn body(reply: Reply) -> Value {
        let marks = Marks { user: "sam".into(), shown: None, seq: 7, user_seq: 3 };
        serde_json::from_slice(&bytes(reply.written(Casing::Camel, Some(&marks)).2)).expect("JSON")
    }

    #[test]
    fn marks_are_on_objects_and_on_every_row_of_an_array() {
        assert_eq!(body(Reply::json(json!({"Id": 1})))["GreenroomUserSeq"], 3);
        let rows = body(Reply::json(json!([{"Id": 1}, {"Id": 2}])));
        assert_eq!((&rows[1]["GreenroomUser"], &rows[1]["id"]), (&json!("sam"), &json!(2)));
    }

    #[test]
    fn without_marks_a_body_is_what_a_real_server_says() {
        let bytes = bytes(Reply::json(json!({"Id": 1})).written(Casing::Plain, None).2);
        assert_eq!(bytes, r#"{"Id":1}"#);
    }

    #[test]
    fn problems_have_their_own_type_and_no_marks() {
        let reply = Reply::refused(&Refusal::NotFound);
        let (status, headers, body) = reply.written(Casing::Plain, Some(&Marks::default()));
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json; charset=utf-8");
        assert!(!String::from_utf8_lossy(&bytes(body)).contains("Greenroom"));
    }

    #[test]
    fn a_missing_token_is_refused_without_a_word() {
        let (status, _, body) =
            Reply::refused(&Refusal::Unauthorized).written(Casing::Plain, Some(&Marks::default()));
        assert_eq!((status, bytes(body).len()), (StatusCode::UNAUTHORIZED, 0));
    }
}
