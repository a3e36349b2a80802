//! The Plex dialect's public interface: classification, keys, bodies and frames.

mod bodies;
mod crawl;
mod devices;
mod hazards;
mod keys;
mod reaches;
mod reads;
mod sections;
mod signals;
mod test_request;
mod writes;
