//! Parses paths of any system, given as text or as a `file:` URL, into folders and name.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use xxhash_rust::xxh3::xxh3_64;

/// Longest path in bytes; systems allow no longer ones.
pub(crate) const MAX_PATH_BYTES: usize = 4096;
/// Max parts of a path.
pub(crate) const MAX_PARTS: usize = 128;
/// Parts up to this size in bytes are folded without an allocation.
const SHORT_PART_BYTES: usize = 256;

/// One folder or name of a path, as hashes for comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PathPart {
    /// Equal for parts that are equal ignoring case.
    pub(crate) folded: u64,
    /// Among parts that are equal ignoring case: equal for the same spelling.
    pub(crate) spelling: u32,
}

impl PathPart {
    pub(crate) fn new(text: &str) -> Self {
        if text.is_ascii() { Self::of_ascii(text) } else { Self::of_any(text) }
    }

    fn of_ascii(text: &str) -> Self {
        let bytes = text.as_bytes();
        let exact = xxh3_64(bytes);
        if !bytes.iter().any(u8::is_ascii_uppercase) {
            return Self { folded: exact, spelling: short(exact) };
        }
        let mut buffer = [0; SHORT_PART_BYTES];
        let folded = match buffer.get_mut(..bytes.len()) {
            Some(buffer) => {
                buffer.copy_from_slice(bytes);
                buffer.make_ascii_lowercase();
                xxh3_64(buffer)
            }
            None => xxh3_64(text.to_ascii_lowercase().as_bytes()),
        };
        Self { folded, spelling: short(exact) }
    }

    /// Normalises to NFC, because systems write the same letter as one or two characters (NFC, NFD).
    fn of_any(text: &str) -> Self {
        let composed: Cow<'_, str> = match is_nfc_quick(text.chars()) {
            IsNormalized::Yes => Cow::Borrowed(text),
            _ => Cow::Owned(text.nfc().collect()),
        };
        let folded: String = composed.to_lowercase().nfc().collect();
        Self { folded: xxh3_64(folded.as_bytes()), spelling: short(xxh3_64(composed.as_bytes())) }
    }
}

fn short(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(u32::MAX)
}

/// A path as text; a `file:` URL is decoded.
pub(crate) fn plain(path: &str) -> Cow<'_, str> {
    let path = path.trim_matches(['\r', '\n']);
    let head = path.get(..5).unwrap_or_default();
    let rest = if head.eq_ignore_ascii_case("file:") { path.get(5..).unwrap_or_default() } else { "" };
    let Some(rest) = rest.strip_prefix("//") else { return Cow::Borrowed(path) };
    let rest = rest.strip_prefix("localhost/").unwrap_or(rest);
    Cow::Owned(decoded(rest))
}

/// Decodes percent escapes.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (*first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                rest = &tail[2..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The folders and the name of a path, from its root on; `None` if it is too long or too deep. Empty for an
/// empty path.
pub(crate) fn parts(plain: &str) -> Option<Vec<&str>> {
    if plain.len() > MAX_PATH_BYTES {
        return None;
    }
    // Windows prefixes for verbatim paths: \\?\C:\…, \\?\UNC\server\….
    let plain = plain.strip_prefix(r"\\?\").map_or(plain, |rest| rest.strip_prefix(r"UNC\").unwrap_or(rest));
    let mut parts = Vec::with_capacity(12);
    for part in plain.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ if parts.len() == MAX_PARTS => return None,
            part => parts.push(part),
        }
    }
    Some(parts)
}

/// Whether a folder's name is generic and says nothing about its contents.
pub(crate) fn is_common_folder(name: &str) -> bool {
    const ALONE: [&str; 14] = [
        "specials",
        "extras",
        "featurettes",
        "trailers",
        "samples",
        "sample",
        "subs",
        "video_ts",
        "audio_ts",
        "bdmv",
        "stream",
        "bonus",
        "videos",
        "files",
    ];
    const NUMBERED: [&str; 16] = [
        "season",
        "series",
        "staffel",
        "saison",
        "temporada",
        "stagione",
        "seizoen",
        "säsong",
        "disc",
        "disk",
        "cd",
        "dvd",
        "vol",
        "volume",
        "part",
        "s",
    ];
    let name = name.trim().to_lowercase();
    let word = name.trim_matches(|letter: char| letter.is_numeric() || matches!(letter, ' ' | '.' | '-' | '_' | '#'));
    let is_numbered = word.len() < name.len();
    word.is_empty() || ALONE.contains(&name.as_str()) || (is_numbered && NUMBERED.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Vec<String> {
        let plain = plain(path);
        parts(&plain).expect("it is short").into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_path_is_the_same_on_every_system() {
        for path in [
            "/data/A b/x.mp4",
            "/data//A b/./x.mp4",
            r"\data\A b\x.mp4",
            "data/A b/x.mp4/",
            "/data/C/../A b/x.mp4",
            "/../data/A b/x.mp4",
            "file:///data/A%20b/x.mp4",
            "FILE://localhost/data/A%20b/x.mp4",
        ] {
            assert_eq!(read(path), ["data", "A b", "x.mp4"], "{path}");
        }
        for path in [r"C:\A\x.mp4", "C:/A/x.mp4", r"\\?\C:\A\x.mp4", "file:///C:/A/x.mp4"] {
            assert_eq!(read(path), ["C:", "A", "x.mp4"], "{path}");
        }
        for path in [r"\\nas\share\x.mp4", r"\\?\UNC\nas\share\x.mp4", "file://nas/share/x.mp4"] {
            assert_eq!(read(path), ["nas", "share", "x.mp4"], "{path}");
        }
        for nothing in ["", "/", r"\\", ".", "..", "/a/..", "file://"] {
            assert_eq!(read(nothing), [""; 0], "{nothing}");
        }
        assert_eq!(read("/a/100%.mp4"), ["a", "100%.mp4"], "no address");
        assert_eq!(read("file:///a/100%.mp4"), ["a", "100%.mp4"], "no code");
    }

    #[test]
    fn a_text_longer_than_any_path_is_not_a_path() {
        assert!(parts(&"a".repeat(MAX_PATH_BYTES + 1)).is_none());
        assert!(parts(&"a/".repeat(MAX_PARTS + 1)).is_none());
        assert!(parts(&"a/".repeat(MAX_PARTS)).is_some());
    }

    #[test]
    fn a_path_part_is_case_folded_and_composed() {
        assert_eq!(PathPart::new("Amélie.mkv"), PathPart::new("Ame\u{301}lie.mkv"));
        let (upper, lower) = (PathPart::new("AMÉLIE.mkv"), PathPart::new("Amélie.mkv"));
        assert_eq!(upper.folded, lower.folded);
        assert_ne!(upper.spelling, lower.spelling);
        assert_eq!(PathPart::new("Film").folded, PathPart::new("film").folded);
        assert_ne!(PathPart::new("Film").spelling, PathPart::new("film").spelling);
        let long = "A".repeat(SHORT_PART_BYTES + 1);
        assert_eq!(PathPart::new(&long).folded, PathPart::new(&long.to_lowercase()).folded);
        assert_ne!(PathPart::new("a").folded, PathPart::new("b").folded);
    }

    #[test]
    fn generic_folders_are_ignored() {
        for name in ["Season 01", "season 1", "S01", "CD1", "Disc 2", "Specials", "VIDEO_TS", "2020", "01", "Staffel 3"]
        {
            assert!(is_common_folder(name), "{name}");
        }
        for name in ["A", "Heat (1995)", "Season", "S", "Disc World", "24 Hours", "Vol"] {
            assert!(!is_common_folder(name), "{name}");
        }
    }
}
