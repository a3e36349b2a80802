//! The Plex dialect from outside: what requests are, what their keys are, what bodies and frames say.

mod asking;
mod bodies;
mod crawl;
mod hazards;
mod keys;
mod reaches;
mod reads;
mod signals;
mod writes;
