//! What changing users, devices, sessions and the server makes stale, and whose standing it ends.

use super::guid;
use super::routes::user_image;
use super::write::{Author, Change, everything, for_everyone, write};
use crate::tag::{Staling, Tag};
use crate::verdict::{Forgets, Write};

/// What a write about users or the server makes stale, if it is one.
pub(super) fn find(change: &Change<'_>) -> Option<Write> {
    users(change).or_else(|| sessions(change)).or_else(|| server(change))
}

fn users(change: &Change<'_>) -> Option<Write> {
    let author = change.author;
    Some(match change.low {
        ["users", "new"] => write("user", for_everyone([Tag::users()])),
        ["users", "forgotpassword", ..] => forgetting("password", everything()),
        ["users", "password"] => forgetting("password", of_user(author)),
        ["users", user, "password" | "easypassword"] => forgetting("password", of_named(user)),
        ["users", user, "policy"] => forgetting("policy", of_named(user)),
        ["users", user] if change.deletes => forgetting("user", of_named(user)),
        ["users" | "userimage"] | ["users", "configuration"] => write("user", of_user(author)),
        ["users", user] | ["users", user, "configuration" | "images", ..] => write("user", of_named(user)),
        ["displaypreferences", _] => write("display", vec![Staling::account(Tag::users())]),
        ["devices", "options"] => write("device", for_everyone([Tag::users(), Tag::sessions()])),
        ["devices", ..] => forgetting("device", for_everyone([Tag::users(), Tag::sessions()])),
        ["auth", "keys", ..] if change.deletes => {
            forgetting("key", for_everyone([Tag::users(), Tag::sessions()]))
        }
        ["auth", "keys"] => write("key", for_everyone([Tag::users()])),
        _ => return None,
    })
}

fn sessions(change: &Change<'_>) -> Option<Write> {
    match change.low {
        ["sessions", "logout"] => Some(Write {
            forgets: Forgets::Caller,
            ..write("logout", for_everyone([Tag::sessions(), Tag::users()]))
        }),
        ["sessions", ..] => Some(write("session", for_everyone([Tag::sessions()]))),
        _ => None,
    }
}

fn server(change: &Change<'_>) -> Option<Write> {
    match change.low {
        ["system", "configuration", ..] | ["branding", ..] => {
            Some(write("configuration", for_everyone([Tag::server(), Tag::libraries(), Tag::users()])))
        }
        ["system", "restart" | "shutdown"] | ["packages" | "repositories" | "plugins", ..] => {
            Some(write("server", for_everyone([Tag::server(), Tag::activities(), Tag::sessions()])))
        }
        ["backup", "restore"] => Some(forgetting("backup", everything())),
        ["backup", ..] => Some(write("backup", Vec::new())),
        _ => None,
    }
}

/// A write that ends somebody's standing.
fn forgetting(name: &'static str, stale: Vec<Staling>) -> Write {
    Write { forgets: Forgets::Everyone, ..write(name, stale) }
}

/// Rights and settings of a user decide what all of that user's answers show.
fn of_user(author: Author<'_>) -> Vec<Staling> {
    let mut stale = author.user().map(of_named).unwrap_or_default();
    stale.extend([Staling::everyone(Tag::users()), Staling::account(Tag::all())]);
    stale
}

fn of_named(user: &str) -> Vec<Staling> {
    let user = guid::normal(user);
    vec![
        Staling::everyone(Tag::users()),
        Staling::user(Tag::all(), &user),
        Staling::everyone(Tag::image(&user_image(&user))),
    ]
}
