//! Everything beside the API: images, media, and a page that says that the server is there.

use http::header::{CACHE_CONTROL, ETAG};

use super::object::item_of_guid;
use crate::catalogue::ItemId;
use crate::media;
use crate::picture::{Colour, ImageFormat, painted};
use crate::serve::{SimulatedResponse, SimulatorContext};

/// Width and height of images by subject, in pixels.
const SIZES: [(&str, (u32, u32)); 3] = [("poster", (200, 300)), ("backdrop", (640, 360)), ("still", (320, 180))];
/// Length of a media file in bytes.
const MEDIA_BYTES: u64 = 256 * 1024;

/// The response to a request beside the API.
pub(super) fn answer(path: &str, context: &SimulatorContext) -> SimulatedResponse {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts[..] {
        ["" | "status"] => SimulatedResponse::text(200, "application/json", "{\"status\":\"ok\"}"),
        ["images", subject, file] => image(subject, file, context).unwrap_or_else(missing),
        ["media", file] => {
            file.strip_suffix(".mp4").and_then(|guid| item(guid, context)).map_or_else(missing, |item| {
                let rng = context.state.catalogue().rng();
                let bytes = media::bytes(rng, "graphql/media", u64::from(item.0), 0, MEDIA_BYTES);
                SimulatedResponse::stream(200, "video/mp4", Some(MEDIA_BYTES), bytes)
            })
        }
        _ => missing(),
    }
}

fn image(subject: &str, file: &str, context: &SimulatorContext) -> Option<SimulatedResponse> {
    let (_, (width, height)) = SIZES.into_iter().find(|(name, _)| *name == subject)?;
    let item = item(file.strip_suffix(".jpg")?, context)?;
    let draw = context.state.catalogue().rng().draw(subject, u64::from(item.0));
    let bytes = painted(ImageFormat::Jpeg, width, height, Colour::from_number(draw));
    let response = SimulatedResponse::new(200, "image/jpeg", bytes)
        .with_header(CACHE_CONTROL, "public, max-age=86400")
        .with_header(ETAG, &format!("\"{draw:016x}\""));
    Some(response)
}

fn item(guid: &str, context: &SimulatorContext) -> Option<ItemId> {
    let item = item_of_guid(context.state.catalogue().rng(), guid)?;
    context.state.view().exists(item).then_some(item)
}

fn missing() -> SimulatedResponse {
    SimulatedResponse::text(404, "application/json", "{\"errors\":[{\"message\":\"Not found\"}]}")
}
