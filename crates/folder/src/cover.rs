//! Covers: the first page as a small picture.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageReader, Limits};

/// Size into which a cover is fitted, in pixels.
const COVER_SIZE: (u32, u32) = (320, 480);
/// Quality of its JPEG.
const QUALITY: u8 = 80;
/// Longest side of a page, in pixels.
const MAX_SIDE: u32 = 20_000;
/// Max pixels of a page.
const MAX_PIXELS: u64 = 80_000_000;
/// Max memory of a decoder.
const MAX_DECODED_BYTES: u64 = 384 * 1024 * 1024;

/// Makes the cover of a page, as a JPEG.
///
/// # Errors
/// The page is no picture of a known format, damaged, or of an absurd size.
pub fn make_cover(page: &[u8]) -> Result<Vec<u8>, String> {
    let open = || {
        let mut reader =
            ImageReader::new(Cursor::new(page)).with_guessed_format().map_err(|error| error.to_string())?;
        let mut limits = Limits::default();
        (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
        limits.max_alloc = Some(MAX_DECODED_BYTES);
        reader.limits(limits);
        Ok::<_, String>(reader)
    };
    // The header alone tells the size, before anything is allocated.
    let (width, height) = open()?.into_dimensions().map_err(|error| error.to_string())?;
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(format!("a page of {width} by {height} pixels is too large"));
    }
    let picture = open()?.decode().map_err(|error| error.to_string())?;
    let small = picture.thumbnail(COVER_SIZE.0, COVER_SIZE.1).to_rgb8();
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
    small.write_with_encoder(encoder).map_err(|error| error.to_string())?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, RgbImage};

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::new(width, height).write_to(&mut bytes, ImageFormat::Png).expect("encoded");
        bytes.into_inner()
    }

    #[test]
    fn a_page_becomes_a_small_jpeg_of_its_proportions() {
        let cover = make_cover(&png(1000, 1000)).expect("a cover");
        let cover = image::load_from_memory_with_format(&cover, ImageFormat::Jpeg).expect("a JPEG");
        assert_eq!((cover.width(), cover.height()), (320, 320));
    }

    #[test]
    fn a_header_that_claims_an_absurd_size_is_refused_before_anything_is_allocated() {
        let mut page = png(4, 4);
        // Width and height of the header, with its checksum over 17 bytes.
        page[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        page[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
        assert!(make_cover(&page).is_err());
        assert!(make_cover(b"no picture").is_err());
        assert!(make_cover(&[]).is_err());
    }
}
