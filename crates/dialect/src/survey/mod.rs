//! Reads that show what a server really has: a few that every server answers, and from their answers the next ones.
//! For comparing two ways to the same server. Nothing here writes.
//!
//! Rooms: [`plex`], [`jellyfin`] (which reads there are); [`rows`] (what an answer names).

mod jellyfin;
mod plex;
mod rows;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use http::{HeaderMap, Method};

use crate::ask::{Ask, Kind};
use crate::verdict::Verdict;
use rows::Row;

/// Reads of one sort are asked for at most so often; what else there is comes into its own.
const MAX_PER_SORT: usize = 24;
/// Of the reads of a Plex that are asked for in JSON, one in so many is asked for in XML as well.
const XML_EVERY: usize = 4;

/// The representation a read is asked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// Whatever it is: pictures.
    Any,
}

/// A read to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Path and query.
    pub target: String,
    /// In which form.
    pub form: Form,
    sort: &'static str,
}

/// The reads still to make.
#[derive(Debug)]
pub struct Survey {
    kind: Kind,
    left: usize,
    waiting: VecDeque<Probe>,
    known: BTreeSet<(String, Form)>,
    made: BTreeMap<&'static str, usize>,
    /// The user in whose name things are read (Jellyfin).
    user: Option<String>,
}

impl Probe {
    fn new(sort: &'static str, form: Form, target: String) -> Self {
        Self { target, form, sort }
    }
}

impl Form {
    /// What is sent as `Accept`.
    pub fn accept(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::Any => "*/*",
        }
    }
}

impl Survey {
    /// At most `limit` reads of a server of this kind.
    pub fn new(kind: Kind, limit: usize) -> Self {
        let mut survey = Self {
            kind,
            left: limit,
            waiting: VecDeque::new(),
            known: BTreeSet::new(),
            made: BTreeMap::new(),
            user: None,
        };
        let first = match kind {
            Kind::Plex => plex::first(),
            Kind::Jellyfin => jellyfin::first(),
        };
        survey.plan(first);
        survey
    }

    /// The next read, if there is one.
    pub fn take(&mut self) -> Option<Probe> {
        self.left = self.left.checked_sub(1)?;
        self.waiting.pop_front()
    }

    /// How many reads are planned at the moment, as far as they may still be made.
    pub fn planned(&self) -> usize {
        self.waiting.len().min(self.left)
    }

    /// Learns from the answer to a read what else there is.
    pub fn learn(&mut self, probe: &Probe, body: &[u8]) {
        if probe.form != Form::Json {
            return;
        }
        let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return };
        let rows: Vec<Row> = rows::of(&body);
        let further = match self.kind {
            Kind::Plex => plex::further(&probe.target, &rows),
            Kind::Jellyfin => {
                if self.user.is_none() {
                    self.user = jellyfin::user_in(&probe.target, &body);
                    let own = self.user.as_deref().map(jellyfin::of_user).unwrap_or_default();
                    self.plan(own);
                }
                jellyfin::further(&rows, self.user.as_deref())
            }
        };
        self.plan(further);
    }

    fn plan(&mut self, probes: Vec<Probe>) {
        for probe in probes {
            let made = self.made.entry(probe.sort).or_default();
            let is_new = || !self.known.contains(&(probe.target.clone(), probe.form));
            if *made >= MAX_PER_SORT || !is_new() || !only_reads(self.kind, &probe) {
                continue;
            }
            self.known.insert((probe.target.clone(), probe.form));
            *made += 1;
            let twin = self.kind == Kind::Plex && probe.form == Form::Json && *made % XML_EVERY == 1;
            if twin {
                self.waiting.push_back(Probe { form: Form::Xml, ..probe.clone() });
            }
            self.waiting.push_back(probe);
        }
    }
}

/// Whether asking for this changes nothing: a server names the addresses of its pictures, and several writes of Plex
/// are mere addresses. So a picture must be known for one.
fn only_reads(kind: Kind, probe: &Probe) -> bool {
    let ask = Ask { method: &Method::GET, target: &probe.target, headers: &HeaderMap::new(), body: &[] };
    match kind.classify(&ask, None) {
        Verdict::Read(_) => true,
        Verdict::Stream(_) => probe.form != Form::Any,
        Verdict::Write(_) | Verdict::Refuse(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::StreamReason;

    /// Answers every read with rows of all kinds, so that every rule of the survey is used.
    fn walk(kind: Kind, answer: &str) -> Vec<Probe> {
        let mut survey = Survey::new(kind, 2_000);
        let mut probes = Vec::new();
        while let Some(probe) = survey.take() {
            survey.learn(&probe, answer.as_bytes());
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
    fn a_survey_only_reads() {
        for (kind, answer) in [(Kind::Plex, PLEX), (Kind::Jellyfin, JELLYFIN)] {
            for probe in walk(kind, answer) {
                let (target, headers) = (probe.target.as_str(), &HeaderMap::new());
                let ask = Ask { method: &Method::GET, target, headers, body: &[] };
                match kind.classify(&ask, None) {
                    Verdict::Read(_)
                    | Verdict::Stream(StreamReason::Account | StreamReason::Moment | StreamReason::Unknown) =>
                        {}
                    other => panic!("{} is no plain read: {other:?}", probe.target),
                }
            }
        }
    }

    #[test]
    fn a_picture_whose_address_is_a_write_is_not_asked_for() {
        let mut survey = Survey::new(Kind::Plex, 2_000);
        let first = std::iter::from_fn(|| survey.take()).find(|probe| probe.form == Form::Json);
        let first = first.expect("there is a first read");
        let pictures = r#"{"Metadata":[{"ratingKey":"1","type":"movie","thumb":"/library/sections/1/refresh",
            "art":"/library/../:/scrobble?key=1"},{"ratingKey":"2","type":"movie","thumb":"/library/metadata/2/thumb/3"}]}"#;
        survey.learn(&first, pictures.as_bytes());
        let targets: Vec<String> = std::iter::from_fn(|| survey.take()).map(|probe| probe.target).collect();
        assert!(targets.contains(&"/library/metadata/2/thumb/3".into()));
        assert!(
            !targets.iter().any(|target| target.ends_with("refresh") || target.contains("/..")),
            "{targets:?}"
        );
    }

    #[test]
    fn a_survey_finds_its_way_and_ends() {
        let sorts = |probes: &[Probe]| probes.iter().map(|probe| probe.sort).collect::<BTreeSet<_>>().len();
        let plex = walk(Kind::Plex, PLEX);
        assert!(sorts(&plex) >= 8 && plex.len() > 100, "{} in {} sorts", plex.len(), sorts(&plex));
        assert!(plex.iter().any(|probe| probe.form == Form::Xml));
        assert!(plex.iter().any(|probe| probe.target == "/library/metadata/11/children"));
        let jellyfin = walk(Kind::Jellyfin, JELLYFIN);
        assert!(sorts(&jellyfin) >= 8 && jellyfin.len() > 60, "{}", jellyfin.len());
        assert!(jellyfin.iter().all(|probe| probe.form != Form::Xml));
        assert!(jellyfin.iter().any(|probe| probe.target.starts_with("/Playlists/a3/Items")));
    }

    #[test]
    fn a_survey_makes_no_read_twice_and_keeps_to_its_limit() {
        let probes = walk(Kind::Plex, PLEX);
        let different: BTreeSet<_> = probes.iter().map(|probe| (&probe.target, probe.form)).collect();
        assert_eq!(different.len(), probes.len());
        let mut short = Survey::new(Kind::Plex, 3);
        assert!((0..3).all(|_| short.take().is_some()));
        assert_eq!(short.take(), None);
    }
}
