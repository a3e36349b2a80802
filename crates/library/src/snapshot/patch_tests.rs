//! A patched snapshot answers exactly as one that was built whole of the same items: every row, key and count, every
//! difference, and every decision of the matcher with its candidates.

use std::collections::BTreeMap;

use super::{RowsId, Snapshot, SnapshotBuilder, diff};
use crate::external_id::index::{IdIndex, IdIndexBuilder, show_key};
use crate::files::{CaseSensitivity, FileIndex, FileIndexBuilder, FileQuery, PathMaps};
use crate::item::{Item, ItemKind, MediaFile};
use crate::matching::{ListEvidence, MatchPolicy, Track, TrackMatchReason, with_track};

/// Pseudo-random numbers from a seed (xorshift).
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound as u64).expect("it is small")
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn is_one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

const WORDS: [&str; 14] =
    ["our", "way", "home", "night", "nights", "2", "the", "f**k", "ひかり", "harbour", "river", "intro", "gold", "ash"];
const ENDS: [&str; 14] = [
    "",
    "",
    "",
    "",
    " (Live)",
    " - Remastered 2011",
    " (feat. Ab Ba)",
    " (feat. AC/DC)",
    " (Zappa Remix)",
    ", Pt. 2",
    " (Radio Edit)",
    " (Of Gold)",
    " - Live at Home 2012",
    " [Explicit]",
];
/// The same names with their letters split otherwise among them.
const ARTISTS: [&str; 18] = [
    "Abba",
    "Ab Ba",
    "AC/DC",
    "ACDC",
    "Ac Dc",
    "The Abbas",
    "Abba & Zappa",
    "Zappa",
    "Various Artists",
    "Mata",
    "North Star",
    "Northstar",
    "Harbour Lights",
    "Gold",
    "Nights",
    "Ash River",
    "Sigur Rós",
    "The Rivers",
];
const ALBUMS: [&str; 7] =
    ["", "Gold", "Live at Home", "Live in Harbour 1999", "Greatest Hits", "Unplugged in River", "Night"];

fn item(rng: &mut Rng, key: &str) -> Item {
    let kind = match rng.below(40) {
        0 => ItemKind::Show,
        1..=5 => ItemKind::Episode,
        _ => ItemKind::Track,
    };
    let words: Vec<&str> = (0..=rng.below(3)).map(|_| rng.pick(&WORDS)).collect();
    let artist = rng.pick(&ARTISTS);
    let prefix = if rng.is_one_in(12) { format!("{artist} - ") } else { String::new() };
    let title = format!("{prefix}{}{}", words.join(" "), rng.pick(&ENDS));
    let artists = match rng.below(6) {
        0 => vec![artist.into()],
        1 => vec![artist.into(), rng.pick(&ARTISTS).into()],
        _ => Vec::new(),
    };
    let guid = |rng: &mut Rng| match rng.below(4) {
        3 => format!("tvdb://{}", rng.below(9)),
        0 => format!("mbid://00000000-0000-4000-a000-00000000000{}", rng.below(8)),
        1 => format!("isrc://GBAYE000000{}", rng.below(8)),
        _ => format!("plex://track/{:024x}", rng.below(40)),
    };
    Item {
        parent_title: Some(rng.pick(&ALBUMS).into()),
        grandparent_key: (kind == ItemKind::Episode).then(|| rng.below(30).to_string().into()),
        grandparent_title: Some(artist.into()),
        index: Some(3),
        parent_index: (!rng.is_one_in(9)).then_some(1),
        artists,
        duration_ms: (!rng.is_one_in(4)).then(|| 180_000 + u32::try_from(rng.below(4)).expect("it is small") * 2_000),
        guids: (0..rng.below(3)).map(|_| guid(rng).into()).collect(),
        files: vec![MediaFile { path: format!("/music/{}/{key}.flac", rng.below(3)).into(), size_bytes: None }],
        updated_at_s: Some(rng.below(3) as u64),
        ..Item::new(kind, key, &title)
    }
}

fn some_key(rng: &mut Rng) -> String {
    match rng.below(8) {
        0 => format!("{:032x}", rng.below(60)),
        1 => format!("t{}", rng.below(20)),
        2 => rng.below(30).to_string(),
        _ => rng.below(600).to_string(),
    }
}

type Items = BTreeMap<String, Item>;

fn whole(items: &Items) -> Snapshot {
    let mut builder = SnapshotBuilder::default();
    for item in items.values() {
        assert!(builder.push(item.clone()));
    }
    builder.build()
}

/// Makes the same random changes to the items and to the snapshot.
fn change(rng: &mut Rng, items: &mut Items, snapshot: &Snapshot) -> Snapshot {
    let mut builder = SnapshotBuilder::from(snapshot);
    for _ in 0..=rng.below(12) {
        let known: Vec<&String> = items.keys().collect();
        let old = known[rng.below(known.len())].clone();
        match rng.below(4) {
            0 => {
                let new = some_key(rng);
                let item = item(rng, &new);
                builder.remove(&new);
                assert!(builder.push(item.clone()));
                items.insert(new, item);
            }
            1 if items.len() > 20 => {
                assert!(builder.remove(&old));
                items.remove(&old);
            }
            2 => {
                let item = item(rng, &old);
                assert!(builder.remove(&old) && builder.push(item.clone()));
                items.insert(old, item);
            }
            _ => {
                let mut item = items[&old].clone();
                item.files[0].path = format!("/moved/{}/{old}.flac", rng.below(5)).into();
                assert!(builder.remove(&old) && builder.push(item.clone()));
                items.insert(old, item);
            }
        }
    }
    builder.build_within(|rows| rows)
}

/// A decision with its candidates by key.
type Told = (String, Vec<(String, f32, Vec<TrackMatchReason>)>, f32, bool);

fn told(snapshot: &Snapshot, track: &Track<'_>, policy: MatchPolicy) -> Told {
    let (result, renaming) = snapshot.tracks().resolve_in_list(track, policy);
    let mut evidence = ListEvidence::default();
    if let Some(renaming) = &renaming {
        evidence.record(renaming);
    }
    let candidates = result.candidates.into_iter().map(|candidate| {
        let row = snapshot.row_of_track(candidate.row).expect("a candidate is in the library");
        (snapshot.key_of(row).expect("each row has a key"), candidate.score, candidate.reasons)
    });
    (format!("{:?}", result.decision), candidates.collect(), result.margin, renaming.is_some())
}

fn assert_same(patched: &Snapshot, whole: &Snapshot, asked: &[Item], said: &str) {
    assert_eq!((patched.len(), patched.counts), (whole.len(), whole.counts), "{said}");
    assert!(patched.items().eq(whole.items()), "{said}: the items");
    assert_eq!(patched.tracks().len(), whole.tracks().len(), "{said}");
    for (row, item) in (0..).zip(whole.items()) {
        assert_eq!((patched.row_of(&item.key), patched.item(row).as_ref()), (Some(row), Some(&item)), "{said}");
    }
    let rows: Vec<u32> = (0..).take(whole.len()).step_by(3).collect();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    patched.items_at(&rows, |row, item| ours.push((row, item)));
    whole.items_at(&rows, |row, item| theirs.push((row, item)));
    assert_eq!(ours, theirs, "{said}");
    for item in asked {
        let policies = [MatchPolicy::Strict, MatchPolicy::PreferVersionElseAny];
        for policy in policies {
            with_track(item, |track| {
                let plain = Track { ids: &[], ..*track };
                for track in [*track, plain, Track { album: "", duration_s: None, ..plain }] {
                    assert_eq!(told(patched, &track, policy), told(whole, &track, policy), "{said}: {track:?}");
                }
            });
        }
    }
}

/// Files and ids of a snapshot.
struct Lookups {
    rows: RowsId,
    files: FileIndex,
    ids: IdIndex,
}

impl Lookups {
    fn whole(snapshot: &Snapshot) -> Self {
        let (mut files, mut ids) = (FileIndexBuilder::default(), IdIndexBuilder::default());
        for (row, item) in (0..).zip(snapshot.items()) {
            files.push(row, &item);
            ids.push(row, &item);
        }
        Self { rows: snapshot.rows_id(), files: files.build(), ids: ids.build() }
    }

    fn patched(&self, snapshot: &Snapshot) -> Option<Self> {
        let changes = snapshot.changes_since(&self.rows).filter(|changes| !changes.has_show())?;
        let mut added = Vec::new();
        snapshot.items_at(changes.added(), |row, item| {
            let show = show_key(&item).and_then(|key| snapshot.item(snapshot.row_of(key)?));
            added.push((row, item, show.filter(|show| show.kind == ItemKind::Show)));
        });
        let files = self.files.patched(&changes, added.iter().map(|(row, item, _)| (*row, item)));
        let ids = self.ids.patched(&changes, added.iter().map(|(row, item, show)| (*row, item, show.as_ref())));
        Some(Self { rows: snapshot.rows_id(), files, ids })
    }

    fn assert_same(&self, whole: &Self, items: &Items, said: &str) {
        assert_eq!((self.files.len(), self.ids.len()), (whole.files.len(), whole.ids.len()), "{said}");
        let paths = items.values().flat_map(|item| &item.files).map(|file| file.path.to_string());
        let others =
            (0..5).flat_map(|at| [format!("/moved/{at}/7.flac"), format!("{at}/12.FLAC"), format!("{at}.flac")]);
        for path in paths.chain(others) {
            let asked = FileQuery { path: &path, ..FileQuery::default() };
            let find = |index: &FileIndex| index.find(&asked, &PathMaps::default(), CaseSensitivity::Ignore);
            assert_eq!(find(&self.files), find(&whole.files), "{said}: {path}");
        }
        let derived = (0..9).flat_map(|id| [format!("tvdb://{id}"), format!("tvdb://{id}/1/3")]);
        let guids =
            items.values().flat_map(|item| item.guids.iter().filter_map(|guid| crate::external_id::canonical(guid)));
        for id in guids.chain(derived) {
            assert_eq!(self.ids.rows(&id), whole.ids.rows(&id), "{said}: {id}");
        }
    }
}

/// Tracks to ask for: of the library, and others, some of them misspelt.
fn asked(rng: &mut Rng, items: &Items) -> Vec<Item> {
    let known: Vec<&Item> = items.values().collect();
    let mut asked: Vec<Item> = (0..4).map(|_| known[rng.below(known.len())].clone()).collect();
    asked.extend((0..4).map(|_| item(rng, "0")));
    for item in asked.iter_mut().step_by(2) {
        let mut letters: Vec<char> = item.title.chars().collect();
        if letters.len() > 3 {
            letters.remove(rng.below(letters.len()));
        }
        item.title = letters.into_iter().collect::<String>().into();
        item.grandparent_title = Some(rng.pick(&ARTISTS).into());
    }
    asked
}

#[test]
fn a_patched_snapshot_answers_as_one_that_was_built_whole() {
    const LIBRARIES: u64 = 24;
    const PATCHES: usize = 25;
    let (mut patched, mut checked) = (0, 0);
    for seed in 1..=LIBRARIES {
        let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut items = Items::new();
        for _ in 0..30 + rng.below(60) {
            let key = some_key(&mut rng);
            items.insert(key.clone(), item(&mut rng, &key));
        }
        let (mut snapshot, mut rebuilt) = (whole(&items), whole(&items));
        let mut lookups = Lookups::whole(&snapshot);
        for step in 0..PATCHES {
            let next = change(&mut rng, &mut items, &snapshot);
            let before = std::mem::replace(&mut rebuilt, whole(&items));
            let said = format!("library {seed}, patch {step}");
            patched += usize::from(next.patched_tracks() > 0);
            checked += 1;
            assert_same(&next, &rebuilt, &asked(&mut rng, &items), &said);
            assert_eq!(diff::between(&snapshot, &next), diff::between(&before, &rebuilt), "{said}");
            if rng.is_one_in(2) {
                lookups = lookups.patched(&next).unwrap_or_else(|| Lookups::whole(&next));
                lookups.assert_same(&Lookups::whole(&rebuilt), &items, &said);
            }
            snapshot = if rng.is_one_in(10) { next.merged() } else { next };
        }
        assert_same(&snapshot.merged(), &whole(&items), &asked(&mut rng, &items), "merged");
    }
    assert!(patched * 2 > checked, "only {patched} of {checked} were patched");
}
