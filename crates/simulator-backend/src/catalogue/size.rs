//! Size of a catalogue.

/// Numbers of items in a catalogue. Any size costs nothing until it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogueSize {
    /// Films.
    pub films: u32,
    /// Shows.
    pub shows: u32,
    /// Seasons of each show.
    pub seasons_per_show: u32,
    /// Episodes of each season.
    pub episodes_per_season: u32,
    /// Tracks.
    pub tracks: u32,
    /// Tracks on each album (the last may hold fewer).
    pub tracks_per_album: u32,
    /// Albums of each artist (the last may have fewer).
    pub albums_per_artist: u32,
    /// Collections of films.
    pub collections: u32,
}

impl Default for CatalogueSize {
    fn default() -> Self {
        Self {
            films: 2_000,
            shows: 300,
            seasons_per_show: 3,
            episodes_per_season: 8,
            tracks: 20_000,
            tracks_per_album: 12,
            albums_per_artist: 4,
            collections: 20,
        }
    }
}

impl CatalogueSize {
    /// A library that fits on one page of a test's output.
    pub fn tiny() -> Self {
        Self {
            films: 30,
            shows: 4,
            seasons_per_show: 2,
            episodes_per_season: 3,
            tracks: 60,
            tracks_per_album: 6,
            albums_per_artist: 2,
            collections: 2,
        }
    }

    /// The default library with this many tracks instead.
    pub fn with_tracks(tracks: u32) -> Self {
        Self { tracks, ..Self::default() }
    }

    /// Raises every divisor to at least 1.
    pub(crate) fn clamped(self) -> Self {
        Self {
            tracks_per_album: self.tracks_per_album.max(1),
            albums_per_artist: self.albums_per_artist.max(1),
            collections: if self.films == 0 { 0 } else { self.collections },
            ..self
        }
    }

    /// Seasons of all shows.
    pub fn seasons(&self) -> u32 {
        self.shows * self.seasons_per_show
    }

    /// Episodes of all shows.
    pub fn episodes(&self) -> u32 {
        self.seasons() * self.episodes_per_season
    }

    /// Albums.
    pub fn albums(&self) -> u32 {
        self.tracks.div_ceil(self.tracks_per_album.max(1))
    }

    /// Artists.
    pub fn artists(&self) -> u32 {
        self.albums().div_ceil(self.albums_per_artist.max(1))
    }
}
