//! Alternative interpretations of a track, tried only if the plain one finds nothing: a file name, a channel,
//! artist and title in one field.

use super::Track;
use super::mojibake::repair;
use super::normalize::letters;
use super::parse::{is_version_phrase, within};
use super::reason::TrackMatchReason;

/// An alternative interpretation and its penalty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AlternativeParse {
    pub(super) title: String,
    pub(super) artist: String,
    /// Whether the artists given one by one still apply.
    pub(super) keeps_artists: bool,
    pub(super) penalty: f32,
    pub(super) reasons: Vec<TrackMatchReason>,
}

const TRACK_NUMBER_PENALTY: f32 = 0.02;
const CHANNEL_PENALTY: f32 = 0.02;
const SPLIT_PENALTY: f32 = 0.03;
const REVERSED_PENALTY: f32 = 0.05;
const SWAPPED_PENALTY: f32 = 0.06;

/// File name extensions.
const EXTENSIONS: [&str; 12] = ["mp3", "flac", "m4a", "ogg", "wav", "wma", "opus", "aac", "aiff", "aif", "alac", "mp4"];

/// Every alternative interpretation, the likeliest first.
pub(super) fn alternatives(track: &Track<'_>) -> Vec<AlternativeParse> {
    let title = repair(within(track.title)).trim().to_owned();
    let artist = repair(within(track.artist)).trim().to_owned();
    let mut readings = Vec::new();
    let stem = without_number(&title);
    let ranked = without_rank(&artist);
    let named = without_channel(ranked);
    let mut reasons = Vec::new();
    let mut penalty = 0.0;
    if stem != title || ranked != artist {
        reasons.push(TrackMatchReason::TrackNumber);
        penalty += TRACK_NUMBER_PENALTY;
    }
    if named != ranked {
        reasons.push(TrackMatchReason::Channel);
        penalty += CHANNEL_PENALTY;
    }
    let keeps_artists = named == artist;
    let plain = |title: &str| AlternativeParse {
        title: title.to_owned(),
        artist: named.to_owned(),
        keeps_artists,
        penalty,
        reasons: reasons.clone(),
    };
    if !reasons.is_empty() {
        readings.push(plain(stem));
    }
    for (left, right) in splits(stem) {
        let mut reading = plain(right);
        reading.reasons.push(TrackMatchReason::Split);
        left.clone_into(&mut reading.artist);
        reading.keeps_artists = false;
        if !is_same(left, named) {
            reading.penalty += SPLIT_PENALTY;
        }
        readings.push(reading);
        if !is_version_phrase(right) {
            let mut reversed = plain(left);
            right.clone_into(&mut reversed.artist);
            reversed.keeps_artists = false;
            reversed.penalty += REVERSED_PENALTY;
            reversed.reasons.push(TrackMatchReason::Split);
            readings.push(reversed);
        }
    }
    if !title.is_empty() && !artist.is_empty() {
        readings.push(AlternativeParse {
            title: artist,
            artist: title,
            keeps_artists: false,
            penalty: SWAPPED_PENALTY,
            reasons: vec![TrackMatchReason::Swapped],
        });
    }
    readings
}

fn is_same(one: &str, other: &str) -> bool {
    let text = |text: &str| letters(text).into_iter().map(|word| word.text).collect::<String>();
    text(one) == text(other)
}

/// A title without its track number and file extension.
fn without_number(title: &str) -> &str {
    let mut stem = title;
    if let Some((name, extension)) = stem.rsplit_once('.')
        && EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
    {
        stem = name.trim();
    }
    let has_extension = stem.len() != title.len();
    let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=3).contains(&digits) {
        return stem;
    }
    let (number, mut rest) = stem.split_at(digits);
    // A disc before the track: 1-03.
    if let Some(after) = rest.strip_prefix('-') {
        let track = after.bytes().take_while(u8::is_ascii_digit).count();
        if (1..=2).contains(&track) {
            rest = &after[track..];
        }
    }
    let is_padded = number.starts_with('0');
    let name = rest.trim_start_matches([' ', '.', '-', '_', ')']);
    let is_marked = rest.starts_with(['.', '-', '_', ')']) || rest.starts_with(" -") || has_extension || is_padded;
    let is_apart = rest.len() != name.len();
    // A bare number may belong to the title; that interpretation was tried before this one.
    let is_number = is_marked || digits == 2 && rest.starts_with(' ');
    if is_apart && is_number && !name.is_empty() { name } else { stem }
}

/// An artist without a chart position: "#15 Lorde".
fn without_rank(artist: &str) -> &str {
    let Some(rest) = artist.strip_prefix('#') else { return artist };
    let name = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let name = name.trim_start_matches(['.', ':', '-', ')']);
    match name.strip_prefix(' ') {
        Some(name) if !name.trim().is_empty() && name.len() < rest.len() => name.trim(),
        _ => artist,
    }
}

/// An artist without a channel's suffix.
fn without_channel(artist: &str) -> &str {
    const ADDED: [&str; 9] =
        [" - topic", "vevo", " official", " officiel", " oficial", " music", " tv", " (official)", " official channel"];
    for added in ADDED {
        let Some(start) = artist.len().checked_sub(added.len()) else { continue };
        if artist.is_char_boundary(start) && artist[start..].eq_ignore_ascii_case(added) {
            let name = artist[..start].trim();
            return if name.is_empty() { artist } else { name };
        }
    }
    artist
}

/// Both sides of each spaced dash or bar, or of a colon.
fn splits(title: &str) -> Vec<(&str, &str)> {
    const MOST: usize = 3;
    let separators = [" - ", " | ", ": ", " ~ "];
    let mut splits: Vec<(usize, usize)> = separators
        .iter()
        .flat_map(|separator| title.match_indices(separator).map(|(at, _)| (at, separator.len())))
        .collect();
    splits.sort_unstable();
    let sides = splits.into_iter().map(|(at, length)| (title[..at].trim(), title[at + length..].trim()));
    sides.filter(|(left, right)| !left.is_empty() && !right.is_empty()).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::{AlternativeParse, alternatives, without_number};
    use crate::matching::Track;

    fn readings(title: &str, artist: &str) -> Vec<(String, String)> {
        let track = Track { title, artist, ..Track::default() };
        alternatives(&track).into_iter().map(|AlternativeParse { title, artist, .. }| (title, artist)).collect()
    }

    #[test]
    fn names_of_files_are_read() {
        for name in ["03 - Song.mp3", "03. Song", "1-03 Song.flac", "03_Song", "3) Song", "03 Song", "17 Song"] {
            assert_eq!(without_number(name), "Song", "{name}");
        }
        for name in ["7 rings", "1979", "24/7", "100 Ways"] {
            assert_eq!(without_number(name), name);
        }
    }

    #[test]
    fn channels_and_combined_titles_are_parsed() {
        assert!(readings("Queen", "Someone - Topic").contains(&("Queen".into(), "Someone".into())));
        assert!(readings("Down - Song", "DownVEVO").contains(&("Song".into(), "Down".into())));
        assert!(readings("Song - Down", "").contains(&("Song".into(), "Down".into())));
        assert!(readings("A", "B").contains(&("B".into(), "A".into())));
        let versions = readings("Song - Live at Home", "X");
        assert!(!versions.contains(&("Song".into(), "Live at Home".into())), "a version is not an artist's name");
    }
}
