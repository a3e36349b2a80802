//! Errors of a JSON body that name the key at fault.

use serde::de::DeserializeOwned;

/// Most characters of a key that are shown.
const MAX_SHOWN_CHARS: usize = 60;

/// Parses a JSON object.
///
/// # Errors
/// A sentence: where the JSON is broken, which key is unknown, or which one has a value of another type. Values are
/// never part of it.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let is_object = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if !is_object {
        return Err("the body must be a JSON object".to_owned());
    }
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut source).map_err(|error| {
        let path = shown(&error.path().to_string());
        let (line, column) = (error.inner().line(), error.inner().column());
        let message = error.inner().to_string();
        // The keys that are expected, which are our own; what was sent is not repeated.
        let expected = message.split_once(", expected ").map_or("", |(_, expected)| expected);
        let expected = expected.split(" at line ").next().unwrap_or_default();
        match error.inner().classify() {
            serde_json::error::Category::Data if message.starts_with("unknown field") => {
                format!("the key {path} is unknown; expected is {expected}")
            }
            serde_json::error::Category::Data if message.starts_with("missing field") => {
                let missing = message.split('`').nth(1).unwrap_or_default();
                let within = if path == "." { String::new() } else { format!(" in {path}") };
                format!("the key {missing} is missing{within}")
            }
            serde_json::error::Category::Data if expected.is_empty() => format!("the value of {path} is not valid"),
            serde_json::error::Category::Data => format!("the value of {path} is not valid; expected is {expected}"),
            _ => format!("the JSON is incomplete or invalid at line {line}, column {column}"),
        }
    })?;
    source.end().map_err(|error| {
        format!("there is more after the JSON object at line {}, column {}", error.line(), error.column())
    })?;
    Ok(parsed)
}

fn shown(path: &str) -> String {
    path.chars().filter(|letter| !letter.is_control()).take(MAX_SHOWN_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only parsed")]
        rows: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only parsed")]
        title: String,
        #[expect(dead_code, reason = "only parsed")]
        seconds: Option<u32>,
    }

    #[test]
    fn the_key_at_fault_is_named_and_no_value_is() {
        for (body, sentence) in [
            ("{\"colour\":\"secret\",\"rows\":[]}", "the key colour is unknown; expected is `rows`"),
            ("{\"rows\":[{\"title\":\"a\"},{\"titel\":\"secret\"}]}", "the key rows[1].titel is unknown; expected is"),
            (
                "{\"rows\":[{\"title\":\"a\",\"seconds\":\"secret\"}]}",
                "the value of rows[0].seconds is not valid; expected is u32",
            ),
            ("{\"rows\":[{}]}", "the key title is missing in rows[0]"),
            ("{}", "the key rows is missing"),
            ("[]", "must be a JSON object"),
            ("{\"rows\":", "incomplete or invalid at line 1"),
            ("{\"rows\":[]} 7", "more after the JSON object"),
        ] {
            let error = parse::<Outer>(body.as_bytes()).expect_err(body);
            assert!(error.contains(sentence) && !error.contains("secret"), "{body}: {error}");
        }
        assert!(parse::<Outer>(b"{\"rows\":[{\"title\":\"a\"}]}").is_ok());
    }
}
