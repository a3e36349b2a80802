//! Reads: dispatch by path.

mod collections;
mod extra;
mod home;
mod hubs;
mod image;
mod library;
mod listing;
mod metadata;
mod part;
mod play_queue;
mod playlists;
mod prefs;
mod providers;
mod search;
mod server;
mod status;
pub(super) mod watching;

pub(super) use extra::preference_key;
pub(super) use image::inner_token;
pub(super) use metadata::single;
pub(super) use play_queue::row as play_queue_row;
pub(super) use playlists::{contents, row as playlist_row, selected_by};
pub(super) use server::{identity, is_public};

use super::node::Node;
use super::request::{NOT_FOUND, PlexReadRequest, PlexResult};

/// An empty container of `size` rows.
pub(super) fn container(size: usize) -> Node {
    Node::new("MediaContainer").set("size", size)
}

/// Response to a read of `path`.
pub(super) fn answer(call: &PlexReadRequest<'_>, path: &[&str]) -> PlexResult {
    if call.request.starting {
        return server::starting(call, path);
    }
    match path {
        ["library", rest @ ..] => library::answer(call, rest),
        ["hubs", rest @ ..] => hubs::answer(call, rest),
        ["playlists", rest @ ..] => playlists::answer(call, rest),
        ["playQueues", rest @ ..] => play_queue::answer(call, rest),
        ["status", "sessions", rest @ ..] => status::answer(call, rest),
        ["search"] => search::plain(call),
        ["photo", ":", "transcode"] => image::scaled(call),
        [":", "prefs"] => prefs::answer(call),
        [":", "resources", name] => image::resource(call, name),
        ["media", "providers"] => providers::answer(call),
        ["accounts", id, "thumb"] => image::account(call, id),
        _ => server::answer(call, path),
    }
}

/// Response to an unknown path.
pub(super) fn nothing() -> PlexResult {
    Err(NOT_FOUND)
}
