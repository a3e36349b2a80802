//! `greenroom doctor`: finds problems of this installation and their remedies.
//!
//! First facts are gathered, then each check examines the facts alone and returns a finding or nothing; so every
//! sentence that a person reads can be tested without a network. Nothing is changed, no secret is shown, and everything
//! ends within seconds.
//!
//! - [`facts`]: input of the checks. [`server`]: gathers it from a media server. [`machine`]: from this machine.
//!   [`socket`]: finds the program that listens on a port.
//! - [`checks`]: the checks, one file per subject.
//! - [`finding`]: result of a check. [`report`]: all findings, as text and JSON.
//! - [`wait_for`]: waits for an app's first request. [`control`]: client of the running process.
//! - [`compare`]: compares the server's responses with those of the gateway.

pub mod checks;
pub mod compare;
pub mod control;
pub mod facts;
pub mod finding;
pub mod machine;
pub mod report;
pub mod server;
pub mod socket;
pub mod wait_for;

use finding::Finding;
use greenroom_config::Settings;
use greenroom_origin::probe_client::{ProbeClient, ProbeTrust};
use report::{DoctorReport, SubjectFindings};

/// Runs all checks. `begin` receives the name of each subject before it is checked.
pub async fn run_checks(settings: &Settings, enquirer: &ProbeClient, mut begin: impl FnMut(&str)) -> DoctorReport {
    begin("this machine");
    let machine = machine::inspect(settings, enquirer).await;
    let mut subjects = Vec::new();
    for server in &settings.servers {
        begin(&format!("{} at {}", server.name, greenroom_config::Endpoint::from_server(server).url()));
        let asking = enquirer.with_trust(ProbeTrust::for_server(server));
        let facts = server::gather(server, &asking, machine.container).await;
        let findings: Vec<Finding> = checks::SERVER.iter().filter_map(|check| check(&facts)).collect();
        subjects.push(SubjectFindings { name: format!("{} ({})", server.name, facts.endpoint.url()), findings });
    }
    let findings = checks::MACHINE.iter().flat_map(|check| check(&machine)).collect();
    subjects.push(SubjectFindings { name: "this machine".into(), findings });
    DoctorReport { subjects }
}
