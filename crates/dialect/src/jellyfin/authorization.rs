//! Parser for the authorisation header of Jellyfin and Emby: a scheme, then `Name="value"` pairs at commas.
//!
//! Values are usually quoted, and percent-encoded where needed; commas inside quotes are part of the value.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Characters left plain in a formatted value.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b' ')
    .remove(b'(')
    .remove(b')')
    .remove(b':')
    .remove(b'/');

/// Schemes of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthScheme {
    /// The current scheme.
    MediaBrowser,
    /// The legacy scheme.
    Emby,
}

/// Contents of the header. Holds a token: never printed.
#[derive(Default, PartialEq, Eq)]
pub(super) struct AuthorizationHeader {
    pub(super) client: Option<String>,
    pub(super) device: Option<String>,
    pub(super) device_id: Option<String>,
    pub(super) version: Option<String>,
    pub(super) token: Option<String>,
}

/// Parses a header; `None` for another scheme.
pub(super) fn parse(text: &str) -> Option<(AuthScheme, AuthorizationHeader)> {
    let (scheme, pairs) = text.trim_start().split_once(' ')?;
    let scheme = if scheme.eq_ignore_ascii_case("MediaBrowser") {
        AuthScheme::MediaBrowser
    } else if scheme.eq_ignore_ascii_case("Emby") {
        AuthScheme::Emby
    } else {
        return None;
    };
    let mut header = AuthorizationHeader::default();
    for pair in at_commas(pairs) {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let field = match name.trim().to_ascii_lowercase().as_str() {
            "client" => &mut header.client,
            "device" => &mut header.device,
            "deviceid" => &mut header.device_id,
            "version" => &mut header.version,
            "token" => &mut header.token,
            _ => continue,
        };
        *field = Some(decoded(value)).filter(|value| !value.is_empty());
    }
    Some((scheme, header))
}

/// Formats a header of the current scheme.
pub(super) fn format(header: &AuthorizationHeader) -> String {
    let mut text = String::from("MediaBrowser ");
    let pairs = [
        ("Client", &header.client),
        ("Device", &header.device),
        ("DeviceId", &header.device_id),
        ("Version", &header.version),
        ("Token", &header.token),
    ];
    let mut mark = "";
    for (name, value) in pairs {
        let Some(value) = value else { continue };
        text.push_str(mark);
        text.push_str(name);
        text.push_str("=\"");
        text.extend(utf8_percent_encode(value, PLAIN));
        text.push('"');
        mark = ", ";
    }
    text
}

/// Splits at commas outside quotes.
fn at_commas(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |letter| {
        if letter == '"' {
            quoted = !quoted;
        }
        letter == ',' && !quoted
    })
}

fn decoded(value: &str) -> String {
    let text = value.trim().trim_matches('"').replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_is_read_whatever_its_order_case_and_quoting() {
        let expected = AuthorizationHeader {
            client: Some("Jelly Web, beta".into()),
            device: Some("Wohnzimmer ä".into()),
            device_id: Some("id=1".into()),
            version: Some("10.11.0".into()),
            token: Some("t0ken".into()),
        };
        for text in [
            r#"MediaBrowser Client="Jelly Web, beta", Device="Wohnzimmer%20%C3%A4", DeviceId="id=1", Version="10.11.0", Token="t0ken""#,
            r#"mediabrowser token=t0ken,version=10.11.0 , deviceid="id%3D1",DEVICE="Wohnzimmer+ä",Client="Jelly Web%2C beta",Other="x""#,
        ] {
            let (scheme, header) = parse(text).unwrap();
            assert_eq!(scheme, AuthScheme::MediaBrowser);
            assert!(header == expected, "{text}");
        }
    }

    #[test]
    fn other_authorization_schemes_are_ignored() {
        for text in ["", "MediaBrowser", "Basic dXNlcg==", "Bearer Token=\"x\""] {
            assert!(parse(text).is_none(), "{text}");
        }
        assert!(parse("EMBY Token=\"x\"").is_some_and(|(scheme, _)| scheme == AuthScheme::Emby));
    }

    #[test]
    fn an_empty_value_is_ignored() {
        let (_, header) = parse(r#"MediaBrowser Token="", Client="""#).unwrap();
        assert!(header == AuthorizationHeader::default());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_written_query_is_parsed_again(client in "\\PC{1,20}", token in "\\PC{1,20}") {
            let tidy = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
            let header = AuthorizationHeader { client: tidy(client), token: tidy(token), ..AuthorizationHeader::default() };
            let text = format(&header);
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert!(parse(&text).is_some_and(|(_, again)| again == header));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*|MediaBrowser [a-zA-Z=\",% ]*") {
            let _ = parse(&text);
        }
    }
}
