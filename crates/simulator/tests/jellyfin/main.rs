//! The simulated Jellyfin as its clients see it.

mod authorization;
mod bound;
mod configuration;
mod faults;
mod frames;
mod images;
mod lists;
mod media;
mod people;
mod playlists;
mod routes;
mod server;
mod sessions;
mod switches;
mod system;
mod upheaval;
mod writes;
