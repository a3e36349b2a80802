//! `greenroom jobs`: lists, starts and cancels jobs of the running gateway.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;

use super::SUCCESS;
use super::api_client::GatewayArgs;
use super::duration::duration;
use super::modes::{print_done, with_gateway};
use greenroom_demo::scenario::table::align;
use greenroom_proxy::shadow::report::format_thousands;

/// `greenroom jobs`.
#[derive(Debug, Args)]
pub(super) struct JobsArgs {
    #[command(subcommand)]
    command: Option<JobsCommand>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// Run a job now, or as soon as another has ended
    Run {
        /// Id of the job, as listed
        id: String,
    },
    /// Cancel a run of a job
    Cancel {
        /// Id of the job, as listed
        id: String,
    },
}

pub(super) fn jobs(options: &JobsArgs) -> u8 {
    with_gateway(&options.gateway, async |client| {
        let (id, action) = match &options.command {
            None => {
                let listed = client.get("api/v1/jobs").await?;
                println!("{}", if options.json { listed.to_string() } else { table(&listed) });
                return Ok(SUCCESS);
            }
            Some(JobsCommand::Run { id }) => (id, "run"),
            Some(JobsCommand::Cancel { id }) => (id, "cancel"),
        };
        let done = client.send(Method::POST, &format!("api/v1/jobs/{id}/{action}"), None).await?;
        print_done(&done, options.json);
        Ok(SUCCESS)
    })
}

fn table(listed: &Value) -> String {
    let jobs = listed["jobs"].as_array().cloned().unwrap_or_default();
    let heading = ["job", "every", "state", "last", "took", "message"].map(str::to_owned).to_vec();
    let rows = jobs.iter().map(row);
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    format!("{}\n\n{} of at most {} jobs are running.", align(&rows), listed["running"], listed["at_once"])
}

fn row(job: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let every = job["every_s"].as_u64().map_or_else(|| "on request".to_owned(), |s| duration(s * 1000));
    let progress = match (job["progress"]["done"].as_u64(), job["progress"]["total"].as_u64()) {
        (Some(done), Some(total)) => format!(" {} of {}", format_thousands(done), format_thousands(total)),
        (Some(done), None) => format!(" {}", format_thousands(done)),
        (None, _) => String::new(),
    };
    let last = &job["last"];
    let took = last["duration_ms"].as_u64().map_or_else(String::new, duration);
    let state = text(&job["state"]) + &progress;
    vec![text(&job["id"]), every, state, text(&last["outcome"]), took, text(&last["message"])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_job_is_printed_on_a_line() {
        let listed = serde_json::json!({"at_once": 3, "running": 1, "jobs": [
            {"id": "history", "every_s": 900, "state": "running", "progress": {"done": 1200, "total": null},
             "last": {"outcome": "done", "duration_ms": 5300, "message": "12 new views"}},
            {"id": "advice", "every_s": null, "state": "idle", "progress": null, "last": null},
        ]});
        let table = table(&listed);
        for words in ["15 min", "running 1 200", "5.3 s", "12 new views", "on request", "1 of at most 3 jobs"] {
            assert!(table.replace(',', " ").contains(words), "{words} in {table}");
        }
    }
}
