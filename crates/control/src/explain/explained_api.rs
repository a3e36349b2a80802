//! Explains one read of an HTTP API.

use std::sync::Arc;

use greenroom_config::CacheMode;
use greenroom_dialect::redact;
use greenroom_http_api::ApiServer;
use greenroom_http_api::inspection::ReadInspection;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};

use super::ExplainQuery;
use super::explained_read::{explained_entry, last_invalidation};
use super::explanation::{ExplainedCaller, Explanation, KeyParts, OriginComparison};
use super::outcome::{DecisionInputs, ExplainOutcome};
use greenroom_proxy::read::AuthorizationStatus;

/// Explains a read of this server. A token that is given is sent as `Authorization: Bearer TOKEN`.
///
/// # Errors
/// If the input is neither a URL nor a path.
pub async fn explain_api(server: &Arc<ApiServer>, query: &ExplainQuery) -> Result<Explanation, &'static str> {
    let uri: Uri = query.url.trim().parse().map_err(|_| "not a URL or path")?;
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    if !target.starts_with('/') {
        return Err("a path must begin with a slash");
    }
    let (headers, token) = headers_of(query)?;
    let inspection = ReadInspection::new(server, target, headers).await?;
    let outcome = ExplainOutcome::predict(&DecisionInputs {
        authorization: AuthorizationStatus::Valid,
        diagnosis: Some(&inspection.diagnosis),
        policy: inspection.policy,
        now_ms: server.clock.now(),
    });
    let now_ms = server.clock.now();
    let entry = inspection.diagnosis.entry.as_deref();
    let server_says = compare(server, &inspection).await;
    Ok(Explanation {
        server: server.name().to_owned(),
        asked: redact::target(target),
        kind: "read",
        class: inspection.route.text().to_owned(),
        outcome: outcome.name(),
        sentence: sentence(server, &inspection, outcome),
        identity: Some(ExplainedCaller { token, known: entry.is_some(), proof: "holds", live_signal: false }),
        key: Some(KeyParts {
            partition: inspection.key.partition().as_str().to_owned(),
            text: redact::target(inspection.resource_text()),
            representation: "opaque",
        }),
        entry: entry.map(|entry| explained_entry(entry, inspection.diagnosis.warm, now_ms)),
        invalidation: last_invalidation(&inspection.diagnosis, now_ms),
        server_says: Some(server_says),
    })
}

fn headers_of(query: &ExplainQuery) -> Result<(HeaderMap, &'static str), &'static str> {
    let mut headers = query.headers.clone();
    let Some(token) = &query.token else { return Ok((headers, "none")) };
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| "invalid token")?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok((headers, "given"))
}

fn sentence(server: &ApiServer, inspection: &ReadInspection, outcome: ExplainOutcome) -> String {
    let is_bypassed = server.bypasses.covers(server.name(), inspection.route.text(), "");
    let prefix = match server.mode() {
        _ if is_bypassed => "The server answers every request, because this is bypassed. Without the bypass: ",
        CacheMode::Bypass | CacheMode::Cache => "",
        CacheMode::Observe => "The server answers every request, because the cache only observes. With the cache: ",
    };
    let route = if inspection.has_route {
        format!(" The route \"{}\" applies.", inspection.route.text())
    } else {
        " No route applies, so the server's own headers decide.".to_owned()
    };
    format!("{prefix}{}{route}", outcome.sentence())
}

/// Asks the server once and compares its response with the stored one.
async fn compare(server: &Arc<ApiServer>, inspection: &ReadInspection) -> OriginComparison {
    let began_us = server.clock.now_us();
    let response = inspection.ask_server(server).await;
    let took_ms = server.clock.since_ms(began_us);
    let comparison = |word, status, detail| OriginComparison { word, status, detail, took_ms };
    match response {
        Err(reason) => comparison("no-answer", None, Some(reason)),
        Ok(response) => {
            let code = Some(response.status.as_u16());
            let refusal = response.refusal.map(|refusal| format!("it may not be stored: {}", refusal.name()));
            match inspection.stored() {
                None => comparison("nothing-kept", code, refusal),
                Some((status, _)) if status != response.status => {
                    comparison("different", code, Some(format!("its status is now {}", response.status.as_u16())))
                }
                Some((_, body)) if body != response.body => comparison("different", code, Some("in its body".into())),
                Some(_) => comparison("same", code, refusal),
            }
        }
    }
}
