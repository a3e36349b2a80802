//! What must hold of every parser of foreign bytes, one room per parser: a property is a function that panics where
//! it does not hold. The fuzz targets call them with whatever the fuzzer makes up, a test calls them with the seeds.
//!
//! Rooms: [`requests`] with [`spelling`], [`credentials`], [`frames`]; [`request`] writes requests as text.

pub mod credentials;
pub mod frames;
pub mod request;
pub mod requests;
pub mod spelling;

use greenroom_upstream::ask::Kind;

/// A property of any bytes: panics where it does not hold.
pub type Property = fn(&[u8]);

/// Every fuzz target by its name.
pub const TARGETS: [(&str, Property); 6] = [
    ("jellyfin_credentials", |bytes| credentials::check(Kind::Jellyfin, bytes)),
    ("jellyfin_frames", |bytes| frames::check(Kind::Jellyfin, bytes)),
    ("jellyfin_requests", |bytes| requests::check(Kind::Jellyfin, bytes)),
    ("plex_credentials", |bytes| credentials::check(Kind::Plex, bytes)),
    ("plex_frames", |bytes| frames::check(Kind::Plex, bytes)),
    ("plex_requests", |bytes| requests::check(Kind::Plex, bytes)),
];
