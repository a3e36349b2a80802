//! Columns of a table, recognised by the names that common export tools give them.

use super::column_names::{ColumnKind, is_weak_title, kind_of};
use super::{PlaylistRow, RowErrorKind, duration, ids};

/// Index of each column.
#[derive(Debug, Default)]
pub(super) struct Columns {
    held: Vec<(usize, ColumnKind)>,
}

impl Columns {
    /// Recognises the columns of a heading.
    pub(super) fn from_header(heading: &[String]) -> Self {
        let mut held: Vec<(usize, ColumnKind)> = Vec::new();
        let mut has_weak_title = false;
        for (at, name) in heading.iter().enumerate() {
            let Some(holds) = kind_of(name) else { continue };
            match held.iter_mut().find(|(_, other)| *other == holds) {
                // A column "Track" is the number if another one is called "Title".
                Some(title) if holds == ColumnKind::Title && has_weak_title && !is_weak_title(name) => {
                    *title = (at, holds);
                    has_weak_title = false;
                }
                Some(_) => {}
                None => {
                    has_weak_title |= holds == ColumnKind::Title && is_weak_title(name);
                    held.push((at, holds));
                }
            }
        }
        Self { held }
    }

    fn has(&self, wanted: impl Fn(ColumnKind) -> bool) -> bool {
        self.held.iter().any(|(_, holds)| wanted(*holds))
    }

    /// Whether the rows can be matched with these columns.
    pub(super) fn has_required_columns(&self) -> bool {
        let names = self.has(|holds| holds == ColumnKind::Title)
            && self.has(|holds| matches!(holds, ColumnKind::Artist | ColumnKind::Artists | ColumnKind::AlbumArtist));
        names
            || self.has(|holds| {
                matches!(
                    holds,
                    ColumnKind::Isrc | ColumnKind::Recording | ColumnKind::Spotify | ColumnKind::Ids | ColumnKind::Path
                )
            })
    }

    /// Whether any column is known.
    pub(super) fn has_known_column(&self) -> bool {
        !self.held.is_empty()
    }

    /// Name of the playlist that a row belongs to, where the table has several.
    pub(super) fn playlist_name<'c>(&self, cells: &'c [String]) -> Option<&'c str> {
        let (at, _) = self.held.iter().find(|(_, holds)| *holds == ColumnKind::Playlist)?;
        cells.get(*at).map(|cell| cell.trim()).filter(|name| !name.is_empty())
    }

    /// Parses a row.
    pub(super) fn row(&self, cells: &[String]) -> Result<PlaylistRow, RowErrorKind> {
        let mut row = PlaylistRow::default();
        let mut album_artist = "";
        let has_list = self.has(|holds| holds == ColumnKind::Artists);
        let mut seen = 0;
        for (at, holds) in &self.held {
            let Some(cell) = cells.get(*at).map(|cell| cell.trim()) else { continue };
            seen += 1;
            match holds {
                ColumnKind::Title => cell.clone_into(&mut row.title),
                // With a list of artists beside it, the credit is left as it is.
                ColumnKind::Artist if has_list => cell.clone_into(&mut row.artist),
                ColumnKind::Artist | ColumnKind::Artists => credit(&mut row, cell),
                ColumnKind::AlbumArtist => album_artist = cell,
                ColumnKind::Album => cell.clone_into(&mut row.album),
                ColumnKind::Length(unit) => {
                    row.duration_s = row.duration_s.or_else(|| duration::seconds_from_text(cell, *unit));
                }
                ColumnKind::Isrc => several(cell).for_each(|id| ids::add(&mut row.ids, ids::isrc(id))),
                ColumnKind::Recording => {
                    several(cell).for_each(|id| ids::add(&mut row.ids, ids::recording(id)));
                }
                ColumnKind::Spotify => {
                    ids::add(&mut row.ids, ids::spotify(cell).or_else(|| ids::spotify_bare(cell)));
                }
                ColumnKind::Ids => several(cell).for_each(|id| ids::add(&mut row.ids, ids::parse_any(id))),
                ColumnKind::Path => row.path = Some(cell.to_owned()).filter(|path| !path.is_empty()),
                ColumnKind::Playlist => {}
            }
        }
        if row.artist.is_empty() {
            credit(&mut row, album_artist);
        }
        if row.is_empty() && seen < self.held.len() { Err(RowErrorKind::TooFewColumns) } else { Ok(row) }
    }
}

/// `A;B` are several artists, `A, B` may be one.
fn credit(row: &mut PlaylistRow, cell: &str) {
    let names: Vec<String> = several(cell).map(str::to_owned).collect();
    if names.is_empty() {
        return;
    }
    if row.artist.is_empty() {
        row.artist = names.join(", ");
    }
    if names.len() > 1 {
        row.artists = names;
    }
}

fn several(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(';').map(str::trim).filter(|part| !part.is_empty()).take(super::MAX_NAMES)
}
