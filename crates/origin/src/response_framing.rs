//! Rejects responses with ambiguous framing. They are not forwarded, because another hop might parse them differently
//! and take one body for two responses.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, StatusCode};

/// The fault of a response head, if any. `asked_to_switch`: the request asked for a protocol upgrade.
pub fn objection(status: StatusCode, headers: &HeaderMap, asked_to_switch: bool) -> Option<&'static str> {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let is_socket =
            headers.get_all(UPGRADE).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
        return (!asked_to_switch || !is_socket).then_some("the server changes to another protocol, unasked");
    }
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let encoding = encodings.next()?;
    if headers.contains_key(CONTENT_LENGTH) {
        return Some("the server's answer has two lengths");
    }
    let is_chunked = encoding.as_bytes().eq_ignore_ascii_case(b"chunked") && encodings.next().is_none();
    (!is_chunked).then_some("the server's answer is packed for its journey in an unknown way")
}

#[cfg(test)]
mod tests {
    use http::header::HeaderName;

    use super::*;

    fn of(status: u16, said: &[(HeaderName, &'static str)], asked_to_switch: bool) -> bool {
        let headers = said.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect();
        objection(StatusCode::from_u16(status).expect("a status"), &headers, asked_to_switch).is_some()
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_objected_to() {
        assert!(of(200, &[(TRANSFER_ENCODING, "chunked"), (CONTENT_LENGTH, "5")], false));
        assert!(of(200, &[(TRANSFER_ENCODING, "gzip, chunked")], false));
        assert!(of(200, &[(TRANSFER_ENCODING, "identity")], false));
        assert!(of(101, &[(UPGRADE, "websocket")], false));
        assert!(of(101, &[(UPGRADE, "h2c")], true));
    }

    #[test]
    fn what_can_be_read_in_one_way_is_not() {
        assert!(!of(200, &[], false));
        assert!(!of(200, &[(CONTENT_LENGTH, "5")], false));
        assert!(!of(200, &[(TRANSFER_ENCODING, "Chunked")], false));
        assert!(!of(101, &[(UPGRADE, "WebSocket")], true));
    }
}
