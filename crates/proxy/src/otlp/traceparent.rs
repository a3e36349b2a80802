//! Trace context of a client: the header `traceparent` of W3C Trace Context.

use data_encoding::HEXLOWER;
use http::HeaderMap;

/// The client's span in which a request was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// Trace id.
    pub trace_id: [u8; 16],
    /// Span id.
    pub span_id: [u8; 8],
}

impl TraceParent {
    /// Parses the header; `None` if it is malformed.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all("traceparent").iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let mut parts = value.to_str().ok()?.split('-');
        let version = bytes::<1>(parts.next()?)?;
        let (trace_id, span_id) = (bytes(parts.next()?)?, bytes(parts.next()?)?);
        bytes::<1>(parts.next()?)?;
        // A later version may have more fields; version 0 may not, and 255 is invalid.
        let is_known = version != [0xff] && (version != [0] || parts.next().is_none());
        (is_known && trace_id != [0; 16] && span_id != [0; 8]).then_some(Self { trace_id, span_id })
    }
}

/// Lower-case hexadecimal of exactly this length.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<TraceParent> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", value.parse().expect("a header value"));
        }
        TraceParent::from_headers(&headers)
    }

    #[test]
    fn the_example_of_the_standard_is_parsed() {
        let parent = read(&["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]).expect("a parent");
        assert_eq!((parent.trace_id[0], parent.trace_id[15]), (0x4b, 0x36));
        assert_eq!(parent.span_id, [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        assert!(read(&["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"]).is_some(), "a later version");
    }

    #[test]
    fn malformed_headers_are_ignored() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for values in [
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
            assert_eq!(read(&[values]), None, "{values}");
        }
        assert_eq!(read(&[header, header]), None, "two headers");
    }
}
