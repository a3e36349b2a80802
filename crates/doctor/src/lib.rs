//! `greenroom doctor`: finds problems of this installation and their remedies.
//!
//! First facts are gathered, then each check examines the facts alone and returns a finding or nothing; so every
//! sentence that a person reads can be tested without a network. Nothing is changed, no secret is shown, and everything
//! ends within seconds.
//!
//! - [`facts`]: input of the checks. [`server`]: gathers it from a media server. [`http_api`]: from one of any HTTP API.
//!   [`remote_store`]: from a Redis or Valkey.
//!   [`machine`]: from this machine; [`app_caches`]: on the caches for apps.
//!   [`socket`]: finds the program that listens on a port.
//! - [`advice`]: what to type, in the words of where a server was configured.
//! - [`checks`]: the checks, one file per subject.
//! - [`finding`]: result of a check. [`report`]: all findings, as text and JSON.
//! - [`wait_for`]: waits for an app's first request. [`control`]: client of the running process.
//! - [`compare`]: compares the server's responses with those of the gateway, for the reads of [`probe_set`]: such as
//!   match what the server really has, built from its own responses.

pub mod advice;
pub mod app_caches;
pub mod checks;
pub mod compare;
pub mod control;
pub mod facts;
pub mod finding;
pub mod http_api;
pub mod machine;
pub mod probe_set;
pub mod remote_store;
pub mod report;
pub mod server;
pub mod socket;
pub mod wait_for;

use std::path::Path;

use facts::ServerFacts;
use finding::{Finding, FindingLevel};
use greenroom_config::{ServerSettings, Settings};
use greenroom_origin::probe_client::{ProbeClient, ProbeTrust};
use report::{DoctorReport, SubjectFindings};

/// Runs all checks. `begin` receives the name of each subject before it is checked.
pub async fn run_checks(settings: &Settings, enquirer: &ProbeClient, mut begin: impl FnMut(&str)) -> DoctorReport {
    begin("this machine");
    let machine = machine::inspect(settings, enquirer).await;
    let mut subjects = Vec::new();
    for server in &settings.servers {
        begin(&format!("{} at {}", server.name, greenroom_config::Endpoint::from_server(server).url()));
        let (facts, findings) = check_server(server, enquirer, &settings.data_dir, machine.container).await;
        subjects.push(SubjectFindings { name: format!("{} ({})", server.name, facts.endpoint.url()), findings });
    }
    for server in &settings.http_apis {
        let facts = http_api::gather(server, enquirer).await;
        begin(&format!("{} at {}", server.name, facts.endpoint.url()));
        let findings = checks::HTTP_API.iter().flat_map(|check| check(&facts)).collect();
        subjects.push(SubjectFindings { name: format!("{} ({})", server.name, facts.endpoint.url()), findings });
    }
    if let Some(store) = &settings.remote_store {
        let name = format!("remote store ({})", remote_store::addresses(store));
        begin(&name);
        let facts = remote_store::gather(store).await;
        let findings = checks::REMOTE_STORE.iter().flat_map(|check| check(&facts)).collect();
        subjects.push(SubjectFindings { name, findings });
    }
    let findings = checks::MACHINE.iter().flat_map(|check| check(&machine)).collect();
    subjects.push(SubjectFindings { name: "this machine".into(), findings });
    DoctorReport { subjects }
}

/// Problem of a server that does not answer as configured; `None` if nothing was found.
pub async fn find_problem(server: &ServerSettings, enquirer: &ProbeClient, data_dir: &Path) -> Option<Finding> {
    let (_, findings) = check_server(server, enquirer, data_dir, machine::is_container()).await;
    findings.into_iter().filter(|finding| finding.level > FindingLevel::Ok).max_by_key(|finding| finding.level)
}

async fn check_server(
    server: &ServerSettings,
    enquirer: &ProbeClient,
    data_dir: &Path,
    is_container: bool,
) -> (ServerFacts, Vec<Finding>) {
    let probe_client = enquirer.with_trust(ProbeTrust::for_server(server));
    let facts = server::gather(server, &probe_client, data_dir, is_container).await;
    let findings = checks::SERVER.iter().filter_map(|check| check(&facts)).collect();
    (facts, findings)
}
