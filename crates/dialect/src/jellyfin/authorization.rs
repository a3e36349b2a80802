//! The grammar of the family's own authorisation header: a scheme, then `Name="value"` pairs at commas.
//!
//! Values are quoted as a rule and percent-encoded where needed; commas inside quotes are part of the value.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in a value that is written.
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

/// The schemes the family uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Today's.
    MediaBrowser,
    /// The old one.
    Emby,
}

/// What such a header says. Holds a token: never printed.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Authorization {
    pub(super) client: Option<String>,
    pub(super) device: Option<String>,
    pub(super) device_id: Option<String>,
    pub(super) version: Option<String>,
    pub(super) token: Option<String>,
}

/// Reads a header; `None` if it is of another scheme.
pub(super) fn read(text: &str) -> Option<(Scheme, Authorization)> {
    let (scheme, pairs) = text.trim_start().split_once(' ')?;
    let scheme = if scheme.eq_ignore_ascii_case("MediaBrowser") {
        Scheme::MediaBrowser
    } else if scheme.eq_ignore_ascii_case("Emby") {
        Scheme::Emby
    } else {
        return None;
    };
    let mut said = Authorization::default();
    for pair in at_commas(pairs) {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let place = match name.trim().to_ascii_lowercase().as_str() {
            "client" => &mut said.client,
            "device" => &mut said.device,
            "deviceid" => &mut said.device_id,
            "version" => &mut said.version,
            "token" => &mut said.token,
            _ => continue,
        };
        *place = Some(decoded(value)).filter(|value| !value.is_empty());
    }
    Some((scheme, said))
}

/// Writes a header of today's scheme.
pub(super) fn write(said: &Authorization) -> String {
    let mut text = String::from("MediaBrowser ");
    let pairs = [
        ("Client", &said.client),
        ("Device", &said.device),
        ("DeviceId", &said.device_id),
        ("Version", &said.version),
        ("Token", &said.token),
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
    let bare = value.trim().trim_matches('"').replace('+', " ");
    percent_decode_str(&bare).decode_utf8_lossy().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_is_read_whatever_its_order_case_and_quoting() {
        let whole = Authorization {
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
            let (scheme, said) = read(text).unwrap();
            assert_eq!(scheme, Scheme::MediaBrowser);
            assert!(said == whole, "{text}");
        }
    }

    #[test]
    fn other_schemes_are_not_ours() {
        for text in ["", "MediaBrowser", "Basic dXNlcg==", "Bearer Token=\"x\""] {
            assert!(read(text).is_none(), "{text}");
        }
        assert!(read("EMBY Token=\"x\"").is_some_and(|(scheme, _)| scheme == Scheme::Emby));
    }

    #[test]
    fn an_empty_value_says_nothing() {
        let (_, said) = read(r#"MediaBrowser Token="", Client="""#).unwrap();
        assert!(said == Authorization::default());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn what_is_written_is_read_again(client in "\\PC{1,20}", token in "\\PC{1,20}") {
            let tidy = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
            let said = Authorization { client: tidy(client), token: tidy(token), ..Authorization::default() };
            let text = write(&said);
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert!(read(&text).is_some_and(|(_, again)| again == said));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*|MediaBrowser [a-zA-Z=\",% ]*") {
            let _ = read(&text);
        }
    }
}
