//! Shell quoting, because printed commands are copied and run.

use std::borrow::Cow;

/// Characters that have no special meaning in any common shell.
fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "/._-:,+@%=".contains(letter)
}

/// The word, quoted where necessary.
pub fn quoted(word: &str) -> Cow<'_, str> {
    if !word.is_empty() && word.chars().all(is_plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word_whatever_is_in_it() {
        assert_eq!(quoted("/var/lib/greenroom"), "/var/lib/greenroom");
        for (word, written) in [
            ("", "''"),
            ("/my data", "'/my data'"),
            ("/a;reboot", "'/a;reboot'"),
            ("it's", r"'it'\''s'"),
            ("http://[::1]:32400", "'http://[::1]:32400'"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(quoted(word), written);
            let said = std::process::Command::new("sh").args(["-c", &format!("printf %s {written}")]).output();
            assert_eq!(said.expect("a shell").stdout, word.as_bytes());
        }
    }
}
