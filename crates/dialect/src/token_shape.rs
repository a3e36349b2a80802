//! Recognises texts that look like tokens, in places where a client or a server puts a name.

/// Shortest text that may be taken for a token. Tokens of Plex have 20 characters, those of Jellyfin 32.
const MIN_BYTES: usize = 20;
/// Shortest run of letters and digits that is no word with a number.
const MIN_RUN_BYTES: usize = 16;

/// Whether a part of this text looks like a token: long, without blanks, and not made of words. A long name of a program
/// that mixes digits into words may look like one too; then it is not shown either.
pub fn looks_like_token(text: &str) -> bool {
    let is_between = |char: char| char.is_whitespace() || "/,;:=\"'()<>[]{}@".contains(char);
    text.split(is_between).map(without_version).any(is_random)
}

/// The word without a version at its end (`Player-2.58.0`).
fn without_version(word: &str) -> &str {
    match word.rsplit_once(['-', '_']) {
        Some((name, version))
            if version.contains('.')
                && version.trim_start_matches(['v', 'V']).bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.')) =>
        {
            name
        }
        _ => word,
    }
}

fn is_random(word: &str) -> bool {
    if word.len() < MIN_BYTES || !word.is_ascii() {
        return false;
    }
    let count = |is_counted: fn(&u8) -> bool| word.bytes().filter(is_counted).count();
    let (digits, upper, lower) =
        (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    let is_mixed_run = |run: &str| {
        run.len() >= MIN_RUN_BYTES
            && run.bytes().any(|byte| byte.is_ascii_digit())
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    word.split(|char: char| !char.is_ascii_alphanumeric()).any(is_mixed_run)
        || is_uuid(word)
        || (digits >= 2 && upper >= 2 && lower >= 2)
        // Random letters are as often large as small; words begin with a large one at the most.
        || (lower >= 2 && 3 * upper > upper + lower)
}

fn is_uuid(word: &str) -> bool {
    let lengths =
        word.split('-').map(|part| if part.bytes().all(|byte| byte.is_ascii_hexdigit()) { part.len() } else { 0 });
    lengths.eq([8, 4, 4, 4, 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_recognised_and_names_are_not() {
        for token in [
            "x7Kd2mPq9Lw4Rt6Yz1Vb",
            "qWeRtYuIoPaSdFgHjKlZ",
            "zK-QbWxPdLmNv_XzAsDf",
            "0123456789abcdef0123456789abcdef",
            "123e4567-e89b-12d3-a456-426614174000",
            "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl",
            "My App (0123456789abcdef0123456789abcdef)",
            "Token=0123456789abcdef0123456789abcdef",
            "SECRETtoken0123456789abcdef",
        ] {
            assert!(looks_like_token(token), "{token}");
        }
        for name in [
            "python-requests/2.32.3",
            "python-httpx",
            "PlexAPI",
            "Jellyfin Web",
            "Jellyfin Android TV",
            "jellyfin-apiclient-python",
            "PlexMediaPlayerForWindows",
            "PlexMediaPlayer-2.58.0",
            "com.plexapp.android",
            "AppleCoreMedia/1.0.0.21F79 (Apple TV; U; CPU OS 17_5 like Mac OS X; en_us)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
            "Lavf60.16.100",
            "unknown",
            "",
        ] {
            assert!(!looks_like_token(name), "{name}");
        }
    }
}
