//! The request: its classified head, client address, filtered headers and base path.

pub mod base_path;
pub mod cached_headers;
pub mod classified_request;
pub mod client_ip;
pub mod headers;
pub mod last_seen_response;
pub mod raw_heads;
