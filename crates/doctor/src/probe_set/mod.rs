//! Reads that match what a server really has: a few that every server answers, and more derived from the
//! responses. They serve to compare two ways to the same server. All are read-only.
//!
//! Modules: [`plex`], [`jellyfin`] (the reads); [`rows`] (rows of a response).

mod jellyfin;
mod plex;
mod rows;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use http::{HeaderMap, Method};

use greenroom_dialect::classification::Classification;
use greenroom_dialect::request::{RequestView, ServerKind};
use rows::ProbeRow;

/// Max reads of one kind, so that other kinds get their share.
const MAX_PER_CATEGORY: usize = 24;
/// One in this many JSON reads of a Plex server is requested in XML as well.
const XML_EVERY: usize = 4;

/// Representation in which a read is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeFormat {
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// Any: pictures.
    Any,
}

/// A read to request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadProbe {
    /// Path and query.
    pub target: String,
    /// Requested representation.
    pub format: ProbeFormat,
    category: &'static str,
}

/// The reads still to be requested.
#[derive(Debug)]
pub struct ProbeSet {
    kind: ServerKind,
    remaining: usize,
    waiting: VecDeque<ReadProbe>,
    seen: BTreeSet<(String, ProbeFormat)>,
    counts: BTreeMap<&'static str, usize>,
    /// The user to read for (Jellyfin).
    user: Option<String>,
}

impl ReadProbe {
    fn new(category: &'static str, format: ProbeFormat, target: String) -> Self {
        Self { target, format, category }
    }
}

impl ProbeFormat {
    /// The `Accept` value.
    pub fn accept(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::Any => "*/*",
        }
    }
}

impl ProbeSet {
    /// Creates a set of at most `limit` reads for a server of this kind.
    pub fn new(kind: ServerKind, limit: usize) -> Self {
        let mut survey = Self {
            kind,
            remaining: limit,
            waiting: VecDeque::new(),
            seen: BTreeSet::new(),
            counts: BTreeMap::new(),
            user: None,
        };
        let first = match kind {
            ServerKind::Plex => plex::first(),
            ServerKind::Jellyfin => jellyfin::first(),
        };
        survey.add_all(first);
        survey
    }

    /// The next read, if there is one.
    pub fn pop(&mut self) -> Option<ReadProbe> {
        self.remaining = self.remaining.checked_sub(1)?;
        self.waiting.pop_front()
    }

    /// Number of reads planned so far, within the limit.
    pub fn planned(&self) -> usize {
        self.waiting.len().min(self.remaining)
    }

    /// Adds reads derived from the response to a read.
    pub fn learn(&mut self, probe: &ReadProbe, body: &[u8]) {
        if probe.format != ProbeFormat::Json {
            return;
        }
        let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return };
        let rows: Vec<ProbeRow> = rows::first_rows(&body);
        let further_probes = match self.kind {
            ServerKind::Plex => plex::further_probes(&probe.target, &rows),
            ServerKind::Jellyfin => {
                if self.user.is_none() {
                    self.user = jellyfin::user_in(&probe.target, &body);
                    let own = self.user.as_deref().map(jellyfin::of_user).unwrap_or_default();
                    self.add_all(own);
                }
                jellyfin::further_probes(&rows, self.user.as_deref())
            }
        };
        self.add_all(further_probes);
    }

    fn add_all(&mut self, probes: Vec<ReadProbe>) {
        for probe in probes {
            let counts = self.counts.entry(probe.category).or_default();
            let is_new = || !self.seen.contains(&(probe.target.clone(), probe.format));
            if *counts >= MAX_PER_CATEGORY || !is_new() || !only_reads(self.kind, &probe) {
                continue;
            }
            self.seen.insert((probe.target.clone(), probe.format));
            *counts += 1;
            let twin = self.kind == ServerKind::Plex && probe.format == ProbeFormat::Json && *counts % XML_EVERY == 1;
            if twin {
                self.waiting.push_back(ReadProbe { format: ProbeFormat::Xml, ..probe.clone() });
            }
            self.waiting.push_back(probe);
        }
    }
}

/// Whether the request has no side effects. The server's responses supply picture URLs, and several writes of
/// Plex are plain GETs, so a picture must be recognised as one.
fn only_reads(kind: ServerKind, probe: &ReadProbe) -> bool {
    let request = RequestView { method: &Method::GET, target: &probe.target, headers: &HeaderMap::new(), body: &[] };
    match kind.classify(&request, None) {
        Classification::Read(_) => true,
        Classification::Stream(_) => probe.format != ProbeFormat::Any,
        Classification::Write(_) | Classification::Refuse(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_dialect::classification::StreamReason;

    /// Answers every read with rows of all kinds, so that every rule is used.
    fn walk(kind: ServerKind, body: &str) -> Vec<ReadProbe> {
        let mut survey = ProbeSet::new(kind, 2_000);
        let mut probes = Vec::new();
        while let Some(probe) = survey.pop() {
            survey.learn(&probe, body.as_bytes());
            probes.push(probe);
        }
        probes
    }

    const PLEX: &str = r#"{"MediaContainer":{"Directory":[{"key":"1","type":"movie"},{"key":"2","type":"show"},{"key":"3","type":"artist"}],
        "Metadata":[{"ratingKey":"10","type":"movie","thumb":"/library/metadata/10/thumb/5","art":"/library/metadata/10/art/5"},
        {"ratingKey":"11","type":"show"},{"ratingKey":"12","type":"season"},{"ratingKey":"13","type":"album"},
        {"ratingKey":"14","type":"playlist"},{"ratingKey":"15","type":"collection"},{"ratingKey":"16","type":"artist"}]}}"#;
    const JELLYFIN: &str = r#"{"Id":"00000000000000000000000000000001","Name":"o","Policy":{},"Items":[
        {"Id":"a1","Type":"Movie","ImageTags":{"Primary":"t1"}},{"Id":"a2","Type":"Series"},
        {"Id":"a3","Type":"Playlist"},{"Id":"a4","Type":"CollectionFolder"},{"Id":"a5","Type":"MusicAlbum"}]}"#;

    #[test]
    fn a_probe_set_only_reads() {
        for (kind, body) in [(ServerKind::Plex, PLEX), (ServerKind::Jellyfin, JELLYFIN)] {
            for probe in walk(kind, body) {
                let (target, headers) = (probe.target.as_str(), &HeaderMap::new());
                let request = RequestView { method: &Method::GET, target, headers, body: &[] };
                match kind.classify(&request, None) {
                    Classification::Read(_)
                    | Classification::Stream(StreamReason::Account | StreamReason::Moment | StreamReason::Unknown) => {}
                    other => panic!("{} is no plain read: {other:?}", probe.target),
                }
            }
        }
    }

    #[test]
    fn an_image_url_that_is_a_write_is_not_requested() {
        let mut survey = ProbeSet::new(ServerKind::Plex, 2_000);
        let first = std::iter::from_fn(|| survey.pop()).find(|probe| probe.format == ProbeFormat::Json);
        let first = first.expect("there is a first read");
        let pictures = r#"{"Metadata":[{"ratingKey":"1","type":"movie","thumb":"/library/sections/1/refresh",
            "art":"/library/../:/scrobble?key=1"},{"ratingKey":"2","type":"movie","thumb":"/library/metadata/2/thumb/3"}]}"#;
        survey.learn(&first, pictures.as_bytes());
        let targets: Vec<String> = std::iter::from_fn(|| survey.pop()).map(|probe| probe.target).collect();
        assert!(targets.contains(&"/library/metadata/2/thumb/3".into()));
        assert!(!targets.iter().any(|target| target.ends_with("refresh") || target.contains("/..")), "{targets:?}");
    }

    #[test]
    fn a_probe_set_follows_rows_and_ends() {
        let categories =
            |probes: &[ReadProbe]| probes.iter().map(|probe| probe.category).collect::<BTreeSet<_>>().len();
        let plex = walk(ServerKind::Plex, PLEX);
        assert!(categories(&plex) >= 8 && plex.len() > 100, "{} in {} sorts", plex.len(), categories(&plex));
        assert!(plex.iter().any(|probe| probe.format == ProbeFormat::Xml));
        assert!(plex.iter().any(|probe| probe.target == "/library/metadata/11/children"));
        let jellyfin = walk(ServerKind::Jellyfin, JELLYFIN);
        assert!(categories(&jellyfin) >= 8 && jellyfin.len() > 60, "{}", jellyfin.len());
        assert!(jellyfin.iter().all(|probe| probe.format != ProbeFormat::Xml));
        assert!(jellyfin.iter().any(|probe| probe.target.starts_with("/Playlists/a3/Items")));
    }

    #[test]
    fn a_probe_set_repeats_no_read_and_stays_within_its_limit() {
        let probes = walk(ServerKind::Plex, PLEX);
        let different: BTreeSet<_> = probes.iter().map(|probe| (&probe.target, probe.format)).collect();
        assert_eq!(different.len(), probes.len());
        let mut short = ProbeSet::new(ServerKind::Plex, 3);
        assert!((0..3).all(|_| short.pop().is_some()));
        assert_eq!(short.pop(), None);
    }
}
