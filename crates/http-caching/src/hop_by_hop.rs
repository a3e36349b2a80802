//! Fields that concern one connection only (RFC 9110, section 7.6.1), and are neither stored nor forwarded.

use http::header::{
    CONNECTION, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};

const NAMES: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authentication-info"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Removes the fields of this connection, and those that its `Connection` field names.
pub fn strip(headers: &mut HeaderMap) {
    for name in named_by_connection(headers).iter().chain(&NAMES) {
        headers.remove(name);
    }
}

/// Whether a field concerns one connection only, whatever `Connection` says.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    NAMES.contains(name)
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let names = lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse().ok());
    // They carry the message itself, and no connection may take them away.
    names.filter(|name| !matches!(*name, http::header::CONTENT_LENGTH | http::header::HOST)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_goes_with_it() {
        let mut headers: HeaderMap =
            [("connection", "a, B ,close"), ("a", "1"), ("b", "2"), ("c", "3"), ("te", "x"), ("content-length", "3")]
                .into_iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")))
                .collect();
        strip(&mut headers);
        let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["c", "content-length"]);
    }
}
