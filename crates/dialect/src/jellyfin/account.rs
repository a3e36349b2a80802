//! Writes about users, devices, sessions and the server: what they invalidate and which tokens they revoke.

use super::guid;
use super::routes::user_image;
use super::write::{ParsedWrite, WriteSubject, all, for_everyone, write};
use crate::classification::{TokenRevocation, Write};
use crate::tag::{Tag, TagInvalidation};

/// Finds the write if it is about users or the server.
pub(super) fn find(change: &ParsedWrite<'_>) -> Option<Write> {
    users(change).or_else(|| sessions(change)).or_else(|| server(change))
}

fn users(change: &ParsedWrite<'_>) -> Option<Write> {
    let author = change.subject;
    Some(match change.lowercase {
        ["users", "new"] => write("user", for_everyone([Tag::users()])),
        ["users", "forgotpassword", ..] => revoking_write("password", all()),
        ["users", "password"] => revoking_write("password", of_user(author)),
        ["users", user, "password" | "easypassword"] => revoking_write("password", of_named(user)),
        ["users", user, "policy"] => revoking_write("policy", of_named(user)),
        ["users", user] if change.deletes => revoking_write("user", of_named(user)),
        ["users" | "userimage"] | ["users", "configuration"] => write("user", of_user(author)),
        ["users", user] | ["users", user, "configuration" | "images", ..] => write("user", of_named(user)),
        ["displaypreferences", _] => write("display", vec![TagInvalidation::account(Tag::display())]),
        ["devices", "options"] => write("device", for_everyone([Tag::users(), Tag::sessions()])),
        ["devices", ..] => revoking_write("device", for_everyone([Tag::users(), Tag::sessions()])),
        ["auth", "keys", ..] if change.deletes => revoking_write("key", for_everyone([Tag::users(), Tag::sessions()])),
        ["auth", "keys"] => write("key", for_everyone([Tag::users()])),
        _ => return None,
    })
}

fn sessions(change: &ParsedWrite<'_>) -> Option<Write> {
    match change.lowercase {
        ["sessions", "logout"] => Some(Write {
            revokes: TokenRevocation::Caller,
            ..write("logout", for_everyone([Tag::sessions(), Tag::users()]))
        }),
        // From now on the session's reports are those of this user, too.
        ["sessions", _, "user", user] if !change.deletes => {
            let tags = [Tag::sessions(), Tag::companion(&guid::normalize(user))];
            Some(write("session", for_everyone(tags)))
        }
        ["sessions", ..] => Some(write("session", for_everyone([Tag::sessions()]))),
        _ => None,
    }
}

fn server(change: &ParsedWrite<'_>) -> Option<Write> {
    match change.lowercase {
        ["system", "configuration", ..] | ["branding", ..] => {
            Some(write("configuration", for_everyone([Tag::server(), Tag::libraries(), Tag::users()])))
        }
        ["system", "restart" | "shutdown"] | ["packages" | "repositories" | "plugins", ..] => {
            Some(write("server", for_everyone([Tag::server(), Tag::activities(), Tag::sessions()])))
        }
        ["backup", "restore"] => Some(revoking_write("backup", all())),
        ["backup", ..] => Some(write("backup", Vec::new())),
        _ => None,
    }
}

/// A write that revokes tokens.
fn revoking_write(name: &'static str, stale: Vec<TagInvalidation>) -> Write {
    Write { revokes: TokenRevocation::Everyone, ..write(name, stale) }
}

/// A user's rights and settings affect all responses of that user.
fn of_user(author: WriteSubject<'_>) -> Vec<TagInvalidation> {
    let mut stale = author.user().map(of_named).unwrap_or_default();
    stale.extend([TagInvalidation::everyone(Tag::users()), TagInvalidation::account(Tag::all())]);
    stale
}

fn of_named(user: &str) -> Vec<TagInvalidation> {
    let user = guid::normalize(user);
    vec![
        TagInvalidation::everyone(Tag::users()),
        TagInvalidation::user(Tag::all(), &user),
        TagInvalidation::everyone(Tag::image(&user_image(&user))),
    ]
}
