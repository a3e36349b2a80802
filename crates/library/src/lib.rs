//! What Greenroom knows about the items of a media server: pure data in, answers out.
//!
//! This crate never sees a clock, a disk, a network or an async runtime, and no other crate of the project.
//! Rooms:
//! - [`lineage`]: which item lies under which (episode → season → show), learnt from answers that passed by.

pub mod lineage;
