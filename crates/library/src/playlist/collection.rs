//! The playlists of one file.

use super::{
    MAX_PLAYLISTS, MAX_ROW_ERRORS, MAX_TOTAL_ROWS, Playlist, PlaylistFormat, PlaylistParseError, PlaylistRow,
    PlaylistRowError, RowErrorKind,
};

/// Playlists while a file is parsed.
#[derive(Debug)]
pub(super) struct PlaylistCollection {
    format: PlaylistFormat,
    playlists: Vec<Playlist>,
    total: usize,
}

impl PlaylistCollection {
    /// No playlist yet.
    pub(super) fn new(format: PlaylistFormat) -> Self {
        Self { format, playlists: Vec::new(), total: 0 }
    }

    /// Sets the format of the file, once it is known.
    pub(super) fn set_format(&mut self, format: PlaylistFormat) {
        self.format = format;
        self.playlists.iter_mut().for_each(|playlist| playlist.format = format);
    }

    /// Begins another playlist; returns its position.
    ///
    /// # Errors
    /// There are more than [`MAX_PLAYLISTS`].
    pub(super) fn begin(&mut self, name: Option<String>) -> Result<usize, PlaylistParseError> {
        // One more may be begun before it turns out that there is none.
        if self.playlists.len() > MAX_PLAYLISTS {
            return Err(PlaylistParseError::TooManyPlaylists);
        }
        self.playlists.push(Playlist { name, ..Playlist::new(self.format) });
        Ok(self.playlists.len() - 1)
    }

    /// Drops the playlist that was begun last.
    pub(super) fn drop_last(&mut self) {
        self.playlists.pop();
    }

    /// The playlist that was begun last, which may be the first.
    pub(super) fn last(&mut self) -> Option<&mut Playlist> {
        self.playlists.last_mut()
    }

    /// Number of playlists.
    pub(super) fn len(&self) -> usize {
        self.playlists.len()
    }

    /// Number of rows and bad rows so far.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// Adds a row, or its error, to the playlist at this position.
    ///
    /// # Errors
    /// There are too many rows.
    pub(super) fn push_result(
        &mut self,
        at: usize,
        line: u32,
        row: Result<PlaylistRow, RowErrorKind>,
    ) -> Result<(), PlaylistParseError> {
        self.total += 1;
        if self.total > MAX_TOTAL_ROWS {
            return Err(PlaylistParseError::TooManyRows);
        }
        self.playlists.get_mut(at).map_or(Ok(()), |playlist| playlist.push_result(line, row))
    }

    /// Drops the playlist at this position if it has bad rows only. Returns them.
    pub(super) fn drop_if_bad(&mut self, at: usize) -> Vec<PlaylistRowError> {
        let is_bad = self.playlists.get(at).is_some_and(|playlist| playlist.rows.is_empty());
        if is_bad { self.playlists.remove(at).row_errors } else { Vec::new() }
    }

    /// The playlists. Bad rows of which it is not known to which playlist they belong are bad rows of each.
    pub(super) fn finish(mut self, unassigned: &[PlaylistRowError]) -> Vec<Playlist> {
        for playlist in &mut self.playlists {
            playlist.row_error_count += unassigned.len();
            // They are in the order of the lines, so that no later one would be kept.
            playlist.row_errors.extend(unassigned.iter().take(MAX_ROW_ERRORS).cloned());
            playlist.row_errors.sort_by_key(|bad| bad.line);
            playlist.row_errors.truncate(MAX_ROW_ERRORS);
        }
        self.playlists
    }
}

/// Leaves out playlists without rows and bad rows.
///
/// # Errors
/// None has a row that can be matched.
pub(super) fn with_rows(playlists: Vec<Playlist>) -> Result<Vec<Playlist>, PlaylistParseError> {
    if playlists.iter().all(|playlist| playlist.rows.is_empty()) {
        let worst = playlists.iter().max_by_key(|playlist| playlist.row_error_count);
        let error = worst.map(|worst| worst.only_bad_rows().unwrap_or(PlaylistParseError::NoRows(worst.format)));
        return Err(error.unwrap_or(PlaylistParseError::Empty));
    }
    let has_content = |playlist: &Playlist| !playlist.rows.is_empty() || playlist.row_error_count > 0;
    Ok(playlists.into_iter().filter(has_content).collect())
}
