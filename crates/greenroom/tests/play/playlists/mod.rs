//! Playlist sync through the whole process, against both simulated servers.

mod at_size;
mod cautions;
pub mod fixture;
mod inputs;
mod killed;
mod mishaps;
mod scanning;
mod several;
mod standing;
mod swapping;
mod typed;
mod unreadable;
mod writing;
