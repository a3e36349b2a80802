//! The rules of HTTP caching (RFC 9111 and its extensions) as pure decisions over parsed header fields. No clock, no
//! socket, no store: time is an argument, and every decision is a closed enum.
//!
//! | question | module |
//! |---|---|
//! | May this response be stored, and how long is it fresh? | [`storage`] (with [`freshness`], [`response_directives`], [`directive_list`], [`http_date`]) |
//! | May this stored response be used for this request now? | [`reuse`] (with [`request_directives`]) |
//! | Which stored response does a request select? | [`variant`], [`search_variance`] |
//! | What is asked when it must be validated, and what does a 304 change? | [`validation`] |
//! | Which bytes does a range select, and which parts are one? | [`byte_range`], [`partial_body`] |
//! | What does an unsafe request invalidate? | [`invalidation`], [`cache_groups`] |
//! | How is a stored response's head kept? | [`stored_head`] |
//! | Which fields after a body are stored, and for which clients? | [`trailer_fields`] |
//! | Which fields end at this hop? | [`hop_by_hop`] |
//! | What is said about the cache's part in a response? | [`cache_status`] |
//!
//! RFC 9111 (caching), RFC 5861 (stale windows), RFC 9211 (`Cache-Status`), RFC 9213 (targeted directives), RFC 9875
//! (cache groups), RFC 9110 (conditions, ranges).

pub mod byte_range;
pub mod cache_groups;
pub mod cache_status;
pub mod directive_list;
pub mod freshness;
pub mod hop_by_hop;
pub mod http_date;
pub mod invalidation;
pub mod partial_body;
pub mod request_directives;
pub mod response_directives;
pub mod reuse;
pub mod search_variance;
pub mod storage;
pub mod stored_head;
pub mod trailer_fields;
pub mod validation;
pub mod variant;
