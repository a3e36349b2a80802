//! Description of a section's filters and sort orders.

use super::field::FilterField;
use super::filter_fields;
use crate::kind;
use crate::node::Node;
use greenroom_simulator_backend::catalogue::{MediaKind, Section};

/// The operators of each type of field.
const OPERATORS: [(&str, &[(&str, &str)]); 8] = [
    ("tag", &[("=", "is"), ("!=", "is not")]),
    ("integer", &[("=", "is"), ("!=", "is not"), (">>=", "is greater than"), ("<<=", "is less than")]),
    (
        "string",
        &[
            ("=", "contains"),
            ("!=", "does not contain"),
            ("==", "is"),
            ("!==", "is not"),
            ("<=", "begins with"),
            (">=", "ends with"),
        ],
    ),
    ("boolean", &[("=", "is true"), ("!=", "is false")]),
    ("date", &[("<<=", "is before"), (">>=", "is after")]),
    ("subtitleLanguage", &[("=", "is"), ("!=", "is not")]),
    ("audioLanguage", &[("=", "is"), ("!=", "is not")]),
    ("resolution", &[("=", "is")]),
];

/// A filter: field and title.
type FilterTitle = (&'static str, &'static str);

const FILM_FILTERS: &[FilterTitle] = &[
    ("genre", "Genre"),
    ("year", "Year"),
    ("decade", "Decade"),
    ("contentRating", "Content Rating"),
    ("collection", "Collection"),
    ("director", "Director"),
    ("actor", "Actor"),
    ("writer", "Writer"),
    ("producer", "Producer"),
    ("country", "Country"),
    ("studio", "Studio"),
    ("resolution", "Resolution"),
    ("hdr", "HDR"),
    ("unwatched", "Unplayed"),
    ("inProgress", "In Progress"),
    ("unmatched", "Unmatched"),
    ("audioLanguage", "Audio Language"),
    ("subtitleLanguage", "Subtitle Language"),
    ("label", "Labels"),
    ("duplicate", "Duplicates"),
];

const SHOW_FILTERS: &[FilterTitle] = &[
    ("genre", "Genre"),
    ("year", "Year"),
    ("contentRating", "Content Rating"),
    ("studio", "Studio"),
    ("network", "Network"),
    ("country", "Country"),
    ("collection", "Collection"),
    ("director", "Director"),
    ("actor", "Actor"),
    ("writer", "Writer"),
    ("producer", "Producer"),
    ("unwatchedLeaves", "Unplayed"),
    ("unmatched", "Unmatched"),
    ("label", "Labels"),
];

const EPISODE_FILTERS: &[FilterTitle] = &[
    ("year", "Year"),
    ("collection", "Collection"),
    ("resolution", "Resolution"),
    ("hdr", "HDR"),
    ("unwatched", "Unplayed"),
    ("inProgress", "In Progress"),
    ("audioLanguage", "Audio Language"),
    ("subtitleLanguage", "Subtitle Language"),
    ("unmatched", "Unmatched"),
    ("duplicate", "Duplicates"),
];

const ARTIST_FILTERS: &[FilterTitle] = &[
    ("genre", "Genre"),
    ("mood", "Mood"),
    ("style", "Style"),
    ("country", "Country"),
    ("collection", "Collection"),
    ("unmatched", "Unmatched"),
];

const ALBUM_FILTERS: &[FilterTitle] = &[
    ("genre", "Genre"),
    ("mood", "Mood"),
    ("style", "Style"),
    ("year", "Year"),
    ("decade", "Decade"),
    ("studio", "Record Label"),
    ("format", "Format"),
    ("subformat", "Type"),
    ("collection", "Collection"),
    ("unwatched", "Unplayed"),
    ("label", "Labels"),
    ("source", "Source"),
    ("unmatched", "Unmatched"),
];

const TRACK_FILTERS: &[FilterTitle] = &[
    ("mood", "Mood"),
    ("userRating", "Rating"),
    ("source", "Source"),
    ("unmatched", "Unmatched"),
    ("duplicate", "Duplicates"),
];

const OTHER_FILTERS: &[FilterTitle] = &[("contentRating", "Content Rating"), ("collection", "Collection")];

/// The filters of each kind.
fn filters(listed: MediaKind) -> &'static [FilterTitle] {
    match listed {
        MediaKind::Film => FILM_FILTERS,
        MediaKind::Show => SHOW_FILTERS,
        MediaKind::Episode => EPISODE_FILTERS,
        MediaKind::Artist => ARTIST_FILTERS,
        MediaKind::Album => ALBUM_FILTERS,
        MediaKind::Track => TRACK_FILTERS,
        MediaKind::Season | MediaKind::Collection => OTHER_FILTERS,
    }
}

/// Sort orders of each kind: key, title, and whether the default is descending.
fn sorts(listed: MediaKind) -> Vec<(&'static str, &'static str, bool)> {
    let mut sorts = match listed {
        MediaKind::Season => {
            vec![("season.index,season.titleSort", "Season", false), ("show.titleSort", "Show", false)]
        }
        _ => vec![("titleSort", "Title", false)],
    };
    match listed {
        MediaKind::Episode => sorts.push(("show.titleSort", "Show", false)),
        MediaKind::Album | MediaKind::Track => sorts.push(("artist.titleSort", "Album Artist", false)),
        _ => {}
    }
    if !matches!(listed, MediaKind::Artist | MediaKind::Season | MediaKind::Collection) {
        sorts.push(("year", "Year", true));
        sorts.push(("originallyAvailableAt", "Release Date", true));
    }
    if matches!(listed, MediaKind::Film | MediaKind::Show | MediaKind::Episode) {
        sorts.push(("rating", "Critic Rating", true));
        sorts.push(("audienceRating", "Audience Rating", true));
        sorts.push(("contentRating", "Content Rating", true));
    }
    if listed.is_playable() {
        sorts.push(("duration", "Duration", true));
    }
    if matches!(listed, MediaKind::Film | MediaKind::Episode) {
        sorts.push(("viewOffset", "Progress", true));
        sorts.push(("mediaHeight", "Resolution", true));
    }
    if listed.is_playable() || listed == MediaKind::Film {
        sorts.push(("mediaBitrate", "Bitrate", true));
    }
    sorts.extend([
        ("userRating", "Rating", true),
        ("viewCount", "Plays", true),
        ("addedAt", "Date Added", true),
        ("lastViewedAt", "Date Viewed", true),
        ("random", "Randomly", true),
    ]);
    sorts
}

/// The whole description, for a section whose list shows `active` kinds.
pub(crate) fn node(section: Section, active: MediaKind) -> Node {
    let kinds: Vec<MediaKind> =
        if active == MediaKind::Collection { vec![active] } else { kind::kinds_in(section).to_vec() };
    let types = kinds.into_iter().map(|listed| type_node(section, listed, listed == active));
    let field_types = OPERATORS.iter().map(|(name, operators)| {
        Node::new("FieldType")
            .set("type", *name)
            .with_all(operators.iter().map(|(key, title)| Node::new("Operator").set("key", *key).set("title", *title)))
    });
    Node::single("Meta").with_all(types).with_all(field_types)
}

fn type_node(section: Section, listed: MediaKind, active: bool) -> Node {
    let base = format!("/library/sections/{}", section.number());
    let number = kind::number(listed);
    let of_type = |path: &str| if number == 1 { path.to_owned() } else { format!("{path}?type={number}") };
    let filters = filters(listed).iter().map(|(name, title)| {
        Node::new("Filter")
            .set("filter", *name)
            .set("filterType", FilterField::named(name).map_or("string", filter_type))
            .set("key", of_type(&format!("{base}/{name}")))
            .set("title", *title)
            .set("type", "filter")
    });
    let sorts = sorts(listed).into_iter().map(|(key, title, descending)| {
        let direction = if descending { "desc" } else { "asc" };
        let node = Node::new("Sort");
        let node = if key == "titleSort" {
            node.set("active", active)
                .set("activeDirection", "asc")
                .set("default", "asc")
                .set("firstCharacterKey", format!("{base}/firstCharacter"))
        } else {
            node
        };
        node.set("defaultDirection", direction).set("descKey", descending_key(key)).set("key", key).set("title", title)
    });
    Node::new("Type")
        .set("key", format!("{base}/all?type={number}"))
        .set("type", kind::word(listed))
        .set("title", kind::plural(listed))
        .set("active", active)
        .with_all(filters)
        .with_all(sorts)
        .with_all(filter_fields::rows(listed))
}

fn filter_type(field: FilterField) -> &'static str {
    match field {
        FilterField::Flag(_) => "boolean",
        FilterField::Number(_) => "integer",
        _ => "string",
    }
}

fn descending_key(key: &str) -> String {
    match key.split_once(',') {
        Some((first, rest)) => format!("{first}:desc,{rest}"),
        None => format!("{key}:desc"),
    }
}
