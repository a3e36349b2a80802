//! Properties of what a client is expected to ask next, whatever it asked before and whatever its server answered:
//! it is a read in the client's own words, bounded, and tells no secret.

use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Classification, Read, SharingScope};
use greenroom_dialect::redact;
use greenroom_dialect::request::{RequestView, ServerKind};
use greenroom_prefetch::prediction::model::{PredictionLimits, PredictionModel};
use greenroom_prefetch::prediction::{ClientContext, MAX_ROWS, row_references};
use http::{HeaderMap, Method};

use super::request::{FuzzRequest, SECRET, split_once};
use super::requests;

/// Classes that may be expected.
const CLASSES: [Class; 3] = [Class::Item, Class::Lists, Class::Images];

/// Max reads that may be expected.
const MOST: usize = 7;

/// Checks what must hold after these visits of one client: each a request and, after a line `--`, what it was answered,
/// between lines `---`.
pub fn check(bytes: &[u8]) {
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        let (mut habits, mut rest) = (PredictionModel::default(), bytes);
        while !rest.is_empty() {
            let (visit, others) = split_once(rest, b"\n---\n");
            let (request, answer) = split_once(visit, b"\n--\n");
            check_step(kind, &mut habits, &FuzzRequest::parse(request), answer);
            rest = others;
        }
    }
}

fn check_step(kind: ServerKind, habits: &mut PredictionModel, request: &FuzzRequest, answer: &[u8]) {
    let Classification::Read(read) = requests::classify(kind, request) else { return };
    habits.learn(kind, &read);
    let own_user = request.own_user.as_deref();
    let asker = ClientContext { own_user, token: Some(SECRET), product: None };
    let expected = habits.predict(kind, &read, answer, asker, PredictionLimits { most: MOST, classes: &CLASSES });
    assert!(expected.len() <= MOST, "no more than is wanted");
    assert!(row_references(kind, &read, answer).len() <= MAX_ROWS, "no more than a screen");
    for next in expected {
        assert_ne!(next.read.key, read.key, "what was just answered is not expected");
        assert_harmless(kind, &next.read, own_user);
        habits.record_spent(next.basis);
    }
}

fn assert_harmless(kind: ServerKind, read: &Read, own_user: Option<&str>) {
    assert!(CLASSES.contains(&read.class), "{}", read.key);
    assert!(matches!(read.sharing, SharingScope::Identity | SharingScope::Image(_)), "{}", read.key);
    assert!(!redact::contains_secret(&read.key, SECRET), "a key tells the token: {}", read.key);
    let headers: HeaderMap = read.headers.iter().cloned().collect();
    let ask = RequestView { method: &Method::GET, target: &read.target, headers: &headers, body: &[] };
    let verdict = kind.classify(&ask, own_user);
    assert_eq!(verdict, Classification::Read(read.clone().into()), "it would be asked under another key");
}
