//! `doctor --compare`: compares the server's own responses with those through the gateway.
//!
//! Each read is sent through the gateway, directly to the server, and through the gateway again, so that both a loaded
//! and a cached response are compared. A difference is reported only if none of three reasons explains it: some fields
//! change by themselves, some responses change on the server meanwhile, and some were cached a while ago, within their
//! TTL. Values are never shown, only their paths.
//!
//! Module: [`report`] (the report).

pub mod report;

use std::time::Duration;

use crate::probe_set::{ProbeSet, ReadProbe};
use bytes::Bytes;
use greenroom_cache::Clock;
use greenroom_dialect::classification::{self as classified, SharingScope};
use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::authenticated_get;
use greenroom_dialect::permissions::Permissions;
use greenroom_dialect::request::{RequestView, ServerKind};
use greenroom_response_comparison::{ComparisonDepth, compare};
use http::header::{ACCEPT, AGE, CACHE_CONTROL, HeaderValue};
use http::{Method, Request, StatusCode};

use greenroom_config::Endpoint;
use greenroom_origin::login;
use greenroom_origin::probe_client::{ProbeClient, ProbeError, ProbeResponse};
use greenroom_proxy::request::classified_request::category_name;
use report::{ComparisonReport, ComparisonResult};

/// Time limit of the whole comparison.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// Direct reads to learn what differs by itself.
const MAX_DRAWS: usize = 4;
/// Max consecutive failed reads.
const MAX_UNANSWERED: usize = 10;

/// Direct and proxied access to one server.
#[derive(Debug)]
pub struct ProxyComparison<'a> {
    /// Client for direct requests to the server.
    pub direct_client: &'a ProbeClient,
    /// Client for requests through the gateway.
    pub proxied_client: &'a ProbeClient,
    /// Kind of server.
    pub kind: ServerKind,
    /// Address of the server.
    pub direct: &'a Endpoint,
    /// Address of the gateway in front of it.
    pub proxied: &'a Endpoint,
    /// Token of the requests. Public reads are sent to the server without it.
    pub token: Option<&'a Secret>,
    /// Clock of the time limit.
    pub clock: Clock,
}

/// Reason for which the comparison was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComparisonError {
    /// The server does not answer.
    Direct(ProbeError),
    /// The gateway does not answer.
    Proxied(ProbeError),
}

impl ProxyComparison<'_> {
    /// Compares up to `limit` reads. `tick` receives the number done and the number planned.
    ///
    /// # Errors
    /// The server or the gateway failed at the first read, or at `MAX_UNANSWERED` consecutive ones.
    pub async fn compare(
        &self,
        limit: usize,
        mut tick: impl FnMut(usize, usize),
    ) -> Result<ComparisonReport, ComparisonError> {
        let mut probes = ProbeSet::new(self.kind, limit);
        let mut report =
            ComparisonReport { token_refused: self.is_token_refused().await, ..ComparisonReport::default() };
        let (mut done, mut unanswered) = (0, 0);
        let began_ms = self.clock.now_ms();
        while let Some(probe) = probes.pop() {
            let elapsed = Duration::from_millis(self.clock.now_ms().saturating_sub(began_ms));
            if elapsed > PATIENCE {
                report.cut_short = true;
                break;
            }
            let result = match self.compare_probe(&probe, &mut probes).await {
                Ok(result) => {
                    unanswered = 0;
                    result
                }
                Err(error) => {
                    unanswered += 1;
                    if done == 0 || unanswered >= MAX_UNANSWERED {
                        return Err(error);
                    }
                    ComparisonResult::Unanswered
                }
            };
            done += 1;
            report.record(self.class(&probe), &probe.target, result);
            tick(done, done + probes.planned());
        }
        Ok(report)
    }

    async fn is_token_refused(&self) -> bool {
        let Some(token) = self.token else { return false };
        // If the server does not answer, the first read reports it.
        login::permissions(self.direct_client, self.kind, self.direct, token).await == Ok(Permissions::Refused)
    }

    async fn compare_probe(
        &self,
        probe: &ReadProbe,
        probes: &mut ProbeSet,
    ) -> Result<ComparisonResult, ComparisonError> {
        let first = self.fetch_proxied(probe, false).await?;
        let direct = self.fetch_direct(probe).await?;
        let again = self.fetch_proxied(probe, false).await?;
        probes.learn(probe, &direct.body);
        let depth = ComparisonDepth::Fields(&probe.target);
        let difference = |other: &ProbeResponse| compare(&direct.compared(), &other.compared(), depth);
        let found = difference(&first).merge(difference(&again));
        if !found.is_unexplained() {
            return Ok(ComparisonResult::from_equal(direct.status, &found));
        }
        // The response may have changed on the server since the first read, or be drawn anew for each.
        let mut direct_again = self.fetch_direct(probe).await?;
        let mut server_change = difference(&direct_again);
        let is_cached = matches!(self.classified(probe), classified::Classification::Read(_));
        for _ in 0..MAX_DRAWS {
            if found.is_within(&server_change) || (server_change.is_unexplained() && !is_cached) {
                return Ok(ComparisonResult::Explained("the server itself changed it meanwhile"));
            }
            if !server_change.is_unexplained() {
                break;
            }
            direct_again = self.fetch_direct(probe).await?;
            server_change = server_change.merge(difference(&direct_again));
        }
        // The cached response may be older than the change, within its TTL: then a reload shows no difference.
        let fresh = self.fetch_proxied(probe, true).await?;
        let fresh_difference = compare(&direct_again.compared(), &fresh.compared(), depth);
        if age_s(&again).or(age_s(&first)).is_some() && !fresh_difference.is_unexplained() {
            return Ok(ComparisonResult::Explained("cached before it changed, within its TTL"));
        }
        Ok(ComparisonResult::Different(found.places()))
    }

    /// A path of old that the server does not know is requested as the gateway requests it, which is by today's path.
    async fn fetch_direct(&self, probe: &ReadProbe) -> Result<ProbeResponse, ComparisonError> {
        let token = self.token.filter(|_| !self.is_public(probe));
        let send = |probe: &ReadProbe| self.direct_client.send(self.direct, self.request(probe, token, false));
        let response = send(probe).await.map_err(ComparisonError::Direct)?;
        match self.classified(probe) {
            classified::Classification::Read(read) if response.status == StatusCode::NOT_FOUND => {
                let mut current = probe.clone();
                current.target.clone_from(&read.target);
                send(&current).await.map_err(ComparisonError::Direct)
            }
            _ => Ok(response),
        }
    }

    async fn fetch_proxied(&self, probe: &ReadProbe, fresh: bool) -> Result<ProbeResponse, ComparisonError> {
        let request = self.request(probe, self.token, fresh);
        self.proxied_client.send(self.proxied, request).await.map_err(ComparisonError::Proxied)
    }

    fn request(&self, probe: &ReadProbe, token: Option<&Secret>, fresh: bool) -> Request<Bytes> {
        let mut request = authenticated_get(self.kind, &probe.target, token.cloned());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(probe.format.accept()));
        if fresh {
            request.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        request
    }

    fn class(&self, probe: &ReadProbe) -> &'static str {
        category_name(&self.classified(probe))
    }

    /// Whether the gateway loads this read without a token, so that the direct request must have none either.
    fn is_public(&self, probe: &ReadProbe) -> bool {
        matches!(self.classified(probe), classified::Classification::Read(read) if read.sharing == SharingScope::Public)
    }

    fn classified(&self, probe: &ReadProbe) -> classified::Classification {
        let request = self.request(probe, self.token, false);
        let view = RequestView { method: &Method::GET, target: &probe.target, headers: request.headers(), body: &[] };
        self.kind.classify(&view, None)
    }
}

/// Age of a cached response.
fn age_s(response: &ProbeResponse) -> Option<u64> {
    response.headers.get(AGE)?.to_str().ok()?.parse().ok()
}
