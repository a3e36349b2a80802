//! The simulated Jellyfin as its clients see it.

mod authorization;
mod bound;
mod changed_since;
mod configuration;
mod faults;
mod frames;
mod images;
mod lists;
mod media;
mod people;
mod playlists;
mod recorded;
mod routes;
mod server;
mod sessions;
mod switches;
mod system;
mod told_sessions;
mod upheaval;
mod user_rights;
mod writes;
