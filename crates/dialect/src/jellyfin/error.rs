//! Greenroom's own errors in a form that Jellyfin clients accept.

use bytes::Bytes;
use serde::Serialize;

use crate::classification::Representation;

/// Fields of a problem; they begin with a lower-case letter in both of the server's profiles.
#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
}

/// A small body with `message`: content type and bytes.
pub(crate) fn error_body(representation: Representation, status: u16, message: &str) -> (&'static str, Bytes) {
    let plain = || ("text/plain; charset=utf-8", Bytes::copy_from_slice(message.as_bytes()));
    match representation {
        Representation::Json | Representation::JsonCamel => serde_json::to_vec(&Problem { title: message, status })
            .map_or_else(|_| plain(), |body| ("application/json; charset=utf-8", body.into())),
        Representation::Xml | Representation::Opaque => plain(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_valid_in_every_representation() {
        let (kind, body) = error_body(Representation::Json, 503, "the \"server\" is away");
        assert!(kind.starts_with("application/json"));
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value, serde_json::json!({"title": "the \"server\" is away", "status": 503}));
        assert_eq!(error_body(Representation::JsonCamel, 503, "x"), error_body(Representation::Json, 503, "x"));
        assert_eq!(error_body(Representation::Opaque, 503, "x").1, "x");
    }
}
