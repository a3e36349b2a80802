//! State is not cache: what must outlive the process and cannot be had again by asking. It lies in `state.db`, apart
//! from what the cache keeps: it is never set aside, never cleared with the cache, and copied before a new version
//! changes its layout. Kept today: proofs of tokens (as keyed hashes), when each server was last heard of, and what was
//! kept warm for its configured token. Others keep theirs in it: what was said of libraries and lifetimes, decisions on
//! matches, when jobs ran last.
//!
//! | room | is |
//! |---|---|
//! | `proofs` | what is kept, as plain data |
//! | `book` | the file: what is read from it and written to it at a time; `rows`, one by one; `number`, as numbers |
//! | `turn` | who may open it |
//! | `guest` | how rooms with tables of their own open it |
//! | `layout` | how an older file becomes the one of today |
//! //! | `refusals` | what must not be lost, on its way to it |
//! | `bell` | what wakes it, and tells how far it is |
//! | `presence` | which gateways are alive on this directory |
//! | `trouble` | what is wrong with the file, and what to do |
//! | `archive` | backup and restore |
//!
//! **A refusal comes first.** Proofs are written a second later and may be lost by a crash: then the server is asked
//! once more. A refusal that is lost would give back what the server took, so it is written at once, in the same
//! order in which proofs were, and the answer that says no waits for it, for `state.settle_ms` at most. If the disk takes
//! longer than that and the process is killed meanwhile, the token counts as it did before, until its proof is too
//! old (`auth_ttl`): that is the one case, and no worse than a gateway that was not told yet.

pub mod backup;
pub mod codec;
pub mod db;
pub mod error;
pub mod file_lane;
pub mod file_watch;
pub mod flush_signal;
pub mod grants;
pub mod migrations;
pub mod ownership;

pub mod reader;
pub mod revocations;
mod rows;
pub mod secrets;
pub mod warnings;
