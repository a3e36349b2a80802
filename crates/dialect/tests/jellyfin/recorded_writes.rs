//! Writes recorded from a live Jellyfin 12: which of a hundred reads of three users each of them changed.
//!
//! `recorded_writes.json` holds the reads with the rows of the owner's responses, and 39 writes of the owner with the
//! messages that the users' sockets got and the reads that changed. Reads that changed by themselves (times of last
//! activity) are left out.

use std::cell::Cell;
use std::collections::BTreeMap;

use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Classification, DocumentEdit, Read, ThrottledInvalidation};
use greenroom_dialect::playback_stage::PlaybackStage;
use greenroom_dialect::reach;
use greenroom_dialect::request::{RequestView, ServerKind};
use greenroom_dialect::server_event::ServerEvent;
use greenroom_dialect::tag::{Audience, Tag, TagInvalidation};
use greenroom_library::lineage::Lineage;
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value;

/// The user whose writes were recorded.
const WRITER: &str = "root";

/// Max reads of the writer asked again for each that changed, over all writes, times ten.
const MAX_ASKED_FOR_TEN_CHANGED: usize = 28;

/// The same for a user whom fewer writes concern. An announced change names no field of its item, so it reaches all
/// lists that can hold it.
const MAX_ASKED_OF_OTHERS: usize = 53;

/// Classes whose responses change by themselves and live for seconds.
const LIVE: [Class; 5] =
    [Class::Activities, Class::Sessions, Class::LiveStatistics, Class::Statistics, Class::ActivityLog];

/// A list in the order of the last activity, which every request changes; it lives for a minute.
const BY_ACTIVITY: &str = "/Devices";

/// The playlist that one of the writes makes.
const NEW_PLAYLIST: &str = "21c6b3dd44a23bb1fe555cd2b5961b8a";

#[derive(Deserialize)]
struct Recording {
    names: BTreeMap<String, String>,
    users: BTreeMap<String, String>,
    reads: Vec<(String, Value)>,
    writes: Vec<RecordedWrite>,
    /// The stage that the last report told.
    #[serde(skip)]
    last_stage: Cell<Option<PlaybackStage>>,
}

#[derive(Deserialize)]
struct RecordedWrite {
    name: String,
    /// Method, target, body.
    requests: Vec<(String, String, String)>,
    /// Receiver and frame.
    told: Vec<(String, Value)>,
    /// Reads by user that were different right after the write.
    at_once: BTreeMap<String, Vec<usize>>,
    /// Those that became different a few seconds later.
    later: BTreeMap<String, Vec<usize>>,
}

/// A cacheable read of one user, with the tags of its response.
struct TaggedRead {
    index: usize,
    tags: Vec<Tag>,
}

/// Known items, and the reads of each user.
struct CachedReads {
    lineage: Lineage,
    by_user: BTreeMap<String, Vec<TaggedRead>>,
}

impl Recording {
    fn load() -> Self {
        serde_json::from_str(include_str!("recorded_writes.json")).expect("the recording is JSON")
    }

    fn target(&self, index: usize, user: &str) -> String {
        let target = self.reads[index].0.replace("{u}", &self.users[user]);
        self.names.iter().fold(target, |target, (name, id)| target.replace(&format!("{{{name}}}"), id))
    }

    fn read(&self, index: usize, user: &str) -> Option<Read> {
        let target = self.target(index, user);
        let headers = HeaderMap::new();
        let request = RequestView { method: &Method::GET, target: &target, headers: &headers, body: &[] };
        match ServerKind::Jellyfin.classify(&request, Some(&self.users[user])) {
            Classification::Read(read) if !LIVE.contains(&read.class) && read.target != BY_ACTIVITY => {
                Some(Read::clone(&read))
            }
            _ => None,
        }
    }

    fn cached_reads(&self) -> CachedReads {
        let mut json = HeaderMap::new();
        json.insert("content-type", HeaderValue::from_static("application/json"));
        let mut cached = CachedReads { lineage: Lineage::new(10_000), by_user: BTreeMap::new() };
        for user in self.users.keys() {
            let mut reads = Vec::new();
            for index in 0..self.reads.len() {
                let Some(read) = self.read(index, user) else { continue };
                let body = self.reads[index].1.to_string();
                let facts = ServerKind::Jellyfin.inspect(&read, &json, &body.into());
                let facts = facts.unwrap_or_else(|reason| panic!("{} is {reason:?}", read.target));
                facts.record(&mut cached.lineage, 0);
                reads.push(TaggedRead { index, tags: [read.tags, facts.tags].concat() });
            }
            cached.by_user.insert(user.clone(), reads);
        }
        // Each read was asked again since what it names became known.
        for read in cached.by_user.values_mut().flatten() {
            read.tags = reach::resolved(&cached.lineage, std::mem::take(&mut read.tags));
        }
        cached
    }

    /// Whether a player's report may change what its item is. The recorded ones came within a minute of each other.
    fn is_news(&self, report: &ThrottledInvalidation, lineage: &Lineage) -> bool {
        let now = PlaybackStage::of(report, lineage);
        let last = self.last_stage.replace(Some(now));
        last.is_none_or(|last| now.may_differ(last))
    }

    fn invalidations_of(&self, write: &RecordedWrite, lineage: &Lineage) -> Vec<TagInvalidation> {
        let headers = HeaderMap::new();
        let own = self.users[WRITER].as_str();
        let of_one = |(method, target, body): &(String, String, String)| {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let request = RequestView { method: &method, target, headers: &headers, body: body.as_bytes() };
            match ServerKind::Jellyfin.classify(&request, Some(own)) {
                Classification::Write(write) => {
                    let before = |edit: &DocumentEdit| edit.narrowed(lineage.document(&edit.document.key())?);
                    if let Some(narrowed) = write.edit.as_ref().and_then(before) {
                        return narrowed;
                    }
                    let stale = write.at_once();
                    let throttled = write.throttled.filter(|report| self.is_news(report, lineage));
                    [stale, throttled.map(|later| later.invalidations).unwrap_or_default()].concat()
                }
                other => panic!("{method} {target} is {other:?}"),
            }
        };
        write.requests.iter().flat_map(of_one).collect()
    }
}

impl CachedReads {
    /// The reads of this user that these invalidations of `by` concern.
    fn hit(&self, user: &str, id: &str, by: &str, stale: &[TagInvalidation]) -> Vec<usize> {
        let stale = reach::expanded(&self.lineage, stale);
        let concerns = |one: &&TagInvalidation| match &one.audience {
            Audience::Everyone => true,
            Audience::Account => user == by,
            Audience::User(named) => named == id,
        };
        let tags: Vec<&Tag> = stale.iter().filter(concerns).map(|one| &one.tag).collect();
        let is_hit =
            |read: &&TaggedRead| tags.contains(&&Tag::all()) || read.tags.iter().any(|tag| tags.contains(&tag));
        self.by_user[user].iter().filter(is_hit).map(|read| read.index).collect()
    }
}

fn told(frames: &[(String, Value)], receiver: &str) -> Vec<TagInvalidation> {
    let events = frames
        .iter()
        .filter(|(user, _)| user == receiver)
        .flat_map(|(_, frame)| ServerKind::Jellyfin.parse_frame(frame.to_string().as_bytes()));
    events
        .flat_map(|event| match event {
            ServerEvent::Stale(stale) => stale,
            _ => Vec::new(),
        })
        .collect()
}

/// Reads of one user that one write changed and reached.
struct Reached {
    changed: Vec<usize>,
    hit: Vec<usize>,
    /// Changed, but not reached in time.
    old: Vec<usize>,
}

impl Reached {
    fn of(
        write: &RecordedWrite,
        recording: &Recording,
        cached: &CachedReads,
        user: &str,
        by_write: &[TagInvalidation],
    ) -> Self {
        let id = &recording.users[user];
        let at_once = cached.hit(user, id, WRITER, by_write);
        let mut hit = at_once.clone();
        for receiver in recording.users.keys() {
            hit.extend(cached.hit(user, id, receiver, &told(&write.told, receiver)));
        }
        hit.sort_unstable();
        hit.dedup();
        let is_cached = |index: &&usize| cached.by_user[user].iter().any(|read| read.index == **index);
        let changed = |reads: &BTreeMap<String, Vec<usize>>| -> Vec<usize> {
            reads.get(user).into_iter().flatten().filter(is_cached).copied().collect()
        };
        let (first, second) = (changed(&write.at_once), changed(&write.later));
        let missing = first.iter().filter(|index| !at_once.contains(index));
        let old = missing.chain(second.iter().filter(|index| !hit.contains(index))).copied().collect();
        let mut changed = [first, second].concat();
        changed.sort_unstable();
        changed.dedup();
        Self { changed, hit, old }
    }
}

#[test]
fn a_recorded_write_reaches_every_read_that_it_changed_and_few_others() {
    let recording = Recording::load();
    let mut cached = recording.cached_reads();
    let mut old = Vec::new();
    let mut totals: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    println!("{:<24}{:>6}{:>9}{:>7}{:>5}", "write", "user", "changed", "asked", "old");
    for write in &recording.writes {
        let by_write = recording.invalidations_of(write, &cached.lineage);
        for user in recording.users.keys() {
            let reached = Reached::of(write, &recording, &cached, user, &by_write);
            let (changed, asked) = (reached.changed.len(), reached.hit.len());
            println!("{:<24}{user:>6}{changed:>9}{asked:>7}{:>5}", write.name, reached.old.len());
            if std::env::var_os("SHOW").is_some() {
                let at_once = cached.hit(user, &recording.users[user], WRITER, &by_write);
                for index in reached.hit.iter().filter(|index| !reached.changed.contains(index)) {
                    let by = if at_once.contains(index) { "write" } else { "event" };
                    println!("        in vain, by the {by}: {}", recording.reads[*index].0);
                }
            }
            let total = totals.entry(user).or_default();
            *total = (total.0 + changed, total.1 + asked);
            let path = |index: &usize| format!("{}: {user} {}", write.name, recording.reads[*index].0);
            old.extend(reached.old.iter().map(path));
        }
        if write.name == "playlist new" {
            // The list of playlists is asked for again, and shows it.
            cached.lineage.record_group(NEW_PLAYLIST, "playlists");
        }
    }
    println!("in all, changed and asked again: {totals:?}");
    assert_eq!(old, Vec::<String>::new(), "these keep an old answer");
    for (user, (changed, asked)) in totals {
        assert!(changed > 50, "{changed} reads of {user} changed");
        let allowed = if user == WRITER { MAX_ASKED_FOR_TEN_CHANGED } else { MAX_ASKED_OF_OTHERS };
        assert!(asked * 10 <= changed * allowed, "{asked} of {user} for {changed} that changed");
    }
}
