//! Properties of a survey of a server, whatever that server answers: it only reads, and it ends.

use greenroom_dialect::classification::Classification;
use greenroom_dialect::request::ServerKind;
use greenroom_doctor::probe_set::{ProbeFormat, ProbeSet};

use super::request::{FuzzRequest, chance, split_once};
use super::requests;

/// Max reads of the survey: enough to come to those that answers name.
const MAX_READS: usize = 40;

/// Checks what must hold of a survey of a server that gives these answers in turn: bodies between lines `---`.
pub fn check(bytes: &[u8]) {
    let kind = if chance(bytes).is_multiple_of(2) { ServerKind::Plex } else { ServerKind::Jellyfin };
    let mut survey = ProbeSet::new(kind, MAX_READS);
    let mut rest = bytes;
    let mut made = 0;
    while let Some(probe) = survey.pop() {
        made += 1;
        let request = FuzzRequest::parse(b"GET /").with_target(probe.target.clone());
        let verdict = requests::classify(kind, &request);
        let is_document = probe.format != ProbeFormat::Any;
        let only_reads =
            matches!(verdict, Classification::Read(_)) || (is_document && matches!(verdict, Classification::Stream(_)));
        assert!(only_reads, "{} is {verdict:?}", probe.target);
        let (answer, others) = split_once(rest, b"\n---\n");
        survey.learn(&probe, answer);
        rest = if others.is_empty() { bytes } else { others };
    }
    assert!(made <= MAX_READS, "a survey keeps to its limit");
}
