//! Parses external ids of tracks in many notations to one form: `mbid://…`, `isrc://…`, `spotify://…`.

/// The id in a text of any kind: a MusicBrainz recording's URL or id, an ISRC, a Spotify track.
pub(super) fn parse_any(text: &str) -> Option<String> {
    let text = text.trim();
    spotify(text).or_else(|| recording(text)).or_else(|| isrc(text))
}

/// A MusicBrainz recording: its URL, `mbid://…`, or the bare id.
pub(super) fn recording(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/');
    let id = match text.rsplit_once('/') {
        Some((before, id)) if before.ends_with("/recording") || before.ends_with("/track") || before == "mbid:/" => id,
        Some(_) => return None,
        None => text.strip_prefix("mbid:").unwrap_or(text),
    };
    is_uuid(id).then(|| format!("mbid://{}", id.to_ascii_lowercase()))
}

/// An ISRC, with or without dashes.
pub(super) fn isrc(text: &str) -> Option<String> {
    let lower = text.trim().to_ascii_lowercase();
    let bare = lower.strip_prefix("isrc:").unwrap_or(&lower).trim_start_matches('/');
    let bare: String = bare.chars().filter(|letter| !matches!(letter, '-' | ' ')).collect();
    let bytes = bare.as_bytes();
    let fits = bytes.len() == 12
        && bytes[..2].iter().all(u8::is_ascii_alphabetic)
        && bytes[2..5].iter().all(u8::is_ascii_alphanumeric)
        && bytes[5..].iter().all(u8::is_ascii_digit);
    fits.then(|| format!("isrc://{}", bare.to_ascii_uppercase()))
}

/// A Spotify track: its URI, its URL, or `spotify://…`.
pub(super) fn spotify(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text.strip_prefix("spotify:").or_else(|| {
        let at = text.find("open.spotify.com/")?;
        Some(&text[at + "open.spotify.com/".len()..])
    })?;
    let id = if let Some(bare) = rest.strip_prefix("//") {
        bare
    } else {
        let at = rest.find("track")?;
        rest[at + "track".len()..].strip_prefix([':', '/'])?
    };
    let id = id.split(['?', '/', '#']).next().unwrap_or_default();
    spotify_bare(id)
}

/// A Spotify track by its bare id.
pub(super) fn spotify_bare(id: &str) -> Option<String> {
    let id = id.trim();
    let fits = id.len() == 22 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then(|| format!("spotify://{id}"))
}

fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Adds an id unless it is already there.
pub(super) fn add(ids: &mut Vec<String>, id: Option<String>) {
    if let Some(id) = id
        && ids.len() < super::MAX_NAMES
        && !ids.contains(&id)
    {
        ids.push(id);
    }
}
