//! Archives of each kind, and hostile ones.

use std::io::{Cursor, Seek, Write};

use super::*;

const INFO: &str = "<ComicInfo><Series>Saga</Series><Number>7</Number></ComicInfo>";

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    file.rewind().expect("rewound");
    file
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(*name, options).expect("begun");
        writer.write_all(bytes).expect("written");
    }
    writer.finish().expect("ended").into_inner()
}

fn tar_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append_data(&mut header, name, *bytes).expect("added");
    }
    builder.into_inner().expect("ended")
}

fn seven_zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).expect("begun");
    writer.set_content_methods(vec![sevenz_rust2::EncoderMethod::COPY.into()]);
    for (name, bytes) in entries {
        let entry = sevenz_rust2::ArchiveEntry::new_file(name);
        writer.push_archive_entry(entry, Some(*bytes)).expect("added");
    }
    writer.finish().expect("ended").into_inner()
}

/// A RAR 4 archive of stored files.
fn rar_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        let step = |crc: u32, byte: &u8| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
        };
        !bytes.iter().fold(u32::MAX, step)
    };
    let block = |body: Vec<u8>| {
        let check = u16::try_from(crc(&body) & 0xffff).expect("16 bits");
        [&check.to_le_bytes()[..], &body].concat()
    };
    let mut archive = b"Rar!\x1a\x07\x00".to_vec();
    archive.extend(block([&[0x73, 0, 0, 13, 0][..], &[0; 6]].concat()));
    for (name, bytes) in entries {
        let size = u32::try_from(bytes.len()).expect("short").to_le_bytes();
        let name_size = u16::try_from(name.len()).expect("short");
        let header_size = (32 + name_size).to_le_bytes();
        let mut body = vec![0x74, 0x00, 0x80];
        body.extend(header_size);
        body.extend(size);
        body.extend(size);
        body.push(3);
        body.extend(crc(bytes).to_le_bytes());
        body.extend([0; 4]);
        body.extend([20, 0x30]);
        body.extend(name_size.to_le_bytes());
        body.extend([0; 4]);
        body.extend(name.as_bytes());
        archive.extend(block(body));
        archive.extend_from_slice(bytes);
    }
    archive.extend(block(vec![0x7b, 0, 0x40, 7, 0]));
    archive
}

#[test]
fn each_kind_tells_its_pages_its_metadata_and_its_first_page_whatever_its_name_says() {
    let entries: [(&str, &[u8]); 6] = [
        ("pages/page 10.jpg", b"ten"),
        ("pages/page 2.jpg", b"two"),
        ("ComicInfo.xml", INFO.as_bytes()),
        ("__MACOSX/pages/._page 1.jpg", b"not this"),
        ("pages/.hidden.png", b"nor this"),
        ("notes.txt", b"text"),
    ];
    for (kind, bytes) in [
        ("zip", zip_of(&entries)),
        ("tar", tar_of(&entries)),
        ("7z", seven_zip_of(&entries)),
        ("rar", rar_of(&entries)),
    ] {
        let details = read_details(file(&bytes), "cbr");
        assert_eq!(details.problem, None, "{kind}");
        assert_eq!(
            (details.metadata, details.pages, details.has_cover),
            (MetadataState::Read, Some(2), true),
            "{kind}"
        );
        assert_eq!(details.comic.expect("metadata").series.as_deref(), Some("Saga"), "{kind}");
        assert_eq!(read_first_page(file(&bytes)).as_deref(), Ok(&b"two"[..]), "{kind}");
    }
}

#[test]
fn other_formats_are_unsupported_and_text_is_no_archive() {
    assert_eq!(read_details(file(b"%PDF"), "pdf").metadata, MetadataState::Unsupported);
    let details = read_details(file(b"just text"), "cbz");
    assert_eq!(details.metadata, MetadataState::Unreadable);
    assert_eq!(details.problem.as_deref(), Some("it is no zip, rar, 7z or tar archive"));
    assert_eq!(read_details(file(b""), "cbz").metadata, MetadataState::Unreadable);
}

#[test]
fn names_that_lead_outside_are_only_names() {
    for name in ["../../etc/passwd.jpg", "/abs.jpg", "C:\\windows\\abs.jpg", "a\\..\\..\\b.jpg"] {
        let details = read_details(file(&zip_of(&[(name, b"x"), ("2..png", b"y")])), "cbz");
        assert_eq!((details.metadata, details.pages), (MetadataState::Read, Some(2)), "{name}");
        assert!(details.problem.expect("a message").contains("lead out of the archive"), "{name}");
    }
    assert_eq!(read_details(file(&zip_of(&[("a..b/..jpg.png", b"x")])), "cbz").problem, None);
}

#[test]
fn a_zip_bomb_is_not_unpacked() {
    let zeros = vec![0; usize::try_from(MAX_PAGE_BYTES).expect("it fits") + 10];
    let bytes = zip_of(&[("1.jpg", &zeros), ("ComicInfo.xml", &zeros[..2_000_000])]);
    assert!(bytes.len() < 200_000);
    assert_eq!(read_first_page(file(&bytes)), Err(ArchiveError::LargeEntry));
    let details = read_details(file(&bytes), "cbz");
    assert_eq!(details.pages, Some(1));
    assert!(details.problem.expect("a problem").contains("larger than the limit"));
}

#[test]
fn a_zip_whose_claimed_size_is_a_lie_is_cut_at_the_limit() {
    let mut bytes = zip_of(&[("ComicInfo.xml", &vec![b' '; 2_000_000])]);
    // The uncompressed size in the central directory and in the local header.
    let claim = 10_u32.to_le_bytes();
    let central = bytes.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
    bytes[central + 24..central + 28].copy_from_slice(&claim);
    bytes[22..26].copy_from_slice(&claim);
    let details = read_details(file(&bytes), "cbz");
    assert_eq!(details.comic, None);
    assert!(details.problem.is_some());
}

/// A zip that is only a directory: as many entries as it can claim, with names of so many digits.
fn directory_of(digits: usize) -> Vec<u8> {
    let mut directory = Vec::new();
    for number in 0..u32::from(u16::MAX) {
        let name = format!("{number:0digits$}.jpg");
        directory.extend_from_slice(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0");
        directory.extend_from_slice(&[0; 12]);
        directory.extend(u16::try_from(name.len()).expect("short").to_le_bytes());
        directory.extend_from_slice(&[0; 16]);
        directory.extend_from_slice(name.as_bytes());
    }
    let size = u32::try_from(directory.len()).expect("it fits").to_le_bytes();
    let end = [&b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff"[..], &size, &4_u32.to_le_bytes(), &[0; 2]].concat();
    [&b"PK\x03\x04"[..], &directory, &end].concat()
}

#[test]
fn an_archive_of_a_million_entries_is_refused_with_a_message() {
    for (digits, message) in [(5, "more than 50000 entries"), (180, "list of entries is longer")] {
        let problem = read_details(file(&directory_of(digits)), "cbz").problem.expect("a problem");
        assert!(problem.contains(message), "{problem}");
    }
    let many: Vec<(String, Vec<u8>)> = (0..=MAX_ENTRIES).map(|at| (format!("{at}"), Vec::new())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    for bytes in [zip_of(&many), tar_of(&many)] {
        let problem = read_details(file(&bytes), "cbz").problem.expect("a problem");
        assert!(problem.contains("entries"), "{problem}");
    }
}

#[test]
fn cut_and_flipped_archives_yield_a_message_and_never_a_panic() {
    let entries: [(&str, &[u8]); 3] = [("1.jpg", b"one"), ("ComicInfo.xml", INFO.as_bytes()), ("2.jpg", b"two")];
    for bytes in [zip_of(&entries), tar_of(&entries), seven_zip_of(&entries), rar_of(&entries)] {
        for end in (0..bytes.len()).step_by(bytes.len() / 40) {
            drop(read_details(file(&bytes[..end]), "cbz"));
        }
        for at in (0..bytes.len()).step_by(bytes.len() / 60 + 1) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0xff;
            let details = read_details(file(&flipped), "cbz");
            assert_ne!(details.metadata, MetadataState::Pending);
            drop(read_first_page(file(&flipped)));
        }
    }
}

#[test]
fn every_kind_of_hostile_archive_has_its_own_message() {
    let whole = zip_of(&[("1.jpg", b"one"), ("ComicInfo.xml", INFO.as_bytes())]);
    let mut broken_directory = whole.clone();
    let central = whole.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
    broken_directory[central..central + 4].fill(0);
    let entities = "<!DOCTYPE c [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><ComicInfo><Series>&b;</Series></ComicInfo>";
    let long_name = format!("{}.jpg", "n".repeat(5_000));
    let messages = [
        ("a name of 5,000 bytes", zip_of(&[(&long_name, b"x")]), "a name of more than 4096 bytes"),
        ("a broken central directory", broken_directory, "it is damaged"),
        ("no end", whole[..whole.len() - 30].to_vec(), "it is damaged"),
        ("entities", zip_of(&[("1.jpg", b"one"), ("ComicInfo.xml", entities.as_bytes())]), "ComicInfo.xml"),
        ("a tar with a name of 5,000 bytes", tar_of(&[(&long_name, b"x")]), "a name of more than 4096 bytes"),
        ("a 7z without its end", seven_zip_of(&[("1.jpg", b"one")])[..40].to_vec(), "it is damaged"),
        ("a rar without its end", rar_of(&[("1.jpg", b"one")])[..30].to_vec(), "it is damaged"),
    ];
    for (what, bytes, message) in messages {
        let problem = read_details(file(&bytes), "cbz").problem;
        assert!(problem.as_deref().is_some_and(|problem| problem.contains(message)), "{what}: {problem:?}");
    }
}
