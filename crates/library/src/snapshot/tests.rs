//! Properties of every snapshot, whatever its content.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::diff::{DiffCounts, ItemField, SnapshotDiff, between};
use super::{Snapshot, SnapshotBuilder, SnapshotDecodeError};
use crate::item::{Item, ItemKind, MediaFile};

fn items() -> impl Strategy<Value = Item> {
    let key = prop_oneof!["[0-9]{1,3}", "0[0-9]", "[0-9a-f]{32}", "[a-zé]{0,2}"];
    let kind = prop::sample::select(vec![
        ItemKind::Film,
        ItemKind::Show,
        ItemKind::Season,
        ItemKind::Episode,
        ItemKind::Track,
    ]);
    let text = || "\\PC{0,12}".prop_map(Box::<str>::from);
    let above = (prop::option::of(text()), prop::option::of(text()), prop::option::of(text()));
    let numbers = (any::<Option<u32>>(), any::<Option<u32>>(), any::<Option<u16>>(), any::<Option<u32>>());
    let times = (prop::option::of(0..u64::MAX), prop::option::of(0..u64::MAX));
    let file = (text(), prop::option::of(0..u64::MAX)).prop_map(|(path, size_bytes)| MediaFile { path, size_bytes });
    let lists =
        (prop::collection::vec(text(), 0..3), prop::collection::vec(text(), 0..3), prop::collection::vec(file, 0..3));
    (key, kind, text(), above, numbers, times, lists).prop_map(
        |(key, kind, title, above, numbers, times, (artists, guids, files))| Item {
            parent_key: above.0.clone(),
            parent_title: above.0,
            grandparent_key: above.1,
            grandparent_title: above.2,
            artists,
            index: numbers.0,
            parent_index: numbers.1,
            year: numbers.2,
            duration_ms: numbers.3,
            guids,
            files,
            added_at_s: times.0,
            updated_at_s: times.1,
            ..Item::new(kind, &key, &title)
        },
    )
}

#[derive(Debug, Clone)]
enum Step {
    Push(Box<Item>),
    Remove(String),
    /// Builds, and continues from the result.
    Patch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => items().prop_map(|item| Step::Push(Box::new(item))),
        2 => "[0-9]{1,3}|[a-z]{0,2}".prop_map(Step::Remove),
        1 => Just(Step::Patch),
    ];
    prop::collection::vec(step, 0..60)
}

fn built(items: impl IntoIterator<Item = Item>) -> Snapshot {
    let mut builder = SnapshotBuilder::default();
    for item in items {
        builder.push(item);
    }
    builder.build()
}

fn encoded(snapshot: &Snapshot) -> Vec<u8> {
    let mut file = Vec::new();
    snapshot.encode(&mut file).expect("a Vec takes everything");
    file
}

fn all(snapshot: &Snapshot) -> Vec<Item> {
    snapshot.items().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_builder_contains_the_same_items_as_a_map(steps in steps()) {
        let mut naive: BTreeMap<String, Item> = BTreeMap::new();
        let mut builder = SnapshotBuilder::default();
        for step in steps {
            match step {
                Step::Push(item) => {
                    let is_new = !naive.contains_key(&*item.key);
                    prop_assert_eq!(builder.push(Item::clone(&item)), is_new);
                    naive.entry(item.key.to_string()).or_insert(*item);
                }
                Step::Remove(key) => prop_assert_eq!(builder.remove(&key), naive.remove(&key).is_some()),
                Step::Patch => builder = SnapshotBuilder::from(&builder.build()),
            }
            prop_assert_eq!(builder.len(), naive.len());
        }
        let snapshot = builder.build();
        prop_assert_eq!(snapshot.len(), naive.len());
        for (key, item) in &naive {
            let row = snapshot.row_of(key).expect("it was pushed");
            prop_assert_eq!(snapshot.item(row), Some(item.clone()));
            prop_assert_eq!(snapshot.key_of(row), Some(key.clone()));
        }
        let count = u32::try_from(naive.len()).expect("it is small");
        let by_row: Vec<Option<Item>> = (0..count).map(|row| snapshot.item(row)).collect();
        for step in 1..4 {
            let rows: Vec<u32> = (0..count + 2).step_by(step).collect();
            let mut at = Vec::new();
            snapshot.items_at(&rows, |row, item| at.push((row, item)));
            let one_by_one: Vec<(u32, Item)> =
                rows.iter().filter_map(|row| Some((*row, snapshot.item(*row)?))).collect();
            prop_assert_eq!(at, one_by_one);
        }
        prop_assert_eq!(by_row, all(&snapshot).into_iter().map(Some).collect::<Vec<_>>());
        let tracks = naive.values().filter(|item| item.kind == ItemKind::Track).count();
        prop_assert_eq!(snapshot.tracks().len(), tracks);
        prop_assert_eq!(snapshot.count(ItemKind::Track), tracks);
    }

    #[test]
    fn the_order_of_pushes_does_not_change_the_snapshot(items in prop::collection::vec(items(), 0..40), seed in any::<u64>()) {
        let unique: BTreeMap<String, Item> = items.into_iter().map(|item| (item.key.to_string(), item)).collect();
        let mut shuffled: Vec<Item> = unique.values().cloned().collect();
        let mut state = seed | 1;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(at, usize::try_from(state >> 33).expect("31 bits fit") % (at + 1));
        }
        prop_assert_eq!(encoded(&built(unique.into_values())), encoded(&built(shuffled)));
    }

    #[test]
    fn written_rows_are_read_back(items in prop::collection::vec(items(), 0..40)) {
        let snapshot = built(items);
        let file = encoded(&snapshot);
        let read = Snapshot::decode(&file).expect("it was just written");
        prop_assert_eq!(all(&read), all(&snapshot));
        prop_assert_eq!(encoded(&read), file);
    }

    #[test]
    fn a_changed_byte_is_noticed(items in prop::collection::vec(items(), 0..20), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let mut file = encoded(&built(items));
        let at = at.index(file.len());
        file[at] ^= 1_u8 << bit;
        prop_assert!(Snapshot::decode(&file).is_err());
    }

    #[test]
    fn a_truncated_file_is_noticed(items in prop::collection::vec(items(), 0..20), at in any::<prop::sample::Index>()) {
        let file = encoded(&built(items));
        prop_assert!(Snapshot::decode(&file[..at.index(file.len())]).is_err());
    }

    /// Files with a valid digest and odd content: rows of another program, or wrongly written ones.
    #[test]
    fn invalid_rows_in_an_intact_file_are_rejected_or_read_unchanged(
        items in prop::collection::vec(items(), 0..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut rows = Vec::new();
        for item in items {
            let mut row = Vec::new();
            super::row::write(&item, &mut row);
            super::row::number(row.len() as u64, &mut rows);
            rows.extend(row);
        }
        for (at, byte) in changes {
            if !rows.is_empty() {
                let at = at.index(rows.len());
                rows[at] = byte;
            }
        }
        let packed = zstd::bulk::compress(&rows, 1).expect("there is memory for it");
        let mut file = b"greenroom shelf\n\x01\0\0\0\x01\0\0\0\0\0\0\0".to_vec();
        file.extend(u32::try_from(rows.len()).expect("it is small").to_le_bytes());
        file.extend((packed.len() as u64).to_le_bytes());
        file.extend(packed);
        file.extend(xxhash_rust::xxh3::xxh3_64(&file).to_le_bytes());
        if let Ok(snapshot) = Snapshot::decode(&file) {
            prop_assert_eq!(encoded(&snapshot), file);
            prop_assert_eq!(all(&snapshot).len(), snapshot.len());
        }
    }

    #[test]
    fn a_snapshot_has_no_diff_with_itself(items in prop::collection::vec(items(), 0..40)) {
        let snapshot = built(items);
        prop_assert_eq!(between(&snapshot, &snapshot), SnapshotDiff::default());
    }

    #[test]
    fn added_and_removed_items_add_up(old in prop::collection::vec(items(), 0..30), new in prop::collection::vec(items(), 0..30)) {
        let (old, new) = (built(old), built(new));
        let counts = between(&old, &new).counts;
        prop_assert_eq!(old.len() as u64 + counts.added, new.len() as u64 + counts.removed);
        let back = between(&new, &old).counts;
        prop_assert_eq!((counts.added, counts.rekeyed), (back.removed, back.rekeyed));
    }
}

/// More rows than fit into one range, so that they are distributed before they are sorted.
#[test]
fn many_rows_in_any_order_come_out_sorted() {
    let item = |number: u64| {
        let key = format!("{:032x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Item::new(ItemKind::Film, &key, &format!("Film {number}"))
    };
    let one = built((0..40_000).map(item));
    let other = built((0..40_000).rev().map(item));
    assert_eq!(one.len(), 40_000);
    assert!(encoded(&one) == encoded(&other), "the order of arrival does not show");
    let keys: Vec<Box<str>> = one.items().map(|item| item.key).collect();
    assert!(keys.is_sorted());
    assert_eq!(one.item(one.row_of(&item(777).key).expect("it is there")), Some(item(777)));
    // Several rows of some blocks, none of others, and rows that do not exist.
    let rows: Vec<u32> = [0, 1, 63, 64, 700, 39_999, 40_000, u32::MAX].into();
    let mut at = Vec::new();
    one.items_at(&rows, |row, item| at.push((row, Some(item))));
    assert_eq!(at, rows[..6].iter().map(|row| (*row, one.item(*row))).collect::<Vec<_>>());
}

#[test]
fn the_error_for_a_foreign_file_names_its_format() {
    let read = |file: &[u8]| Snapshot::decode(file).map(|_| ()).expect_err("it is none");
    assert_eq!(read(b""), SnapshotDecodeError::Foreign);
    assert_eq!(read(b"SQLite format 3\0and so on"), SnapshotDecodeError::Foreign);
    let mut newer = encoded(&built([]));
    newer[16] = 9;
    assert_eq!(read(&newer), SnapshotDecodeError::Version(9));
    assert_eq!(read(b"greenroom shelf\n"), SnapshotDecodeError::Digest);
    // Valid digest but no valid snapshot: more blocks are promised than follow.
    let mut lying = b"greenroom shelf\n\x01\0\0\0".to_vec();
    lying.extend(u64::MAX.to_le_bytes());
    let digest = xxhash_rust::xxh3::xxh3_64(&lying);
    lying.extend(digest.to_le_bytes());
    assert_eq!(read(&lying), SnapshotDecodeError::Rows);
}

#[test]
fn numeric_keys_are_sorted_by_value() {
    let snapshot = built(["10", "9", "100"].map(|key| Item::new(ItemKind::Film, key, "x")));
    let keys: Vec<Box<str>> = snapshot.items().map(|item| item.key).collect();
    assert_eq!(keys, ["9".into(), "10".into(), "100".into()] as [Box<str>; 3]);
}

#[test]
fn items_of_an_album_or_an_artist_are_found() {
    let track = |key: &str, album: &str, artist: &str| Item {
        parent_key: Some(album.into()),
        grandparent_key: Some(artist.into()),
        ..Item::new(ItemKind::Track, key, "x")
    };
    let snapshot = built([track("1", "10", "20"), track("2", "11", "20"), track("3", "12", "21")]);
    assert_eq!(snapshot.keys_below(&["10"]), ["1".into()] as [Box<str>; 1]);
    assert_eq!(snapshot.keys_below(&["20", "12"]).len(), 3);
    assert_eq!(snapshot.keys_below(&[]), [] as [Box<str>; 0]);
}

fn track(key: &str, title: &str, path: &str, guid: &str) -> Item {
    Item {
        files: vec![MediaFile { path: path.into(), size_bytes: None }],
        guids: vec![guid.into()],
        ..Item::new(ItemKind::Track, key, title)
    }
}

#[test]
fn each_kind_of_change_is_reported_as_such() {
    let old = built([
        track("1", "stays", "/1", "plex://1"),
        track("2", "goes", "/2", "plex://2"),
        track("3", "retagged", "/3", "plex://3"),
        track("4", "moves", "/4", "plex://4"),
        track("5", "gets another key", "/5", "plex://5"),
        track("6", "gets another key and file", "/6", "plex://6"),
        track("7", "leaves its key to another", "/7", "plex://7"),
    ]);
    let new = built([
        track("1", "stays", "/1", "plex://1"),
        Item { year: Some(1999), ..track("3", "Retagged!", "/3", "plex://3") },
        track("4", "moves", "/four", "plex://4"),
        track("50", "gets another key", "/5", "local://50"),
        track("60", "gets another key and file", "/sixty", "PLEX://6"),
        track("7", "quite another", "/other", "plex://8"),
        track("9", "comes", "/9", "plex://9"),
    ]);
    let diff = between(&old, &new);
    assert_eq!(diff.counts, DiffCounts { added: 2, removed: 2, retagged: 1, moved: 1, rekeyed: 2 });
    let keys =
        |things: &[super::diff::ItemSummary]| things.iter().map(|thing| thing.key.to_string()).collect::<Vec<_>>();
    assert_eq!(keys(&diff.added), ["7", "9"], "a key that was given to another thing is a new thing");
    assert_eq!(keys(&diff.removed), ["2", "7"]);
    let fields: Vec<ItemField> = diff.retagged[0].fields.iter().map(|retag| retag.field).collect();
    assert_eq!(fields, [ItemField::Title, ItemField::Year]);
    assert_eq!((diff.moved[0].from.as_deref(), diff.moved[0].to.as_deref()), (Some("/4"), Some("/four")));
    assert_eq!((&*diff.rekeyed[0].from, &*diff.rekeyed[0].thing.key), ("5", "50"));
    assert_eq!((&*diff.rekeyed[1].from, &*diff.rekeyed[1].thing.key), ("6", "60"));
    assert_eq!(diff.changed_rows.len(), 6, "all rows but the first are to be matched anew");
    assert_eq!(
        diff.to_string(),
        "2 added, 2 removed, 1 retagged, 1 moved, 2 re-keyed\n\
         + track 7 “quite another”\n\
         + track 9 “comes”\n\
         - track 2 “goes”\n\
         - track 7 “leaves its key to another”\n\
         ~ track 3 “Retagged!”; title retagged → Retagged!; year nothing → 1999\n\
         > track 4 “moves”; /4 → /four\n\
         = track 50 “gets another key”; was 5\n\
         = track 60 “gets another key and file”; was 6\n"
    );
}

#[test]
fn keys_swapped_between_neighbours_are_two_rekeyed_items() {
    let old = built([track("1", "a", "/a", "plex://a"), track("2", "b", "/b", "plex://b")]);
    let new = built([track("1", "b", "/b", "plex://b"), track("2", "a", "/a", "plex://a")]);
    assert_eq!(between(&old, &new).counts, DiffCounts { rekeyed: 2, ..DiffCounts::default() });
}

#[test]
fn two_copies_with_the_same_name_are_distinguished() {
    let old = built([track("1", "a", "/a", "plex://a"), track("2", "a", "/a2", "plex://a")]);
    let new = built([track("8", "a", "/x", "plex://a"), track("9", "a", "/y", "plex://a")]);
    assert_eq!(between(&old, &new).counts, DiffCounts { added: 2, removed: 2, ..DiffCounts::default() });
}

#[test]
fn a_long_diff_is_counted_in_full_and_listed_in_part() {
    let item = |number: u32| Item::new(ItemKind::Film, &number.to_string(), "line\nbreak");
    let diff = between(&built([]), &built((0..500).map(item)));
    assert_eq!((diff.counts.added, diff.added.len()), (500, super::diff::MAX_LISTED));
    let told = diff.to_string();
    assert!(told.ends_with("  … and 400 more\n"), "{told}");
    assert_eq!(told.lines().count(), 1 + 100 + 1, "no title adds a line");
    let json = serde_json::to_value(&diff).expect("it is plain data");
    assert_eq!(json["counts"]["added"], 500);
    assert_eq!(json["added"][0]["kind"], "film");
}

#[test]
fn a_changed_timestamp_alone_is_not_a_reported_change() {
    let touched = |at_s| Item { updated_at_s: Some(at_s), ..track("1", "a", "/a", "plex://a") };
    let diff = between(&built([touched(1)]), &built([touched(2)]));
    assert!(diff.is_empty());
    assert_eq!(diff.changed_rows, [0]);
}
