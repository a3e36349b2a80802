//! Each row of the table of reads: its class, key and tags.

use greenroom_dialect::class::{AgeLimit, Class, Lifetime};
use greenroom_dialect::classification::{ImageSubject, Representation, SharingScope};
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::tag::Tag;

use super::{filled, read, read_with};

/// Target, class, key without its representation, tags.
type Row = (&'static str, Class, &'static str, &'static str);

const LIST: &str = "collections libraries playlists user-state";
const COMPOSED: &str = "libraries user-state watch-lists";

/// Whether the tag only says which part of what another tag means can concern the read.
fn is_narrower(tag: &str) -> bool {
    tag.contains('~') || tag == "listings" || tag.starts_with("listed-by-") || tag.starts_with("by-")
}

/// Tags of a read that say what its rows are, and by what they are chosen.
fn narrower(target: &str) -> String {
    let tags: Vec<String> = read(target).tags.iter().map(ToString::to_string).filter(|tag| tag.contains('~')).collect();
    tags.join(" ")
}

#[test]
fn a_list_tells_which_items_it_can_hold_and_by_what_they_are_chosen() {
    for (target, expected) in [
        ("/Items?includeItemTypes=Movie&filters=IsUnplayed", "by-played~films libraries~films listings~films"),
        ("/Items?includeItemTypes=Movie,Audio", "libraries~films libraries~music listings~films listings~music"),
        ("/Items?includeItemTypes=Movie,Video&isFavorite=true", "by-favorite~* libraries~* listings~*"),
        (
            "/Items?includeItemTypes=Audio&genres=Jazz&sortBy=PlayCount&limit=9",
            "by-played~music \
          libraries~music listed-by-genres~music listings~music",
        ),
        (
            "/UserItems/Resume?mediaTypes=Video",
            "by-position~films by-position~shows libraries~films libraries~shows listings~films listings~shows",
        ),
        // A series is resumed if some of it was played.
        ("/UserItems/Resume", "by-played~* by-position~* libraries~* listings~*"),
    ] {
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(narrower(target), expected.join(" "), "{target}");
    }
    // Whatever an unknown filter or order depends on.
    for state in ["by-played~*", "by-position~*", "by-favorite~*", "by-rating~*"] {
        assert!(narrower("/Items?filters=SomethingNew").contains(state), "{state}");
    }
}

fn check(rows: &[Row]) {
    for (target, class, key, tags) in rows {
        let read = read(target);
        assert_eq!(read.class, *class, "{target}");
        assert_eq!(read.key, filled(&format!("{key} json")), "{target}");
        let mut found: Vec<&str> = read.tags.iter().map(Tag::as_str).filter(|tag| !is_narrower(tag)).collect();
        found.sort_unstable();
        let tags = filled(tags);
        let mut expected: Vec<&str> = tags.split_whitespace().collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{target}");
        assert_eq!(read.representation, Representation::Json, "{target}");
    }
}

#[test]
fn reads_about_the_server_itself() {
    check(&[
        ("/System/Info/Public?x=1", Class::Identity, "/System/Info/Public", "server"),
        ("/System/Info", Class::Server, "/System/Info", "server"),
        ("/System/Endpoint", Class::Server, "/System/Endpoint", "server"),
        ("/QuickConnect/Enabled?x=1", Class::Server, "/QuickConnect/Enabled", "server"),
        ("/Devices?userId={me}", Class::Users, "/Devices?userid={me}", "sessions users"),
        ("/System/Info/Storage", Class::Statistics, "/System/Info/Storage", "server"),
        (
            "/System/ActivityLog/Entries?limit=7&StartIndex=0",
            Class::ActivityLog,
            "/System/ActivityLog/Entries?limit=7&startindex=0",
            "history",
        ),
        (
            "/Sessions?activeWithinSeconds=960&deviceId=d",
            Class::Sessions,
            "/Sessions?activewithinseconds=960&deviceid=d",
            "sessions",
        ),
        ("/ScheduledTasks?isHidden=False", Class::Activities, "/ScheduledTasks?ishidden=false", "activities"),
        ("/ScheduledTasks/{item}", Class::Activities, "/ScheduledTasks/{item}", "activities"),
        ("/Library/VirtualFolders", Class::Sections, "/Library/VirtualFolders", "libraries server"),
        ("/Library/MediaFolders", Class::Sections, "/Library/MediaFolders", "libraries server"),
        ("/Library/PhysicalPaths", Class::Sections, "/Library/PhysicalPaths", "libraries server"),
        ("/Branding/Configuration", Class::Assets, "/Branding/Configuration", "server"),
        ("/localization/cultures", Class::Assets, "/Localization/Cultures", "server"),
        ("/Localization/Options", Class::Assets, "/Localization/Options", "server"),
        (
            "/user_usage_stats/PlayActivity?days=7",
            Class::Statistics,
            "/user_usage_stats/PlayActivity?days=7",
            "history",
        ),
        (
            "/user_usage_stats/UserId/BreakdownReport",
            Class::Statistics,
            "/user_usage_stats/UserId/BreakdownReport",
            "history",
        ),
    ]);
}

#[test]
fn users_and_their_views() {
    let views = "collections libraries playlist-names user-state users";
    check(&[
        ("/Users", Class::Users, "/Users", "users"),
        ("/Users/Me", Class::Users, "/Users/Me", "users"),
        ("/Users/Public", Class::Assets, "/Users/Public", "users"),
        ("/Users/{other}", Class::Users, "/Users/{other}", "users"),
        ("/UserViews", Class::Sections, "/UserViews?userid=~", views),
        ("/Users/{me}/Views", Class::Sections, "/UserViews?userid=~", views),
        ("/Users/{other}/Views", Class::Sections, "/UserViews?userid={other}", views),
        ("/UserViews/GroupingOptions", Class::Sections, "/UserViews/GroupingOptions?userid=~", "libraries users"),
        ("/Users/{me}/GroupingOptions", Class::Sections, "/UserViews/GroupingOptions?userid=~", "libraries users"),
        (
            "/DisplayPreferences/usersettings?client=emby&userId={me}",
            Class::Users,
            "/DisplayPreferences/usersettings?client=emby&userid=~",
            "display",
        ),
    ]);
}

#[test]
fn lists_over_the_library() {
    check(&[
        ("/Items", Class::Lists, "/Items?userid=~", LIST),
        (
            "/Items?ParentId={parent}&IncludeItemTypes=Movie&Recursive=True",
            Class::Lists,
            "/Items?includeitemtypes=Movie&parentid={parent}&recursive=true&userid=~",
            "about:{parent} libraries section:{parent} user-state",
        ),
        (
            "/Items?includeItemTypes=Movie&enableUserData=false",
            Class::Lists,
            "/Items?enableuserdata=false&includeitemtypes=Movie&userid=~",
            "libraries",
        ),
        (
            "/Items?includeItemTypes=Movie&isPlayed=false",
            Class::Lists,
            "/Items?includeitemtypes=Movie&isplayed=false&userid=~",
            "libraries user-state watch-lists",
        ),
        (
            "/Items?includeItemTypes=Audio&limit=0",
            Class::Counts,
            "/Items?includeitemtypes=Audio&limit=0&userid=~",
            "libraries",
        ),
        (
            "/Items?includeItemTypes=Audio&searchTerm=hey+you",
            Class::Search,
            "/Items?includeitemtypes=Audio&searchterm=hey%20you&userid=~",
            "libraries user-state",
        ),
        (
            "/Items?ids={item},{parent}",
            Class::Item,
            "/Items?ids={item},{parent}&userid=~",
            "item:{item} item:{parent} user-state",
        ),
        (
            "/Items?includeItemTypes=Movie&sortBy=DateCreated&sortOrder=Descending",
            Class::Recent,
            "/Items?includeitemtypes=Movie&sortby=DateCreated&sortorder=Descending&userid=~",
            "libraries user-state",
        ),
        (
            "/Items?includeItemTypes=Playlist",
            Class::Playlists,
            "/Items?includeitemtypes=Playlist&userid=~",
            "libraries playlists user-state",
        ),
        (
            "/Items?includeItemTypes=BoxSet",
            Class::Collections,
            "/Items?includeitemtypes=BoxSet&userid=~",
            "collections libraries user-state",
        ),
    ]);
}

#[test]
fn lists_of_genres_years_and_the_like() {
    check(&[
        ("/Trailers", Class::Lists, "/Trailers?userid=~", LIST),
        ("/Artists", Class::Lists, "/Artists?userid=~", "libraries user-state"),
        ("/artists/albumartists", Class::Lists, "/Artists/AlbumArtists?userid=~", "libraries user-state"),
        ("/Artists?searchTerm=x", Class::Search, "/Artists?searchterm=x&userid=~", "libraries user-state"),
        ("/Genres", Class::Lists, "/Genres?userid=~", "libraries user-state"),
        ("/MusicGenres", Class::Lists, "/MusicGenres?userid=~", "libraries user-state"),
        ("/Studios", Class::Lists, "/Studios?userid=~", "libraries user-state"),
        ("/Persons", Class::Lists, "/Persons?userid=~", "libraries user-state"),
        ("/Years", Class::Lists, "/Years?userid=~", "libraries user-state"),
        (
            "/Shows/{item}/Seasons",
            Class::Lists,
            "/Shows/{item}/Seasons?userid=~",
            "about:{item} libraries section:{item} user-state",
        ),
        (
            "/Shows/{item}/Episodes?seasonId={parent}",
            Class::Lists,
            "/Shows/{item}/Episodes?seasonid={parent}&userid=~",
            "about:{item} about:{parent} libraries section:{item} user-state",
        ),
        ("/Items/Filters", Class::Lists, "/Items/Filters?userid=~", "libraries"),
        ("/Items/Filters2", Class::Lists, "/Items/Filters2?userid=~", "libraries"),
        ("/Items/Counts", Class::Counts, "/Items/Counts?userid=~", "libraries playlist-names"),
        ("/Search/Hints?searchTerm=x", Class::Search, "/Search/Hints?searchterm=x&userid=~", "libraries playlists"),
    ]);
}

#[test]
fn lists_that_are_composed_for_a_user() {
    check(&[
        ("/Items/Latest", Class::Recent, "/Items/Latest?userid=~", "libraries playlist-names user-state watch-lists"),
        ("/UserItems/Resume", Class::Resume, "/UserItems/Resume?userid=~", COMPOSED),
        ("/Shows/NextUp", Class::Hubs, "/Shows/NextUp?userid=~", COMPOSED),
        ("/Shows/Upcoming", Class::Hubs, "/Shows/Upcoming?userid=~", "libraries user-state"),
    ]);
}

#[test]
fn an_item_and_its_parts() {
    check(&[
        ("/Items/{item}", Class::Item, "/Items/{item}?userid=~", "item:{item} user-state"),
        ("/Items/Root", Class::Item, "/Items/Root?userid=~", "libraries user-state"),
        ("/Items/{item}/Ancestors", Class::Item, "/Items/{item}/Ancestors?userid=~", "belonging:{item} user-state"),
        ("/Items/{item}/ThemeSongs", Class::Item, "/Items/{item}/ThemeSongs?userid=~", "belonging:{item} user-state"),
        ("/Items/{item}/ThemeVideos", Class::Item, "/Items/{item}/ThemeVideos?userid=~", "belonging:{item} user-state"),
        ("/Items/{item}/ThemeMedia", Class::Item, "/Items/{item}/ThemeMedia?userid=~", "belonging:{item} user-state"),
        ("/Items/{item}/Intros", Class::Item, "/Items/{item}/Intros?userid=~", "belonging:{item} user-state"),
        (
            "/Users/{me}/Items/{item}/Intros",
            Class::Item,
            "/Items/{item}/Intros?userid=~",
            "belonging:{item} user-state",
        ),
        (
            "/Items/{item}/LocalTrailers",
            Class::Item,
            "/Items/{item}/LocalTrailers?userid=~",
            "belonging:{item} user-state",
        ),
        (
            "/Items/{item}/SpecialFeatures",
            Class::Item,
            "/Items/{item}/SpecialFeatures?userid=~",
            "belonging:{item} user-state",
        ),
        ("/Items/{item}/CriticReviews", Class::Item, "/Items/{item}/CriticReviews", "about:{item}"),
        ("/Items/{item}/ExternalIdInfos", Class::Item, "/Items/{item}/ExternalIdInfos", "belonging:{item}"),
        ("/Items/{item}/Images", Class::Item, "/Items/{item}/Images", "image:{item} belonging:{item}"),
        (
            "/UserItems/{item}/UserData",
            Class::Item,
            "/UserItems/{item}/UserData?userid=~",
            "above:{item} item:{item} user-state",
        ),
        ("/MediaSegments/{item}", Class::Item, "/MediaSegments/{item}", "belonging:{item} segments"),
        ("/Audio/{item}/Lyrics", Class::Item, "/Audio/{item}/Lyrics", "about:{item}"),
        ("/Artists/AC%20DC", Class::Item, "/Artists/AC%20DC?userid=~", "libraries user-state"),
        ("/Years/1999", Class::Item, "/Years/1999?userid=~", "libraries user-state"),
    ]);
}

#[test]
fn what_a_dashboard_reads_has_a_class() {
    check(&[
        (
            "/Items/{item}/Collections?fields=Path",
            Class::Collections,
            "/Items/{item}/Collections?fields=Path&userid=~",
            "belonging:{item} collections user-state",
        ),
        ("/Plugins", Class::Server, "/Plugins", "server"),
        ("/Packages", Class::Server, "/Packages", "server"),
        (
            "/packages/Some%20Name?assemblyGuid={item}",
            Class::Server,
            "/Packages/Some%20Name?assemblyguid={item}",
            "server",
        ),
        ("/Repositories", Class::Server, "/Repositories", "server"),
        ("/web/configurationpages", Class::Server, "/web/ConfigurationPages", "server"),
        (
            "/Libraries/AvailableOptions?libraryContentType=movies&isNewLibrary=true",
            Class::Server,
            "/Libraries/AvailableOptions?isnewlibrary=true&librarycontenttype=movies",
            "server",
        ),
        ("/Channels", Class::Lists, "/Channels?userid=~", "libraries user-state"),
        ("/Channels/Features", Class::Server, "/Channels/Features", "server"),
        ("/Channels/{item}/Features", Class::Server, "/Channels/{item}/Features", "server"),
        (
            "/Channels/{item}/Items?folderId={parent}",
            Class::Hubs,
            "/Channels/{item}/Items?folderid={parent}&userid=~",
            "item:{item} libraries user-state watch-lists",
        ),
        ("/Channels/Items/Latest", Class::Recent, "/Channels/Items/Latest?userid=~", COMPOSED),
    ]);
    let image = read("/plugins/{item}/10.11.0.0/image");
    assert_eq!((image.class, image.representation), (Class::Assets, Representation::Opaque));
    assert_eq!(image.key, filled("/Plugins/{item}/10.11.0.0/Image opaque"));
}

#[test]
fn playlists() {
    check(&[
        ("/Playlists/{item}", Class::Playlists, "/Playlists/{item}", "about:{item} playlist:{item}"),
        (
            "/Playlists/{item}/Items?limit=100&startIndex=0",
            Class::Playlists,
            "/Playlists/{item}/Items?limit=100&startindex=0&userid=~",
            "about:{item} playlist:{item} user-state",
        ),
        ("/Playlists/{item}/Users", Class::Playlists, "/Playlists/{item}/Users", "about:{item} playlist:{item}"),
        (
            "/Playlists/{item}/Users/{other}",
            Class::Playlists,
            "/Playlists/{item}/Users/{other}",
            "about:{item} playlist:{item}",
        ),
    ]);
}

#[test]
fn images_are_shared_by_tokens_that_may_see_the_item() {
    for (target, key, of) in [
        (
            "/Items/{item}/Images/primary?tag=x&maxWidth=300",
            "/Items/{item}/Images/Primary?maxwidth=300&tag=x",
            "{item}",
        ),
        ("/Items/{item}/Images/Backdrop/2", "/Items/{item}/Images/Backdrop/2", "{item}"),
        (
            "/Items/{item}/Images/Primary/0/tag/webp/100/100/0/0",
            "/Items/{item}/Images/Primary/0/tag/webp/100/100/0/0",
            "{item}",
        ),
        ("/Artists/Ash/Images/Primary", "/Artists/Ash/Images/Primary", "artists/Ash"),
        ("/MusicGenres/Rock/Images/Thumb/0", "/MusicGenres/Rock/Images/Thumb/0", "musicgenres/Rock"),
        ("/Users/{other}/Images/Primary", "/Users/{other}/Images/Primary", "users/{other}"),
        ("/UserImage?userId={other}", "/UserImage?userid={other}", "users/{other}"),
        ("/UserImage", "/UserImage?userid={me}", "users/{me}"),
    ] {
        let read = read(target);
        assert_eq!(read.class, Class::Images);
        assert_eq!(read.key, filled(&format!("{key} plain")), "{target}");
        let kind = ["Backdrop", "Thumb"].into_iter().find(|kind| target.contains(kind)).unwrap_or("Primary");
        assert_eq!(read.sharing, SharingScope::Image(ImageSubject::new(filled(of), kind)), "{target}");
        assert_eq!(read.tags[0].as_str(), filled(&format!("image:{of}")));
        let mut others: Vec<&str> = read.tags[1..].iter().map(Tag::as_str).collect();
        let unversioned = filled(&format!("unversioned-image:{of}"));
        others.retain(|tag| *tag != unversioned);
        let by_name = target.starts_with("/Artists") || target.starts_with("/MusicGenres");
        assert_eq!(others, ["images-by-name"][..usize::from(by_name)], "{target}");
        assert_eq!(read.tags.iter().any(|tag| tag.as_str() == unversioned), !target.contains("tag"), "{target}");
        assert_eq!(read.representation, Representation::Opaque);
    }
}

#[test]
fn an_image_has_one_subject_in_every_size_and_one_for_each_kind() {
    let subject = |target: &str| read(target).sharing;
    let logo = subject("/Items/{item}/Images/Logo?maxWidth=300");
    assert_eq!(logo, subject("/items/{item}/images/logo/0?tag=x&quality=90"));
    assert_ne!(logo, subject("/Items/{item}/Images/Primary?maxWidth=300"));
    assert_ne!(logo, subject("/Items/{parent}/Images/Logo?maxWidth=300"));
    for kind in ServerKind::Jellyfin.image_kinds() {
        let expected = SharingScope::Image(ImageSubject::new(filled("{item}"), *kind));
        assert_eq!(subject(&format!("/Items/{{item}}/Images/{kind}")), expected);
    }
}

#[test]
fn the_absence_of_images_lyrics_and_segments_is_known_by_its_tags() {
    for target in [
        "/Items/{item}/Images/Logo",
        "/Items/{item}/Images/Logo?tag=x",
        "/Artists/Ash/Images/Primary",
        "/UserImage?userId={other}",
        "/Users/{other}/Images/Primary",
        "/Audio/{item}/Lyrics",
        "/MediaSegments/{item}?includeSegmentTypes=Intro",
    ] {
        let read = read(target);
        let tags = read.absence_tags().unwrap_or_else(|| panic!("{target}"));
        assert!(read.tags.iter().all(|tag| tags.contains(tag)) && tags.contains(&Tag::libraries()), "{target}");
    }
    for target in
        ["/Items/{item}", "/Items/{item}/Images", "/Items?recursive=true", "/Playlists/{item}", "/Shows/NextUp"]
    {
        assert_eq!(read(target).absence_tags(), None, "{target}");
    }
}

#[test]
fn an_image_without_a_version_is_fresh_for_one_hour() {
    for (target, fresh_s) in [
        ("/Items/{item}/Images/Primary", 3600),
        ("/Items/{item}/Images/Primary?tag=x", 30 * 86400),
        ("/Items/{item}/Images/Primary/0/tag/webp/100/100/0/0", 30 * 86400),
        ("/Items/Images/Images/Primary/0", 3600),
    ] {
        assert_eq!(read(target).lifetime.fresh_s, fresh_s, "{target}");
    }
}

#[test]
fn an_image_is_one_per_format_and_ranges_do_not_matter_to_it() {
    let target = "/Items/{item}/Images/Primary?tag=x";
    let webp = read_with(target, &[("accept", "image/webp,*/*"), ("range", "bytes=0-1")], None);
    assert!(webp.key.ends_with(" webp+gif"));
    assert_eq!(webp.headers[0].1, "image/webp,image/gif,image/jpeg,image/png");
    assert_ne!(webp.key, read(target).key);
}

#[test]
fn only_public_information_is_public() {
    assert_eq!(read("/System/Info/Public").sharing, SharingScope::Public);
    assert_eq!(read("/QuickConnect/Enabled").sharing, SharingScope::Public);
    for target in [
        "/Users/Public",
        "/System/Endpoint",
        "/Devices",
        "/System/Info",
        "/Branding/Configuration",
        "/Items",
        "/Users/Me",
        "/Localization/Options",
    ] {
        assert_eq!(read(target).sharing, SharingScope::Identity, "{target}");
    }
}

#[test]
fn style_sheets_and_the_splash_screen_are_cached_unchanged() {
    for (target, key) in [
        ("/Branding/Css", "/Branding/Css opaque"),
        ("/Branding/Css.css", "/Branding/Css opaque"),
        ("/Branding/Splashscreen?format=Webp", "/Branding/Splashscreen?format=Webp opaque"),
    ] {
        let read = read(target);
        assert_eq!((read.class, read.key.as_str()), (Class::Assets, key));
        assert_eq!(read.representation, Representation::Opaque);
    }
}

#[test]
fn user_state_shortens_the_lifetime_of_a_body() {
    for (target, own, fresh_s, with_signal_s, user_state) in [
        ("/Items", true, 300, 3600, true),
        ("/Items?enableUserData=false", true, 3600, 3600, false),
        ("/Items?enableUserData=false&isFavorite=true", true, 300, 3600, true),
        ("/Items?userId={other}", true, 300, 300, true),
        ("/Items?userId={me}", false, 300, 300, true),
        ("/Items?userId={me}", true, 300, 3600, true),
        ("/Items/{item}", true, 60, 3600, true),
        ("/Items/Filters", true, 3600, 3600, false),
        ("/ScheduledTasks", true, 30, 30, false),
    ] {
        let own = own.then_some(super::ME);
        let lifetime = read_with(target, &[], own).lifetime;
        let found = (lifetime.fresh_s, lifetime.fresh_with_signal_s, lifetime.user_state);
        assert_eq!(found, (fresh_s, with_signal_s, user_state), "{target}");
    }
}

#[test]
fn what_may_change_unseen_is_served_for_minutes_at_most_unless_the_server_cannot_be_asked() {
    for (target, current_s, on_error_s) in
        [("/Items/{item}/Intros", 300, 30 * 24 * 60 * 60), ("/Devices", 60, 24 * 60 * 60)]
    {
        let lifetime = read(target).lifetime;
        let longest_s = lifetime.fresh_s.max(lifetime.fresh_with_signal_s) + lifetime.stale_s;
        assert_eq!((longest_s, lifetime.stale_on_error_s), (current_s, on_error_s), "{target}");
        let longer = Lifetime { stale_on_error_s: 1_000_000, fresh_s: 1_000_000, ..lifetime }.within_age_limit();
        let found = (longer.fresh_s, longer.stale_s, longer.stale_on_error_s);
        assert_eq!(found, (current_s, 0, 1_000_000), "a setting: {target}");
    }
}

#[test]
fn the_users_of_a_login_page_are_served_for_two_minutes_in_an_outage_as_well() {
    let lifetime = read("/Users/Public").lifetime;
    let windows = [lifetime.fresh_s, lifetime.stale_s, lifetime.stale_on_error_s];
    assert_eq!((windows.iter().sum::<u32>(), lifetime.age_limit), (120, Some(AgeLimit::Usable(120))));
    let longer = Lifetime { stale_on_error_s: 1_000_000, fresh_s: 1_000_000, ..lifetime }.within_age_limit();
    assert_eq!((longer.fresh_s, longer.stale_s, longer.stale_on_error_s), (120, 0, 0), "a setting");
}

#[test]
fn the_users_of_a_login_page_differ_by_device() {
    let by = |device: &str| {
        let named = format!("MediaBrowser Client=\"c\", DeviceId=\"{device}\", Token=\"feedfeedfeedfeed\"");
        read_with("/Users/Public", &[("authorization", &named)], Some(super::ME))
    };
    assert_ne!(by("sofa").key, by("kitchen").key);
    assert_eq!(by("so fa/1").key, "/Users/Public json@so%20fa%2F1");
    assert_eq!(by("sofa").target, read("/Users/Public").target);
    assert_eq!(read("/Users/Public?deviceId=sofa").key, read("/Users/Public").key, "it is no filter");
}

#[test]
fn no_segment_is_older_than_a_day() {
    let lifetime = read("/MediaSegments/{item}").lifetime;
    let usable_s = lifetime.fresh_s.max(lifetime.fresh_with_signal_s) + lifetime.stale_s + lifetime.stale_on_error_s;
    assert_eq!(usable_s, 24 * 60 * 60);
    assert!(lifetime.fresh_s > 0 && lifetime.stale_s > 0 && lifetime.stale_on_error_s > 0, "{lifetime:?}");
}
