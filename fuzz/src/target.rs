//! The fuzz targets: each is one function over any bytes that panics where a property does not hold.

use greenroom_dialect::classification::Representation::{Json, Opaque, Xml};
use greenroom_dialect::request::ServerKind::{Jellyfin, Plex};

use super::{
    address, answers, api_bodies, app_caches, archives, comparisons, configuration, control, crawls, credentials,
    events, forwarding, frames, graphql_requests, greetings, http_fields, logins, matching, places, playlists,
    redaction, requests, sequels, snapshots, stored_values, surveys, webhooks,
};

/// A property of any bytes.
pub type Property = fn(&[u8]);

/// Every target by its name.
pub const EVERY: [(&str, Property); 33] = [
    ("address", address),
    ("api_bodies", api_bodies),
    ("app_caches", app_caches),
    ("archives", archives),
    ("comparisons", comparisons),
    ("configuration", configuration),
    ("control", control),
    ("crawls", crawls),
    ("events", events),
    ("forwarding", forwarding),
    ("graphql_requests", graphql_requests),
    ("greetings", greetings),
    ("http_fields", http_fields),
    ("jellyfin_credentials", jellyfin_credentials),
    ("jellyfin_frames", jellyfin_frames),
    ("jellyfin_json", jellyfin_json),
    ("jellyfin_requests", jellyfin_requests),
    ("logins", logins),
    ("matching", matching),
    ("pictures", pictures),
    ("places", places),
    ("playlists", playlists),
    ("plex_credentials", plex_credentials),
    ("plex_frames", plex_frames),
    ("plex_json", plex_json),
    ("plex_requests", plex_requests),
    ("plex_xml", plex_xml),
    ("redaction", redaction),
    ("sequels", sequels),
    ("snapshots", snapshots),
    ("stored_values", stored_values),
    ("surveys", surveys),
    ("webhooks", webhooks),
];

/// The one field that is rewritten.
pub fn address(bytes: &[u8]) {
    address::check(bytes);
}

/// The body of an HTTP API's response.
pub fn api_bodies(bytes: &[u8]) {
    api_bodies::check(bytes);
}

/// Requests to the caches for apps.
pub fn app_caches(bytes: &[u8]) {
    app_caches::check(bytes);
}

/// Archives of comics, their metadata and names.
pub fn archives(bytes: &[u8]) {
    archives::check(bytes);
}

/// Two answers to one question.
pub fn comparisons(bytes: &[u8]) {
    comparisons::check(bytes);
}

/// Requests of a client and their answers.
pub fn sequels(bytes: &[u8]) {
    sequels::check(bytes);
}

/// A file and variables.
pub fn configuration(bytes: &[u8]) {
    configuration::check(bytes);
}

/// A request to the control plane.
pub fn control(bytes: &[u8]) {
    control::check(bytes);
}

/// Pages of a library, and frames about it.
pub fn crawls(bytes: &[u8]) {
    crawls::check(bytes);
}

/// The file of a snapshot.
pub fn snapshots(bytes: &[u8]) {
    snapshots::check(bytes);
}

/// A stream of server-sent events.
pub fn events(bytes: &[u8]) {
    events::check(bytes);
}

/// The headers of any message.
pub fn forwarding(bytes: &[u8]) {
    forwarding::check(bytes);
}

/// A GraphQL request.
pub fn graphql_requests(bytes: &[u8]) {
    graphql_requests::check(bytes);
}

/// The heads of an exchange with an HTTP API.
pub fn http_fields(bytes: &[u8]) {
    http_fields::check(bytes);
}

/// A server's word about itself.
pub fn greetings(bytes: &[u8]) {
    greetings::check(bytes);
}

/// The credential of a request to a Jellyfin.
pub fn jellyfin_credentials(bytes: &[u8]) {
    credentials::check(Jellyfin, bytes);
}

/// A frame of a Jellyfin's socket.
pub fn jellyfin_frames(bytes: &[u8]) {
    frames::check(Jellyfin, bytes);
}

/// A page of a Jellyfin.
pub fn jellyfin_json(bytes: &[u8]) {
    answers::check(Jellyfin, Json, "/Items", bytes);
}

/// A request to a Jellyfin.
pub fn jellyfin_requests(bytes: &[u8]) {
    requests::check(Jellyfin, bytes);
}

/// A response to a request for a token.
pub fn logins(bytes: &[u8]) {
    logins::check(bytes);
}

/// A library of tracks and what is looked for in it.
pub fn matching(bytes: &[u8]) {
    matching::check(bytes);
}

/// A picture of either.
pub fn pictures(bytes: &[u8]) {
    answers::check(Plex, Opaque, "/library/metadata/1/thumb/1", bytes);
    answers::check(Jellyfin, Opaque, "/Items/1/Images/Primary", bytes);
}

/// A playlist.
pub fn playlists(bytes: &[u8]) {
    playlists::check(bytes);
}

/// The credential of a request to a Plex.
pub fn plex_credentials(bytes: &[u8]) {
    credentials::check(Plex, bytes);
}

/// A frame of a Plex's socket.
pub fn plex_frames(bytes: &[u8]) {
    frames::check(Plex, bytes);
}

/// Paths, rules and names of items.
pub fn places(bytes: &[u8]) {
    places::check(bytes);
}

/// A page of a Plex in JSON.
pub fn plex_json(bytes: &[u8]) {
    answers::check(Plex, Json, "/library/sections/1/all", bytes);
}

/// A request to a Plex.
pub fn plex_requests(bytes: &[u8]) {
    requests::check(Plex, bytes);
}

/// A page of a Plex in XML.
pub fn plex_xml(bytes: &[u8]) {
    answers::check(Plex, Xml, "/library/sections/1/all", bytes);
}

/// Anything that is shown.
pub fn redaction(bytes: &[u8]) {
    redaction::check(bytes);
}

/// A value in another cache's store.
pub fn stored_values(bytes: &[u8]) {
    stored_values::check(bytes);
}

/// The answers of a server that is surveyed.
pub fn surveys(bytes: &[u8]) {
    surveys::check(bytes);
}

/// A webhook of Plex.
pub fn webhooks(bytes: &[u8]) {
    webhooks::check(bytes);
}
