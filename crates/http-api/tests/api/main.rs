//! The cache for any HTTP API, through real sockets.

mod fixture;
mod graphql;
mod headers;
mod hostile;
mod identity;
mod limits;
mod recording;
mod routes;
mod writes;
