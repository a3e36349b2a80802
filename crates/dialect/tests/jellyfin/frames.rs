//! Events from frames of the notification socket.

use greenroom_dialect::crawl::ChangeHint;
use greenroom_dialect::reach;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_event::ServerEvent;
use greenroom_dialect::tag::{Tag, TagInvalidation, UserState};
use greenroom_library::lineage::Lineage;
use proptest::prelude::*;

use super::{ITEM, ME, PARENT, filled, read};

fn stale(frame: &str) -> Vec<TagInvalidation> {
    match ServerKind::Jellyfin.parse_frame(filled(frame).as_bytes()).as_slice() {
        [] => Vec::new(),
        [ServerEvent::Stale(stale)] => stale.clone(),
        other => panic!("{frame} says {other:?}"),
    }
}

/// With what is known of items: nothing.
fn expanded(stale: &[TagInvalidation]) -> Vec<TagInvalidation> {
    reach::expanded(&Lineage::new(1), stale)
}

fn plain(invalidation: TagInvalidation) -> TagInvalidation {
    TagInvalidation { with_ancestors: false, ..invalidation }
}

#[test]
fn a_changed_library_invalidates_lists_and_items_for_everyone() {
    for field in ["ItemsAdded", "ItemsRemoved", "ItemsUpdated"] {
        let frame = format!(
            r#"{{"MessageType":"LibraryChanged","MessageId":"x","Data":{{"FoldersAddedTo":[],"{field}":["{{item}}"],"CollectionFolders":["{{parent}}"],"IsEmpty":false}}}}"#
        );
        let stale = stale(&frame);
        for expected in [
            TagInvalidation::everyone(Tag::item(ITEM)).with_ancestors(),
            TagInvalidation::everyone(Tag::unversioned_image(ITEM)),
            TagInvalidation::everyone(Tag::section(PARENT)),
            TagInvalidation::everyone(if field == "ItemsUpdated" { Tag::listings() } else { Tag::libraries() }),
            TagInvalidation::everyone(Tag::many_items()),
        ] {
            let is_new = field == "ItemsAdded" && expected.tag.as_str() != "items";
            // A new item has neither known ancestors nor an image that was cached.
            let is_of_known = expected.with_ancestors || expected.tag == Tag::unversioned_image(ITEM);
            assert!(
                is_new && is_of_known || expanded(&stale).contains(&plain(expected.clone())),
                "{field}: {expected:?}"
            );
        }
    }
}

#[test]
fn an_event_that_may_announce_an_image_lyrics_or_segments_ends_the_memory_of_their_absence() {
    let changed = r#"{"MessageType":"LibraryChanged","Data":{"ItemsUpdated":["{item}"]}}"#;
    let refreshed = r#"{"MessageType":"RefreshProgress","Data":{"ItemId":"{item}","Progress":"100"}}"#;
    let scanned = r#"{"MessageType":"ScheduledTaskEnded","Data":{"Key":"RefreshLibrary"}}"#;
    let extracted = r#"{"MessageType":"ScheduledTaskEnded","Data":{"Key":"TaskExtractMediaSegments"}}"#;
    let user = r#"{"MessageType":"UserUpdated","Data":{"Id":"{me}"}}"#;
    for (target, frames) in [
        ("/Items/{item}/Images/Logo?tag=x", &[changed, refreshed, scanned][..]),
        ("/Genres/Rock/Images/Primary", &[changed, refreshed, scanned]),
        ("/Audio/{item}/Lyrics", &[changed, refreshed, scanned]),
        ("/MediaSegments/{item}", &[changed, refreshed, scanned, extracted]),
        ("/UserImage?userId={me}", &[user]),
    ] {
        let tags = read(target).absence_tags().expect("worth remembering");
        for frame in frames {
            assert!(stale(frame).iter().any(|stale| tags.contains(&stale.tag)), "{frame} and {target}");
        }
    }
}

#[test]
fn a_change_of_many_items_means_the_whole_library() {
    let ids = vec!["\"27839354c2bcbec5c0b34ea921fc00ec\""; 201].join(",");
    let frame = format!(r#"{{"MessageType":"LibraryChanged","Data":{{"ItemsUpdated":[{ids}]}}}}"#);
    let stale = stale(&frame);
    assert!(stale.contains(&TagInvalidation::everyone(Tag::libraries())));
    assert!(stale.contains(&TagInvalidation::everyone(Tag::many_items())));
    assert!(stale.len() < 12);
}

#[test]
fn a_change_that_names_nothing_is_one_of_everything() {
    for data in [r#"{"ItemsAdded":[],"CollectionFolders":[],"IsEmpty":true}"#, r#"{"IsEmpty":false}"#, "{}", "null"] {
        let frame = format!(r#"{{"MessageType":"LibraryChanged","Data":{data}}}"#);
        assert_eq!(stale(&frame), [TagInvalidation::everyone(Tag::all())], "{data}");
        assert_eq!(ServerKind::Jellyfin.hints(frame.as_bytes()), [ChangeHint::AnythingChanged], "{data}");
    }
}

#[test]
fn segments_are_asked_for_again_when_their_task_has_ended() {
    let ended = |key: &str| {
        stale(&format!(r#"{{"MessageType":"ScheduledTaskEnded","Data":{{"Key":"{key}","Status":"Completed"}}}}"#))
    };
    let tag = TagInvalidation::everyone(Tag::segments());
    assert!(ended("TaskExtractMediaSegments").contains(&tag));
    assert!(!ended("DeleteCacheFiles").contains(&tag));
    assert!(super::read("/MediaSegments/{item}").tags.contains(&Tag::segments()));
}

#[test]
fn changed_user_data_is_that_users() {
    let frame = r#"{"MessageType":"UserDataChanged","MessageId":"x","Data":{"UserId":"08CA909F-6D10-44AA-9930-BE392943948F","UserDataList":[{"PlayCount":7,"Played":true,"Key":"k","ItemId":"{item}"},{"UnplayedItemCount":105,"ItemId":"{parent}"}]}}"#;
    let invalidations = stale(frame);
    let counted = TagInvalidation::user(Tag::counted(ITEM), ME).with_ancestors();
    assert!(invalidations.contains(&counted));
    for expected in [Tag::item(ITEM), Tag::item(PARENT), Tag::under(ITEM), Tag::many_states()]
        .into_iter()
        .chain(UserState::EVERY.map(Tag::selected_by))
    {
        assert!(expanded(&invalidations).contains(&TagInvalidation::user(expected.clone(), ME)), "{expected}");
    }
    // Folders alone were marked with all that is in them.
    let folder = r#"{"MessageType":"UserDataChanged","Data":{"UserId":"{me}","UserDataList":[{"UnplayedItemCount":0,"ItemId":"{parent}"}]}}"#;
    assert!(stale(folder).contains(&TagInvalidation::user(Tag::under(PARENT), ME)));
    assert!(
        invalidations
            .iter()
            .all(|invalidation| invalidation.audience == greenroom_dialect::tag::Audience::User(ME.into()))
    );
    let unnamed = r#"{"MessageType":"UserDataChanged","Data":{"UserId":"{me}","UserDataList":[{"Key":"k"}]}}"#;
    assert!(stale(unnamed).contains(&TagInvalidation::user(Tag::user_state(), ME)));
}

#[test]
fn sessions_tasks_and_the_log() {
    for (frame, tag) in [
        (r#"{"MessageType":"Sessions","Data":[{"Id":"1"}]}"#, Tag::sessions()),
        (r#"{"MessageType":"ScheduledTasksInfo","Data":[]}"#, Tag::activities()),
        (r#"{"MessageType":"ActivityLogEntry","Data":[]}"#, Tag::history()),
    ] {
        assert_eq!(stale(frame), [TagInvalidation::account(tag)], "{frame}");
    }
    let ended = r#"{"MessageType":"ScheduledTaskEnded","Data":{"Key":"CleanLogFiles","Status":"Completed"}}"#;
    assert_eq!(stale(ended), [TagInvalidation::everyone(Tag::activities())]);
    let scanned = r#"{"MessageType":"ScheduledTaskEnded","Data":{"Key":"RefreshLibrary"}}"#;
    assert!(stale(scanned).contains(&TagInvalidation::everyone(Tag::libraries())));
}

#[test]
fn users_come_and_go() {
    let expected = [TagInvalidation::everyone(Tag::users()), TagInvalidation::user(Tag::all(), ME)];
    assert_eq!(stale(r#"{"MessageType":"UserUpdated","Data":{"Name":"x","Id":"{me}","Policy":{}}}"#), expected);
    assert_eq!(stale(r#"{"MessageType":"UserDeleted","Data":"{me}"}"#), expected);
}

#[test]
fn only_the_end_of_a_refresh_counts() {
    let frame = |progress: &str| {
        format!(r#"{{"MessageType":"RefreshProgress","Data":{{"ItemId":"{{item}}","Progress":"{progress}"}}}}"#)
    };
    assert!(stale(&frame("12.5")).is_empty());
    assert!(stale(&frame("NaN")).is_empty());
    assert!(stale(&frame("100")).contains(&TagInvalidation::everyone(Tag::item(ITEM)).with_ancestors()));
    assert!(stale(&frame("100.0")).contains(&TagInvalidation::everyone(Tag::image(ITEM))));
}

#[test]
fn a_shutdown_event_is_recognised() {
    for kind in ["ServerRestarting", "ServerShuttingDown"] {
        let frame = format!(r#"{{"MessageType":"{kind}","MessageId":"x"}}"#);
        assert_eq!(ServerKind::Jellyfin.parse_frame(frame.as_bytes()), [ServerEvent::Restarting]);
    }
    assert_eq!(stale(r#"{"MessageType":"RestartRequired"}"#), [TagInvalidation::everyone(Tag::server())]);
}

#[test]
fn unknown_frames_are_ignored() {
    for frame in [
        "",
        "{}",
        "[]",
        "{\"MessageType\":1}",
        r#"{"MessageType":"KeepAlive"}"#,
        r#"{"MessageType":"ForceKeepAlive","Data":60}"#,
        r#"{"MessageType":"SessionsStart","Data":"0,1500"}"#,
        r#"{"MessageType":"Play","Data":{"ItemIds":["1"]}}"#,
        r#"{"MessageType":"LibraryChanged","Data":[1]}"#,
        r#"{"MessageType":"UserDataChanged"}"#,
        r#"{"MessageType":"LibraryChanged","Data":{"ItemsAdded":["1"]"#,
    ] {
        assert_eq!(ServerKind::Jellyfin.parse_frame(frame.as_bytes()), [], "{frame}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_frame_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = ServerKind::Jellyfin.parse_frame(&bytes);
    }
}

#[test]
fn an_event_about_one_film_leaves_music_and_shows_alone() {
    let mut lineage = Lineage::new(10);
    lineage.record_group(ITEM, "films");
    let changed = stale(r#"{"MessageType":"LibraryChanged","Data":{"ItemsUpdated":["{item}"]}}"#);
    let reaches = |target: &str| {
        let tags = reach::resolved(&lineage, read(target).tags);
        reach::expanded(&lineage, &changed).iter().any(|stale| tags.contains(&stale.tag))
    };
    for target in ["/Items?includeItemTypes=Movie", "/Items", "/Items/{item}", "/Search/Hints?searchTerm=x", "/Genres"]
    {
        assert!(reaches(target), "{target}");
    }
    for target in ["/Items?includeItemTypes=Audio,MusicAlbum", "/Artists", "/Shows/NextUp", "/Shows/{parent}/Episodes"]
    {
        assert!(!reaches(target), "{target}");
    }
}
