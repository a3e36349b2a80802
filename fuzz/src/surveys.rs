//! What must hold of a survey of a server, whatever that server answers: it only reads, and it ends.

use greenroom_dialect::ask::Kind;
use greenroom_dialect::survey::{Form, Survey};
use greenroom_dialect::verdict::Verdict;

use super::request::{Request, chance, split_once};
use super::requests;

/// How many reads the survey may make: enough to come to those that answers name.
const MAX_READS: usize = 40;

/// Checks what must hold of a survey of a server that gives these answers in turn: bodies between lines `---`.
pub fn check(bytes: &[u8]) {
    let kind = if chance(bytes).is_multiple_of(2) { Kind::Plex } else { Kind::Jellyfin };
    let mut survey = Survey::new(kind, MAX_READS);
    let mut rest = bytes;
    let mut made = 0;
    while let Some(probe) = survey.take() {
        made += 1;
        let request = Request::read(b"GET /").with_target(probe.target.clone());
        let verdict = requests::classify(kind, &request);
        let is_document = probe.form != Form::Any;
        let only_reads =
            matches!(verdict, Verdict::Read(_)) || (is_document && matches!(verdict, Verdict::Stream(_)));
        assert!(only_reads, "{} is {verdict:?}", probe.target);
        let (answer, others) = split_once(rest, b"\n---\n");
        survey.learn(&probe, answer);
        rest = if others.is_empty() { bytes } else { others };
    }
    assert!(made <= MAX_READS, "a survey keeps to its limit");
}
