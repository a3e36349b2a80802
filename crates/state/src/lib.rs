//! State that must outlive the process and cannot be loaded again from the media server, in `state.db`. It is separate
//! from the cache: never evicted, never cleared with it, and backed up before a new version changes its schema. It
//! holds grants (as keyed hashes), the last contact with each server, and the warm keys of its configured token. Other
//! crates have tables of their own in it: library settings, TTL overrides, match overrides, last job runs.
//!
//! | module | content |
//! |---|---|
//! | [`grants`] | the stored data as plain types |
//! | [`confirmations`] | what vouches, after a restart, for entries from before it |
//! | [`known_tokens`] | whether all of it was read |
//! | [`db`] | the database file and its transactions; `rows`: single rows; [`codec`]: numbers in columns |
//! | [`ownership`] | the process that may open it |
//! | [`reader`] | connections of modules with tables of their own |
//! | [`migrations`] | upgrades of an older schema |
//! | [`revocations`] | revocations on their way to disk |
//! | [`flush_signal`] | wakes the writer, and reports what is flushed |
//! | [`file_watch`], [`file_work_queue`] | changes of files, and work on files |
//! | [`secrets`] | the data directory and its keys |
//! | [`control_tokens`] | tokens of the control plane on disk |
//! | [`app_tokens`] | tokens of apps, each for some folders |
//! | [`bypass`] | which reads are not answered from the cache |
//! | [`error`], [`warnings`] | what is wrong, and the remedy |
//! | [`backup`] | backup and restore; [`unfinished_backups`]: leftovers of a killed one |
//!
//! **Revocations are durable first.** Grants are written up to a second later, and a crash may lose them: then the
//! server is asked once more. A lost revocation would give back a right that the server took away, so it is written at
//! once, in order with the grants, and the response that refuses the token waits for the write, at most
//! `state.settle_ms`. If the disk takes longer and the process is killed meanwhile, the token stays valid until its
//! grant expires (`auth_ttl`). That is the only such case, and no worse than a gateway that has not heard of the
//! revocation yet.

pub mod app_tokens;
pub mod backup;
pub mod bypass;
pub mod codec;
pub mod confirmations;
pub mod control_tokens;
pub mod db;
pub mod error;
pub mod file_watch;
pub mod file_work_queue;
pub mod flush_signal;
pub mod grants;
pub mod known_tokens;
pub mod migrations;
pub mod ownership;
pub mod reader;
pub mod revocations;
mod rows;
pub mod secrets;
pub mod unfinished_backups;
pub mod warnings;
