//! Writes recorded from a live Jellyfin 12: which of a hundred reads of three users each of them changed.
//!
//! `recorded_writes.json` holds the reads with the rows of the owner's responses, and 39 writes of the owner with the
//! messages that the users' sockets got and the reads that changed. Reads that changed by themselves (times of last
//! activity) are left out.

use std::collections::{BTreeMap, HashMap};

use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Classification, Read};
use greenroom_dialect::request::{RequestView, ServerKind};
use greenroom_dialect::server_event::ServerEvent;
use greenroom_dialect::tag::{Audience, Tag, TagInvalidation};
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value;

/// The user whose writes were recorded.
const WRITER: &str = "root";

/// Max reads asked again for each that changed, over all writes and users, times ten.
const MAX_ASKED_FOR_TEN_CHANGED: usize = 100;

/// Classes whose responses change by themselves and live for seconds.
const LIVE: [Class; 5] =
    [Class::Activities, Class::Sessions, Class::LiveStatistics, Class::Statistics, Class::ActivityLog];

/// A list in the order of the last activity, which every request changes; it lives for a minute.
const BY_ACTIVITY: &str = "/Devices";

#[derive(Deserialize)]
struct Recording {
    names: BTreeMap<String, String>,
    users: BTreeMap<String, String>,
    reads: Vec<(String, Value)>,
    writes: Vec<RecordedWrite>,
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

/// Parents of items, and the reads of each user.
struct CachedReads {
    parents: HashMap<String, Option<String>>,
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
        let mut cached = CachedReads { parents: HashMap::new(), by_user: BTreeMap::new() };
        for user in self.users.keys() {
            let mut reads = Vec::new();
            for index in 0..self.reads.len() {
                let Some(read) = self.read(index, user) else { continue };
                let body = self.reads[index].1.to_string();
                let facts = ServerKind::Jellyfin.inspect(&read, &json, &body.into());
                let facts = facts.unwrap_or_else(|reason| panic!("{} is {reason:?}", read.target));
                cached.parents.extend(facts.parents);
                reads.push(TaggedRead { index, tags: [read.tags, facts.tags].concat() });
            }
            cached.by_user.insert(user.clone(), reads);
        }
        cached
    }

    fn invalidations_of(&self, write: &RecordedWrite) -> Vec<TagInvalidation> {
        let headers = HeaderMap::new();
        let own = self.users[WRITER].as_str();
        let of_one = |(method, target, body): &(String, String, String)| {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let request = RequestView { method: &method, target, headers: &headers, body: body.as_bytes() };
            match ServerKind::Jellyfin.classify(&request, Some(own)) {
                Classification::Write(write) => {
                    let throttled = write.throttled.map(|later| later.invalidations).unwrap_or_default();
                    [write.invalidations, throttled].concat()
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
        let mut tags: Vec<Tag> = Vec::new();
        for one in stale.iter().filter(|one| match &one.audience {
            Audience::Everyone => true,
            Audience::Account => user == by,
            Audience::User(named) => named == id,
        }) {
            if one.tag.members_of().is_some_and(|item| self.ancestors(item).contains(&Tag::branch())) {
                tags.push(Tag::user_state());
            }
            tags.push(one.tag.clone());
            if one.with_ancestors {
                tags.push(Tag::many_items());
                tags.extend(self.ancestors(one.tag.as_str().trim_start_matches("item:")));
            }
        }
        let is_hit = |read: &&TaggedRead| tags.contains(&Tag::all()) || read.tags.iter().any(|tag| tags.contains(tag));
        self.by_user[user].iter().filter(is_hit).map(|read| read.index).collect()
    }

    /// Tags of the item's ancestors, or of every container if they are unknown.
    fn ancestors(&self, item: &str) -> Vec<Tag> {
        let mut tags = Vec::new();
        let mut at = item;
        loop {
            match self.parents.get(at) {
                Some(Some(parent)) if tags.len() < 10 => {
                    tags.push(Tag::item(parent));
                    at = parent;
                }
                Some(_) => return tags,
                None => return [tags, vec![Tag::branch()]].concat(),
            }
        }
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

#[test]
fn a_recorded_write_reaches_every_read_that_it_changed_and_few_others() {
    let recording = Recording::load();
    let cached = recording.cached_reads();
    let (mut missed, mut asked, mut changed_count) = (Vec::new(), 0, 0);
    for write in &recording.writes {
        let by_write = recording.invalidations_of(write);
        for (user, id) in &recording.users {
            let at_once = cached.hit(user, id, WRITER, &by_write);
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
            let missing = missing.chain(second.iter().filter(|index| !hit.contains(index)));
            missed.extend(missing.map(|index| format!("{}: {user} {}", write.name, recording.reads[*index].0)));
            let mut all = [first, second].concat();
            all.sort_unstable();
            all.dedup();
            asked += hit.len();
            changed_count += all.len();
        }
    }
    println!("{asked} reads are asked again for {changed_count} that changed");
    assert!(changed_count > 250, "{changed_count} reads changed");
    assert_eq!(missed, Vec::<String>::new(), "these keep an old answer");
    assert!(
        asked * 10 <= changed_count * MAX_ASKED_FOR_TEN_CHANGED,
        "{asked} reads are asked again for {changed_count} that changed"
    );
}
