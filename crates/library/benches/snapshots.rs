//! Cost of a snapshot of a million tracks: CPU time and memory of a build, of its file, of reading a row and
//! of a comparison, and the same of patches. A build includes the track index; its share is measured by building one of the same
//! tracks and dropping it. `cargo bench -p greenroom-library --bench snapshots -- Plex` (or `Jellyfin`).

use std::fs;
use std::hint::black_box;

use greenroom_library::item::{Item, ItemKind, MediaFile};
use greenroom_library::snapshot::{Snapshot, SnapshotBuilder, diff};

const TRACKS: u64 = 1_000_000;
const READS: u32 = 20_000;
const PATCHES: u64 = 3;
const CHANGES: u64 = 1_000;

const WORDS: [&str; 32] = [
    "Amber", "Ashen", "Bitter", "Harbour", "Lantern", "River", "Glass", "Winter", "Engine", "Orchard", "Copper",
    "Crimson", "Signal", "Meadow", "Tower", "Thunder", "Paper", "Velvet", "Canyon", "Mirror", "Hollow", "Garden",
    "Needle", "Ocean", "Marble", "Shadow", "Feather", "Bridge", "Candle", "Desert", "Island", "Silver",
];

/// A deterministic pseudo-random number.
fn draw(number: u64, stream: u64) -> u64 {
    let mixed = (number ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 11
}

fn word(number: u64, stream: u64) -> &'static str {
    WORDS[usize::try_from(draw(number, stream) % 32).expect("it is small")]
}

/// A track: twelve per album, four albums per artist, with a key in the form of one of the two servers.
fn track(number: u64, has_hex_key: bool) -> Item {
    let (album, artist) = (number / 12, number / 48);
    let key = |number: u64| {
        if has_hex_key { format!("{:016x}{:016x}", draw(number, 1), draw(number, 2)) } else { (number + 1).to_string() }
    };
    let (one, other, third) = (word(number, 3), word(number, 4), word(number, 5));
    let title = format!("{one} {other} {third} {}", draw(number, 6) % 40);
    let artist_title = format!("{} {}", word(artist, 7), artist);
    let album_title = format!("{} {}", word(album, 8), word(album, 9));
    let path = format!("/media/music/{artist_title}/{album_title}/{:02} - {title}.flac", number % 12 + 1);
    let uuid = format!(
        "{:08x}-{:04x}-4000-a000-{:012x}",
        draw(number, 10) & 0xffff_ffff,
        number & 0xffff,
        draw(number, 11) & 0xffff_ffff_ffff
    );
    Item {
        parent_key: Some(key(2_000_000 + album).into()),
        parent_title: Some(album_title.into()),
        grandparent_key: Some(key(3_000_000 + artist).into()),
        grandparent_title: Some(artist_title.into()),
        index: u32::try_from(number % 12 + 1).ok(),
        parent_index: Some(1),
        year: u16::try_from(1960 + album % 65).ok(),
        duration_ms: u32::try_from(95_000 + draw(number, 12) % 325_000).ok(),
        guids: vec![format!("plex://track/{:024x}", draw(number, 13)).into(), format!("mbid://{uuid}").into()],
        files: vec![MediaFile { path: path.into(), size_bytes: Some(10_000_000 + draw(number, 14) % 40_000_000) }],
        added_at_s: Some(1_600_000_000 + number * 90),
        updated_at_s: Some(1_600_050_000 + number * 90),
        ..Item::new(ItemKind::Track, &key(number), &title)
    }
}

/// CPU time of this thread in seconds.
fn cpu_s() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    stat.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).expect("a number") / 1e9
}

/// Current and peak memory of the process in MiB.
fn memory_mib() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("it is there");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
    };
    (line("VmRSS:"), line("VmHWM:"))
}

fn said<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let before = cpu_s();
    let made = work();
    let took = cpu_s() - before;
    let (now, most) = memory_mib();
    println!("{what:<44} {took:>8.2} s   {now:>5} MiB resident, {most:>5} at the most");
    made
}

fn crawled(has_hex_key: bool) -> SnapshotBuilder {
    let mut builder = SnapshotBuilder::default();
    for number in 0..TRACKS {
        builder.push(track(number, has_hex_key));
    }
    builder
}

/// Patches of 1,000 changes, one after the other: a quarter each is added, removed, retagged and moved.
fn patched(name: &str, has_hex_key: bool, mut snapshot: Snapshot) -> Snapshot {
    for round in 0..PATCHES {
        let next = said(&format!("{name}: patch {round} of {CHANGES} changes"), || {
            let mut builder = SnapshotBuilder::from(&snapshot);
            for change in 0..CHANGES {
                let number = draw(round * CHANGES + change, 15) % TRACKS;
                let old = track(number, has_hex_key);
                builder.remove(&old.key);
                let new = match change % 4 {
                    0 => Some(track(TRACKS + round * CHANGES + change, has_hex_key)),
                    1 => None,
                    2 => Some(Item { title: format!("{} (Live)", old.title).into(), ..old }),
                    _ => {
                        let path = format!("/media/moved/{number}.flac").into();
                        Some(Item { files: vec![MediaFile { path, size_bytes: None }], ..old })
                    }
                };
                new.map(|item| builder.push(item));
            }
            builder.build()
        });
        let changed = said(&format!("{name}: comparing it with the last one"), || diff::between(&snapshot, &next));
        println!(
            "    {} rows changed; {} tracks differ from the whole index",
            changed.changed_rows.len(),
            next.patched_tracks()
        );
        snapshot = next;
        let (now, _) = memory_mib();
        println!("    without the last one {now} MiB resident");
    }
    snapshot
}

fn main() {
    // Memory that one of them gives back would count for the other.
    let wanted = std::env::args().nth(1).filter(|name| !name.starts_with('-'));
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    for (name, has_hex_key) in [("Plex", false), ("Jellyfin", true)].into_iter().filter(|(name, _)| is_wanted(name)) {
        said(&format!("{name}: making {TRACKS} items alone"), || {
            (0..TRACKS).map(|number| track(number, has_hex_key).title.len()).sum::<usize>()
        });
        let builder = said(&format!("{name}: making and pushing them"), || crawled(has_hex_key));
        println!("    the builder says it takes {} MiB", builder.memory_bytes() >> 20);
        let snapshot = said(&format!("{name}: snapshot with track index"), || builder.build());
        println!("    the snapshot says it takes {} MiB without indexes", snapshot.memory_bytes() >> 20);
        let snapshot = patched(name, has_hex_key, snapshot);
        let mut file = Vec::new();
        said(&format!("{name}: writing its file"), || {
            snapshot.encode(&mut file).expect("a Vec takes everything");
        });
        println!("    the file has {} MiB", file.len() >> 20);
        let read = said(&format!("{name}: reading it, with index"), || Snapshot::decode(&file).expect("it is whole"));
        said(&format!("{name}: comparing two that are alike"), || black_box(diff::between(&snapshot, &read)));
        drop((read, file));
        said(&format!("{name}: merging the patches into a whole index"), || black_box(snapshot.merged()));
        let step = u32::try_from(TRACKS).expect("it fits") / READS;
        let before = cpu_s();
        let found = (0..READS).filter_map(|at| snapshot.item(at * step)).count();
        println!("    an item by its row: {:.1} µs ({found} read)", (cpu_s() - before) * 1e6 / f64::from(READS));
    }
}
