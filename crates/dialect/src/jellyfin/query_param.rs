//! The query parameters the server knows: their spelling and the shape of their values.
//!
//! Unknown parameters are kept unchanged, so that a newer server's parameters work too.

use std::cmp::Ordering;

/// The server's reading of a parameter's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParamShape {
    /// One text, number or date.
    Text,
    /// `true` or `false`.
    Flag,
    /// One id.
    Id,
    /// Several comma-separated values in any order.
    Set,
    /// Several comma-separated ids in any order.
    IdSet,
    /// Several comma-separated values whose order matters.
    Row,
    /// Several comma-separated ids whose order matters: the response follows it.
    IdRow,
    /// Several texts separated by vertical bars, in any order.
    BarSet,
    /// Several values in any order, one in each occurrence of the parameter: the server splits none of them.
    Repeated,
    /// The same, and the order matters.
    RepeatedRow,
    /// A moment before which things are left out. The server gets it as it is; in the key stands its UTC day, so that
    /// what is requested by the clock shares a key for a day.
    ///
    /// Moments of one day differ only in what was last played on that day, at the far end of a window of months.
    /// Servers up to 10.10 compare days and answer all of them alike; later ones compare moments. There a shared
    /// response is the one for the moment of the request that loaded it, and each load, a refresh too, has the moment
    /// of a request of that day: a row leaves the window, or stays in it, up to a day late. A cutoff of now shows
    /// nothing at any time of the day, and what is played later invalidates the response.
    Cutoff,
}

use ParamShape::{BarSet, Cutoff, Flag, Id, IdRow, IdSet, Repeated, RepeatedRow, Row, Set, Text};

/// Spelling and shape of the parameter called `name`, case-insensitively, on the route with this canonical path.
pub(super) fn known(name: &str, path: &str) -> Option<(&'static str, ParamShape)> {
    let (spelled, shape) = KNOWN.binary_search_by(|(spelled, _)| order(spelled, name)).ok().map(|at| KNOWN[at])?;
    let exception = EXCEPTIONS.iter().find(|(route, excepted, _)| *excepted == spelled && is_route(path, route));
    Some((spelled, exception.map_or(shape, |(.., shape)| *shape)))
}

/// Whether a path is that of a route, in which `*` stands for one segment.
fn is_route(path: &str, route: &str) -> bool {
    let mut segments = path.split('/');
    route.split('/').all(|wanted| segments.next().is_some_and(|segment| wanted == "*" || wanted == segment))
        && segments.next().is_none()
}

/// Parameters that a route binds differently than all other routes do.
const EXCEPTIONS: [(&str, &str, ParamShape); 7] = [
    ("/Shows/*/Episodes", "sortBy", Text),
    ("/System/ActivityLog/Entries", "sortBy", RepeatedRow),
    ("/System/ActivityLog/Entries", "sortOrder", RepeatedRow),
    ("/System/ActivityLog/Entries", "type", Text),
    ("/Trailers", "albums", Set),
    ("/Trailers", "artists", Set),
    ("/Trailers", "studios", Set),
];

fn order(left: &str, right: &str) -> Ordering {
    left.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(right.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// Sorted by lower-case name.
const KNOWN: [(&str, ParamShape); 147] = [
    ("activeWithinSeconds", Text),
    ("adjacentTo", Id),
    ("albumArtistIds", IdSet),
    ("albumIds", IdSet),
    ("albums", BarSet),
    ("appearsInItemId", Id),
    ("artistIds", IdSet),
    ("artists", BarSet),
    ("audioLanguages", Set),
    ("backgroundColor", Text),
    ("blur", Text),
    ("categoryLimit", Text),
    ("channelIds", IdSet),
    ("client", Text),
    ("collapseBoxSetItems", Flag),
    ("contributingArtistIds", IdSet),
    ("controllableByUserId", Id),
    ("disableFirstEpisode", Flag),
    ("enableFavoriteSorting", Flag),
    ("enableImages", Flag),
    ("enableImageTypes", Set),
    ("enableInMainMenu", Flag),
    ("enableResumable", Flag),
    ("enableRewatching", Flag),
    ("enableTotalRecordCount", Flag),
    ("enableUserData", Flag),
    ("excludeActiveSessions", Flag),
    ("excludeArtistIds", IdSet),
    ("excludeItemIds", IdSet),
    ("excludeItemTypes", Set),
    ("excludeLocationTypes", Set),
    ("excludePersonTypes", Set),
    ("fields", Set),
    ("fillHeight", Text),
    ("fillWidth", Text),
    ("filters", Set),
    ("folderId", Id),
    ("foregroundLayer", Text),
    ("format", Text),
    ("genreIds", IdSet),
    ("genres", BarSet),
    ("groupId", Id),
    ("groupItems", Flag),
    ("hasImdbId", Flag),
    ("hasOfficialRating", Flag),
    ("hasOverview", Flag),
    ("hasParentalRating", Flag),
    ("hasSpecialFeature", Flag),
    ("hasSubtitles", Flag),
    ("hasThemeSong", Flag),
    ("hasThemeVideo", Flag),
    ("hasTmdbId", Flag),
    ("hasTrailer", Flag),
    ("hasTvdbId", Flag),
    ("hasUserId", Flag),
    ("height", Text),
    ("ids", IdRow),
    ("imageIndex", Text),
    ("imageTypeLimit", Text),
    ("imageTypes", Set),
    ("includeAllLanguages", Flag),
    ("includeArtists", Flag),
    ("includeExternalContent", Flag),
    ("includeGenres", Flag),
    ("includeHidden", Flag),
    ("includeItemTypes", Set),
    ("includeMedia", Flag),
    ("includePeople", Flag),
    ("includeSegmentTypes", Repeated),
    ("includeStudios", Flag),
    ("indexNumber", Text),
    ("inheritFromParent", Flag),
    ("is3D", Flag),
    ("is4K", Flag),
    ("isDisabled", Flag),
    ("isDisliked", Flag),
    ("isEnabled", Flag),
    ("isFavorite", Flag),
    ("isFolder", Flag),
    ("isHd", Flag),
    ("isHidden", Flag),
    ("isInProgress", Flag),
    ("isKids", Flag),
    ("isLiked", Flag),
    ("isLocked", Flag),
    ("isMissing", Flag),
    ("isMovie", Flag),
    ("isNews", Flag),
    ("isPlaceHolder", Flag),
    ("isPlayed", Flag),
    ("isSeries", Flag),
    ("isSpecialSeason", Flag),
    ("isSports", Flag),
    ("isUnaired", Flag),
    ("itemId", Id),
    ("itemLimit", Text),
    ("limit", Text),
    ("locationTypes", Set),
    ("maxHeight", Text),
    ("maxOfficialRating", Text),
    ("maxPremiereDate", Text),
    ("maxWidth", Text),
    ("mediaType", Set),
    ("mediaTypes", Set),
    ("minCommunityRating", Text),
    ("minCriticRating", Text),
    ("minDate", Text),
    ("minDateLastSaved", Text),
    ("minDateLastSavedForUser", Text),
    ("minHeight", Text),
    ("minOfficialRating", Text),
    ("minPremiereDate", Text),
    ("minWidth", Text),
    ("nameLessThan", Text),
    ("nameStartsWith", Text),
    ("nameStartsWithOrGreater", Text),
    ("nextUpDateCutoff", Cutoff),
    ("officialRatings", BarSet),
    ("parentId", Id),
    ("parentIndexNumber", Text),
    ("percentPlayed", Text),
    ("person", Text),
    ("personIds", IdSet),
    ("personTypes", Set),
    ("presetViews", Set),
    ("quality", Text),
    ("recursive", Flag),
    ("searchTerm", Text),
    ("season", Text),
    ("seasonId", Id),
    ("seriesId", Id),
    ("seriesStatus", Set),
    ("sortBy", Row),
    ("sortOrder", Row),
    ("startIndex", Text),
    ("startItemId", Id),
    ("studioIds", IdSet),
    ("studios", BarSet),
    ("subtitleLanguages", Set),
    ("tag", Text),
    ("tags", BarSet),
    ("type", Set),
    ("unplayedCount", Text),
    ("userId", Id),
    ("videoTypes", Set),
    ("width", Text),
    ("years", Set),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_finds_every_name_in_any_case() {
        for pair in KNOWN.windows(2) {
            assert!(pair[0].0.to_ascii_lowercase() < pair[1].0.to_ascii_lowercase(), "{pair:?}");
        }
        for (name, shape) in KNOWN {
            assert_eq!(known(&name.to_ascii_uppercase(), "/Items"), Some((name, shape)));
        }
        assert_eq!(known("unheardOf", "/Items"), None);
    }

    #[test]
    fn an_exception_concerns_a_known_parameter_of_its_route_alone() {
        for (route, name, shape) in EXCEPTIONS {
            let path = route.replace('*', "7");
            assert_eq!(known(name, &path), Some((name, shape)), "{route}");
            assert_ne!(known(name, &format!("{path}/8")), Some((name, shape)), "{route}");
            assert_ne!(known(name, "/Items"), Some((name, shape)), "{route}");
        }
    }
}
