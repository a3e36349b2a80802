//! Fields of items' metadata: by which a list is filtered, sorted or limited, and which of them an edit names.
//!
//! A list that only shows a field follows the tags of its rows. Whatever is unknown counts as every field.

use super::item_query::is;
use super::query::CanonicalQuery;

/// Fields that a query can filter or sort by and an edit can name.
pub(super) const EVERY: [&str; 9] =
    ["name", "genres", "studios", "people", "dates", "ratings", "ids", "created", IMAGES];

/// The images of an item.
pub(super) const IMAGES: &str = "images";

/// Parameters that choose no rows by metadata, or by fields of which an edit reaches every list (tags, ratings for
/// parents), in lower case.
const NEUTRAL: [&str; 40] = [
    "adjacentto",
    "collapseboxsetitems",
    "disablefirstepisode",
    "enableimages",
    "enableimagetypes",
    "enableresumable",
    "enablerewatching",
    "enabletotalrecordcount",
    "enableuserdata",
    "excludeitemids",
    "excludeitemtypes",
    "fields",
    "filters",
    "groupitems",
    "ids",
    "imagetypelimit",
    "includeitemtypes",
    "isdisliked",
    "isfavorite",
    "isfolder",
    "isliked",
    "isplayed",
    "limit",
    "mediatypes",
    "mindatelastsavedforuser",
    "nextupdatecutoff",
    "officialratings",
    "parentid",
    "recursive",
    "seasonid",
    "seriesid",
    "sortby",
    "sortorder",
    "startindex",
    "startitemid",
    "tags",
    "userid",
    "includemedia",
    "includeartists",
    "includepeople",
];

/// Parameters that filter by a field, in lower case.
const FILTERS: [(&str, &str); 22] = [
    ("namestartswith", "name"),
    ("namestartswithorgreater", "name"),
    ("namelessthan", "name"),
    ("searchterm", "name"),
    ("genres", "genres"),
    ("genreids", "genres"),
    ("includegenres", "genres"),
    ("studios", "studios"),
    ("studioids", "studios"),
    ("includestudios", "studios"),
    ("person", "people"),
    ("personids", "people"),
    ("persontypes", "people"),
    ("years", "dates"),
    ("minpremieredate", "dates"),
    ("maxpremieredate", "dates"),
    ("mincommunityrating", "ratings"),
    ("mincriticrating", "ratings"),
    ("hasimdbid", "ids"),
    ("hastmdbid", "ids"),
    ("hastvdbid", "ids"),
    ("imagetypes", IMAGES),
];

/// Orders and their fields. An order by user state has none here.
const ORDERS: [(&str, Option<&str>); 16] = [
    ("sortname", Some("name")),
    ("name", Some("name")),
    ("default", Some("name")),
    ("datecreated", Some("created")),
    ("premieredate", Some("dates")),
    ("productionyear", Some("dates")),
    ("communityrating", Some("ratings")),
    ("criticrating", Some("ratings")),
    ("isfolder", None),
    ("dateplayed", None),
    ("playcount", None),
    ("isplayed", None),
    ("isunplayed", None),
    ("isfavoriteorliked", None),
    ("seriesdateplayed", None),
    ("datelastcontentadded", Some("created")),
];

/// Names in an item's document and their fields; `None`: only the item's own rows show it.
const EDITED: [(&str, Option<&str>); 18] = [
    ("Name", Some("name")),
    ("OriginalTitle", Some("name")),
    ("SortName", Some("name")),
    ("ForcedSortName", Some("name")),
    ("Genres", Some("genres")),
    ("GenreItems", Some("genres")),
    ("Studios", Some("studios")),
    ("People", Some("people")),
    ("ProductionYear", Some("dates")),
    ("PremiereDate", Some("dates")),
    ("EndDate", Some("dates")),
    ("CommunityRating", Some("ratings")),
    ("CriticRating", Some("ratings")),
    ("ProviderIds", Some("ids")),
    ("DateCreated", Some("created")),
    ("Overview", None),
    ("Taglines", None),
    ("AspectRatio", None),
];

/// The fields by which the rows at this path with this query are filtered, sorted or limited.
pub(super) fn of_list(path: &str, query: &CanonicalQuery<'_>) -> Vec<&'static str> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let mut fields = match segments[..] {
        ["Items" | "Trailers"] | ["Search", "Hints"] => Vec::new(),
        ["UserItems", "Resume"] => return Vec::new(),
        ["Items", "Latest"] => vec!["created"],
        ["Items", "Filters" | "Filters2"] => return vec!["genres", "dates"],
        ["Genres" | "MusicGenres", ..] => vec!["genres", "name"],
        ["Studios", ..] => vec!["studios"],
        ["Persons", ..] => vec!["people"],
        ["Years", ..] => vec!["dates"],
        _ => return EVERY.to_vec(),
    };
    for parameter in query.names().filter(|name| !NEUTRAL.contains(name)) {
        match FILTERS.iter().find(|(known, _)| *known == parameter) {
            Some((_, field)) => fields.push(field),
            None => return EVERY.to_vec(),
        }
    }
    if query.get("limit").is_some() || query.get("startindex").is_some() {
        if query.get("sortby").is_none() {
            fields.push("name");
        }
        for order in query.list("sortby") {
            match ORDERS.iter().find(|(known, _)| is(order, known)) {
                Some((_, field)) => fields.extend(field),
                None => return EVERY.to_vec(),
            }
        }
    }
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// Reach of a changed field of an item's document, beside the item's own rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EditedField {
    /// Lists by this field.
    Listed(&'static str),
    /// Nothing.
    Shown,
    /// Unknown: the edit may also change which users see the item.
    Unknown,
}

/// Reach of a changed field of this name.
pub(super) fn of_edited(name: &str) -> EditedField {
    match EDITED.iter().find(|(known, _)| is(known, name)) {
        Some((_, Some(field))) => EditedField::Listed(field),
        Some((_, None)) => EditedField::Shown,
        None => EditedField::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jellyfin::query::DeviceIdRole;

    fn fields(path: &str, raw: &str) -> Vec<&'static str> {
        of_list(path, &CanonicalQuery::parse(raw, DeviceIdRole::Ignored).unwrap())
    }

    #[test]
    fn a_list_depends_on_the_fields_that_choose_its_rows() {
        for (path, raw, expected) in [
            ("/Items", "recursive=true&includeItemTypes=Movie&sortBy=SortName", &[][..]),
            ("/Items", "sortBy=SortName&limit=5", &["name"]),
            ("/Items", "limit=5", &["name"]),
            ("/Items", "sortBy=DateCreated&limit=5", &["created"]),
            ("/Items", "sortBy=DatePlayed&limit=5", &[]),
            ("/Items", "genres=Drama&years=1990", &["dates", "genres"]),
            ("/Search/Hints", "searchTerm=e", &["name"]),
            ("/UserItems/Resume", "limit=12", &[]),
            ("/Genres", "", &["genres", "name"]),
        ] {
            assert_eq!(fields(path, raw), expected, "{path}?{raw}");
        }
    }

    #[test]
    fn an_unknown_filter_order_or_path_depends_on_every_field() {
        for (path, raw) in [
            ("/Items", "is4k=true"),
            ("/Items", "unheardOf=1"),
            ("/Items", "sortBy=Runtime&limit=2"),
            ("/Shows/NextUp", ""),
            ("/Artists", ""),
        ] {
            assert_eq!(fields(path, raw), EVERY, "{path}?{raw}");
        }
    }

    #[test]
    fn every_field_of_a_filter_or_an_edit_is_one_of_a_list() {
        let named = FILTERS.iter().map(|(_, field)| *field);
        let named = named.chain(ORDERS.iter().chain(&EDITED).filter_map(|(_, field)| *field));
        named.for_each(|field| assert!(EVERY.contains(&field), "{field}"));
        assert_eq!(of_edited("overview"), EditedField::Shown);
        assert_eq!(of_edited("Tags"), EditedField::Unknown);
    }
}
