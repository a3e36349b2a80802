//! Rejects responses whose length is ambiguous. They are not forwarded, because the next hop might find another end of
//! the body and take its rest for a second response (response splitting).

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, StatusCode};

/// Reason to reject a response by its head; `None` if it may be forwarded. `is_upgrade`: the request asked for a
/// protocol upgrade.
pub fn framing_error(status: StatusCode, headers: &HeaderMap, is_upgrade: bool) -> Option<&'static str> {
    framing_conflict(status, headers, is_upgrade).or_else(|| {
        has_unknown_coding(headers).then_some("the response of the media server has an unknown transfer encoding")
    })
}

/// The same, but for a transfer coding that is not known: then the body ends with its connection (RFC 9112, section
/// 6.3), so that its end is not ambiguous.
pub fn framing_conflict(status: StatusCode, headers: &HeaderMap, is_upgrade: bool) -> Option<&'static str> {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let is_websocket =
            headers.get_all(UPGRADE).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
        return (!is_upgrade || !is_websocket)
            .then_some("the media server switched to a protocol that was not requested");
    }
    let has_both = headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH);
    has_both.then_some("the response of the media server has both Content-Length and Transfer-Encoding")
}

fn has_unknown_coding(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(encoding) = encodings.next() else { return false };
    !encoding.as_bytes().eq_ignore_ascii_case(b"chunked") || encodings.next().is_some()
}

#[cfg(test)]
mod tests {
    use http::header::HeaderName;

    use super::*;

    fn is_rejected(status: u16, headers_sent: &[(HeaderName, &'static str)], is_upgrade: bool) -> bool {
        let headers =
            headers_sent.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect();
        framing_error(StatusCode::from_u16(status).expect("a status"), &headers, is_upgrade).is_some()
    }

    #[test]
    fn ambiguous_framing_is_rejected() {
        assert!(is_rejected(200, &[(TRANSFER_ENCODING, "chunked"), (CONTENT_LENGTH, "5")], false));
        assert!(is_rejected(200, &[(TRANSFER_ENCODING, "gzip, chunked")], false));
        assert!(is_rejected(200, &[(TRANSFER_ENCODING, "identity")], false));
        assert!(is_rejected(101, &[(UPGRADE, "websocket")], false));
        let unknown = HeaderMap::from_iter([(TRANSFER_ENCODING, "identity".parse().expect("a value"))]);
        assert_eq!(framing_conflict(StatusCode::OK, &unknown, false), None);
        assert!(is_rejected(101, &[(UPGRADE, "h2c")], true));
    }

    #[test]
    fn unambiguous_framing_is_accepted() {
        assert!(!is_rejected(200, &[], false));
        assert!(!is_rejected(200, &[(CONTENT_LENGTH, "5")], false));
        assert!(!is_rejected(200, &[(TRANSFER_ENCODING, "Chunked")], false));
        assert!(!is_rejected(101, &[(UPGRADE, "WebSocket")], true));
    }
}
