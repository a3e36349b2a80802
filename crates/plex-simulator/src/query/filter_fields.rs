//! Fields by which items of each kind can be compared, as the server describes them.

use super::field::FilterField;
use crate::kind;
use crate::node::Node;
use greenroom_simulator_backend::catalogue::MediaKind;

/// A field and its title.
type FieldTitle = (&'static str, &'static str);

const FILM: &[FieldTitle] = &[
    ("title", "Title"),
    ("studio", "Studio"),
    ("userRating", "Rating"),
    ("contentRating", "Content Rating"),
    ("year", "Year"),
    ("decade", "Decade"),
    ("originallyAvailableAt", "Release Date"),
    ("duration", "Duration"),
    ("unmatched", "Unmatched"),
    ("duplicate", "Duplicate"),
    ("genre", "Genre"),
    ("collection", "Collection"),
    ("director", "Director"),
    ("writer", "Writer"),
    ("producer", "Producer"),
    ("actor", "Actor"),
    ("country", "Country"),
    ("addedAt", "Date Added"),
    ("viewCount", "Plays"),
    ("lastViewedAt", "Last Played"),
    ("unwatched", "Unplayed"),
    ("resolution", "Resolution"),
    ("hdr", "HDR"),
    ("mediaSize", "File Size"),
    ("mediaBitrate", "Bitrate"),
    ("subtitleLanguage", "Subtitle Language"),
    ("audioLanguage", "Audio Language"),
    ("inProgress", "In Progress"),
    ("trash", "Trash"),
    ("label", "Label"),
];

const SHOW: &[FieldTitle] = &[
    ("title", "Show Title"),
    ("studio", "Studio"),
    ("network", "Network"),
    ("userRating", "Show Rating"),
    ("contentRating", "Content Rating"),
    ("year", "Show Year"),
    ("viewCount", "Show Plays"),
    ("lastViewedAt", "Show Last Played"),
    ("genre", "Genre"),
    ("collection", "Show Collection"),
    ("director", "Show Director"),
    ("writer", "Show Writer"),
    ("producer", "Show Producer"),
    ("actor", "Show Actor"),
    ("addedAt", "Date Show Added"),
    ("unmatched", "Show Unmatched"),
    ("unwatchedLeaves", "Unplayed Episodes"),
    ("label", "Label"),
];

const EPISODE: &[FieldTitle] = &[
    ("title", "Episode Title"),
    ("addedAt", "Date Episode Added"),
    ("originallyAvailableAt", "Episode Air Date"),
    ("year", "Episode Year"),
    ("userRating", "Episode Rating"),
    ("viewCount", "Episode Plays"),
    ("lastViewedAt", "Episode Last Played"),
    ("unwatched", "Episode Unplayed"),
    ("inProgress", "Episode In Progress"),
    ("duplicate", "Episode Duplicate"),
    ("hdr", "HDR"),
    ("resolution", "Resolution"),
    ("mediaSize", "File size"),
    ("mediaBitrate", "Bitrate"),
    ("subtitleLanguage", "Subtitle Language"),
    ("audioLanguage", "Audio Language"),
    ("trash", "Trash"),
    ("unmatched", "Episode Unmatched"),
];

const ARTIST: &[FieldTitle] = &[
    ("title", "Artist Title"),
    ("userRating", "Artist Rating"),
    ("genre", "Artist Genre"),
    ("collection", "Artist Collection"),
    ("country", "Artist Country"),
    ("mood", "Artist Mood"),
    ("style", "Artist Style"),
    ("addedAt", "Date Artist Added"),
    ("lastViewedAt", "Artist Last Played"),
    ("unmatched", "Unmatched"),
];

const ALBUM: &[FieldTitle] = &[
    ("title", "Album Title"),
    ("year", "Year"),
    ("decade", "Album Decade"),
    ("genre", "Album Genre"),
    ("viewCount", "Album Plays"),
    ("lastViewedAt", "Album Last Played"),
    ("userRating", "Album Rating"),
    ("rating", "Album Critic Rating"),
    ("studio", "Record Label"),
    ("mood", "Album Mood"),
    ("style", "Album Style"),
    ("format", "Album Format"),
    ("subformat", "Album Type"),
    ("collection", "Album Collection"),
    ("addedAt", "Date Album Added"),
    ("originallyAvailableAt", "Date Album Released"),
    ("unmatched", "Unmatched"),
    ("source", "Album Source"),
    ("label", "Label"),
];

const TRACK: &[FieldTitle] = &[
    ("mood", "Track Mood"),
    ("title", "Track Title"),
    ("viewCount", "Track Plays"),
    ("lastViewedAt", "Track Last Played"),
    ("skipCount", "Track Skips"),
    ("lastSkippedAt", "Track Last Skipped"),
    ("userRating", "Track Rating"),
    ("lastRatedAt", "Track Last Rated"),
    ("addedAt", "Track Added At"),
    ("mediaSize", "File Size"),
    ("mediaBitrate", "Bitrate"),
    ("trash", "Trash"),
    ("source", "Track Source"),
];

/// Of kinds of which no description was recorded.
const OTHER: &[FieldTitle] =
    &[("title", "Title"), ("addedAt", "Date Added"), ("userRating", "Rating"), ("year", "Year")];

/// The fields of a kind.
fn fields(listed: MediaKind) -> &'static [FieldTitle] {
    match listed {
        MediaKind::Film => FILM,
        MediaKind::Show => SHOW,
        MediaKind::Episode => EPISODE,
        MediaKind::Artist => ARTIST,
        MediaKind::Album => ALBUM,
        MediaKind::Track => TRACK,
        MediaKind::Season | MediaKind::Collection => OTHER,
    }
}

/// The fields of a kind as rows.
pub(super) fn rows(listed: MediaKind) -> impl Iterator<Item = Node> {
    let prefix = if listed == MediaKind::Film { String::new() } else { format!("{}.", kind::word(listed)) };
    fields(listed).iter().filter_map(move |(name, title)| {
        let field = FilterField::named(name)?;
        Some(
            Node::new("Field")
                .set("key", format!("{prefix}{name}"))
                .set("title", *title)
                .set("type", field.type_word())
                .maybe("subType", sub_type(name)),
        )
    })
}

/// Display type of a value, if its own type does not tell.
fn sub_type(name: &str) -> Option<&'static str> {
    match name {
        "userRating" | "rating" => Some("rating"),
        "year" => Some("year"),
        "decade" => Some("decade"),
        "duration" => Some("duration"),
        "hdr" => Some("hdr"),
        "mediaSize" => Some("fileSize"),
        "mediaBitrate" => Some("bitrate"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_is_described_can_be_compared() {
        for listed in MediaKind::EVERY {
            assert_eq!(rows(listed).count(), fields(listed).len(), "{listed:?}");
        }
    }
}
