//! The lists of languages, countries and age ratings: short, but in their real form.

use serde_json::{Value, json};

/// Code of two letters, code of three, name.
const CULTURES: &[(&str, &str, &str)] = &[
    ("da", "dan", "Danish"),
    ("de", "ger", "German"),
    ("en", "eng", "English"),
    ("es", "spa", "Spanish"),
    ("fr", "fre", "French"),
    ("ja", "jpn", "Japanese"),
    ("nb", "nob", "Norwegian Bokmål"),
    ("pt", "por", "Portuguese"),
];

/// Code, name.
const COUNTRIES: &[(&str, &str)] = &[
    ("AT", "Austria"),
    ("BR", "Brazil"),
    ("CA", "Canada"),
    ("DE", "Germany"),
    ("DK", "Denmark"),
    ("FR", "France"),
    ("GB", "United Kingdom"),
    ("JP", "Japan"),
    ("US", "United States"),
];

/// Rating, age.
const RATINGS: &[(&str, u32)] = &[
    ("G", 0),
    ("TV-G", 0),
    ("PG", 10),
    ("TV-PG", 10),
    ("PG-13", 13),
    ("TV-14", 14),
    ("R", 17),
    ("TV-MA", 17),
    ("NR", 18),
];

/// Languages of media.
pub(crate) fn cultures() -> Value {
    let row = |(two, three, name): &(&str, &str, &str)| {
        json!({
            "Name": two,
            "DisplayName": name,
            "TwoLetterISOLanguageName": two,
            "ThreeLetterISOLanguageName": three,
            "ThreeLetterISOLanguageNames": [three],
        })
    };
    CULTURES.iter().map(row).collect()
}

/// Countries.
pub(crate) fn countries() -> Value {
    let row = |(code, name): &(&str, &str)| json!({"Name": code, "DisplayName": name, "TwoLetterISORegionName": code});
    COUNTRIES.iter().map(row).collect()
}

/// Languages of the server's own pages.
pub(crate) fn languages() -> Value {
    CULTURES.iter().map(|(two, _, name)| json!({"Name": name, "Value": two})).collect()
}

/// Age ratings.
pub(crate) fn ratings() -> Value {
    let row = |(name, age): &(&str, u32)| json!({"Name": name, "Value": age, "RatingScore": {"score": age, "subScore": 0}});
    RATINGS.iter().map(row).collect()
}
