//! Images: readable without a token, cacheable for ever where the tag is named, written by the administrator.

use data_encoding::BASE64_NOPAD;
use http::Method;
use http::header::{
    ACCEPT, AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, VARY,
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::RouteResult;
use crate::catalogue::MediaKind;
use crate::jellyfin::by_name::ByNameKind;
use crate::jellyfin::dto::{ImageKind, ItemImage};
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::ident::{IdNamespace, JellyfinId};
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::{JellyfinBody, JellyfinResponse};
use crate::jellyfin::response_context::item_id_of;
use crate::picture::{ImageFormat, painted};
use crate::timestamp;

/// Age of every image, in seconds before the newest addition.
const CHANGED_BEFORE_S: u64 = 86_400;
/// Maximum size of an uploaded image.
const MAX_UPLOAD_BYTES: usize = 2 * 1024 * 1024;

/// Everything below `/Items/{id}/Images`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, id: &str, rest: &[&str]) -> RouteResult {
    let id = JellyfinRequest::id(id)?;
    let kind_of = |name: &str| ImageKind::from_name(name).ok_or_else(|| JellyfinError::invalid("imageType"));
    match (&ask.method, rest) {
        (&Method::GET, []) => infos(ask, id),
        (&Method::GET, [kind]) => {
            let index = ask.params.count("imageindex")?.unwrap_or(0);
            show(ask, id, kind_of(kind)?, index)
        }
        (&Method::GET, [kind, index]) => {
            let index = index.parse().map_err(|_| JellyfinError::invalid("imageIndex"))?;
            show(ask, id, kind_of(kind)?, index)
        }
        (&Method::POST, [kind] | [kind, _]) => upload(ask, id, kind_of(kind)?),
        (&Method::DELETE, [kind] | [kind, _]) => delete(ask, id, kind_of(kind)?),
        _ => Err(JellyfinError::NotFound),
    }
}

/// `GET /Genres/{name}/Images/{kind}` and the like: images of a named thing, which are written by its id only.
pub(super) fn by_name(ask: &JellyfinRequest<'_>, id: JellyfinId, rest: &[&str]) -> RouteResult {
    let (kind, index) = match rest {
        [kind] => (kind, ask.params.count("imageindex")?.unwrap_or(0)),
        [kind, index] => (kind, index.parse().map_err(|_| JellyfinError::invalid("imageIndex"))?),
        _ => return Err(JellyfinError::NotFound),
    };
    show(ask, id, ImageKind::from_name(kind).ok_or_else(|| JellyfinError::invalid("imageType"))?, index)
}

/// Users' own images are not stored here.
pub(super) fn refuse_upload(ask: &JellyfinRequest<'_>) -> RouteResult {
    ask.caller()?;
    Err(JellyfinError::WrongMethod)
}

fn kind_of_item(ask: &JellyfinRequest<'_>, id: JellyfinId) -> Result<Option<MediaKind>, JellyfinError> {
    let Some(item) = item_id_of(id) else {
        let known = matches!(id.space, IdNamespace::Library | IdNamespace::Root)
            || ByNameKind::from_namespace(id.space).is_some();
        return if known { Ok(None) } else { Err(JellyfinError::NotFound) };
    };
    let view = ask.context.state.view();
    match view.kind(item) {
        Some(kind) => Ok(Some(kind)),
        None => view.playlist(item).map(|_| None).ok_or(JellyfinError::NotFound),
    }
}

fn infos(ask: &JellyfinRequest<'_>, id: JellyfinId) -> RouteResult {
    ask.caller()?;
    let kind = kind_of_item(ask, id)?;
    let row = |image: ImageKind| {
        let picture = ask.server.images.picture(id, kind, image)?;
        let (width, height) = image.measures();
        let mut row = json!({
            "ImageType": image.name(),
            "ImageTag": picture.tag,
            "Path": format!("/config/metadata/library/{}/{}.jpg", &id.hex()[..2], image.name().to_lowercase()),
            "Width": width,
            "Height": height,
            "Size": 0,
        });
        if image == ImageKind::Backdrop {
            row["ImageIndex"] = json!(0);
        }
        Some(row)
    };
    Ok(JellyfinResponse::json(ImageKind::EVERY.into_iter().filter_map(row).collect::<Value>()))
}

fn show(ask: &JellyfinRequest<'_>, id: JellyfinId, image: ImageKind, index: usize) -> RouteResult {
    let kind = kind_of_item(ask, id)?;
    let picture = ask.server.images.picture(id, kind, image).filter(|_| index == 0).ok_or(JellyfinError::NotFound)?;
    let form = form(ask, image);
    let mut reply = if let Some((content_type, body)) = &picture.uploaded {
        JellyfinResponse::bytes(content_type, body.as_ref().clone())
    } else {
        let (width, height) = measures(ask, image)?;
        JellyfinResponse::bytes(form.content_type(), painted(form, width, height, picture.colour))
    };
    set_cache_headers(ask, &mut reply, &picture);
    if fresh(ask.headers, &picture, changed_at_ms(ask)) {
        reply.status = StatusCode::NOT_MODIFIED;
        reply.body = JellyfinBody::Empty;
        reply.headers.remove(CONTENT_TYPE);
    }
    Ok(reply)
}

/// WebP for clients that accept it, unless a format is named; logos need transparency.
fn form(ask: &JellyfinRequest<'_>, image: ImageKind) -> ImageFormat {
    let takes_webp =
        ask.headers.get_all(ACCEPT).iter().any(|value| value.as_bytes().windows(10).any(|w| w == b"image/webp"));
    let named = ask.params.text("format").and_then(ImageFormat::from_name);
    let usual = if image == ImageKind::Logo { ImageFormat::Png } else { ImageFormat::Jpeg };
    named.unwrap_or(if takes_webp { ImageFormat::Webp } else { usual })
}

/// Requested size, in the image's aspect ratio.
fn measures(ask: &JellyfinRequest<'_>, image: ImageKind) -> Result<(u32, u32), JellyfinError> {
    let edge =
        |name: &str| Ok(ask.params.count(name)?.and_then(|edge| u32::try_from(edge).ok()).filter(|edge| *edge > 0));
    let (width, height) = image.measures();
    let wanted_width = edge("width")?.or(edge("maxwidth")?).or(edge("fillwidth")?);
    let wanted_height = edge("height")?.or(edge("maxheight")?).or(edge("fillheight")?);
    Ok(match (wanted_width, wanted_height) {
        (Some(wide), Some(high)) => (wide.min(width), high.min(height)),
        (Some(wide), None) => (wide.min(width), wide.min(width) * height / width),
        (None, Some(high)) => (high.min(height) * width / height, high.min(height)),
        (None, None) => (width, height),
    })
}

fn set_cache_headers(ask: &JellyfinRequest<'_>, reply: &mut JellyfinResponse, picture: &ItemImage) {
    let no_cache = ask.headers.get_all(CACHE_CONTROL).iter().any(|value| value.as_bytes() == b"no-cache");
    let tagged = ask.params.text("tag").is_some();
    let policy = match (no_cache, tagged) {
        (true, _) => "no-store",
        (false, true) => "public, max-age=31536000, immutable",
        (false, false) => "public",
    };
    reply.put(CACHE_CONTROL, policy);
    reply.put(VARY, "Accept");
    if !no_cache {
        let changed_ms = changed_at_ms(ask);
        reply.put(ETAG, &format!("\"{}\"", picture.tag));
        reply.put(LAST_MODIFIED, &timestamp::http_date(changed_ms));
        reply.put(AGE, &(ask.now_ms.saturating_sub(changed_ms) / 1_000).to_string());
    }
}

fn fresh(headers: &HeaderMap, picture: &ItemImage, changed_ms: u64) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let quoted = format!("\"{}\"", picture.tag);
    let unquoted = picture.tag.as_str();
    match (text(IF_NONE_MATCH), text(IF_MODIFIED_SINCE)) {
        (Some(tags), _) => tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == quoted || tag == unquoted),
        (None, Some(since)) => timestamp::read_http_date(since).is_some_and(|since| since >= changed_ms),
        (None, None) => false,
    }
}

fn changed_at_ms(ask: &JellyfinRequest<'_>) -> u64 {
    ask.context.state.catalogue().newest_at().saturating_sub(CHANGED_BEFORE_S) * 1_000
}

/// The body is the image in base64, its type that of the request.
fn upload(ask: &JellyfinRequest<'_>, id: JellyfinId, image: ImageKind) -> RouteResult {
    ask.admin()?;
    kind_of_item(ask, id)?;
    let content_type = ask.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.starts_with("image/") || ask.body.len() > MAX_UPLOAD_BYTES {
        return Err(JellyfinError::invalid("Content-Type"));
    }
    let body = decoded(ask.body).ok_or_else(|| JellyfinError::invalid("body"))?;
    ask.server.images.replace(id, image, content_type, body);
    touch(ask, id)
}

/// Decodes base64, with or without padding and line ends.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let is_digit = |byte: &u8| !byte.is_ascii_whitespace() && *byte != b'=';
    let digits: Vec<u8> = text.iter().copied().filter(is_digit).collect();
    BASE64_NOPAD.decode(&digits).ok()
}

fn delete(ask: &JellyfinRequest<'_>, id: JellyfinId, image: ImageKind) -> RouteResult {
    ask.admin()?;
    kind_of_item(ask, id)?;
    ask.server.images.delete(id, image);
    touch(ask, id)
}

/// A change of an image is a change of its item.
fn touch(ask: &JellyfinRequest<'_>, id: JellyfinId) -> RouteResult {
    let user = ask.caller()?.grant.user;
    ask.write(user, |write| {
        if let Some(item) = item_id_of(id) {
            let _ = write.edit(item, |_| ()) || write.change_playlist_picture(item);
        }
    });
    Ok(JellyfinResponse::no_content())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_examples_read_back() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9v\nYmFy", "foobar")] {
            assert_eq!(decoded(text.as_bytes()).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn what_is_no_base_64_is_none() {
        assert_eq!(decoded(b"\xff\xd8\xff"), None);
    }
}
