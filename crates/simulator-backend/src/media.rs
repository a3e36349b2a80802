//! Images and media files: bytes that depend only on the seed and their subject, generated while they are sent.

use bytes::Bytes;
use futures_util::Stream;

use crate::rng::SeededRng;

/// Chunk size of generated media.
const CHUNK: u64 = 64 * 1024;

/// `length` bytes of the media file `stream` number `number`, from `start` on. The byte at a position is always the
/// same, whatever the range.
pub fn bytes(
    chance: SeededRng,
    stream: &str,
    number: u64,
    start: u64,
    length: u64,
) -> impl Stream<Item = Bytes> + use<> {
    let seed = chance.draw(stream, number);
    let end = start.saturating_add(length);
    futures_util::stream::unfold(start, move |at| async move {
        if at >= end {
            return None;
        }
        let next = ((at / CHUNK + 1) * CHUNK).min(end);
        Some((piece(seed, at, next), next))
    })
}

/// The bytes from `from` to `to`, at most a chunk.
fn piece(seed: u64, from: u64, to: u64) -> Bytes {
    let (first, last) = (from / 8, to.div_ceil(8));
    let mut made = Vec::with_capacity(usize::try_from((last - first) * 8).unwrap_or(0));
    for word in first..last {
        made.extend_from_slice(&mixed(seed ^ word.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_le_bytes());
    }
    let skip = usize::try_from(from - first * 8).unwrap_or(0);
    let keep = usize::try_from(to - from).unwrap_or(0);
    Bytes::from(made).slice(skip..skip + keep)
}

fn mixed(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// A small PNG of one colour, which depends on its subject and size.
pub fn picture(chance: SeededRng, stream: &str, number: u64, width: u32, height: u32) -> Bytes {
    let draw = chance.draw(stream, number).to_le_bytes();
    let (width, height) = (width.clamp(1, 64), height.clamp(1, 64));
    let mut rows = Vec::new();
    for _ in 0..height {
        rows.extend_from_slice(&[0]);
        for _ in 0..width {
            rows.extend_from_slice(&draw[0..3]);
        }
    }
    let mut png = vec![0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n'];
    let mut header = Vec::new();
    header.extend_from_slice(&width.to_be_bytes());
    header.extend_from_slice(&height.to_be_bytes());
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    chunk(&mut png, *b"IHDR", &header);
    let text = format!("Title\0{stream} {number}");
    chunk(&mut png, *b"tEXt", text.as_bytes());
    chunk(&mut png, *b"IDAT", &stored(&rows));
    chunk(&mut png, *b"IEND", &[]);
    Bytes::from(png)
}

fn chunk(png: &mut Vec<u8>, name: [u8; 4], content: &[u8]) {
    png.extend_from_slice(&u32::try_from(content.len()).unwrap_or(0).to_be_bytes());
    let from = png.len();
    png.extend_from_slice(&name);
    png.extend_from_slice(content);
    let sum = crc32(&png[from..]);
    png.extend_from_slice(&sum.to_be_bytes());
}

/// A zlib stream with stored (uncompressed) content.
fn stored(content: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = content.chunks(0xFFFF).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(0);
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    stream.extend_from_slice(&adler32(content).to_be_bytes());
    stream
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |mut sum, byte| {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
        }
        sum
    })
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    (high << 16) | low
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    async fn read(start: u64, length: u64) -> Vec<u8> {
        bytes(SeededRng::new(1), "part", 9, start, length).collect::<Vec<Bytes>>().await.concat()
    }

    #[tokio::test]
    async fn a_range_is_a_part_of_the_whole() {
        let whole = read(0, 200_000).await;
        assert_eq!(whole.len(), 200_000);
        assert_eq!(read(65_530, 100).await, whole[65_530..65_630]);
        assert_eq!(read(199_999, 1).await, whole[199_999..]);
    }

    #[tokio::test]
    async fn the_end_of_a_large_file_is_made_without_its_start() {
        assert_eq!(read(2 * 1024 * 1024 * 1024 - 3, 3).await.len(), 3);
    }

    #[test]
    fn checksums_are_those_of_the_formats() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
    }

    #[test]
    fn another_item_has_another_picture() {
        let chance = SeededRng::new(1);
        assert_ne!(picture(chance, "thumb", 1, 8, 8), picture(chance, "thumb", 2, 8, 8));
        assert_eq!(picture(chance, "thumb", 1, 8, 8), picture(chance, "thumb", 1, 8, 8));
    }
}
