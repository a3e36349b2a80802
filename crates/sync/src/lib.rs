//! The library: [`index`] keeps every library of the servers whole, [`matching`] says which item is meant, [`playlists`]
//! brings playlists from elsewhere onto a server, [`track_table`] reads lists of tracks from files. Knows no page.

pub mod index;
pub mod matching;
pub mod playlists;
pub mod track_table;
