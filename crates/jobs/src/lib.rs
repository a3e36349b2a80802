//! Scheduled jobs. One list shows all jobs with their last run, its duration and result, and the next run; each job can
//! be started and cancelled.
//!
//! - [`scheduler`] starts and ends runs. [`schedule`] decides when a job is due: a pure function. Runs missed while the
//!   process was off are made up for by a single run. [`job_work`]: the work of a job.
//! - A configured number of jobs runs at a time; the others queue first in, first out. No job runs twice at once, and a
//!   run that panics has failed without affecting anything else.
//! - [`definition`] is what a job is, [`context`] one run of it. [`persistence`] stores the last runs across restarts.
//!   [`registry`] holds the state of every job and the queue, [`report`] is what is shown of a job, [`run_request`] the
//!   result of requesting a run.
//! - Work with its own schedule can be seen and started here too: [`warming`], [`statistics`], library indexes
//!   ([`indexes`]), folders of files ([`folders`]) and scheduled playlist syncs ([`playlists`]). [`dashboards`]: dashboard statistics and the playback
//!   history.

mod context;
pub mod dashboards;
mod definition;
pub mod folders;
pub mod indexes;
mod job_work;
mod persistence;
pub mod playlists;
mod registry;
mod report;
mod run_request;
mod schedule;
mod scheduler;
pub mod statistics;
pub mod warming;

pub use context::JobContext;
pub use definition::JobDefinition;
pub use report::{ExternalJobStatus, JobOutcome, JobProgress, JobReport, JobState, LastRun};
pub use run_request::{RunRequestResult, RunWaitResult};
pub use scheduler::Jobs;
