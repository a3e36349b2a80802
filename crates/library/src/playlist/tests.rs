//! Every playlist format, parsed and exported again.

use proptest::prelude::*;

use super::*;

fn rows(bytes: impl AsRef<[u8]>) -> Vec<PlaylistRow> {
    read(bytes.as_ref(), "").expect("it is a playlist").rows
}

fn refused(bytes: impl AsRef<[u8]>) -> String {
    read(bytes.as_ref(), "").expect_err("it is none").to_string()
}

#[test]
fn jspf_is_read_bare_and_wrapped_with_identifiers_as_text_or_list() {
    let bare = r#"{"playlist":{"title":"Weekly","track":[
        {"title":"Zombie","creator":"The Cranberries","album":"No Need to Argue","duration":306000,
         "identifier":"https://musicbrainz.org/recording/2DC93BAC-0cd5-46e0-8ab0-2e7b5fe8a1f3"},
        {"title":"Halo","creator":"Beyoncé","identifier":["https://musicbrainz.org/recording/2dc93bac-0cd5-46e0-8ab0-2e7b5fe8a1f4","x"],
         "extension":{"https://musicbrainz.org/doc/jspf#track":{"additional_metadata":{"artists":[{"artist_credit_name":"Beyoncé"}]}}}},
        7, {"title":""}]}}"#;
    let playlist = read(bare.as_bytes(), "").expect("JSPF");
    assert_eq!((playlist.format, playlist.name.as_deref()), (PlaylistFormat::Jspf, Some("Weekly")));
    let [zombie, halo] = &playlist.rows[..] else { panic!("{:?}", playlist.rows) };
    assert_eq!((zombie.line, zombie.artist.as_str(), zombie.duration_s), (1, "The Cranberries", Some(306)));
    assert_eq!(zombie.ids, ["mbid://2dc93bac-0cd5-46e0-8ab0-2e7b5fe8a1f3"]);
    assert_eq!((halo.artists.as_slice(), halo.ids.len()), (&["Beyoncé".to_owned()][..], 1));
    assert_eq!(
        playlist.row_errors,
        [
            PlaylistRowError { line: 3, kind: RowErrorKind::NotATrack },
            PlaylistRowError { line: 4, kind: RowErrorKind::Empty }
        ]
    );
    let within = r#"{"track":[{"title":"Zombie","creator":"The Cranberries","duration":9000}]}"#;
    assert_eq!(rows(within)[0].duration_s, Some(9), "JSPF counts in milliseconds");
}

#[test]
fn what_listenbrainz_gives_out_is_read() {
    let listens = r#"{"payload":{"count":1,"listens":[{"listened_at":1,"track_metadata":{"track_name":"Zombie",
        "artist_name":"The Cranberries","release_name":"No Need to Argue","additional_info":{"duration_ms":306000,
        "isrc":"IE-ABC-94-00001","spotify_id":"https://open.spotify.com/track/7EZC6E7UjZe63f1jRmkWxt"},
        "mbid_mapping":{"recording_mbid":"2dc93bac-0cd5-46e0-8ab0-2e7b5fe8a1f3"}}}]}}"#;
    let playlist = read(listens.as_bytes(), "").expect("listens");
    assert_eq!(playlist.format, PlaylistFormat::ListenBrainz);
    let row = &playlist.rows[0];
    assert_eq!((row.title.as_str(), row.album.as_str(), row.duration_s), ("Zombie", "No Need to Argue", Some(306)));
    let mut ids = row.ids.clone();
    ids.sort();
    assert_eq!(
        ids,
        ["isrc://IEABC9400001", "mbid://2dc93bac-0cd5-46e0-8ab0-2e7b5fe8a1f3", "spotify://7EZC6E7UjZe63f1jRmkWxt"]
    );
    let recommended =
        r#"{"payload":{"mbids":[{"recording_mbid":"2dc93bac-0cd5-46e0-8ab0-2e7b5fe8a1f3","score":0.9}]}}"#;
    assert_eq!(rows(recommended)[0].ids.len(), 1, "an id alone can be looked for");
    let lines = "{\"track_metadata\":{\"track_name\":\"A\",\"artist_name\":\"B\"}}\n{oops\n{\"track_metadata\":{\"track_name\":\"C\",\"artist_name\":\"D\"}}\n";
    let playlist = read(lines.as_bytes(), "").expect("lines");
    assert_eq!(playlist.rows.len(), 2);
    assert_eq!(playlist.row_errors, [PlaylistRowError { line: 2, kind: RowErrorKind::BrokenJson }]);
}

#[test]
fn plain_json_is_read_in_its_usual_shapes() {
    assert_eq!(
        rows(r#"["The Cranberries - Zombie", "spotify:track:7EZC6E7UjZe63f1jRmkWxt"]"#)[0].artist,
        "The Cranberries"
    );
    assert_eq!(rows(r#"[{"artist":"A","title":"T","duration":"3:05"}]"#)[0].duration_s, Some(185));
    assert_eq!(rows(r#"{"tracks":[{"artists":[{"name":"A"},{"name":"B"}],"name":"T","album":{"name":"L"},"duration_ms":185000}]}"#)[0].artist, "A, B");
    assert_eq!(
        rows(r#"{"name":"x","tracks":{"items":[{"track":{"name":"T","artists":[{"name":"A"}]}}]}}"#)[0].title,
        "T"
    );
    assert_eq!(rows(r#"[{"artist":"A","track":"T","uri":"spotify:track:7EZC6E7UjZe63f1jRmkWxt"}]"#)[0].title, "T");
}

#[test]
fn errors_for_json_without_a_list_and_for_broken_json_say_what_was_found() {
    assert!(refused(r#"{"songlist":[],"colour":"red"}"#).contains("songlist, colour"));
    assert!(refused("{\"tracks\":[{\"title\":\"T\"},\n{").contains("line 2"));
    assert!(refused("7").contains("not recognised"));
    let one = r#"{"playlist":{"track":[{"title":"T","creator":"A"}]}}"#;
    assert_eq!(rows(format!("{{\"playlists\":[{one}]}}")).len(), 1);
    assert!(refused(format!("{{\"playlists\":[{one},{one}]}}")).contains("several playlists"));
    assert!(refused(r#"{"playlist":{"track":[]}}"#).contains("no rows"));
}

#[test]
fn m3u_is_read_with_the_comment_before_each_path() {
    let text = "\u{feff}#EXTM3U\r\n#PLAYLIST:Road\r\n#EXTINF:306,The Cranberries - Zombie\r\n/music/a/b.mp3\r\n\
                #EXTINF:-1 tvg-id=\"a,b\",Halo\r\nfile:///music/Beyonc%C3%A9/I%20Am/02%20-%20Halo.flac\r\n\
                Nirvana/Nevermind/01 - Lithium.mp3\r\n";
    let playlist = read(text.as_bytes(), "").expect("M3U");
    assert_eq!((playlist.format, playlist.name.as_deref()), (PlaylistFormat::M3u, Some("Road")));
    let [zombie, halo, lithium] = &playlist.rows[..] else { panic!("{:?}", playlist.rows) };
    assert_eq!((zombie.line, zombie.artist.as_str(), zombie.title.as_str()), (4, "The Cranberries", "Zombie"));
    assert_eq!((zombie.duration_s, zombie.path.as_deref()), (Some(306), Some("/music/a/b.mp3")));
    assert_eq!((halo.artist.as_str(), halo.title.as_str(), halo.duration_s), ("Beyoncé", "Halo", None));
    assert_eq!(halo.path.as_deref(), Some("/music/Beyoncé/I Am/02 - Halo.flac"));
    assert_eq!(
        (lithium.artist.as_str(), lithium.album.as_str(), lithium.title.as_str()),
        ("Nirvana", "Nevermind", "Lithium")
    );
}

#[test]
fn an_old_m3u_may_be_encoded_in_windows_1252() {
    let playlist = read(b"#EXTM3U\n#EXTINF:1,Beyonc\xe9 - Halo \x96 Live\nx.mp3\n", "").expect("M3U");
    assert_eq!(playlist.encoding, TextEncoding::Windows1252);
    assert_eq!((playlist.rows[0].artist.as_str(), playlist.rows[0].title.as_str()), ("Beyoncé", "Halo – Live"));
    let utf16: Vec<u8> = "\u{feff}#EXTM3U\nBjörk - Jóga.mp3\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(rows(utf16)[0].artist, "Björk");
    assert!(refused("#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:4,\na.ts\n").contains("stream"));
}

#[test]
fn titles_are_read_from_file_names() {
    let of = |path: &str| {
        let row = combined_title::parse_path(path);
        (row.artist, row.title)
    };
    let told = |artist: &str, title: &str| (artist.to_owned(), title.to_owned());
    assert_eq!(of("Nena/99/99 Luftballons.mp3"), told("Nena", "99 Luftballons"));
    assert_eq!(of("C:\\Music\\Nena\\99\\01 99 Luftballons.mp3"), told("Nena", "99 Luftballons"));
    assert_eq!(of("1-03. Nena - Leuchtturm.flac"), told("Nena", "Leuchtturm"));
    assert_eq!(of("song.mp3"), told("", "song"));
}

#[test]
fn tables_are_read_with_any_delimiter_and_any_known_column_names() {
    let exportify = "\"Track URI\",\"Track Name\",\"Album Name\",\"Artist Name(s)\",\"Release Date\",\"Duration (ms)\",\"ISRC\"\n\
        \"spotify:track:7EZC6E7UjZe63f1jRmkWxt\",\"Zombie, \"\"live\"\"\",\"No Need to Argue\",\"The Cranberries;Guest\",\"1994\",\"306000\",\"IEABC9400001\"\n";
    let row = &rows(exportify)[0];
    assert_eq!((row.line, row.title.as_str(), row.duration_s), (2, "Zombie, \"live\"", Some(306)));
    assert_eq!((row.artist.as_str(), row.artists.len(), row.ids.len()), ("The Cranberries, Guest", 2, 2));
    let semicolon = "artist;TITLE;length\nA;T;3:05\n";
    assert_eq!((rows(semicolon)[0].artist.as_str(), rows(semicolon)[0].duration_s), ("A", Some(185)));
    let tab = "Track name\tArtist name\tAlbum\tISRC\nT\tA\tL\tIEABC9400001\n";
    assert_eq!(rows(tab)[0].album, "L");
    let tune_my_music =
        "Track name,Artist name,Album,Playlist name,Type,ISRC,Spotify - id\nT,A,L,P,Playlist,,7EZC6E7UjZe63f1jRmkWxt\n";
    assert_eq!(rows(tune_my_music)[0].ids, ["spotify://7EZC6E7UjZe63f1jRmkWxt"]);
    assert_eq!(rows("title,artist\n\"two\nlines\",A\n")[0].title, "two lines");
}

#[test]
fn a_bad_row_of_a_table_loses_no_other_row() {
    let text = b"title,artist\nT1,\xc3\x84\n\xff\xfe,A\n\"open,A\nT2,A\n,\nT3,A\n";
    let playlist = read(text, "").expect("a table");
    assert_eq!(playlist.rows.iter().map(|row| row.title.as_str()).collect::<Vec<_>>(), ["T1", "T2", "T3"]);
    let bad: Vec<_> = playlist.row_errors.iter().map(|bad| (bad.line, bad.kind)).collect();
    assert_eq!(bad, [(3, RowErrorKind::Encoding), (4, RowErrorKind::OpenQuote), (6, RowErrorKind::Empty)]);
}

#[test]
fn a_file_that_is_not_a_playlist_is_rejected_with_a_sentence() {
    assert!(refused("").contains("empty"));
    assert!(refused(" \n\n").contains("empty"));
    assert!(refused(b"\x89PNG\r\n").contains("a picture"));
    assert!(refused(b"a\0b\0").contains("not a text file"));
    assert!(refused("colour,taste\nred,sweet\n").contains("the columns are colour, taste; expected"));
    assert!(refused("title,album\nT,L\n").contains("title and artist"), "a title alone is too little");
    assert!(refused("<html><body>log in").contains("a web page"));
    assert!(refused("title,artist\n").contains("no rows"));
    assert!(refused(b"title,artist\n\xff,\xff\n\xfe,\xfe\n").contains("none of the 2 rows of this CSV"));
    assert!(refused("just a word").contains("not recognised"));
    assert_eq!(read(&vec![b'a'; MAX_BYTES + 1], ""), Err(PlaylistParseError::TooLong));
}

#[test]
fn rows_and_fields_are_limited() {
    let many = format!("title,artist\n{}", "T,A\n".repeat(MAX_ROWS + 1));
    assert_eq!(read(many.as_bytes(), ""), Err(PlaylistParseError::TooManyRows));
    let many = format!("[{}7]", "{\"title\":\"T\"},".repeat(MAX_ROWS + 1));
    assert_eq!(read(many.as_bytes(), ""), Err(PlaylistParseError::TooManyRows));
    let many = format!("title,artist\n{}", ",\n".repeat(MAX_ROWS + 1));
    assert_eq!(read(many.as_bytes(), ""), Err(PlaylistParseError::TooManyRows), "bad rows are bounded too");
    let long = format!("title,artist\nT,A\n{},A\n", "x".repeat(MAX_FIELD_BYTES + 1));
    let playlist = read(long.as_bytes(), "").expect("a table");
    assert_eq!((playlist.rows.len(), playlist.row_errors[0].kind), (1, RowErrorKind::TooLong));
}

fn any_row() -> impl Strategy<Value = PlaylistRow> {
    let text = "[a-zA-Z0-9 ,;\"'éß–|\t=+@-]{0,12}";
    let names = prop::collection::vec("[a-zA-Z ,\"é]{1,8}", 0..3);
    let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    (
        text,
        text,
        names,
        text,
        prop::option::of(1_u32..10_000),
        prop::option::of(uuid),
        prop::option::of("/[a-z/ é]{1,9}"),
    )
        .prop_map(|(title, artist, artists, album, duration_s, id, path)| PlaylistRow {
            line: 0,
            title: format!("t{title}"),
            artist: format!("a{artist}"),
            artists,
            album,
            duration_s,
            ids: id.map(|id| format!("mbid://{id}")).into_iter().collect(),
            path,
        })
}

/// A row as the parser returns it: the original may have more blanks.
fn kept(row: &PlaylistRow) -> PlaylistRow {
    validated(row.clone()).expect("it says something")
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), hint in "(x.m3u|x.csv|)") {
        if let Ok(playlist) = read(&bytes, &hint) {
            prop_assert!(playlist.rows.len() <= bytes.len());
            prop_assert!(playlist.rows.iter().all(|row| !row.is_empty()));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(head in "(#EXTM3U\n|title,artist\n|\\[|\\{\"track\":|)", text in "[\\PC\n\r\t]{0,200}") {
        let whole = format!("{head}{text}");
        if let Ok(playlist) = read(whole.as_bytes(), "x.m3u") {
            prop_assert!(playlist.rows.len() + playlist.row_error_count <= whole.len());
        }
    }

    #[test]
    fn written_text_is_read_back(wanted in prop::collection::vec(any_row(), 1..6)) {
        let wanted: Vec<PlaylistRow> = wanted.iter().map(kept).collect();
        let jspf = read(export::jspf("n", &wanted).to_string().as_bytes(), "").expect("JSPF").rows;
        let unnumbered = |rows: Vec<PlaylistRow>| rows.into_iter().map(|row| PlaylistRow { line: 0, ..row }).collect::<Vec<_>>();
        prop_assert_eq!(unnumbered(jspf), wanted.clone());
        let table = read(export::csv(&wanted).as_bytes(), "").expect("CSV").rows;
        // A table cannot tell a list of one artist from a credit.
        let told = |row: &PlaylistRow| (row.title.clone(), row.artist.clone(), row.album.clone(), row.duration_s, row.ids.clone(), row.path.clone());
        prop_assert_eq!(table.iter().map(told).collect::<Vec<_>>(), wanted.iter().map(told).collect::<Vec<_>>());
    }
}

#[test]
fn the_title_is_that_of_the_object_with_the_rows() {
    for (json, title) in [
        (r#"{"playlists": [{"title": "Full", "track": [{"title": "A"}]}, {"title": "Empty", "track": []}]}"#, "Full"),
        (r#"{"playlists": [{"title": "Empty", "track": []}, {"title": "Full", "track": [{"title": "A"}]}]}"#, "Full"),
        (r#"{"playlist": {"title": "Inner", "track": [{"title": "A"}]}, "name": "Outer"}"#, "Inner"),
        (r#"{"name": "Outer", "playlist": {"track": [{"title": "A"}]}}"#, "Outer"),
    ] {
        assert_eq!(read(json.as_bytes(), "").expect("a playlist").name.as_deref(), Some(title), "{json}");
    }
}

#[test]
fn one_nul_costs_nothing() {
    for (clean, with_nul) in [
        ("title,artist\nOne,AB\nTwo,C\n", "title,artist\nOne,A\0B\nTwo,C\n"),
        ("[{\"title\":\"One\",\"artist\":\"AB\"}]", "[{\"title\":\"One\",\"artist\":\"A\0B\"}]"),
        ("#EXTM3U\n#EXTINF:1,A - One\n/m/one.mp3\n", "#EXTM3U\n#EXTINF:1,A - One\n/m/o\0ne.mp3\n\0"),
        ("A - One\nB - Two\n", "A - One\nB - T\0wo\n"),
        ("[playlist]\nFile1=/m/A - One.mp3\n", "[playlist]\nFile1=/m/A - One.mp3\0\n"),
    ] {
        assert_eq!(read(with_nul.as_bytes(), ""), read(clean.as_bytes(), ""), "{clean}");
        assert!(read(clean.as_bytes(), "").is_ok(), "{clean}");
    }
    assert_eq!(rows("[{\"title\":\"One\u{1}\",\"artist\":\"A\"}]")[0].title, "One");
}

#[test]
fn a_delete_character_in_a_path_is_kept() {
    assert_eq!(rows("[{\"title\":\"One\",\"path\":\"/m/\u{7f}\"}]")[0].path.as_deref(), Some("/m/\u{7f}"));
}

#[test]
fn a_stray_control_character_does_not_reject_the_file() {
    let rows = rows("title,artist\nOne,A\u{1}B\nTwo,C\n");
    assert_eq!((rows.len(), rows[0].artist.as_str()), (2, "A B"));
    assert!(refused("\u{1}\u{2}\u{3}\u{4}abcdef\u{5}").contains("not a text file"));
}

#[test]
fn a_playlist_whose_rows_are_all_bad_is_not_left_out() {
    let file = r#"{"playlists":[{"name":"Good","tracks":[{"title":"T","artist":"A"}]},{"name":"Bad","tracks":[7,{"title":""}]},
        {"name":"Empty","tracks":[]}]}"#;
    let playlists = read_all(file.as_bytes(), "").expect("JSON");
    let [good, bad] = &playlists[..] else { panic!("{playlists:?}") };
    assert_eq!((good.name.as_deref(), good.only_bad_rows()), (Some("Good"), None));
    assert_eq!((bad.name.as_deref(), bad.rows.len(), bad.row_error_count), (Some("Bad"), 0, 2));
    let error = bad.only_bad_rows().expect("all are bad").to_string();
    assert!(error.contains("none of the 2 rows") && error.contains("row 1"), "{error}");
}

#[test]
fn a_blank_row_of_a_table_with_names_is_no_playlist() {
    let playlists = read_all(b"title,artist,playlist\nOne,A,P\n,,\nTwo,A,P\n", "").expect("a table");
    let [only] = &playlists[..] else { panic!("{playlists:?}") };
    assert_eq!((only.rows.len(), only.row_error_count, only.row_errors[0].line), (2, 1, 3));
    let playlists = read_all(b"title,artist,playlist\nOne,A,P\n,,\nTwo,A,\n", "").expect("a table");
    assert_eq!(playlists.iter().map(|one| one.row_error_count).collect::<Vec<_>>(), [0, 1], "it has no name either");
}

#[test]
fn bad_rows_of_no_playlist_are_not_copied_into_each_beyond_the_limit() {
    let mut collection = collection::PlaylistCollection::new(PlaylistFormat::Csv(','));
    collection.begin(None).expect("the first");
    let bad = |line| PlaylistRowError { line, kind: RowErrorKind::OpenQuote };
    let unassigned: Vec<_> = (1..).take(MAX_ROWS).map(bad).collect();
    let playlists = collection.finish(&unassigned);
    assert_eq!((playlists[0].row_errors.len(), playlists[0].row_error_count), (MAX_ROW_ERRORS, MAX_ROWS));
    assert!(playlists[0].row_errors.capacity() <= 2 * MAX_ROW_ERRORS, "{}", playlists[0].row_errors.capacity());
}
