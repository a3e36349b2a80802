//! What must hold of what a client is expected to ask next, whatever it asked before and whatever its server answered:
//! it is a read in the client's own words, bounded, and tells no secret.

use greenroom_dialect::ask::{Ask, Kind};
use greenroom_dialect::class::Class;
use greenroom_dialect::redact;
use greenroom_dialect::sequel::habits::{Habits, Limits};
use greenroom_dialect::sequel::{Asker, MAX_ROWS};
use greenroom_dialect::verdict::{Read, Sharing, Verdict};
use http::{HeaderMap, Method};

use super::request::{Request, SECRET, split_once};
use super::requests;

/// What may be expected.
const CLASSES: [Class; 3] = [Class::Item, Class::Lists, Class::Images];

/// How much of it.
const MOST: usize = 7;

/// Checks what must hold after these visits of one client: each a request and, after a line `--`, what it was answered,
/// between lines `---`.
pub fn check(bytes: &[u8]) {
    for kind in [Kind::Plex, Kind::Jellyfin] {
        let (mut habits, mut rest) = (Habits::default(), bytes);
        while !rest.is_empty() {
            let (visit, others) = split_once(rest, b"\n---\n");
            let (request, answer) = split_once(visit, b"\n--\n");
            look(kind, &mut habits, &Request::read(request), answer);
            rest = others;
        }
    }
}

fn look(kind: Kind, habits: &mut Habits, request: &Request, answer: &[u8]) {
    let Verdict::Read(read) = requests::classify(kind, request) else { return };
    habits.learn(kind, &read);
    let own_user = request.own_user.as_deref();
    let asker = Asker { own_user, token: Some(SECRET) };
    let expected = habits.show(kind, &read, answer, asker, Limits { most: MOST, classes: &CLASSES });
    assert!(expected.len() <= MOST, "no more than is wanted");
    assert!(kind.rows(&read, answer).len() <= MAX_ROWS, "no more than a screen");
    for next in expected {
        assert_ne!(next.read.key, read.key, "what was just answered is not expected");
        assert_harmless(kind, &next.read, own_user);
        habits.spent_on(next.ground);
    }
}

fn assert_harmless(kind: Kind, read: &Read, own_user: Option<&str>) {
    assert!(CLASSES.contains(&read.class), "{}", read.key);
    assert!(matches!(read.sharing, Sharing::Identity | Sharing::Image(_)), "{}", read.key);
    assert!(!redact::shows(&read.key, SECRET), "a key tells the token: {}", read.key);
    let headers: HeaderMap = read.headers.iter().cloned().collect();
    let ask = Ask { method: &Method::GET, target: &read.target, headers: &headers, body: &[] };
    let verdict = kind.classify(&ask, own_user);
    assert_eq!(verdict, Verdict::Read(read.clone().into()), "it would be asked under another key");
}
