//! Images of a single colour that every program can decode, so that they cost no storage.

mod jpeg;
mod png;
mod webp;

/// Maximum width and height of an image.
pub const MAX_EDGE: u32 = 2_000;

/// Image format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// JPEG, for posters.
    Jpeg,
    /// PNG, for logos, or on request.
    Png,
    /// WebP, for clients that accept it.
    Webp,
}

impl ImageFormat {
    /// The format called `name` in a query.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            "webp" => Some(Self::Webp),
            _ => None,
        }
    }

    /// Its content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }
}

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// Red.
    pub red: u8,
    /// Green.
    pub green: u8,
    /// Blue.
    pub blue: u8,
}

impl Colour {
    /// A colour computed from `number`, neither very dark nor very bright.
    pub fn from_number(number: u64) -> Self {
        let [red, green, blue, ..] = number.to_le_bytes();
        let soften = |value: u8| 48 + value / 2;
        Self { red: soften(red), green: soften(green), blue: soften(blue) }
    }
}

/// An image of `width` by `height` in `colour`.
pub fn painted(form: ImageFormat, width: u32, height: u32, colour: Colour) -> Vec<u8> {
    let (width, height) = (within(width), within(height));
    match form {
        ImageFormat::Jpeg => jpeg::painted(width, height, colour),
        ImageFormat::Png => png::painted(width, height, colour),
        ImageFormat::Webp => webp::painted(width, height, colour),
    }
}

fn within(edge: u32) -> u16 {
    u16::try_from(edge.clamp(1, MAX_EDGE)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Colour = Colour { red: 200, green: 40, blue: 90 };

    #[test]
    fn every_form_begins_with_its_mark() {
        assert!(painted(ImageFormat::Jpeg, 40, 60, SAMPLE).starts_with(&[0xff, 0xd8, 0xff]));
        assert!(painted(ImageFormat::Png, 40, 60, SAMPLE).starts_with(b"\x89PNG\r\n\x1a\n"));
        let webp = painted(ImageFormat::Webp, 40, 60, SAMPLE);
        assert_eq!((&webp[..4], &webp[8..12]), (&b"RIFF"[..], &b"WEBP"[..]));
    }

    #[test]
    fn two_colours_make_two_bodies() {
        for form in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Webp] {
            assert_ne!(painted(form, 8, 8, SAMPLE), painted(form, 8, 8, Colour { red: 0, ..SAMPLE }));
        }
    }

    #[test]
    fn a_picture_never_grows_beyond_its_bound() {
        assert_eq!(painted(ImageFormat::Webp, u32::MAX, 1, SAMPLE), painted(ImageFormat::Webp, MAX_EDGE, 1, SAMPLE));
    }
}
