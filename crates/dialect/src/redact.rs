//! Removes secrets from targets, headers and free text before they are logged or shown.
//!
//! A secret is recognised by the name before it. Names and values may be percent-encoded, even several times
//! and inside a nested URL (`url=http%3A%2F%2F…%3FX-Plex-Token%3D…`); a value nested deeper than
//! [`MAX_DEPTH`] levels is dropped whole if it contains a secret's name.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Replacement for a secret.
pub const REDACTED: &str = "***";

/// Max levels of percent-encoding below which a value is redacted piece by piece. A secret nested deeper is replaced
/// together with the value around it.
pub const MAX_DEPTH: usize = 3;

/// A text with this many levels of percent-encoding is not decoded: it counts as a secret.
const MAX_LEVELS: usize = 8;

/// Length of the shortest token that is searched for in a cache key, in bytes.
const MIN_TOKEN_BYTES: usize = 8;

/// Parameter and header names whose values are secret, in lower case.
const SECRET_NAMES: [&str; 25] = [
    "x-plex-token",
    "plex-token",
    "x-emby-token",
    "x-mediabrowser-token",
    "x-emby-authorization",
    "x-plex-pin",
    "api_key",
    "apikey",
    "api-key",
    "token",
    "auth_token",
    "authtoken",
    "access_token",
    "accesstoken",
    "refresh_token",
    "claim_token",
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "password",
    "currentpw",
    "newpw",
    "secret",
    "pw",
];

/// One-letter parameter names of the Subsonic API: secret in a query, ordinary letters elsewhere.
const SECRET_LETTERS: [&str; 4] = ["t", "s", "p", "u"];

/// Redacts a target (path and query) or a URL.
pub fn target(target: &str) -> String {
    address(target, 0)
}

/// Redacts a header's value.
pub fn header(name: &str, value: &str) -> String {
    if is_secret_name(name) { REDACTED.into() } else { text(value) }
}

/// Redacts free text (an error message, a foreign log line): every word is treated as a URL, and the value
/// after a secret's name and `=` or `:` is replaced, also in quotes.
pub fn text(text: &str) -> String {
    let separates = |char: char| char.is_whitespace() || "\"'<>(){}[],".contains(char);
    let mut out = String::with_capacity(text.len());
    let mut awaits_value = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_after_gap = separates(first);
        let end = rest.find(|char| separates(char) != is_after_gap).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        if is_after_gap || piece.chars().all(|char| ":=".contains(char)) {
            out.push_str(piece);
        } else if awaits_value {
            let scheme = is_scheme(piece);
            // If the value is itself a secret's name (`token: password=x`), the next word is a secret as well.
            awaits_value = scheme || ends_with_secret_name(piece, rest);
            out.push_str(if scheme { piece } else { REDACTED });
        } else {
            awaits_value = ends_with_secret_name(piece, rest);
            out.push_str(&address(piece, 0));
        }
    }
    out
}

/// Whether a parameter or header of this name carries a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.trim();
    SECRET_NAMES.iter().any(|secret| secret.eq_ignore_ascii_case(name))
}

/// Whether `text` contains `secret`, at any level of percent-encoding. Also true if it cannot be decoded fully.
pub fn contains_secret(text: &str, secret: &str) -> bool {
    text.contains(secret) || decoded_fully(text).is_none_or(|plain| plain.contains(secret))
}

/// Whether a cache key contains the token of its request. A very short token is not searched for, because it would
/// be found by chance.
pub fn contains_token(key: &str, token: &str) -> bool {
    token.len() >= MIN_TOKEN_BYTES && contains_secret(key, token)
}

fn is_scheme(word: &str) -> bool {
    ["bearer", "basic", "digest", "mediabrowser", "emby"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Whether `word` is (or ends as) `name:`, `name=`, or a bare secret name directly before `:` or `=`.
fn ends_with_secret_name(word: &str, rest: &str) -> bool {
    let name = word.trim_end_matches([':', '=']);
    let is_assigned = name.len() < word.len()
        || rest.trim_start_matches(|char: char| char.is_whitespace() || "\"'".contains(char)).starts_with([':', '=']);
    let name = name.rsplit(['?', '&', '=', ':', ';']).next().unwrap_or(name);
    is_assigned && is_secret_name(name)
}

/// Redacts a text that may contain a query.
fn address(text: &str, depth: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_query = false;
    let mut rest = text;
    loop {
        let end = rest.find(['?', '&', ';', '#']).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        out.push_str(&pair(piece, in_query, depth));
        let mut chars = after.chars();
        let Some(separator) = chars.next() else { return out };
        out.push(separator);
        in_query = true;
        rest = chars.as_str();
    }
}

/// Redacts one `name=value` or `name:value` piece, also if it is encoded. A value may contain pairs of its own
/// (`a=b=X-Plex-Token=…`).
fn pair(piece: &str, mut in_query: bool, depth: usize) -> String {
    let mut out = String::with_capacity(piece.len());
    let mut rest = piece;
    while let Some((name, value)) = rest.split_once('=') {
        let decoded = decoded_fully(name);
        // A name that cannot be decoded fully counts as the name of a secret.
        let last = decoded.as_deref().map_or(SECRET_NAMES[0], |name| name.rsplit(['/', ' ']).next().unwrap_or(name));
        let char = in_query && SECRET_LETTERS.contains(&last.to_ascii_lowercase().as_str());
        if char || is_secret_name(last) {
            out.push_str(name);
            return out + "=" + REDACTED;
        }
        out.push_str(&opened(name, depth));
        out.push('=');
        (rest, in_query) = (value, true);
    }
    if rest.len() < piece.len() {
        return out + &opened(rest, depth);
    }
    if let Some((name, value)) = piece.split_once(':')
        && decoded_fully(name).is_none_or(|name| is_secret_name(&name))
        && !value.is_empty()
    {
        return format!("{name}:{REDACTED}");
    }
    keys_in_path(&opened(piece, depth))
}

/// Decodes one level of percent-encoding, redacts the text and encodes it again. A text without a secret's name is
/// returned unchanged; below [`MAX_DEPTH`] levels all of it is replaced.
fn opened(text: &str, depth: usize) -> String {
    if !text.contains('%') || !has_secret_name(text) {
        return text.to_owned();
    }
    let inner = percent_decode_str(text).decode_utf8_lossy();
    if depth >= MAX_DEPTH || inner == text {
        return REDACTED.into();
    }
    let redacted = address(&inner, depth + 1);
    utf8_percent_encode(&redacted, NON_ALPHANUMERIC).to_string()
}

/// Whether `text` contains the name of a secret or a pair with one of the secret letters, at any level of encoding.
fn has_secret_name(text: &str) -> bool {
    let Some(plain) = decoded_fully(text) else { return true };
    let plain = plain.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|name| plain.contains(name))
        || SECRET_LETTERS
            .iter()
            .any(|char| ['?', '&', ';'].iter().any(|separator| plain.contains(&format!("{separator}{char}="))))
}

/// Decodes until nothing changes; `None` if the text has [`MAX_LEVELS`] levels of percent-encoding or more.
pub(crate) fn decoded_fully(text: &str) -> Option<String> {
    let mut plain = text.to_owned();
    for _ in 0..MAX_LEVELS {
        if !plain.contains('%') {
            return Some(plain);
        }
        let next = percent_decode_str(&plain).decode_utf8_lossy().into_owned();
        if next == plain {
            return Some(plain);
        }
        plain = next;
    }
    None
}

/// Redacts secrets that are path segments: everything after `/Auth/Keys/` or `/hooks/plex/`.
fn keys_in_path(path: &str) -> String {
    let lower = path.to_ascii_lowercase();
    for before in ["/auth/keys/", "/hooks/plex/"] {
        if let Some(at) = lower.find(before) {
            return format!("{}{REDACTED}", &path[..at + before.len()]);
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_target_stays_as_it_is() {
        for plain in ["/", "/library/sections/1/all?type=10&title=Hey%20you", "/a?title==x&addedAt>>=1", "/:/prefs"] {
            assert_eq!(target(plain), plain);
        }
    }

    #[test]
    fn a_token_in_the_query_is_blanked_and_the_rest_stays() {
        assert_eq!(target("/a?b=1&X-Plex-Token=secret&c=2"), "/a?b=1&X-Plex-Token=***&c=2");
        assert_eq!(target("/a?api_key=secret"), "/a?api_key=***");
        assert_eq!(target("/rest/ping?u=me&t=abc&s=def&p=enc:xx&v=1"), "/rest/ping?u=***&t=***&s=***&p=***&v=1");
        assert_eq!(target("/a?x-plex%2Dtoken=secret"), "/a?x-plex%2Dtoken=***");
        assert_eq!(target("/Auth/Keys/0123456789abcdef"), "/Auth/Keys/***");
    }

    #[test]
    fn a_token_in_a_nested_address_is_blanked() {
        let redacted =
            target("/photo/:/transcode?width=10&url=http%3A%2F%2F127.0.0.1%3A32400%2Fx%3FX-Plex-Token%3Dsecret");
        assert!(!redacted.contains("secret"), "{redacted}");
        assert!(redacted.starts_with("/photo/:/transcode?width=10&url=http%3A%2F%2F127"), "{redacted}");
        let raw = target("/photo/:/transcode?url=http://127.0.0.1/x?X-Plex-Token=secret&width=1");
        assert_eq!(raw, "/photo/:/transcode?url=http://127.0.0.1/x?X-Plex-Token=***&width=1");
    }

    #[test]
    fn the_debug_form_of_secret_headers_is_redacted() {
        assert_eq!(header("Authorization", "MediaBrowser Token=\"secret\""), "***");
        assert_eq!(header("x-plex-token", "secret"), "***");
        assert_eq!(header("Referer", "http://h/a?X-Plex-Token=secret"), "http://h/a?X-Plex-Token=***");
        assert_eq!(header("Accept", "application/json"), "application/json");
    }

    #[test]
    fn redaction_removes_secrets_from_text_and_leaves_the_rest() {
        for text_with_secret in [
            "GET http://h/a?X-Plex-Token=secret failed",
            "header X-Plex-Token: secret was bad",
            "Authorization: MediaBrowser Client=\"a\", Token=\"secret\"",
            "Authorization: Bearer secret",
            "{\"AccessToken\":\"secret\",\"n\":1}",
            "{\"AccessToken\" : \"secret\"}",
            "<User authToken=\"secret\"/>",
            "token = secret",
            "token = password: secret",
            "token : \"password\" = secret",
        ] {
            let redacted = text(text_with_secret);
            assert!(!redacted.contains("secret"), "{redacted}");
        }
        assert_eq!(
            text("no route to host: 10.0.0.1:32400 (os error 113)"),
            "no route to host: 10.0.0.1:32400 (os error 113)"
        );
    }

    #[test]
    fn many_pairs_in_one_value_are_read_one_by_one() {
        let many = format!("/a?{}token=secret", "x=".repeat(200_000));
        let redacted = target(&many);
        assert!(redacted.ends_with("x=token=***"));
        assert_eq!(redacted.len(), many.len() - "secret".len() + REDACTED.len());
    }

    fn encoded(text: &str, levels: usize) -> String {
        (0..levels).fold(text.to_owned(), |inner, _| utf8_percent_encode(&inner, NON_ALPHANUMERIC).to_string())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn no_token_survives_at_any_depth(
            token in "[A-Za-z0-9]{12,40}",
            name in prop::sample::select(SECRET_NAMES.to_vec()),
            levels in 0usize..12,
            shell in prop::sample::select(vec!["url", "source", "path", "x"]),
        ) {
            let inner = format!("http://127.0.0.1:32400/a/b?w=1&{name}={token}&z=2");
            let target_with_secret = format!("/photo/:/transcode?width=3&{shell}={}&height=4", encoded(&inner, levels));
            let redacted = target(&target_with_secret);
            prop_assert!(!redacted.contains(&token), "{}", redacted);
            prop_assert!(!contains_secret(&redacted, &token));
            prop_assert!(redacted.ends_with("&height=4"));
            let text_with_secret = format!("error for {target_with_secret}: refused");
            prop_assert!(!text(&text_with_secret).contains(&token));
        }

        #[test]
        fn any_text_is_redacted_without_a_panic(text_with_secret in "\\PC*") {
            let _ = (target(&text_with_secret), text(&text_with_secret), header("Referer", &text_with_secret));
        }
    }
}
