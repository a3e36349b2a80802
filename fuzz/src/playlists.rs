//! Properties of a submitted playlist, whatever is in it.

use std::collections::HashSet;

use greenroom_library::playlist::{
    self, MAX_FIELD_BYTES, MAX_NAMES, MAX_PLAYLISTS, MAX_ROW_ERRORS, MAX_ROWS, MAX_TOTAL_ROWS, export,
};

/// Checks what must hold of these bytes, under each name a file may have.
pub fn check(bytes: &[u8]) {
    for hint in ["", "list.m3u", "list.csv"] {
        match playlist::read_all(bytes, hint) {
            Err(refused) => {
                let sentence = refused.to_string();
                assert!(!sentence.is_empty() && sentence.len() < 1000, "{sentence}");
                assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
            }
            Ok(all) => {
                assert!(!all.is_empty() && all.len() <= MAX_PLAYLISTS);
                assert!(all.iter().map(|playlist| playlist.rows.len()).sum::<usize>() <= MAX_TOTAL_ROWS);
                assert!(all.iter().any(|playlist| !playlist.rows.is_empty()));
                let names: Vec<_> = all.iter().filter_map(|playlist| playlist.name.as_deref()).collect();
                assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
                all.iter().for_each(judge);
                assert_eq!(playlist::read(bytes, hint).is_ok(), all.len() == 1);
            }
        }
    }
}

fn judge(read: &playlist::Playlist) {
    assert!(read.rows.len() <= MAX_ROWS);
    assert_eq!(read.only_bad_rows().is_some(), read.rows.is_empty());
    assert!(read.row_errors.len() <= MAX_ROW_ERRORS && read.row_errors.len() <= read.row_error_count);
    for row in &read.rows {
        assert!(!row.is_empty() && row.line > 0);
        assert!(row.ids.len() <= MAX_NAMES && row.artists.len() <= MAX_NAMES);
        let texts = [&row.title, &row.artist, &row.album].into_iter().chain(&row.artists).chain(&row.ids);
        assert!(texts.chain(&row.path).all(|text| text.len() <= MAX_FIELD_BYTES));
        assert!(row.ids.iter().all(|id| id.contains("://")));
        assert!(row.duration_s.is_none_or(|seconds| seconds > 0));
    }
    if read.rows.is_empty() {
        return;
    }
    // What we write, we read again as it was.
    let again = export::jspf("", &read.rows).to_string();
    if again.len() <= playlist::MAX_BYTES {
        let again = playlist::read(again.as_bytes(), "").expect("it is JSPF").rows;
        let bare = |row: &playlist::PlaylistRow| playlist::PlaylistRow { line: 0, ..row.clone() };
        assert!(again.iter().map(bare).eq(read.rows.iter().map(bare)));
    }
}
