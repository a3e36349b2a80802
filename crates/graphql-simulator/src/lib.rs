//! A simulated GraphQL API of a streaming service: a menu of projects, a project with its seasons and episodes, what a
//! user was watching, and mutations of that.
//!
//! `POST /graphql` (or GET) is the API; `/images`, `/media` and `/status` are beside it. A show is a project with
//! seasons; a film is a project whose only season has it as its only episode. A request is parsed to
//! [`operation::OperationRequest`]s, each is executed by [`execution::execute`] against [`resolver`] or [`mutation`].
//! A token is sent as `Authorization: Bearer TOKEN`.
//!
//! Failures of whole requests are injected as with the other simulated servers; those of operations by
//! `PUT /__simulator/operation-errors` with `{"operation": NAME?, "partial": BOOL?, "times": N?}`.
//!
//! Deliberately absent: any other crate of this project but the backend, storage, and introspection of the schema.

mod caller;
mod dialect;
mod document;
mod error;
mod execution;
mod mutation;
mod object;
mod operation;
mod operation_errors;
mod pages;
mod persisted;
mod resolver;
mod switches;

pub use dialect::{API_PATH, GraphQl, GraphQlOptions};
pub use switches::{GraphQlSwitchNames, GraphQlSwitches, SWITCH_NAMES};

// The parts of the backend, by the names that they have in every simulator.
use greenroom_simulator_backend::{
    catalogue, class, media, options, picture, rng, serve, simulated_server, state, users,
};
