//! Every list parameter of every cached route against the way the server binds it.
//!
//! The table follows the server's controllers, 10.10 to 12. A list with a binder may be joined or repeated, and of a
//! repeated one no value is split; a list without a binder can only be repeated.

use greenroom_dialect::classification::StreamReason;

use super::{filled, got, read, streamed};

/// A route and its lists by binder, names separated by spaces.
struct BoundLists {
    route: &'static str,
    commas: &'static str,
    bars: &'static str,
}

const ITEMS: &str = "locationTypes excludeLocationTypes excludeItemIds sortOrder fields excludeItemTypes \
    includeItemTypes filters mediaTypes imageTypes sortBy years enableImageTypes personIds personTypes \
    excludeArtistIds artistIds albumArtistIds contributingArtistIds albumIds ids videoTypes seriesStatus studioIds \
    genreIds audioLanguages subtitleLanguages";

const TRAILERS: &str = "locationTypes excludeLocationTypes excludeItemIds sortOrder fields excludeItemTypes filters \
    mediaTypes imageTypes sortBy years enableImageTypes personIds personTypes excludeArtistIds artistIds \
    albumArtistIds contributingArtistIds albumIds ids videoTypes seriesStatus studioIds genreIds audioLanguages \
    subtitleLanguages studios artists albums";

const ARTISTS: &str = "fields excludeItemTypes includeItemTypes filters mediaTypes genreIds years enableImageTypes \
    personIds personTypes studioIds sortBy sortOrder";

const ITEM_NAMES: &str = "genres officialRatings tags studios artists albums";
const ARTIST_NAMES: &str = "genres officialRatings tags studios";
const GENRES: &str = "fields excludeItemTypes includeItemTypes enableImageTypes sortBy sortOrder";
const ROWS: &str = "fields enableImageTypes";
const SORTED: &str = "sortBy sortOrder";

const fn bound(route: &'static str, commas: &'static str, bars: &'static str) -> BoundLists {
    BoundLists { route, commas, bars }
}

/// Lists with a binder.
const BOUND: [BoundLists; 32] = [
    bound("/Items", ITEMS, ITEM_NAMES),
    bound("/Users/{me}/Items", ITEMS, ITEM_NAMES),
    bound("/Trailers", TRAILERS, "genres officialRatings tags"),
    bound("/Artists", ARTISTS, ARTIST_NAMES),
    bound("/Artists/AlbumArtists", ARTISTS, ARTIST_NAMES),
    bound("/Genres", GENRES, ""),
    bound("/MusicGenres", GENRES, ""),
    bound("/Studios", "fields excludeItemTypes includeItemTypes enableImageTypes", ""),
    bound("/Persons", "fields filters enableImageTypes excludePersonTypes personTypes", ""),
    bound("/Years", "sortOrder fields excludeItemTypes includeItemTypes mediaTypes sortBy enableImageTypes", ""),
    bound("/UserItems/Resume", "fields mediaTypes enableImageTypes excludeItemTypes includeItemTypes", ""),
    bound("/Users/{me}/Items/Resume", "fields mediaTypes enableImageTypes excludeItemTypes includeItemTypes", ""),
    bound("/Items/Latest", "fields includeItemTypes enableImageTypes", ""),
    bound("/Users/{me}/Items/Latest", "fields includeItemTypes enableImageTypes", ""),
    bound("/Items/Filters", "includeItemTypes mediaTypes", ""),
    bound("/Items/Filters2", "includeItemTypes", ""),
    bound("/Items/{item}/ThemeSongs", SORTED, ""),
    bound("/Items/{item}/ThemeVideos", SORTED, ""),
    bound("/Items/{item}/ThemeMedia", SORTED, ""),
    bound("/Search/Hints", "includeItemTypes excludeItemTypes mediaTypes", ""),
    bound("/Shows/NextUp", ROWS, ""),
    bound("/Shows/Upcoming", ROWS, ""),
    bound("/Shows/{item}/Seasons", ROWS, ""),
    bound("/Shows/{item}/Episodes", ROWS, ""),
    bound("/Playlists/{item}/Items", ROWS, ""),
    bound("/UserViews", "presetViews", ""),
    bound("/Users/{me}/Views", "presetViews", ""),
    bound("/Items/{item}/Collections", "fields", ""),
    bound("/Channels/{item}/Items", "sortOrder filters sortBy fields", ""),
    bound("/Channels/Items/Latest", "filters fields channelIds", ""),
    bound("/MediaSegments/{item}", "", ""),
    bound("/System/ActivityLog/Entries", "", ""),
];

/// Lists without a binder, and whether their order matters.
const REPEATED: [(&str, &str, bool); 3] = [
    ("/MediaSegments/{item}", "includeSegmentTypes", false),
    ("/System/ActivityLog/Entries", "sortBy", true),
    ("/System/ActivityLog/Entries", "sortOrder", true),
];

/// Parameters of one value that are lists elsewhere.
const SINGLE: [(&str, &str); 2] = [("/System/ActivityLog/Entries", "type"), ("/Shows/{item}/Episodes", "sortBy")];

/// Whether the request to the server has these pairs, and the parameter nowhere else.
fn asks(target: &str, name: &str, pairs: &str) -> bool {
    let target = read(target).target;
    let sent: Vec<&str> = target.split(['?', '&']).filter(|pair| pair.starts_with(&format!("{name}="))).collect();
    sent.join("&") == filled(pairs)
}

#[test]
fn every_list_parameter_is_written_as_its_binder_reads_it() {
    for BoundLists { route, commas, bars } in BOUND {
        for (names, sent, encoded) in [(commas, ",", ","), (bars, "|", "%7C")] {
            for name in names.split_whitespace() {
                let joined = format!("{route}?{name}=1{sent}2");
                let repeated = format!("{route}?{name}=1&{name}=2");
                assert!(asks(&joined, name, &format!("{name}=1{encoded}2")), "{joined}: {}", read(&joined).target);
                assert_eq!(read(&joined), read(&repeated), "{joined}");
                let mixed = got(&format!("{joined}&{name}=3"));
                assert_eq!(streamed(&mixed), Some(StreamReason::Odd), "of a repeated {name} no value is split");
            }
        }
        for name in bars.split_whitespace() {
            assert_ne!(read(&format!("{route}?{name}=1,2")), read(&format!("{route}?{name}=1|2")), "{route} {name}");
        }
    }
    for (route, name, ordered) in REPEATED {
        let read_pairs = |pairs: &str| read(&format!("{route}?{}", pairs.replace('*', name)));
        assert!(asks(&format!("{route}?{name}=1&{name}=2"), name, &format!("{name}=1&{name}=2")), "{route} {name}");
        assert!(asks(&format!("{route}?{name}=1,2"), name, &format!("{name}=1,2")), "{route} {name}");
        assert_ne!(read_pairs("*=1,2").key, read_pairs("*=1&*=2").key, "{route} {name}");
        assert_eq!(read_pairs("*=1&*=2") != read_pairs("*=2&*=1"), ordered, "{route} {name}");
        assert_eq!(read_pairs("*="), read(route), "{route} {name}");
        let hollow = got(&format!("{route}?{name}=&{name}=1"));
        assert_eq!(streamed(&hollow), Some(StreamReason::Odd), "{route} {name}");
    }
    for (route, name) in SINGLE {
        assert_ne!(
            read(&format!("{route}?{name}=1,2")).key,
            read(&format!("{route}?{name}=2,1")).key,
            "{route} {name}"
        );
        assert_eq!(streamed(&got(&format!("{route}?{name}=1&{name}=2"))), Some(StreamReason::Odd), "{route} {name}");
    }
}

#[test]
fn a_list_of_segment_types_is_repeated_and_never_joined() {
    let both = "/MediaSegments/{item}?includeSegmentTypes=Outro&IncludeSegmentTypes=Intro";
    assert!(asks(both, "includeSegmentTypes", "includeSegmentTypes=Intro&includeSegmentTypes=Outro"));
    assert_eq!(
        read(both).key,
        filled("/MediaSegments/{item}?includesegmenttypes=Intro&includesegmenttypes=Outro json")
    );
    let twice = "/MediaSegments/{item}?includeSegmentTypes=Intro&includeSegmentTypes=Intro";
    assert!(asks(twice, "includeSegmentTypes", "includeSegmentTypes=Intro"));
    // What a client joins, its server reads in its own way.
    let joined = "/MediaSegments/{item}?includeSegmentTypes=Outro,Intro";
    assert!(asks(joined, "includeSegmentTypes", "includeSegmentTypes=Outro,Intro"));
}

#[test]
fn a_cutoff_of_now_has_one_key_all_day_and_its_own_moment_in_the_request() {
    let next_up = |cutoff: &str| read(&format!("/Shows/NextUp?nextUpDateCutoff={cutoff}"));
    let morning = next_up("2026-11-22T08:00:00.123Z");
    let evening = next_up("2026-11-22T22:59:59%2B00:00");
    assert_eq!(morning.key, evening.key);
    assert_eq!((&morning.tags, morning.lifetime), (&evening.tags, evening.lifetime));
    assert!(morning.key.contains("nextupdatecutoff=2026-11-23T00:00:00Z"), "{}", morning.key);
    // A server that compares moments leaves nothing out that its client wants.
    assert!(morning.target.contains("nextUpDateCutoff=2026-11-22T08:00:00.123Z"), "{}", morning.target);
    assert!(evening.target.contains("nextUpDateCutoff=2026-11-22T22:59:59%2B00:00"), "{}", evening.target);
    assert_eq!(read(&morning.target), morning);
    assert_ne!(morning.key, next_up("2026-11-23T08:00:00.123Z").key);
    assert!(next_up("20261122080000").target.contains("nextUpDateCutoff=20261122080000"));
    assert!(next_up("20261122080000").key.contains("nextupdatecutoff=20261122080000"));
}
