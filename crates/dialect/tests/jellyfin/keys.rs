//! Requests that the server must answer alike share a key; all others have different ones; no key holds a
//! secret.

use greenroom_dialect::classification::{Classification, Read, Representation, TokenDependence};
use greenroom_dialect::request::{RequestView, ServerKind};
use http::Method;
use http::header::{ACCEPT, ACCEPT_LANGUAGE};
use proptest::prelude::*;

use super::{ME, OTHER, classify, got, headers, read, read_with};

#[test]
fn old_routes_and_new_ones_meet() {
    for (old, new) in [
        ("/Users/{me}/Items?Limit=5", "/Items?userId={me}&limit=5"),
        ("/Users/{me}/Items/{item}", "/Items/{item}"),
        ("/Users/{me}/Items/Latest?limit=5", "/Items/Latest?limit=5"),
        ("/Users/{me}/Items/Resume", "/UserItems/Resume?userId={me}"),
        ("/Users/{me}/Items/Root", "/Items/Root"),
        ("/Users/{me}/Items/{item}/LocalTrailers", "/Items/{item}/LocalTrailers"),
        ("/Users/{me}/Items/{item}/SpecialFeatures", "/Items/{item}/SpecialFeatures"),
        ("/Users/{me}/Items/{item}/UserData", "/UserItems/{item}/UserData"),
        ("/Users/{me}/Views", "/UserViews"),
        ("/Users/{me}/GroupingOptions", "/UserViews/GroupingOptions"),
        ("/emby/Users/{me}/Items", "/mediabrowser/items/"),
    ] {
        assert_eq!(read(old), read(new), "{old}");
        let read_of_other = |target: &str| read_with(&target.replace("{me}", OTHER), &[], Some(ME));
        if old.contains("{me}") {
            assert_ne!(read(old).key, read_of_other(old).key, "{old}");
            assert!(read_of_other(old).target.contains(&format!("userId={OTHER}")), "{old}");
        }
    }
}

#[test]
fn requests_to_the_server_use_the_new_route_and_its_spelling() {
    let target =
        "/emby/users/08CA909F-6D10-44AA-9930-BE392943948F/items?RECURSIVE=True&fields=Path&Fields=Genres&api_key=x";
    assert_eq!(read(target).target, format!("/Items?fields=Genres,Path&recursive=true&userId={ME}"));
    assert_eq!(read("/shows/nextup").target, format!("/Shows/NextUp?userId={ME}"));
    assert_eq!(read("/system/info?x=1").target, "/System/Info?x=1");
    assert_eq!(read("/system/info/public?x=1").target, "/System/Info/Public");
}

#[test]
fn an_unverified_user_stays_in_the_key() {
    let unproven = |target| read_with(target, &[], None);
    assert_eq!(unproven("/Items").key, "/Items json");
    assert_eq!(unproven("/Items").target, "/Items");
    assert_eq!(unproven("/Items?userId={me}").key, format!("/Items?userid={ME} json"));
    assert_eq!(read_with("/Items", &[], Some("08CA909F-6D10-44AA-9930-BE392943948F")), read("/Items"));
    assert_eq!(read("/Items?userId=00000000-0000-0000-0000-000000000000"), read("/Items"));
}

#[test]
fn forms_and_languages_do_not_mix() {
    let plain = read("/Items");
    let camel = read_with("/Items", &[("accept", "application/json; profile=\"CamelCase\"")], Some(ME));
    let german = read_with("/Items", &[("accept-language", "de-DE, de;q=0.9")], Some(ME));
    assert_eq!(camel.representation, Representation::JsonCamel);
    assert_eq!(camel.headers, [(ACCEPT, "application/json; profile=\"CamelCase\"".parse().unwrap())]);
    assert_eq!(plain.headers, [(ACCEPT, "application/json".parse().unwrap())]);
    assert_eq!(german.headers[1], (ACCEPT_LANGUAGE, "de-de,de;q=0.9".parse().unwrap()));
    assert!(plain.key != camel.key && plain.key != german.key && camel.key != german.key);
    let pascal = read_with("/Items", &[("accept", "application/json;profile=PascalCase")], Some(ME));
    assert_eq!(pascal.representation, Representation::Json);
    assert_eq!(pascal.headers, [(ACCEPT, "application/json; profile=\"PascalCase\"".parse().unwrap())]);
    assert!(pascal.key != plain.key && pascal.target == plain.target);
    let public = read_with("/System/Info/Public", &[("accept-language", "de")], None);
    assert_eq!(public, read_with("/System/Info/Public", &[], None));
}

#[test]
fn a_kodi_gets_its_counts_and_a_web_client_none_of_them() {
    let by = |target: &str, client: &str| {
        let named = format!("MediaBrowser Client=\"{client}\", Token=\"feedfeedfeedfeed\"");
        read_with(target, &[("authorization", &named)], Some(ME))
    };
    for target in ["/Items?parentId={parent}", "/Users/{me}/Items/Latest", "/Shows/NextUp", "/UserViews", "/Artists"] {
        // Without a name of its own, the app's is that of the token's.
        let plain = Read { token_dependence: TokenDependence::KeyName, ..read(target) };
        for client in ["Jellyfin Web", "Jellyfin Android TV", "python-requests"] {
            assert_eq!(by(target, client), plain, "{client}");
        }
        let (kodi, roku) = (by(target, "Kodi"), by(target, "Jellyfin Roku"));
        assert_eq!(kodi.key, format!("{}+counts", plain.key));
        assert_eq!(roku.key, format!("{}+children", plain.key));
        assert_eq!((&kodi.target, &kodi.headers), (&plain.target, &plain.headers));
        assert_eq!(by(target, "Classic Media Center"), kodi);
        assert_eq!(by(target, "AndroidTV"), by(target, "SAMSUNG TV"));
    }
    for target in ["/Items/Counts", "/Items/Filters", "/Search/Hints?searchTerm=a", "/MediaSegments/{item}", "/Users"] {
        assert_eq!(by(target, "Kodi"), read(target));
    }
}

#[test]
fn paging_and_content_are_part_of_the_key() {
    let base = read("/Items?limit=10");
    for other in [
        "/Items?limit=11",
        "/Items?limit=10&startIndex=10",
        "/Items?limit=10&fields=Path",
        "/Items?limit=10&includeItemTypes=Movie",
        "/Items?limit=10&enableTotalRecordCount=false",
        "/Items?limit=10&newParameter=1",
        "/Trailers?limit=10",
    ] {
        assert_ne!(read(other).key, base.key, "{other}");
    }
}

#[test]
fn the_request_to_the_server_follows_from_the_key_alone() {
    let noisy = read_with(
        "/Items?limit=10&deviceId=d&_=1&X-Emby-Client=c&X-Emby-Language=de",
        &[("user-agent", "x"), ("x-forwarded-host", "evil"), ("cookie", "a=b"), ("accept-encoding", "br")],
        Some(ME),
    );
    assert_eq!(noisy, read("/Items?limit=10"));
}

const PARAMETERS: [&str; 14] = [
    "limit=10",
    "startIndex=20",
    "Recursive=true",
    "fields=Path,Genres",
    "includeItemTypes=Movie,Series",
    "sortBy=SortName,ProductionYear",
    "sortOrder=Ascending",
    "parentId=7a2175bc-cb1f-1a94-152c-bd2b2bae8f6d",
    "genres=A|B",
    "years=1999,2000",
    "EnableUserData=false",
    "imageTypeLimit=1",
    "someThing=new",
    "userId=11111111111111111111111111111111",
];

fn swapped_case(text: &str, mask: u64) -> String {
    let (name, value) = text.split_once('=').expect("parameters have values");
    let name: String = name
        .chars()
        .enumerate()
        .map(|(at, letter)| if mask >> (at % 64) & 1 == 1 { letter.to_ascii_uppercase() } else { letter })
        .collect();
    format!("{name}={value}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_order_and_the_case_of_parameters_do_not_matter(
        chosen in prop::sample::subsequence(PARAMETERS.to_vec(), 0..PARAMETERS.len()),
        seed in any::<u64>(),
    ) {
        let mut other: Vec<String> = chosen.iter().map(|pair| swapped_case(pair, seed)).collect();
        other.reverse();
        if !other.is_empty() {
            let turn = usize::try_from(seed % 8).unwrap() % other.len();
            other.rotate_left(turn);
        }
        let one = read(&format!("/Items?{}", chosen.join("&")));
        let two = read(&format!("/items/?{}", other.join("&")));
        prop_assert_eq!(one, two);
    }

    #[test]
    fn different_choices_have_different_keys(
        one in prop::sample::subsequence(PARAMETERS.to_vec(), 0..PARAMETERS.len()),
        two in prop::sample::subsequence(PARAMETERS.to_vec(), 0..PARAMETERS.len()),
    ) {
        prop_assume!(one != two);
        let key = |chosen: &[&str]| read(&format!("/Items?{}", chosen.join("&"))).key;
        prop_assert_ne!(key(&one), key(&two));
    }

    #[test]
    fn the_order_of_sorting_matters(names in prop::sample::subsequence(vec!["Album", "Artist", "SortName", "Runtime"], 2..4)) {
        let mut turned = names.clone();
        turned.reverse();
        let key = |names: &[&str]| read(&format!("/Items?sortBy={}", names.join(","))).key;
        prop_assert_ne!(key(&names), key(&turned));
    }

    #[test]
    fn the_target_of_a_read_is_the_same_read(
        chosen in prop::sample::subsequence(PARAMETERS.to_vec(), 0..PARAMETERS.len()),
        path in prop::sample::select(vec!["/Items", "/Users/{me}/Items/Latest", "/Shows/NextUp", "/Artists/A%20B", "/Sessions"]),
    ) {
        let classification = got(&format!("{path}?{}", chosen.join("&")));
        if let Classification::Read(once) = classification {
            prop_assert_eq!(&read(&once.target), once.as_ref());
        }
    }

    #[test]
    fn a_token_is_nowhere_in_a_classification(
        token in "[A-Za-z0-9]{16,40}",
        place in 0usize..8,
        path in prop::sample::select(vec!["/Items", "/System/Info", "/Items/1/Images/Primary", "/UserImage", "/Sessions", "/UserPlayedItems/1"]),
        method in prop::sample::select(vec![Method::GET, Method::POST, Method::DELETE]),
    ) {
        let names = ["api_key", "ApiKey", "X-Emby-Token", "X-MediaBrowser-Token", "token", "api%5Fkey"];
        let target = names.get(place).map_or(path.to_owned(), |name| format!("{path}?a=1&{name}={token}"));
        let authorization = format!("MediaBrowser Client=\"c\", Token=\"{token}\"");
        let sent = match place {
            6 => headers(&[("authorization", &authorization)]),
            7 => headers(&[("x-emby-token", &token), ("accept-language", "de")]),
            _ => headers(&[]),
        };
        let classification = classify(&method, &target, &sent, &[], Some(ME));
        let shown = format!("{classification:?}");
        prop_assert!(!shown.contains(&token), "{}", shown);
        let request = RequestView { method: &method, target: &target, headers: &sent, body: &[] };
        let credential = ServerKind::Jellyfin.credential(&request);
        let shown = format!("{credential:?}");
        prop_assert!(!shown.contains(&token), "{}", shown);
        for translate in [true, false] {
            let carried = ServerKind::Jellyfin.credential_headers(&credential, translate);
            let shown = format!("{carried:?}");
            prop_assert!(!shown.contains(&token), "{}", shown);
        }
    }

    #[test]
    fn nothing_panics(
        target in "/[ -~]{0,60}|\\PC{0,40}|/(Items|Users|Sessions|emby|Shows|Artists|UserItems)(/[a-zA-Z0-9%.;]{0,12}){0,4}(\\?[a-zA-Z0-9=&%,|~+._]{0,40})?",
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"]),
        accept in "[ -~]{0,30}",
        body in prop::collection::vec(any::<u8>(), 0..40),
        own in prop::option::of("[ -~]{0,40}"),
    ) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let sent = headers(&[("accept", accept.trim()), ("accept-language", accept.trim()), ("authorization", accept.trim())]);
        let request = RequestView { method: &method, target: &target, headers: &sent, body: &body };
        let _ = ServerKind::Jellyfin.classify(&request, own.as_deref());
        let _ = ServerKind::Jellyfin.credential(&request);
        let _ = ServerKind::Jellyfin.anonymous_access(&request);
    }
}
