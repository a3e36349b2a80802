//! `doctor --compare`: compares the server's own responses with those through the gateway.
//!
//! Each read is sent through the gateway, directly, and through the gateway again, so that both a loaded and a cached
//! response are compared. A difference is investigated before it is reported: some fields change by
//! themselves, some responses change on the server meanwhile, and some were cached a while ago, within their TTL. What
//! no rule explains is a difference. Values are never shown, only their paths.
//!
//! Module: [`report`] (the report).

pub mod report;

use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::Clock;
use greenroom_dialect::classification::{self as classified, SharingScope};
use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::authenticated_get;
use greenroom_dialect::permissions::Permissions;
use greenroom_dialect::probe_set::{ProbeSet, ReadProbe};
use greenroom_dialect::request::{RequestView, ServerKind};
use greenroom_dialect::response_comparison::{ComparisonDepth, compare};
use http::header::{ACCEPT, AGE, CACHE_CONTROL, HeaderValue};
use http::{Method, Request};

use greenroom_config::Endpoint;
use greenroom_origin::login;
use greenroom_origin::probe_client::{ProbeClient, ProbeError, ProbeResponse};
use greenroom_proxy::request::classified_request::category_name;
use report::{ComparisonReport, ComparisonResult};

/// Time limit of the whole comparison.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// Max consecutive failed reads.
const MAX_UNANSWERED: usize = 10;

/// Direct and proxied access to one server.
#[derive(Debug)]
pub struct ProxyComparison<'a> {
    /// Client of the server.
    pub direct_client: &'a ProbeClient,
    /// Client of the gateway.
    pub proxied_client: &'a ProbeClient,
    /// Kind of server.
    pub kind: ServerKind,
    /// Address of the server.
    pub direct: &'a Endpoint,
    /// Address of the gateway in front of it.
    pub proxied: &'a Endpoint,
    /// Token that both requests use.
    pub token: Option<&'a Secret>,
    /// Clock.
    pub clock: Clock,
}

/// Why nothing was compared.
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
    /// If one of the two does not answer at all.
    pub async fn compare(
        &self,
        limit: usize,
        mut tick: impl FnMut(usize, usize),
    ) -> Result<ComparisonReport, ComparisonError> {
        let mut survey = ProbeSet::new(self.kind, limit);
        let mut tally =
            ComparisonReport { token_refused: self.is_token_refused().await, ..ComparisonReport::default() };
        let (mut done, mut unanswered) = (0, 0);
        let began_ms = self.clock.now_ms();
        while let Some(probe) = survey.pop() {
            let passed = Duration::from_millis(self.clock.now_ms().saturating_sub(began_ms));
            if passed > PATIENCE {
                tally.cut_short = true;
                break;
            }
            let verdict = match self.compare_probe(&probe, &mut survey).await {
                Ok(verdict) => {
                    unanswered = 0;
                    verdict
                }
                Err(failed) => {
                    unanswered += 1;
                    if done == 0 || unanswered >= MAX_UNANSWERED {
                        return Err(failed);
                    }
                    ComparisonResult::Unanswered
                }
            };
            done += 1;
            tally.record(self.class(&probe), &probe.target, verdict);
            tick(done, done + survey.planned());
        }
        Ok(tally)
    }

    async fn is_token_refused(&self) -> bool {
        let Some(token) = self.token else { return false };
        // If it does not answer, the first read will say so.
        login::permissions(self.direct_client, self.kind, self.direct, token).await == Ok(Permissions::Refused)
    }

    async fn compare_probe(
        &self,
        probe: &ReadProbe,
        survey: &mut ProbeSet,
    ) -> Result<ComparisonResult, ComparisonError> {
        let first = self.fetch_proxied(probe, false).await?;
        let direct = self.fetch_direct(probe).await?;
        let again = self.fetch_proxied(probe, false).await?;
        survey.learn(probe, &direct.body);
        let depth = ComparisonDepth::Fields(&probe.target);
        let difference = |other: &ProbeResponse| compare(&direct.compared(), &other.compared(), depth);
        let found = difference(&first).merge(difference(&again));
        if !found.is_unexplained() {
            return Ok(ComparisonResult::from_equal(direct.status, &found));
        }
        // The server's response may have changed by now.
        let direct_again = self.fetch_direct(probe).await?;
        let moved = difference(&direct_again);
        if found.is_within(&moved) {
            return Ok(ComparisonResult::Explained("the server itself changed it meanwhile"));
        }
        // The cached response may be older, within its TTL.
        let fresh = self.fetch_proxied(probe, true).await?;
        let fresh_difference = compare(&direct_again.compared(), &fresh.compared(), depth);
        if age_s(&again).or(age_s(&first)).is_some() && !fresh_difference.is_unexplained() {
            return Ok(ComparisonResult::Explained("kept before it changed, within its lifetime"));
        }
        Ok(ComparisonResult::Different(found.places()))
    }

    async fn fetch_direct(&self, probe: &ReadProbe) -> Result<ProbeResponse, ComparisonError> {
        let token = self.token.filter(|_| !self.is_public(probe));
        self.direct_client.send(self.direct, self.request(probe, token, false)).await.map_err(ComparisonError::Direct)
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

    /// Whether the gateway loads this read without a token, so that both must be compared without one.
    fn is_public(&self, probe: &ReadProbe) -> bool {
        matches!(self.classified(probe), classified::Classification::Read(read) if read.sharing == SharingScope::Public)
    }

    fn classified(&self, probe: &ReadProbe) -> classified::Classification {
        let request = self.request(probe, self.token, false);
        let ask = RequestView { method: &Method::GET, target: &probe.target, headers: request.headers(), body: &[] };
        self.kind.classify(&ask, None)
    }
}

/// Age of a cached response.
fn age_s(heard: &ProbeResponse) -> Option<u64> {
    heard.headers.get(AGE)?.to_str().ok()?.parse().ok()
}
