//! Detects truncated images by their own bytes: a truncated image must not be cached.
//!
//! The format is recognised by the first bytes, because servers send wrong content types. Unknown formats
//! pass.

/// First bytes of a JPEG: the start marker and the next one's first byte.
const JPEG: &[u8] = b"\xff\xd8\xff";

/// Last bytes of a JPEG.
const JPEG_END: &[u8] = b"\xff\xd9";

/// First bytes of a PNG.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Last bytes of a PNG: the name of its last, empty chunk and that chunk's checksum.
const PNG_END: &[u8] = b"IEND\xae\x42\x60\x82";

/// First bytes of a GIF.
const GIF: &[u8] = b"GIF8";

/// Last byte of a GIF.
const GIF_END: &[u8] = b";";

/// First bytes of a RIFF container, which states its own size; WebP is one.
const RIFF: &[u8] = b"RIFF";

/// Name of the WebP format inside a RIFF container, at byte 8.
const WEBP: &[u8] = b"WEBP";
const WEBP_AT: usize = 8;

/// Whether the image is truncated; an empty body is. Looks at both ends only.
pub(crate) fn is_broken_off(body: &[u8]) -> bool {
    if [JPEG, PNG, GIF, RIFF].iter().any(|start| body.len() < start.len() && start.starts_with(body)) {
        return true;
    }
    if body.starts_with(JPEG) {
        !ends(body, JPEG_END)
    } else if body.starts_with(PNG) {
        !ends(body, PNG_END)
    } else if body.starts_with(GIF) {
        !ends(body, GIF_END)
    } else {
        body.starts_with(RIFF) && !holds_what_it_promises(body)
    }
}

/// Whether the body ends with `end`, ignoring trailing zeros, which some encoders add.
fn ends(body: &[u8], end: &[u8]) -> bool {
    let filled = body.iter().rev().take_while(|byte| **byte == 0).count();
    body[..body.len() - filled].ends_with(end)
}

/// Whether the body has the size its RIFF header states. Formats other than WebP pass.
fn holds_what_it_promises(body: &[u8]) -> bool {
    let Some((&[_, _, _, _, a, b, c, d], rest)) = body.split_first_chunk::<WEBP_AT>() else { return false };
    if rest.len() < WEBP.len() {
        return false;
    }
    let promised = u64::from(u32::from_le_bytes([a, b, c, d]));
    !rest.starts_with(WEBP) || (promised > WEBP.len() as u64 && rest.len() as u64 >= promised)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: [&[u8]; 5] = [
        b"\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x02scan\xff\xd9",
        b"\x89PNG\r\n\x1a\n\0\0\0\x01IDATx\x01\x02\x03\x04\0\0\0\0IEND\xae\x42\x60\x82",
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00,scan\x00;",
        b"GIF87a\x01\x00\x01\x00\x00\x00\x00,scan\x00;",
        b"RIFF\x10\x00\x00\x00WEBPVP8L\x04\x00\x00\x00scan",
    ];

    #[test]
    fn a_complete_image_is_not_truncated() {
        for body in WHOLE {
            assert!(!is_broken_off(body), "{body:?}");
            assert!(!is_broken_off(&[body, &[0; 7]].concat()), "{body:?} and zeros");
        }
    }

    #[test]
    fn an_image_is_truncated_wherever_it_is_cut() {
        for body in WHOLE {
            for at in 0..body.len() {
                assert!(is_broken_off(&body[..at]), "{body:?} at {at}");
            }
        }
    }

    #[test]
    fn an_embedded_image_does_not_end_the_outer_one() {
        assert!(is_broken_off(b"\xff\xd8\xff\xe1\x00\x20Exif\xff\xd8\xff\xdbx\xff\xd9\xff\xda\x00\x02sc"));
        assert!(is_broken_off(b"\x89PNG\r\n\x1a\nIEND\xae\x42\x60\x82 more"));
    }

    #[test]
    fn an_image_without_a_declared_length_counts_as_truncated() {
        assert!(is_broken_off(b"RIFF\0\0\0\0WEBPVP8 "));
        assert!(is_broken_off(b"RIFF\xff\xff\xff\xffWEBPVP8 "));
    }

    #[test]
    fn unknown_paths_pass_through() {
        for body in [
            &b"<svg xmlns='x'/>"[..],
            b"BM\x10",
            b"\0\0\0 ftypavif",
            b"\0\0\x01\0",
            b"II*\0",
            b"bytes",
            b"RIFF\0\0\0\0WAVEfmt ",
        ] {
            assert!(!is_broken_off(body), "{body:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_bytes_are_checked_without_a_panic(
            start in prop::sample::select(vec![&b""[..], JPEG, PNG, GIF, RIFF, b"RIFF\x04\0\0\0WEBP"]),
            rest in prop::collection::vec(any::<u8>(), 0..24),
        ) {
            let _ = is_broken_off(&[start, &rest].concat());
        }
    }
}
