//! The whole process on a stage: a media server behind it, clients in front of it.
//!
//! One program for all of it, so that it is linked once. A file is a promise or a hazard.

#![allow(unreachable_pub, missing_docs, reason = "nothing here is seen from outside")]

mod arrows;
mod bad_input;
mod binary;
mod bypass;
mod crowd;
mod failures;
mod hazards;
mod media;
mod mixing;
mod observe;
mod queue;
mod remote;
mod sockets;
mod stage;
mod undone;
mod why;
