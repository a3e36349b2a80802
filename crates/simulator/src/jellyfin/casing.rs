//! The two casings of property names, and their negotiation.
//!
//! Names of properties change with the profile; keys of dictionaries (provider ids, image tags) are data and do not.

use http::HeaderMap;
use http::header::ACCEPT;
use serde_json::{Map, Value};

/// Properties whose value is a dictionary: the keys one level below are data.
const DICTIONARIES: &[&str] = &["ProviderIds", "ImageTags", "CustomPrefs", "RequiredHttpHeaders"];

/// A dictionary of dictionaries: the keys of two levels are data.
const NESTED_DICTIONARIES: &[&str] = &["ImageBlurHashes"];

/// Casing of property names, and its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PropertyCasing {
    /// No profile requested: Pascal case without a profile.
    Plain,
    /// `profile="PascalCase"` was requested.
    Pascal,
    /// `profile="CamelCase"` was requested.
    Camel,
}

impl PropertyCasing {
    /// Casing from the `Accept` headers: the first of the best ranges for which the server has a format. Plain JSON is
    /// in Pascal case; without an acceptable format, so is the response.
    pub(crate) fn negotiate(headers: &HeaderMap) -> Self {
        let mut ranges: Vec<(f64, Option<Self>)> = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|range| (quality(range), format(range)))
            .collect();
        ranges.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        ranges.into_iter().find_map(|(_, format)| format).unwrap_or(Self::Plain)
    }

    /// Content type of the response.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "application/json; charset=utf-8",
            Self::Pascal => "application/json; profile=\"PascalCase\"; charset=utf-8",
            Self::Camel => "application/json; profile=\"CamelCase\"; charset=utf-8",
        }
    }

    /// Converts `value`, which is in Pascal case.
    pub(crate) fn apply(self, value: Value) -> Value {
        if self == Self::Camel { camel(value, 0) } else { value }
    }
}

/// The format for one range, if the server has it: a range without parameters fits plain JSON, one with parameters only
/// the profile that it names. Parameters after `q` do not count.
fn format(range: &str) -> Option<PropertyCasing> {
    let range = range.to_ascii_lowercase();
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?;
    let mut parameters = parts.take_while(|parameter| !parameter.starts_with("q=")).filter(|part| !part.is_empty());
    match (media, parameters.next(), parameters.next()) {
        ("application/json" | "application/*" | "*/*", None, None) => Some(PropertyCasing::Plain),
        ("application/json" | "application/*" | "*/*", Some(parameter), None) => {
            match parameter.strip_prefix("profile=")?.trim_matches('"') {
                "pascalcase" => Some(PropertyCasing::Pascal),
                "camelcase" => Some(PropertyCasing::Camel),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Quality of a range: 1 unless it names another, 0 if that is no number.
fn quality(range: &str) -> f64 {
    let named = range.split(';').find_map(|part| part.trim().to_ascii_lowercase().strip_prefix("q=").map(str::parse));
    named.map_or(1.0, |quality: Result<f64, _>| quality.unwrap_or(0.0))
}

/// `data_levels` is the number of key levels from here on that are data.
fn camel(value: Value, data_levels: usize) -> Value {
    match value {
        Value::Array(rows) => Value::Array(rows.into_iter().map(|row| camel(row, data_levels)).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|field| camel_field(field, data_levels)).collect::<Map<_, _>>())
        }
        plain => plain,
    }
}

fn camel_field((name, value): (String, Value), data_levels: usize) -> (String, Value) {
    if data_levels > 0 {
        return (name, camel(value, data_levels - 1));
    }
    let below = if DICTIONARIES.contains(&name.as_str()) {
        1
    } else if NESTED_DICTIONARIES.contains(&name.as_str()) {
        2
    } else {
        0
    };
    (camel_name(&name), camel(value, below))
}

/// Lowers the leading run of capitals, but not the one that begins the next word: `ETag` is `eTag`, `IOPath` is
/// `ioPath`.
fn camel_name(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len());
    let mut in_run = true;
    for (at, letter) in letters.iter().enumerate() {
        let next_is_lower = letters.get(at + 1).is_some_and(|next| !next.is_uppercase());
        in_run = in_run && letter.is_uppercase() && (at == 0 || !next_is_lower);
        out.extend(if in_run { letter.to_lowercase().next() } else { Some(*letter) });
    }
    out
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn asked(accept: &'static str) -> PropertyCasing {
        PropertyCasing::negotiate(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]))
    }

    #[test]
    fn the_profile_is_read_from_accept() {
        assert_eq!(asked("application/json"), PropertyCasing::Plain);
        assert_eq!(asked("*/*"), PropertyCasing::Plain);
        assert_eq!(asked("application/json; profile=\"CamelCase\""), PropertyCasing::Camel);
        assert_eq!(asked("text/html, application/json;profile=PascalCase;q=0.9"), PropertyCasing::Pascal);
    }

    #[test]
    fn the_best_range_wins_and_pascal_is_the_plain_one() {
        let sdk = "application/json,application/json; profile=\"CamelCase\",application/json; profile=\"PascalCase\"";
        assert_eq!(asked(sdk), PropertyCasing::Plain, "of equal ranges the first");
        assert_eq!(asked("application/json;q=0.5, application/json;profile=CamelCase"), PropertyCasing::Camel);
        assert_eq!(asked("application/json;profile=CamelCase;q=0.5, */*"), PropertyCasing::Plain);
        assert_eq!(asked("application/json;profile=Snake, application/json;profile=CamelCase"), PropertyCasing::Camel);
        assert_eq!(asked("text/html,application/xml;q=0.9,*/*;q=0.8"), PropertyCasing::Plain);
        assert_eq!(asked("image/webp"), PropertyCasing::Plain);
    }

    #[test]
    fn acronyms_at_the_front_are_lowered_as_one() {
        assert_eq!(camel_name("Id"), "id");
        assert_eq!(camel_name("ETag"), "eTag");
        assert_eq!(camel_name("IOPath"), "ioPath");
        assert_eq!(camel_name("ID"), "id");
        assert_eq!(camel_name("IsAVC"), "isAVC");
    }

    #[test]
    fn keys_that_are_data_keep_their_case() {
        let pascal = json!({"Items": [{"ProviderIds": {"Imdb": "tt1"}, "ImageBlurHashes": {"Primary": {"Ab": "x"}}}]});
        let camel = json!({"items": [{"providerIds": {"Imdb": "tt1"}, "imageBlurHashes": {"Primary": {"Ab": "x"}}}]});
        assert_eq!(PropertyCasing::Camel.apply(pascal.clone()), camel);
        assert_eq!(PropertyCasing::Pascal.apply(pascal.clone()), pascal);
    }
}
