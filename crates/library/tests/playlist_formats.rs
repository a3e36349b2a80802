//! Playlist files as the programs write them that people export from.

use proptest::prelude::*;

use greenroom_library::playlist::{self, Playlist, PlaylistFormat, PlaylistParseError, RowErrorKind, TextEncoding};

macro_rules! playlists_of {
    ($name:literal) => {
        playlist::read_all(include_bytes!(concat!("playlists/", $name)), $name).expect($name)
    };
}

fn only(mut playlists: Vec<Playlist>) -> Playlist {
    assert_eq!(playlists.len(), 1, "{playlists:?}");
    playlists.remove(0)
}

/// Artist, title, album and duration of each row.
fn told(playlist: &Playlist) -> Vec<(&str, &str, &str, Option<u32>)> {
    let row = |row: &'_ playlist::PlaylistRow| row.duration_s;
    playlist.rows.iter().map(|one| (one.artist.as_str(), one.title.as_str(), one.album.as_str(), row(one))).collect()
}

const ZOMBIE: (&str, &str, &str, Option<u32>) = ("The Cranberries", "Zombie", "No Need to Argue", None);

#[test]
fn spotifys_account_data_is_one_playlist_each_with_local_files_and_podcasts_told_apart() {
    let playlists = playlists_of!("spotify-account-data.json");
    let names: Vec<_> = playlists.iter().map(|playlist| playlist.name.as_deref()).collect();
    assert_eq!(names, [Some("Road"), Some("Home & Away")], "an empty playlist has nothing to sync");
    assert!(playlists.iter().all(|playlist| playlist.format == PlaylistFormat::Spotify));
    assert_eq!(told(&playlists[0]), [ZOMBIE, ("Björk", "Army of Me", "Post", Some(234))]);
    assert_eq!(playlists[0].rows[0].ids, ["spotify://4cOdK2wGLETKBW3PvgPWqT"]);
    let bad: Vec<_> = playlists[0].row_errors.iter().map(|bad| (bad.line, bad.kind)).collect();
    assert_eq!(bad, [(2, RowErrorKind::Episode)]);
    assert_eq!(playlists[1].rows.len(), 2);
    let bytes = include_bytes!("playlists/spotify-account-data.json");
    let error = playlist::read(bytes, "").expect_err("there are two");
    assert_eq!(error, PlaylistParseError::Several(vec!["Road".to_owned(), "Home & Away".to_owned()]));
    assert!(error.to_string().contains("Road, Home & Away"), "{error}");
}

#[test]
fn tables_of_common_exporters_are_read() {
    let exportify = only(playlists_of!("exportify.csv"));
    let halo = ("Beyoncé, JAY-Z", "Halo, \"live\"", "I AM...", Some(262));
    assert_eq!(told(&exportify), [(ZOMBIE.0, ZOMBIE.1, ZOMBIE.2, Some(306)), halo]);
    assert_eq!(exportify.rows[1].artists, ["Beyoncé", "JAY-Z"]);
    let soundiiz = only(playlists_of!("soundiiz.csv"));
    assert_eq!(
        (told(&soundiiz), soundiiz.rows[0].ids.as_slice()),
        (vec![ZOMBIE], &["isrc://IEABC9400001".to_owned()][..])
    );
    assert_eq!(told(&only(playlists_of!("youtube-takeout.csv"))), [ZOMBIE]);
}

#[test]
fn a_table_with_a_column_of_playlist_names_is_several_playlists() {
    let playlists = playlists_of!("tunemymusic.csv");
    let [road, home] = &playlists[..] else { panic!("{playlists:?}") };
    assert_eq!((road.name.as_deref(), home.name.as_deref()), (Some("Road"), Some("Home")));
    assert_eq!(told(road), [ZOMBIE, ("Björk", "Army of Me", "Post", None)]);
    assert_eq!((road.rows[1].line, road.row_error_count, home.row_error_count), (4, 0, 1));
    let unreadable = b"title,artist,playlist\nOne,\xc3\x84,P\n\xff\xff\xff\xff,B,Q\nTwo,B,Q\n";
    let playlists = playlist::read_all(unreadable, "").expect("a table");
    let errors: Vec<usize> = playlists.iter().map(|playlist| playlist.row_error_count).collect();
    assert_eq!(errors, [1, 1], "the row may belong to either");
}

#[test]
fn headings_in_other_languages_and_old_encodings_are_read() {
    let itunes = only(playlists_of!("itunes-german.txt"));
    assert_eq!(itunes.encoding, TextEncoding::Utf16);
    assert_eq!(told(&itunes)[1], ("Björk", "Jóga", "Homogenic", Some(305)));
    let french = only(playlists_of!("deezer-french-latin1.csv"));
    assert_eq!((french.encoding, french.row_error_count), (TextEncoding::Latin1, 0));
    assert_eq!(told(&french), [("Zoé Été", "À la pêche", "Hôtel", Some(185))]);
    let spanish = only(playlists_of!("excel-windows-1252.csv"));
    assert_eq!((spanish.encoding, spanish.row_error_count), (TextEncoding::Windows1252, 0));
    assert_eq!(told(&spanish), [("Beyoncé", "Don’t – “Stop”", "Corazón", Some(261))]);
    let japanese = only(playlists_of!("foreign-headings.csv"));
    assert_eq!(told(&japanese), [("高橋洋子", "残酷な天使のテーゼ", "NEON", Some(245))]);
    assert_eq!(japanese.encoding, TextEncoding::Utf8);
}

#[test]
fn xspf_is_read_with_its_entities_and_without_its_extensions() {
    let playlist = only(playlists_of!("vlc.xspf"));
    assert_eq!((playlist.format, playlist.name.as_deref()), (PlaylistFormat::Xspf, Some("Road & Rail")));
    assert_eq!(told(&playlist), [(ZOMBIE.0, ZOMBIE.1, ZOMBIE.2, Some(306)), ("Beyoncé", "Halo", "", None)]);
    assert_eq!(playlist.rows[0].path.as_deref(), Some("/music/The Cranberries/Zombie.flac"));
    assert_eq!((playlist.rows[0].line, playlist.rows[1].ids.len()), (5, 1));
    assert_eq!(playlist.row_errors.iter().map(|bad| bad.line).collect::<Vec<_>>(), [23]);
    let cut = &include_bytes!("playlists/vlc.xspf")[..900];
    let error = playlist::read(cut, "").expect_err("a part of a list is no list");
    assert!(matches!(error, PlaylistParseError::BrokenXml(line) if line > 15), "{error}");
    let error = playlist::read(b"<?xml version=\"1.0\"?><plist></plist>", "").expect_err("another kind");
    assert!(error.to_string().contains("XML of another kind"), "{error}");
    let bomb = "<!DOCTYPE playlist [<!ENTITY a \"aaaa\">]><playlist><trackList><track><title>x&a;</title></track></trackList></playlist>";
    assert!(playlist::read(bomb.as_bytes(), "").is_err(), "a document type is no part of XSPF");
}

#[test]
fn pls_is_read_in_the_order_of_its_numbers() {
    let playlist = only(playlists_of!("winamp.pls"));
    assert_eq!((playlist.format, playlist.encoding), (PlaylistFormat::Pls, TextEncoding::Latin1));
    let [zombie, radio, army] = &playlist.rows[..] else { panic!("{playlist:?}") };
    assert_eq!(
        (zombie.artist.as_str(), zombie.title.as_str(), zombie.duration_s),
        ("The Cranberries", "Zombie", Some(306))
    );
    assert_eq!((radio.title.as_str(), radio.path.as_deref(), radio.duration_s), ("A Radio", None, None));
    assert_eq!((army.artist.as_str(), army.album.as_str(), army.title.as_str()), ("Björk", "Post", "Army of Me"));
}

#[test]
fn pasted_lines_are_artist_and_title_and_a_heading_is_a_bad_row() {
    let playlist = only(playlists_of!("pasted.txt"));
    assert_eq!(playlist.format, PlaylistFormat::Lines);
    let expected = [
        ("The Cranberries", "Zombie", Some(306)),
        ("Earth, Wind & Fire", "September", None),
        ("50 Cent", "In Da Club", None),
        ("311", "Amber", None),
        ("Beyoncé", "Halo", None),
        ("Björk", "Jóga", None),
    ];
    let rows: Vec<_> =
        playlist.rows.iter().map(|row| (row.artist.as_str(), row.title.as_str(), row.duration_s)).collect();
    assert_eq!(rows, expected);
    assert_eq!(
        playlist.row_errors.iter().map(|bad| (bad.line, bad.kind)).collect::<Vec<_>>(),
        [(1, RowErrorKind::NoArtist)]
    );
    let numbers = only(playlists_of!("bands-with-numbers.txt"));
    let artists: Vec<&str> = numbers.rows.iter().map(|row| row.artist.as_str()).collect();
    assert_eq!(artists, ["2 Unlimited", "311", "50 Cent", "99 Posse"]);
    assert!(playlist::read(b"Dear Anna,\nsee you - soon.\nYours,\nBob\n", "").is_err(), "a letter is no playlist");
}

#[test]
fn a_column_called_track_is_the_number_where_another_is_the_title() {
    let playlist = playlist::read(b"Track,Title,Artist\n1,Zombie,The Cranberries\n", "").expect("a table");
    assert_eq!(playlist.rows[0].title, "Zombie");
}

#[test]
fn playlists_and_rows_of_one_file_are_limited() {
    let one = r#"{"name":"x","items":[{"track":{"trackName":"T","artistName":"A"}}]}"#;
    let many = |count: usize| format!("{{\"playlists\":[{}]}}", vec![one; count].join(","));
    assert_eq!(
        playlist::read_all(many(playlist::MAX_PLAYLISTS).as_bytes(), "").map(|all| all.len()),
        Ok(playlist::MAX_PLAYLISTS)
    );
    let error = playlist::read_all(many(playlist::MAX_PLAYLISTS + 1).as_bytes(), "").expect_err("too many");
    assert_eq!(error, PlaylistParseError::TooManyPlaylists);
    let rows = |name: usize| format!("T,A,P{name}\n").repeat(playlist::MAX_ROWS);
    let all: String = (0..6).map(rows).collect();
    let error = playlist::read_all(format!("title,artist,playlist\n{all}").as_bytes(), "").expect_err("too many");
    assert_eq!(error, PlaylistParseError::TooManyRows);
}

const FILES: [&[u8]; 10] = [
    include_bytes!("playlists/spotify-account-data.json"),
    include_bytes!("playlists/exportify.csv"),
    include_bytes!("playlists/tunemymusic.csv"),
    include_bytes!("playlists/itunes-german.txt"),
    include_bytes!("playlists/deezer-french-latin1.csv"),
    include_bytes!("playlists/vlc.xspf"),
    include_bytes!("playlists/winamp.pls"),
    include_bytes!("playlists/pasted.txt"),
    include_bytes!("playlists/excel-windows-1252.csv"),
    include_bytes!("playlists/foreign-headings.csv"),
];

/// Rows that are not the same once they were written as JSPF and read again.
fn changed_by_a_round_trip(bytes: &[u8]) -> Vec<(playlist::PlaylistRow, playlist::PlaylistRow)> {
    let mut changed = Vec::new();
    for read in playlist::read_all(bytes, "").unwrap_or_default().into_iter().filter(|read| !read.rows.is_empty()) {
        let again = playlist::export::jspf("", &read.rows).to_string();
        let again = playlist::read(again.as_bytes(), "").expect("it is JSPF").rows;
        assert_eq!(again.len(), read.rows.len());
        let bare = |row: &playlist::PlaylistRow| playlist::PlaylistRow { line: 0, ..row.clone() };
        let pairs = read.rows.iter().map(bare).zip(again.iter().map(bare));
        changed.extend(pairs.filter(|(before, after)| before != after));
    }
    changed
}

#[test]
fn a_blank_or_a_control_character_anywhere_in_a_file_with_paths_leaves_rows_that_can_be_written_and_read() {
    let with_paths = [&FILES[5], &FILES[6]];
    for file in with_paths {
        for at in 0..file.len() {
            for byte in [b'\t', 0x7f] {
                let mut bytes = file.to_vec();
                bytes[at] = byte;
                assert_eq!(changed_by_a_round_trip(&bytes), [], "byte {byte} at {at}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_damaged_file_is_read_within_limits_or_refused_with_a_sentence(
        file in 0..FILES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_usize..3), 1..8),
    ) {
        let mut bytes = FILES[file].to_vec();
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        match playlist::read_all(&bytes, "") {
            Err(error) => {
                let sentence = error.to_string();
                prop_assert!(!sentence.is_empty() && sentence.len() < 1000 && !sentence.chars().any(char::is_control));
            }
            Ok(all) => for read in all {
                prop_assert!(read.rows.iter().all(|row| !row.is_empty() && row.line > 0));
                prop_assert_eq!(read.rows.is_empty(), read.only_bad_rows().is_some());
            },
        }
        prop_assert_eq!(changed_by_a_round_trip(&bytes), []);
    }
}
