//! Recognises the listing of a whole video library with the files of its items, by which workers find the item of a
//! file.

use percent_encoding::percent_decode_str;

use crate::class::Class;
use crate::classification::Read;
use crate::request::ServerKind;

/// The number of all rows stands within this many bytes from the beginning of a body (Plex) …
const HEAD_BYTES: usize = 2_048;
/// … or from its end (Jellyfin).
const TAIL_BYTES: usize = 256;

/// Parameters of a Plex list that choose no rows; so do those that begin with `include` or `X-Plex-`.
const PLEX_SHAPES: [&str; 7] =
    ["type", "sort", "checkFiles", "excludeFields", "asyncAugmentMetadata", "skipRefresh", "excludeGeographicalTags"];
/// Parameters of a Jellyfin list that choose no rows.
const JELLYFIN_SHAPES: [&str; 19] = [
    "collapseboxsetitems",
    "enableimages",
    "enableimagetypes",
    "enabletotalrecordcount",
    "enableuserdata",
    "excludelocationtypes",
    "fields",
    "imagetypelimit",
    "includeitemtypes",
    "isfolder",
    "ismissing",
    "limit",
    "mediatypes",
    "parentid",
    "recursive",
    "sortby",
    "sortorder",
    "startindex",
    "userid",
];

/// The listing of a whole video library.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VideoListing {
    /// The server's key of the library; `None` for all libraries.
    pub section: Option<String>,
    /// The rows are films.
    pub has_films: bool,
    /// The rows are episodes.
    pub has_episodes: bool,
}

/// The rows of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListingRows {
    /// First row.
    pub start: u64,
    /// Max rows; `None` for all.
    pub size: Option<u64>,
}

impl ServerKind {
    /// The listing that a read is a page of; `None` unless it lists a whole video library with files.
    pub fn video_listing(self, read: &Read) -> Option<(VideoListing, ListingRows)> {
        if !matches!(read.class, Class::Lists | Class::Recent) {
            return None;
        }
        let (path, query) = read.target.split_once('?').unwrap_or((&read.target, ""));
        match self {
            Self::Plex => plex(path, query, read),
            Self::Jellyfin => jellyfin(path, query),
        }
    }

    /// The number of rows of the whole list, from the body of one of its pages; `None` if it does not say it.
    pub fn listing_total(self, body: &[u8]) -> Option<u64> {
        match self {
            Self::Plex => number_after(&body[..body.len().min(HEAD_BYTES)], b"totalSize"),
            Self::Jellyfin => number_after(&body[body.len().saturating_sub(TAIL_BYTES)..], b"otalRecordCount"),
        }
    }
}

fn plex(path: &str, query: &str, read: &Read) -> Option<(VideoListing, ListingRows)> {
    let (section, list) = path.strip_prefix("/library/sections/")?.split_once('/')?;
    if !matches!(list, "all" | "allLeaves") {
        return None;
    }
    let mut kind = if list == "all" { "1" } else { "4" };
    let mut rows = ListingRows { start: 0, size: None };
    let paging = read.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    for (name, value) in pairs(query).chain(paging) {
        if name.eq_ignore_ascii_case("X-Plex-Container-Start") {
            rows.start = value.parse().ok()?;
        } else if name.eq_ignore_ascii_case("X-Plex-Container-Size") {
            rows.size = Some(value.parse().ok()?);
        } else if name == "type" {
            kind = value;
        }
    }
    let is_shape = |name: &str| {
        PLEX_SHAPES.contains(&name) || name.starts_with("include") || name.to_ascii_lowercase().starts_with("x-plex-")
    };
    if !pairs(query).all(|(name, _)| is_shape(name)) {
        return None;
    }
    let listing = VideoListing {
        section: Some(section.to_owned()),
        has_films: kind == "1" && list == "all",
        has_episodes: kind == "4",
    };
    (listing.has_films || listing.has_episodes).then_some((listing, rows))
}

fn jellyfin(path: &str, query: &str) -> Option<(VideoListing, ListingRows)> {
    if path != "/Items" || !pairs(query).all(|(name, _)| JELLYFIN_SHAPES.contains(&&*name.to_ascii_lowercase())) {
        return None;
    }
    let value = |wanted: &str| {
        let pair = pairs(query).find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        pair.map(|(_, value)| percent_decode_str(value).decode_utf8_lossy())
    };
    let names = |wanted: &str| -> Vec<String> {
        let repeated = pairs(query).filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let values = repeated.map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().to_ascii_lowercase());
        values.flat_map(|value| value.split(',').map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let has_files = names("fields").iter().any(|field| matches!(field.as_str(), "path" | "mediasources"));
    if value("recursive").as_deref() != Some("true") || !has_files {
        return None;
    }
    let kinds = names("includeitemtypes");
    let has = |wanted: &[&str]| kinds.is_empty() || kinds.iter().any(|kind| wanted.contains(&kind.as_str()));
    let number = |name: &str| value(name).map(|number| number.parse::<u64>()).transpose();
    let rows = ListingRows { start: number("startindex").ok()?.unwrap_or(0), size: number("limit").ok()? };
    let listing = VideoListing {
        section: value("parentid").map(std::borrow::Cow::into_owned),
        has_films: has(&["movie", "video"]),
        has_episodes: has(&["episode"]),
    };
    (listing.has_films || listing.has_episodes).then_some((listing, rows))
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The number that follows a field's name in JSON or XML.
fn number_after(text: &[u8], name: &[u8]) -> Option<u64> {
    let end = text.windows(name.len()).position(|window| window == name)? + name.len();
    let rest = text.get(end..)?;
    let digits = rest.iter().position(u8::is_ascii_digit).filter(|between| *between <= 4)?;
    let number: Vec<u8> = rest[digits..].iter().copied().take_while(u8::is_ascii_digit).collect();
    std::str::from_utf8(&number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;
    use crate::classification::Classification;
    use crate::request::RequestView;

    const SECTION: &str = "f137a2dd21bbc1b99aa5c0f6bf02a805";

    fn listing(kind: ServerKind, target: &str, page: Option<(&str, &str)>) -> Option<(VideoListing, ListingRows)> {
        let mut headers = HeaderMap::new();
        if let Some((start, size)) = page {
            headers.insert("x-plex-container-start", HeaderValue::from_str(start).expect("a number"));
            headers.insert("x-plex-container-size", HeaderValue::from_str(size).expect("a number"));
        }
        let request = RequestView { method: &Method::GET, target, headers: &headers, body: &[] };
        let Classification::Read(read) = kind.classify(&request, None) else { panic!("{target} is no read") };
        kind.video_listing(&read)
    }

    fn films(section: &str) -> VideoListing {
        VideoListing { section: Some(section.to_owned()), has_films: true, has_episodes: false }
    }

    #[test]
    fn the_listing_of_a_whole_plex_section_is_recognised() {
        let plex = |target, page| listing(ServerKind::Plex, target, page);
        let all = ListingRows { start: 0, size: None };
        let episodes = VideoListing { has_films: false, has_episodes: true, ..films("2") };
        for (target, wanted) in [
            ("/library/sections/1/all", films("1")),
            ("/library/sections/1/all?type=1&includeGuids=1&sort=addedAt:desc", films("1")),
            ("/library/sections/1/all?X-Plex-Token=secret&includeCollections=0&checkFiles=0", films("1")),
            ("/library/sections/2/all?type=4", episodes.clone()),
            ("/library/sections/2/allLeaves", episodes),
        ] {
            assert_eq!(plex(target, None), Some((wanted, all)), "{target}");
        }
        let page = ListingRows { start: 100, size: Some(50) };
        let by_query = "/library/sections/1/all?X-Plex-Container-Start=100&X-Plex-Container-Size=50";
        assert_eq!(plex(by_query, None), Some((films("1"), page)));
        assert_eq!(plex("/library/sections/1/all", Some(("100", "50"))), Some((films("1"), page)));
        for target in [
            "/library/sections/1/all?year=1999",
            "/library/sections/1/all?title=Matrix",
            "/library/sections/1/all?type=1&unwatched=1",
            "/library/sections/1/all?limit=10",
            "/library/sections/1/all?excludeElements=Media",
            "/library/sections/2/all?type=2",
            "/library/sections/3/all?type=10",
            "/library/sections/1/recentlyAdded",
            "/library/sections/1/genre",
            "/library/sections",
            "/library/metadata/7",
        ] {
            assert_eq!(plex(target, None), None, "{target}");
        }
    }

    #[test]
    fn the_listing_of_a_whole_jellyfin_library_is_recognised() {
        let jellyfin = |query: &str| listing(ServerKind::Jellyfin, &format!("/Items?{query}"), None);
        let all = ListingRows { start: 0, size: None };
        let parent = format!("parentId={SECTION}&recursive=true");
        let query = format!("{parent}&fields=Overview,Path&includeItemTypes=Movie&sortBy=SortName");
        assert_eq!(jellyfin(&query), Some((films(SECTION), all)));
        let query = format!("{parent}&Fields=MediaSources&IncludeItemTypes=Episode&startIndex=100&limit=50");
        let episodes = VideoListing { has_films: false, has_episodes: true, ..films(SECTION) };
        assert_eq!(jellyfin(&query), Some((episodes, ListingRows { start: 100, size: Some(50) })));
        let both = VideoListing { section: None, has_films: true, has_episodes: true };
        assert_eq!(jellyfin("recursive=true&fields=Path"), Some((both, all)));
        for query in [
            format!("{parent}&includeItemTypes=Movie"),
            format!("parentId={SECTION}&fields=Path"),
            format!("{parent}&fields=Path&includeItemTypes=Audio"),
            format!("{parent}&fields=Path&genres=Drama"),
            format!("{parent}&fields=Path&searchTerm=x"),
            format!("{parent}&fields=Path&limit=0"),
            format!("{parent}&fields=Path&isPlayed=false"),
        ] {
            assert_eq!(jellyfin(&query), None, "{query}");
        }
    }

    #[test]
    fn the_number_of_all_rows_is_read_without_parsing_the_body() {
        let plex = |body: &str| ServerKind::Plex.listing_total(body.as_bytes());
        assert_eq!(plex(r#"{"MediaContainer":{"size":50,"totalSize":1200,"Metadata":[]}}"#), Some(1_200));
        assert_eq!(
            plex(r#"<MediaContainer size="50" totalSize="1200" offset="0"><Video/></MediaContainer>"#),
            Some(1_200)
        );
        assert_eq!(plex(r#"{"MediaContainer":{"size":50,"Metadata":[]}}"#), None);
        assert_eq!(plex("totalSize"), None);
        let jellyfin = |body: &str| ServerKind::Jellyfin.listing_total(body.as_bytes());
        let rows = "x".repeat(1_000);
        assert_eq!(
            jellyfin(&format!("{{\"Items\":[{rows}],\"TotalRecordCount\":1200,\"StartIndex\":0}}")),
            Some(1_200)
        );
        assert_eq!(jellyfin(&format!("{{\"items\":[{rows}],\"totalRecordCount\": 7}}")), Some(7));
        assert_eq!(jellyfin(&rows), None);
    }
}
