//! What a token may do, found out by harmless questions: pure, one answer after the other.

use serde::Deserialize;

use crate::ask::Kind;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// What the owner, or an administrator, may.
    Owner,
    /// What a user may; events about others do not reach it.
    Member,
    /// An API key: it may administer, and is nobody, so no user's events reach it.
    Key,
    /// Nothing: the server does not know it, or not any more.
    Refused,
    /// The answers do not say; the status of the last.
    Unclear(u16),
}

/// What is to be done to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inquiry {
    /// Ask for this path, with the token, and come again with the answer.
    Ask(&'static str),
    /// It is known.
    Known(Rights),
}

#[derive(Deserialize)]
struct Me {
    #[serde(rename = "Policy")]
    policy: Option<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(rename = "IsAdministrator", default)]
    admin: bool,
}

impl Kind {
    /// What to do next, after these answers (status and body), in the order they were asked for.
    pub fn rights(self, answers: &[(u16, &[u8])]) -> Inquiry {
        match self {
            Self::Plex => plex(answers),
            Self::Jellyfin => jellyfin(answers),
        }
    }

    /// A path that needs a token: a server that answers it without one trusts its neighbours.
    pub fn guarded_path(self) -> &'static str {
        match self {
            Self::Plex => "/library/sections",
            Self::Jellyfin => "/System/Info",
        }
    }
}

fn plex(answers: &[(u16, &[u8])]) -> Inquiry {
    match answers {
        [] => Inquiry::Ask("/library/sections"),
        [(200, _)] => Inquiry::Ask("/butler"),
        [(401 | 403 | 498, _)] => Inquiry::Known(Rights::Refused),
        [_, (200, _)] => Inquiry::Known(Rights::Owner),
        [_, (401 | 403, _)] => Inquiry::Known(Rights::Member),
        [.., (status, _)] => Inquiry::Known(Rights::Unclear(*status)),
    }
}

fn jellyfin(answers: &[(u16, &[u8])]) -> Inquiry {
    match answers {
        [] => Inquiry::Ask("/Users/Me"),
        [(200, body)] => match serde_json::from_slice::<Me>(body).ok().and_then(|me| me.policy) {
            Some(policy) => Inquiry::Known(if policy.admin { Rights::Owner } else { Rights::Member }),
            None => Inquiry::Known(Rights::Unclear(200)),
        },
        [(401, _)] | [_, (401 | 403, _)] => Inquiry::Known(Rights::Refused),
        // A key is nobody, so it has no user to tell of.
        [(400 | 403 | 404, _)] => Inquiry::Ask("/System/Info"),
        [_, (200, _)] => Inquiry::Known(Rights::Key),
        [.., (status, _)] => Inquiry::Known(Rights::Unclear(*status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plex_token_is_the_owners_if_it_may_see_the_butler() {
        let known = |answers: &[(u16, &[u8])]| Kind::Plex.rights(answers);
        assert_eq!(known(&[]), Inquiry::Ask("/library/sections"));
        assert_eq!(known(&[(401, b"")]), Inquiry::Known(Rights::Refused));
        assert_eq!(known(&[(200, b"")]), Inquiry::Ask("/butler"));
        assert_eq!(known(&[(200, b""), (200, b"")]), Inquiry::Known(Rights::Owner));
        assert_eq!(known(&[(200, b""), (403, b"")]), Inquiry::Known(Rights::Member));
        assert_eq!(known(&[(503, b"")]), Inquiry::Known(Rights::Unclear(503)));
    }

    #[test]
    fn a_jellyfin_token_says_whose_it_is_and_a_key_is_nobodys() {
        let known = |answers: &[(u16, &[u8])]| Kind::Jellyfin.rights(answers);
        let me = |admin| format!(r#"{{"Name":"x","Policy":{{"IsAdministrator":{admin}}}}}"#);
        assert_eq!(known(&[(200, me(true).as_bytes())]), Inquiry::Known(Rights::Owner));
        assert_eq!(known(&[(200, me(false).as_bytes())]), Inquiry::Known(Rights::Member));
        assert_eq!(known(&[(400, b"")]), Inquiry::Ask("/System/Info"));
        assert_eq!(known(&[(400, b""), (200, b"{}")]), Inquiry::Known(Rights::Key));
        assert_eq!(known(&[(401, b"")]), Inquiry::Known(Rights::Refused));
        assert_eq!(known(&[(200, b"<html>")]), Inquiry::Known(Rights::Unclear(200)));
    }
}
