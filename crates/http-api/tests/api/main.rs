//! The cache for any HTTP API, through real sockets.

mod bodies;
mod fast_path;
mod fixture;
mod graphql;
mod headers;
mod hostile;
mod identity;
mod limits;
mod parts;
mod prefetch;
mod recording;
mod redirects;
mod routes;
mod searches;
mod trailers;
mod writes;
