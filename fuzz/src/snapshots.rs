//! Properties of the file of a snapshot: it is read whole or not at all, whatever is in it.

use greenroom_library::snapshot::Snapshot;

/// First bytes of a file of the version that is read.
const HEAD: &[u8; 20] = b"greenroom shelf\n\x01\0\0\0";

/// Checks what must hold of these bytes as a file, behind a sound head and digest, and as the rows of a sound block.
pub fn check(bytes: &[u8]) {
    judge(bytes);
    judge(&with_checksum(bytes));
    let packed = zstd::bulk::compress(bytes, 1).expect("there is memory for it");
    let mut block = 1_u64.to_le_bytes().to_vec();
    block.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    block.extend((packed.len() as u64).to_le_bytes());
    block.extend(&packed);
    let file = with_checksum(&block);
    // A bit that flips anywhere is noticed.
    let mut torn = file.clone();
    let at = usize::try_from(xxhash_rust::xxh3::xxh3_64(bytes) >> 32).expect("32 bits fit") % torn.len();
    torn[at] ^= 1;
    assert!(Snapshot::decode(&torn).is_err(), "byte {at} of {} was changed", torn.len());
    judge(&file);
}

fn judge(file: &[u8]) {
    let Ok(snapshot) = Snapshot::decode(file) else { return };
    let mut again = Vec::new();
    snapshot.encode(&mut again).expect("a Vec takes everything");
    assert_eq!(again, file, "what was read is written as it was");
    for row in 0..u32::try_from(snapshot.len()).expect("a file is small") {
        let item = snapshot.item(row).expect("each row has an item");
        assert_eq!(snapshot.row_of(&item.key), Some(row), "each item is found by its key");
    }
}

fn with_checksum(body: &[u8]) -> Vec<u8> {
    let mut file = HEAD.to_vec();
    file.extend(body);
    let digest = xxhash_rust::xxh3::xxh3_64(&file);
    file.extend(digest.to_le_bytes());
    file
}
