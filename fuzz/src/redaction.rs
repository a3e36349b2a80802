//! Properties of anything that is shown: a secret that stands in it is not told.

use greenroom_dialect::redact;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::request::{SECRET, chance, split_once};

/// No address is nested deeper than this.
const MAX_LEVELS: u8 = 12;

/// A shown text may grow by escapes, level by level, but not without end.
const MAX_GROWTH: usize = 64;

/// Checks that a secret does not show, wherever it stands. The first line is the name before it, the second begins
/// with a letter that says how often it is encoded, the third stands before it, the rest after it.
pub fn check(bytes: &[u8]) {
    let (name, rest) = split_once(bytes, b"\n");
    let (levels, rest) = split_once(rest, b"\n");
    let (before, after) = split_once(rest, b"\n");
    let name = String::from_utf8_lossy(name);
    let name = if redact::is_secret_name(&name) { name.trim() } else { "X-Plex-Token" };
    let levels = levels.first().map_or(0, |letter| letter % (MAX_LEVELS + 1));
    let [before, after] = [before, after].map(|text| String::from_utf8_lossy(text).replace(SECRET, ""));
    in_targets(name, levels, &before, &after);
    in_words(chance(bytes), name, &before, &after);
    assert_eq!(redact::header(name, SECRET), redact::REDACTED);
    for told in [&before, &after] {
        for shown in [redact::target(told), redact::text(told), redact::header("Referer", told)] {
            assert!(shown.len() <= MAX_GROWTH * (told.len() + 1), "{} became {}", told.len(), shown.len());
        }
    }
}

/// As a parameter, also of an address inside a parameter.
fn in_targets(name: &str, levels: u8, before: &str, after: &str) {
    let pair = format!("{before}&{name}={SECRET}&{after}");
    if levels == 0 {
        let plain = format!("/a?{pair}");
        return hides(&redact::target(&plain), &plain);
    }
    let inner = format!("http://127.0.0.1:32400/b?{pair}");
    let nested = (1..levels).fold(inner, |text, _| utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string());
    let nested = format!("/photo/:/transcode?width=3&url={nested}&height=4");
    hides(&redact::target(&nested), &nested);
    let told = format!("cannot load {nested}: refused");
    hides(&redact::text(&told), &told);
}

/// In a sentence, a header, a member of JSON, an attribute of XML: one of them, chosen by chance.
fn in_words(chance: usize, name: &str, before: &str, after: &str) {
    let told = match chance % 6 {
        0 => format!("{before} {name}={SECRET} {after}"),
        1 => format!("{before} {name}: {SECRET} {after}"),
        2 => format!("{before}\n{name}: Bearer {SECRET}\n{after}"),
        3 => format!("{before} {{\"{name}\":\"{SECRET}\"}} {after}"),
        4 => format!("{before} {{\"{name}\": \"{SECRET}\"}} {after}"),
        _ => format!("{before} <a {name}=\"{SECRET}\"/> {after}"),
    };
    hides(&redact::text(&told), &told);
}

fn hides(shown: &str, told: &str) {
    assert!(!redact::contains_secret(shown, SECRET), "{told:?} is shown as {shown:?}");
}
