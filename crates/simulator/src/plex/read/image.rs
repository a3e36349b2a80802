//! Pictures: of items, of sections, of users, and scaled ones.

use http::header::{CACHE_CONTROL, ETAG};

use crate::catalogue::{ItemId, Record, Section};
use crate::media;
use crate::plex::call::{BAD_REQUEST, Call, NOT_FOUND, No, Outcome, Reply};
use crate::plex::params::pairs;
use crate::serve::Answer;
use crate::state::Playlist;

/// How far pictures are as wide and high as they are in the library.
const POSTER: (u32, u32) = (24, 36);

fn answer(call: &Call<'_>, stream: &str, number: u64, size: (u32, u32)) -> Outcome {
    let bytes = media::picture(call.catalogue().chance(), stream, number, size.0, size.1);
    let mut answer = Answer::new(200, "image/png", bytes)
        .with(CACHE_CONTROL, "public, max-age=604800")
        .with(http::HeaderName::from_static("x-plex-protocol"), "1.0");
    if call.switches().etag_on_images {
        let tag = call.catalogue().chance().draw(stream, number ^ u64::from(size.0 * 7 + size.1));
        answer = answer.with(ETAG, &format!("\"{tag:016x}\""));
    }
    Ok(Reply::Raw(answer))
}

/// A picture changes with its item.
fn number(record: &Record) -> u64 {
    u64::from(record.id.0) << 32 | (record.updated_at & 0xFFFF_FFFF)
}

/// A picture of an item. The version in the path is not looked at: there is only the newest.
pub(super) fn of_item(call: &Call<'_>, record: &Record, what: &str) -> Outcome {
    answer(call, what, number(record), POSTER)
}

/// A picture made of what is in a section.
pub(super) fn of_section(call: &Call<'_>, section: Section) -> Outcome {
    answer(call, "section", u64::from(section.number()), POSTER)
}

/// A picture made of what is in a playlist.
pub(super) fn of_playlist(call: &Call<'_>, playlist: &Playlist) -> Outcome {
    answer(call, "playlist", u64::from(playlist.id.0) << 32 | (playlist.updated_at & 0xFFFF_FFFF), POSTER)
}

/// A user's picture.
pub(super) fn account(call: &Call<'_>, id: &str) -> Outcome {
    let id: u64 = id.parse().map_err(|_| NOT_FOUND)?;
    answer(call, "account", id, (16, 16))
}

/// A picture that belongs to the server.
pub(super) fn resource(call: &Call<'_>, name: &str) -> Outcome {
    if !matches!(name.rsplit_once('.'), Some((_, "png" | "jpg"))) {
        return Err(NOT_FOUND);
    }
    answer(call, name, 0, (16, 16))
}

/// `/photo/:/transcode`: the picture at `url`, scaled.
pub(super) fn scaled(call: &Call<'_>) -> Outcome {
    let side =
        |name| call.params.number::<u32>(name).filter(|side| (1..=8_192).contains(side)).ok_or(No(500));
    let wanted = (side("width")?, side("height")?);
    let url = call.params.get("url").ok_or(BAD_REQUEST)?;
    let path = own_path(url).ok_or(No(500))?;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    // The small picture a large one is scaled to: what is asked for still shows.
    let shown = (wanted.0.div_ceil(40), wanted.1.div_ceil(40));
    match parts.as_slice() {
        ["library", "metadata" | "collections", id, what, ..] => {
            let id = id.parse().map(ItemId).map_err(|_| No(500))?;
            answer(call, what, number(&call.record(id)?), shown)
        }
        ["library", "sections", id, ..] => {
            answer(call, "section", u64::from(call.section(id)?.number()), shown)
        }
        ["playlists", id, ..] => {
            let id = id.parse().map(ItemId).map_err(|_| No(500))?;
            let playlist = call.view.playlist(id).filter(|playlist| playlist.seen_by(call.user.id));
            of_playlist(call, playlist.ok_or(NOT_FOUND)?)
        }
        [":", "resources", name] => resource(call, name),
        ["accounts", id, "thumb"] => account(call, id),
        _ => Err(No(500)),
    }
}

/// The path of a picture on this server: `/…`, or `http://127.0.0.1:32400/…`, without its query.
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

/// The token inside the address of the picture to scale: some apps put it only there.
pub(in crate::plex) fn inner_token(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    pairs(query)
        .into_iter()
        .find(|pair| pair.name.eq_ignore_ascii_case("X-Plex-Token"))
        .map(|pair| pair.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_this_server_and_no_other_is() {
        assert_eq!(
            own_path("/library/metadata/5/thumb/7?X-Plex-Token=x"),
            Some("/library/metadata/5/thumb/7")
        );
        assert_eq!(
            own_path("http://127.0.0.1:32400/library/metadata/5/thumb/7"),
            Some("/library/metadata/5/thumb/7")
        );
        assert_eq!(own_path("http://10.0.0.9/library/metadata/5/thumb/7"), None);
        assert_eq!(own_path("library"), None);
    }

    #[test]
    fn a_token_inside_the_address_is_found() {
        assert_eq!(inner_token("/a/b?x=1&X-Plex-Token=abc").as_deref(), Some("abc"));
        assert_eq!(inner_token("/a/b"), None);
    }
}
