//! Parts: media files, with ranges.

use http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, RANGE};

use super::nothing;
use crate::request::{NOT_FOUND, PlexReadRequest, PlexResponse, PlexResult};
use greenroom_simulator_backend::catalogue::{CatalogueFile, ItemId};
use greenroom_simulator_backend::media;
use greenroom_simulator_backend::serve::SimulatedResponse;

/// `/library/parts/1/1700000000/file.mkv`
pub(super) fn answer(call: &PlexReadRequest<'_>, id: &str, path: &[&str]) -> PlexResult {
    let [_, _] = path else { return nothing() };
    let id = id.parse().map(ItemId).map_err(|_| NOT_FOUND)?;
    let record = call.record(id)?;
    let file = record.file.as_ref().ok_or(NOT_FOUND)?;
    let range = call.request.header(RANGE.as_str());
    let mut answer = send(call, id, file, range);
    if call.params.flag("download") {
        answer = answer.with_header(CONTENT_DISPOSITION, &format!("attachment; filename=\"{id}.{}\"", file.container));
    }
    Ok(PlexResponse::Raw(answer))
}

fn send(call: &PlexReadRequest<'_>, id: ItemId, file: &CatalogueFile, range: Option<&str>) -> SimulatedResponse {
    let kind = match file.container {
        "mp4" => "video/mp4",
        "mkv" => "video/x-matroska",
        "flac" => "audio/flac",
        _ => "audio/mpeg",
    };
    let number = u64::from(id.0);
    let chance = call.catalogue().rng();
    let bytes = |start, length| media::bytes(chance, "part", number, start, length);
    match range.and_then(parsed) {
        None => SimulatedResponse::stream(200, kind, Some(file.bytes), bytes(0, file.bytes))
            .with_header(ACCEPT_RANGES, "bytes"),
        Some(range) => match range.within(file.bytes) {
            None => SimulatedResponse::empty(416).with_header(CONTENT_RANGE, &format!("bytes */{}", file.bytes)),
            Some((first, last)) => {
                let length = last - first + 1;
                SimulatedResponse::stream(206, kind, Some(length), bytes(first, length))
                    .with_header(ACCEPT_RANGES, "bytes")
                    .with_header(CONTENT_RANGE, &format!("bytes {first}-{last}/{}", file.bytes))
            }
        },
    }
}

/// A requested range of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByteRange {
    /// From this byte, to the second one if given.
    From(u64, Option<u64>),
    /// The last bytes, by number.
    Last(u64),
}

/// Parses a single range; anything else counts as no range.
fn parsed(header: &str) -> Option<ByteRange> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", last) => last.parse().ok().map(ByteRange::Last),
        (first, "") => first.parse().ok().map(|first| ByteRange::From(first, None)),
        (first, last) => Some(ByteRange::From(first.parse().ok()?, Some(last.parse().ok()?))),
    }
}

impl ByteRange {
    /// First and last byte within a file of `length` bytes; `None` if outside.
    fn within(self, length: u64) -> Option<(u64, u64)> {
        let end = length.checked_sub(1)?;
        match self {
            Self::From(first, last) => {
                let last = last.unwrap_or(end).min(end);
                (first <= last).then_some((first, last))
            }
            Self::Last(0) => None,
            Self::Last(count) => Some((length.saturating_sub(count), end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file() {
        let within = |text| parsed(text).and_then(|range| range.within(100));
        assert_eq!(within("bytes=0-9"), Some((0, 9)));
        assert_eq!(within("bytes=90-"), Some((90, 99)));
        assert_eq!(within("bytes=90-500"), Some((90, 99)));
        assert_eq!(within("bytes=-5"), Some((95, 99)));
        assert_eq!(within("bytes=-500"), Some((0, 99)));
        assert_eq!(within("bytes=100-"), None);
        assert_eq!(parsed("bytes=0-1,5-6"), None);
        assert_eq!(parsed("items=0-1"), None);
    }
}
