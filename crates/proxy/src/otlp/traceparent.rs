//! Trace context of a client: the header `traceparent` of W3C Trace Context.

use http::HeaderMap;

/// The client's span in which a request was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// Trace id.
    pub trace: [u8; 16],
    /// Span id.
    pub span: [u8; 8],
}

impl TraceParent {
    /// Parses the header; `None` if it is malformed.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut said = headers.get_all("traceparent").iter();
        let (Some(one), None) = (said.next(), said.next()) else { return None };
        let mut parts = one.to_str().ok()?.split('-');
        let version = bytes::<1>(parts.next()?)?;
        let (trace, span) = (bytes(parts.next()?)?, bytes(parts.next()?)?);
        bytes::<1>(parts.next()?)?;
        // A later version may have more fields; version 0 may not, and 255 is invalid.
        let is_known = version != [0xff] && (version != [0] || parts.next().is_none());
        (is_known && trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span })
    }
}

/// Lower-case hexadecimal of exactly this length.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 2 * N || !text.bytes().all(is_hex) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(said: &[&str]) -> Option<TraceParent> {
        let mut headers = HeaderMap::new();
        for one in said {
            headers.append("traceparent", one.parse().expect("a value"));
        }
        TraceParent::from_headers(&headers)
    }

    #[test]
    fn the_example_of_the_standard_is_understood() {
        let parent = read(&["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]).expect("a parent");
        assert_eq!((parent.trace[0], parent.trace[15]), (0x4b, 0x36));
        assert_eq!(parent.span, [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        assert!(read(&["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"]).is_some(), "a later version");
    }

    #[test]
    fn anything_else_is_nothing() {
        let whole = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for said in [
            "",
            "00",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
        ] {
            assert_eq!(read(&[said]), None, "{said}");
        }
        assert_eq!(read(&[whole, whole]), None, "two");
    }
}
