//! Representation and language that a request accepts.

use http::header::{ACCEPT, ACCEPT_LANGUAGE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::classification::Representation;
use crate::classification::StreamReason::{self, Odd};

/// Longest accepted language header in bytes.
const MAX_LANGUAGE_BYTES: usize = 128;

/// Image media types that only some clients accept, and the word for each in a key.
const IMAGE_FORMATS: [(&str, &str); 2] = [("image/webp", "webp"), ("image/gif", "gif")];

/// One member of an `Accept` header.
struct MediaRange<'a> {
    media: &'a str,
    parameters: &'a str,
    thousandths: u32,
}

/// Notation of JSON, and whether the response names it in its content type. The default has upper-case first letters
/// and names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonProfile {
    /// The default.
    Plain,
    /// The default, named.
    Pascal,
    /// Lower-case first letters.
    Camel,
}

impl JsonProfile {
    /// The word for it in a key. The named default has its own entries, because their content type differs.
    pub(super) fn key_name(self) -> &'static str {
        match self {
            Self::Plain => "json",
            Self::Pascal => "pascal",
            Self::Camel => "camel",
        }
    }

    /// The representation of the body.
    pub(super) fn representation(self) -> Representation {
        match self {
            Self::Plain | Self::Pascal => Representation::Json,
            Self::Camel => Representation::JsonCamel,
        }
    }

    /// The `Accept` header for it.
    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Plain => "application/json",
            Self::Pascal => "application/json; profile=\"PascalCase\"",
            Self::Camel => "application/json; profile=\"CamelCase\"",
        })
    }
}

/// The JSON profile to send. `Err`: the client prefers something else.
pub(super) fn json(headers: &HeaderMap) -> Result<JsonProfile, StreamReason> {
    let text = joined(headers, &ACCEPT)?;
    let mut ranges: Vec<MediaRange<'_>> = ranges(&text).filter(|range| range.thousandths > 0).collect();
    ranges.sort_by_key(|range| std::cmp::Reverse(range.thousandths));
    for range in ranges {
        match range.media.to_ascii_lowercase().as_str() {
            "application/json" | "application/*" | "*/*" => {
                if let Some(profile) = profile(range.parameters) {
                    return Ok(profile);
                }
            }
            "text/xml" | "text/css" => return Err(Odd),
            _ => {}
        }
    }
    Ok(JsonProfile::Plain)
}

/// The optional image formats that the client accepts: the word for the key, and the `Accept` header that
/// lists exactly these.
pub(super) fn images(headers: &HeaderMap) -> Result<(&'static str, HeaderValue), StreamReason> {
    let text = joined(headers, &ACCEPT)?;
    let accepts = |media: &str, any: bool| {
        ranges(&text).any(|range| range.media.eq_ignore_ascii_case(media) || (any && range.media == "*/*"))
    };
    let [(webp, _), (gif, _)] = IMAGE_FORMATS;
    Ok(match (accepts(webp, false), accepts(gif, true)) {
        (true, true) => ("webp+gif", HeaderValue::from_static("image/webp,image/gif,image/jpeg,image/png")),
        (true, false) => ("webp", HeaderValue::from_static("image/webp,image/jpeg,image/png")),
        (false, true) => ("gif", HeaderValue::from_static("image/gif,image/jpeg,image/png")),
        (false, false) => ("plain", HeaderValue::from_static("image/jpeg,image/png")),
    })
}

/// The accepted languages in one spelling; `None` if the client has no preference.
pub(super) fn language(headers: &HeaderMap) -> Result<Option<String>, StreamReason> {
    let text: String = joined(headers, &ACCEPT_LANGUAGE)?.chars().filter(|letter| !letter.is_whitespace()).collect();
    let is_tag = |letter: char| letter.is_ascii_alphanumeric() || "-,;=.*".contains(letter);
    if text.len() > MAX_LANGUAGE_BYTES || !text.chars().all(is_tag) {
        return Err(Odd);
    }
    Ok(Some(text.to_ascii_lowercase()).filter(|text| !matches!(text.as_str(), "" | "*")))
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Result<String, StreamReason> {
    let mut all = String::new();
    for value in headers.get_all(name) {
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(value.to_str().map_err(|_| Odd)?);
    }
    Ok(all)
}

fn ranges(text: &str) -> impl Iterator<Item = MediaRange<'_>> {
    text.split(',').map(|member| {
        let (media, parameters) = member.split_once(';').unwrap_or((member, ""));
        MediaRange { media: media.trim(), parameters, thousandths: quality(parameters) }
    })
}

fn quality(parameters: &str) -> u32 {
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    match value {
        None => 1000,
        Some(text) => thousandths(text).unwrap_or(0),
    }
}

fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let whole: u32 = whole.parse().ok()?;
    let part: u32 = if part.is_empty() { 0 } else { format!("{part:0<3}").get(..3)?.parse().ok()? };
    Some((whole.min(1) * 1000 + part).min(1000))
}

/// The profile that a range of JSON means. The server has no format for a range with any other parameter, or with
/// another profile, and tries the next one; parameters after `q` do not count.
fn profile(parameters: &str) -> Option<JsonProfile> {
    let name = |parameter: &str| parameter.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut parameters =
        parameters.split(';').filter(|parameter| !parameter.trim().is_empty()).take_while(|one| name(one) != "q");
    let Some(parameter) = parameters.next() else { return Some(JsonProfile::Plain) };
    if parameters.next().is_some() || name(parameter) != "profile" {
        return None;
    }
    let value = parameter.split_once('=').map_or("", |(_, value)| value.trim().trim_matches('"'));
    [("PascalCase", JsonProfile::Pascal), ("CamelCase", JsonProfile::Camel)]
        .into_iter()
        .find_map(|(known, profile)| value.eq_ignore_ascii_case(known).then_some(profile))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn the_profile_of_json_is_the_best_one_that_is_wanted() {
        use JsonProfile::{Camel, Pascal, Plain};
        for (accept, wanted) in [
            ("*/*", Plain),
            ("application/json", Plain),
            ("application/json; profile=\"PascalCase\"", Pascal),
            ("application/json;profile=camelcase", Camel),
            ("application/json; profile=\"CamelCase\", */*;q=0.1", Camel),
            ("application/json;profile=\"CamelCase\";q=0.5, application/json", Plain),
            ("application/json;profile=\"CamelCase\";q=0, application/json;q=0.1", Plain),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Plain),
            ("application/json;profile=\"CamelCase\";q=0", Plain),
            ("application/json;profile=\"CamelCase\";q=x, */*;q=0.1", Plain),
            ("text/plain", Plain),
            ("application/json; profile=\"Other\"", Plain),
            ("application/json; profile=\"Other\", application/json; profile=\"CamelCase\"", Camel),
            ("application/json; charset=utf-8, application/json; profile=\"PascalCase\";q=0.9", Pascal),
            ("application/json; profile=CamelCase; charset=utf-8, */*;q=0.1", Plain),
            ("application/json; profile=Other, application/json", Plain),
            ("application/json; q=0.9; profile=Other, application/json; profile=CamelCase; q=0.5", Plain),
        ] {
            assert_eq!(json(&accepting(ACCEPT, accept)), Ok(wanted), "{accept}");
        }
        assert_eq!(json(&HeaderMap::new()), Ok(Plain));
        assert_eq!(json(&accepting(ACCEPT, "text/xml, application/json;q=0.5")), Err(Odd));
    }

    #[test]
    fn a_named_profile_is_in_the_content_type() {
        for (accept, wanted) in [
            ("application/json", "application/json"),
            ("application/json;profile=pascalcase", "application/json; profile=\"PascalCase\""),
            ("application/json;profile=\"CamelCase\"", "application/json; profile=\"CamelCase\""),
            ("application/json,application/json; profile=\"CamelCase\"", "application/json"),
            ("application/json; profile=\"PascalCase\", */*;q=0.1", "application/json; profile=\"PascalCase\""),
        ] {
            assert_eq!(json(&accepting(ACCEPT, accept)).unwrap().header(), wanted, "{accept}");
        }
    }

    #[test]
    fn an_image_is_requested_in_the_formats_the_client_accepts() {
        for (accept, word) in [
            ("image/avif,image/webp,image/apng,*/*;q=0.8", "webp+gif"),
            ("image/webp", "webp"),
            ("*/*", "gif"),
            ("image/jpeg", "plain"),
        ] {
            assert_eq!(images(&accepting(ACCEPT, accept)).unwrap().0, word, "{accept}");
        }
    }

    #[test]
    fn languages_have_one_spelling() {
        let language = |text: &str| language(&accepting(ACCEPT_LANGUAGE, text));
        assert_eq!(language("de-DE, en;q=0.5"), Ok(Some("de-de,en;q=0.5".into())));
        assert_eq!(language("*"), Ok(None));
        assert_eq!(language("de \"x\""), Err(Odd));
        assert_eq!(language(&"a".repeat(200)), Err(Odd));
    }
}
