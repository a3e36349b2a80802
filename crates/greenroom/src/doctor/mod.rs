//! `greenroom doctor`: what is wrong with this installation, and what to do about it.
//!
//! First facts are gathered, then each check looks at the facts alone and finds something or nothing; so every
//! sentence a person reads can be tested without a network. Nothing is changed, nothing secret is shown, and
//! everything ends within seconds.
//!
//! - [`facts`]: what is looked at. [`server`]: gathering it from a media server. [`machine`]: from this machine.
//!   [`socket`]: who listens on a port.
//! - [`checks`]: the decisions, one file per subject.
//! - [`finding`]: what a check finds. [`report`]: how it is shown.
//! - [`wait`]: waiting for an app's first request. [`control`]: asking the running process.
//! - [`compare`]: the server's answers beside those of the gateway.

pub mod checks;
pub mod compare;
pub mod control;
pub mod facts;
pub mod finding;
pub mod machine;
pub mod report;
pub mod server;
pub mod socket;
pub mod wait;

use finding::Finding;
use greenroom_config::Settings;
use greenroom_origin::probe_client::{Enquirer, Trust};
use report::{Report, Subject};

/// Looks at everything. `begin` is told what is looked at next.
pub async fn examine(settings: &Settings, enquirer: &Enquirer, mut begin: impl FnMut(&str)) -> Report {
    begin("this machine");
    let machine = machine::gather(settings, enquirer).await;
    let mut subjects = Vec::new();
    for server in &settings.servers {
        begin(&format!("{} at {}", server.name, greenroom_config::Place::of(server).url()));
        let asking = enquirer.trusting(Trust::of_server(server));
        let facts = server::gather(server, &asking, machine.container).await;
        let findings: Vec<Finding> = checks::SERVER.iter().filter_map(|check| check(&facts)).collect();
        subjects.push(Subject { name: format!("{} ({})", server.name, facts.place.url()), findings });
    }
    let findings = checks::MACHINE.iter().flat_map(|check| check(&machine)).collect();
    subjects.push(Subject { name: "this machine".into(), findings });
    Report { subjects }
}
