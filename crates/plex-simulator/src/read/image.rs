//! Images: of items, of sections, of users, and scaled ones.

use http::header::{CACHE_CONTROL, ETAG};

use crate::params::pairs;
use crate::request::{BAD_REQUEST, NOT_FOUND, PlexError, PlexReadRequest, PlexResponse, PlexResult};
use greenroom_simulator_backend::catalogue::{ItemId, ItemRecord, Section};
use greenroom_simulator_backend::media;
use greenroom_simulator_backend::serve::SimulatedResponse;
use greenroom_simulator_backend::state::PlaylistRecord;

/// Width and height of images in the library, in pixels.
const POSTER: (u32, u32) = (24, 36);

fn answer(call: &PlexReadRequest<'_>, stream: &str, number: u64, size: (u32, u32)) -> PlexResult {
    let bytes = media::picture(call.catalogue().rng(), stream, number, size.0, size.1);
    let mut answer = SimulatedResponse::new(200, "image/png", bytes)
        .with_header(CACHE_CONTROL, "public, max-age=604800")
        .with_header(http::HeaderName::from_static("x-plex-protocol"), "1.0");
    if call.switches().etag_on_images {
        let tag = call.catalogue().rng().draw(stream, number ^ u64::from(size.0 * 7 + size.1));
        answer = answer.with_header(ETAG, &format!("\"{tag:016x}\""));
    }
    Ok(PlexResponse::Raw(answer))
}

/// Seed of an image, which an edit of its item's text does not change.
fn number(call: &PlexReadRequest<'_>, record: &ItemRecord) -> u64 {
    u64::from(record.id.0) << 32 | (call.server.image_revision(record.id) & 0xFFFF_FFFF)
}

/// Image of an item. The version in the path is ignored: there is only the newest.
pub(super) fn item_image(call: &PlexReadRequest<'_>, record: &ItemRecord, what: &str) -> PlexResult {
    answer(call, what, number(call, record), POSTER)
}

/// Composite image of a section.
pub(super) fn section_image(call: &PlexReadRequest<'_>, section: Section) -> PlexResult {
    answer(call, "section", u64::from(section.number()), POSTER)
}

/// Composite image of a playlist.
pub(super) fn playlist_image(call: &PlexReadRequest<'_>, playlist: &PlaylistRecord) -> PlexResult {
    answer(call, "playlist", u64::from(playlist.id.0) << 32 | (playlist.updated_at & 0xFFFF_FFFF), POSTER)
}

/// Image of a user.
pub(super) fn account(call: &PlexReadRequest<'_>, id: &str) -> PlexResult {
    let id: u64 = id.parse().map_err(|_| NOT_FOUND)?;
    answer(call, "account", id, (16, 16))
}

/// Image of the server's own resources.
pub(super) fn resource(call: &PlexReadRequest<'_>, name: &str) -> PlexResult {
    if !matches!(name.rsplit_once('.'), Some((_, "png" | "jpg"))) {
        return Err(NOT_FOUND);
    }
    answer(call, name, 0, (16, 16))
}

/// `/photo/:/transcode`: the image at `url`, scaled.
pub(super) fn scaled(call: &PlexReadRequest<'_>) -> PlexResult {
    let side = |name| call.params.number::<u32>(name).filter(|side| (1..=8_192).contains(side)).ok_or(PlexError(500));
    let wanted = (side("width")?, side("height")?);
    let url = call.params.get("url").ok_or(BAD_REQUEST)?;
    let path = own_path(url).ok_or(PlexError(500))?;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    // The size is reduced, in proportion to the requested one.
    let shown = (wanted.0.div_ceil(40), wanted.1.div_ceil(40));
    match parts.as_slice() {
        ["library", "metadata" | "collections", id, what, ..] => {
            let id = id.parse().map(ItemId).map_err(|_| PlexError(500))?;
            answer(call, what, number(call, &call.record(id)?), shown)
        }
        ["library", "sections", id, ..] => answer(call, "section", u64::from(call.section(id)?.number()), shown),
        ["playlists", id, ..] => {
            let id = id.parse().map(ItemId).map_err(|_| PlexError(500))?;
            let playlist = call.view.playlist(id).filter(|playlist| playlist.is_visible_to(call.user.id));
            playlist_image(call, playlist.ok_or(NOT_FOUND)?)
        }
        [":", "resources", name] => resource(call, name),
        ["accounts", id, "thumb"] => account(call, id),
        _ => Err(PlexError(500)),
    }
}

/// The path of an image on this server: `/…`, or `http://127.0.0.1:32400/…`, without its query.
fn own_path(url: &str) -> Option<&str> {
    let path = match url.split_once("://") {
        None => url,
        Some((_, rest)) => {
            let (authority, _) = rest.split_once('/')?;
            let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
            if !matches!(host, "127.0.0.1" | "localhost") {
                return None;
            }
            &rest[authority.len()..]
        }
    };
    path.starts_with('/').then(|| path.split('?').next().unwrap_or(path))
}

/// The token inside the address of the image to scale: some apps send it only there.
pub(crate) fn inner_token(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    pairs(query).into_iter().find(|pair| pair.name.eq_ignore_ascii_case("X-Plex-Token")).map(|pair| pair.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_this_server_and_no_other_is() {
        assert_eq!(own_path("/library/metadata/5/thumb/7?X-Plex-Token=x"), Some("/library/metadata/5/thumb/7"));
        assert_eq!(own_path("http://127.0.0.1:32400/library/metadata/5/thumb/7"), Some("/library/metadata/5/thumb/7"));
        assert_eq!(own_path("http://10.0.0.9/library/metadata/5/thumb/7"), None);
        assert_eq!(own_path("library"), None);
    }

    #[test]
    fn a_token_inside_the_address_is_found() {
        assert_eq!(inner_token("/a/b?x=1&X-Plex-Token=abc").as_deref(), Some("abc"));
        assert_eq!(inner_token("/a/b"), None);
    }
}
