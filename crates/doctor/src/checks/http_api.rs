//! Checks of a server of any HTTP API: its probe, its certificate, its clock, and whether each of its routes can match.

use greenroom_config::HttpRouteSettings;
use greenroom_origin::probe_client::ProbeError;

use super::clock;
use crate::facts::HttpApiFacts;
use crate::finding::Finding;

const PROBE: &str = "probe";
const CERTIFICATE: &str = "encryption";
const ROUTES: &str = "routes";

/// Reports a server that does not answer its probe.
pub fn check_probe(facts: &HttpApiFacts) -> Vec<Finding> {
    let (url, probe) = (facts.endpoint.url(), &facts.probe);
    vec![match &facts.answer {
        Err(error) => Finding::problem(
            PROBE,
            format!("{url}{probe} does not answer: {error}"),
            "check the address in url, that the server runs, and that this machine may reach it; apps get stored \
             responses until then",
        ),
        Ok(answer) if answer.status >= 500 => Finding::problem(
            PROBE,
            format!("{url}{probe} answers with status {}, which counts as down", answer.status),
            "look into the server's log; or name a path that answers in probe = \"/PATH\"",
        ),
        Ok(answer) if answer.status == 404 && facts.probe != "/" => Finding::warning(
            PROBE,
            format!("{url}{probe} answers with status 404"),
            "correct probe: it should be a path that the server has",
        ),
        Ok(answer) => {
            Finding::ok(PROBE, format!("{url}{probe} answers with status {} in {} ms", answer.status, answer.took_ms))
        }
    }]
}

/// Reports a certificate that is not trusted.
pub fn check_certificate(facts: &HttpApiFacts) -> Vec<Finding> {
    let Some(certificate) = &facts.certificate else { return Vec::new() };
    match certificate {
        Ok(()) => vec![Finding::ok(CERTIFICATE, "the server's certificate is trusted")],
        Err(ProbeError::Certificate(rejection)) => vec![Finding::problem(
            CERTIFICATE,
            format!("the server's certificate is not trusted; its SHA-256 fingerprint is {}", rejection.certificate),
            "set tls.ca_file to its CA's certificate, or tls.fingerprint to this fingerprint if it is the right one",
        )],
        // Reported by the probe.
        Err(_) => Vec::new(),
    }
}

/// Warns of clocks that differ: lifetimes that servers give as dates begin or end too early.
pub fn check_clock(facts: &HttpApiFacts) -> Vec<Finding> {
    facts.answer.as_ref().ok().and_then(|answer| answer.clock_ahead_s).map(clock::compare).into_iter().collect()
}

/// Warns of routes that match nothing, because an earlier one takes all of their requests.
pub fn check_routes(facts: &HttpApiFacts) -> Vec<Finding> {
    hidden_routes(&facts.routes)
}

/// A finding for each route that an earlier one hides.
pub fn hidden_routes(routes: &[HttpRouteSettings]) -> Vec<Finding> {
    let hidden = routes.iter().enumerate().filter_map(|(index, route)| {
        let earlier = routes[..index].iter().find(|earlier| covers(earlier, route))?;
        Some(Finding::warning(
            ROUTES,
            format!("the route {} matches nothing: {} before it takes all of its requests", route.path, earlier.path),
            "move it before that one: the first route that matches counts",
        ))
    });
    hidden.collect()
}

/// Whether a route matches every request that `other` matches.
fn covers(route: &HttpRouteSettings, other: &HttpRouteSettings) -> bool {
    let has_methods = route.methods.is_empty()
        || (!other.methods.is_empty() && other.methods.iter().all(|method| route.methods.contains(method)));
    has_methods && covers_path(&route.path, &other.path)
}

fn covers_path(pattern: &str, other: &str) -> bool {
    let is_capture = |segment: &str| segment.starts_with('{') && segment.ends_with('}');
    let mut others = other.split('/');
    for segment in pattern.split('/') {
        if segment == "*" {
            return true;
        }
        match others.next() {
            Some("*") | None => return false,
            // A capture is at least one character.
            Some(other) if is_capture(segment) && !other.is_empty() => {}
            Some(other) if other == segment && !is_capture(other) => {}
            Some(_) => return false,
        }
    }
    others.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::ProbeAnswer;
    use crate::finding::FindingLevel;
    use greenroom_config::{ConfigSource, Endpoint, Settings};

    fn facts(answer: Result<ProbeAnswer, ProbeError>, routes: &str) -> HttpApiFacts {
        let mut tree = ConfigSource::default();
        let server = "[[server]]\nname = \"api\"\nkind = \"http\"\nurl = \"http://a\"\n";
        tree.add_toml("g.toml", &format!("{server}{routes}"));
        let settings = Settings::read(tree).expect("valid settings").http_apis.remove(0);
        HttpApiFacts {
            endpoint: Endpoint::from_http_api(&settings),
            probe: "/health".into(),
            answer,
            certificate: None,
            routes: settings.routes,
        }
    }

    fn answered(status: u16) -> ProbeAnswer {
        ProbeAnswer { status, took_ms: 3, clock_ahead_s: Some(3600) }
    }

    #[test]
    fn a_server_that_does_not_answer_its_probe_is_a_problem() {
        let level = |answer| check_probe(&facts(answer, ""))[0].level;
        assert_eq!(level(Ok(answered(200))), FindingLevel::Ok);
        assert_eq!(level(Ok(answered(401))), FindingLevel::Ok, "it is up, and wants credentials");
        assert_eq!(level(Ok(answered(404))), FindingLevel::Warning);
        assert_eq!(level(Ok(answered(503))), FindingLevel::Problem);
        assert_eq!(level(Err(ProbeError::Refused)), FindingLevel::Problem);
    }

    #[test]
    fn a_clock_that_is_off_is_a_warning() {
        assert_eq!(check_clock(&facts(Ok(answered(200)), ""))[0].level, FindingLevel::Warning);
        assert_eq!(check_clock(&facts(Err(ProbeError::Refused), "")), []);
    }

    #[test]
    fn a_route_behind_a_wider_one_matches_nothing() {
        let route = |path: &str, more: &str| format!("[[server.route]]\npath = \"{path}\"\nfresh_s = 1\n{more}");
        let found = |routes: &[String]| check_routes(&facts(Ok(answered(200)), &routes.concat())).len();
        assert_eq!(found(&[route("/a/*", ""), route("/a/{id}", "")]), 1);
        assert_eq!(found(&[route("/a/{id}", ""), route("/a/new", "")]), 1);
        assert_eq!(found(&[route("/a/new", ""), route("/a/{id}", ""), route("/a/*", "")]), 0);
        assert_eq!(found(&[route("/a/*", "methods = [\"GET\"]\n"), route("/a/{id}", "")]), 0);
        assert_eq!(found(&[route("/a/*", ""), route("/a/b", "methods = [\"GET\"]\n")]), 1);
        assert_eq!(found(&[route("/a", ""), route("/ab", ""), route("/a/", "")]), 0);
    }
}
