//! Fingerprint of a certificate or public key: its SHA-256 in hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// SHA-256 of a certificate or of its public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

/// The text is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseFingerprintError;

impl Fingerprint {
    /// The fingerprint of these bytes.
    pub fn sha256(bytes: &[u8]) -> Self {
        let mut own = [0; SHA256_OUTPUT_LEN];
        own.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(own)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    /// 64 hexadecimal digits, with or without colons, as browsers and command lines show them.
    fn from_str(text: &str) -> Result<Self, ParseFingerprintError> {
        let digits = text.replace(':', "");
        let own = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| ParseFingerprintError)?;
        own.try_into().map(Self).map_err(|_| ParseFingerprintError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn it_is_the_sha_256_in_small_digits() {
        assert_eq!(Fingerprint::sha256(b"").to_string(), EMPTY);
        assert_ne!(Fingerprint::sha256(b"a"), Fingerprint::sha256(b"b"));
    }

    #[test]
    fn it_is_read_however_it_was_copied() {
        let pairs: Vec<&str> =
            EMPTY.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("text")).collect();
        for text in [EMPTY.to_owned(), EMPTY.to_uppercase(), pairs.join(":"), pairs.join(":").to_uppercase()] {
            assert_eq!(text.parse(), Ok(Fingerprint::sha256(b"")), "{text}");
        }
        for text in ["", "any", &EMPTY[2..], &format!("{EMPTY}00"), &EMPTY.replace('e', "g")] {
            assert_eq!(text.parse::<Fingerprint>(), Err(ParseFingerprintError), "{text}");
        }
    }
}
