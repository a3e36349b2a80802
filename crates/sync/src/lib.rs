//! Libraries, matching, playlists and histories: [`index`] keeps an index of every library, [`matching`] finds the
//! library item that a track, path or id means, [`playlists`] syncs playlists to a media server, [`track_table`] reads
//! lists of tracks from CSV files, [`track_list`] those named on the command line, [`history`] mirrors the playback histories. Independent of the control page.

pub mod history;
pub mod index;
pub mod matching;
pub mod playlists;
pub mod track_list;
pub mod track_table;
