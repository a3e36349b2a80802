//! Redirects within the server that are followed, if that is configured. What they lead to is stored for the address
//! that was asked, under the terms of every response on the way.

use greenroom_cache::{Tag, Timestamp};
use greenroom_http_caching::freshness::ExchangeTimes;
use greenroom_http_caching::invalidation::resolve;
use greenroom_http_caching::storage::StorageRefusal;
use greenroom_http_caching::stored_head::{StaleOnErrorRule, StoredHead};
use greenroom_http_caching::variant::SelectingFields;
use http::header::{HeaderMap, LOCATION, SET_COOKIE};
use http::{Method, Response, StatusCode};

use crate::api_request::{ApiRequest, resource_tag};
use crate::api_server::ApiServer;
use crate::resource_name::resource_name;
use crate::route_table::RouteMatch;

/// Max redirects that are followed for one read; the next one is passed on.
pub(super) const MAX_REDIRECTS: usize = 5;

/// Terms of the redirects on the way to a response. By default there were none.
#[derive(Debug, Default)]
pub(super) struct RedirectTerms {
    /// Reason for which one of them may not be stored, if so.
    refusal: Option<StorageRefusal>,
    /// Tags of the addresses that they lead to.
    pub(super) tags: Vec<Tag>,
    stored: Vec<StoredHead>,
    /// By which request fields they vary; `None` if no request selects one of them.
    selecting: Vec<Option<SelectingFields>>,
    count: usize,
    response_time: Timestamp,
}

impl RedirectTerms {
    /// Number of redirects.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Adds a redirect to this target.
    pub(super) fn add(
        &mut self,
        (headers, evaluated): (&HeaderMap, Result<(StoredHead, SelectingFields), StorageRefusal>),
        server: &ApiServer,
        next: &str,
        times: ExchangeTimes,
    ) {
        self.count += 1;
        self.response_time = Timestamp::from_millis(times.response_ms);
        let path = next.split('?').next().unwrap_or_default();
        self.tags.push(resource_tag(&resource_name(&server.settings, &server.routes().find(&Method::GET, path), next)));
        self.selecting.push(SelectingFields::of_response(headers));
        match evaluated {
            Ok((stored, _)) => self.stored.push(stored),
            Err(refusal) => self.refusal = self.refusal.or(Some(refusal)),
        }
    }

    /// Reason not to store the response that they lead to, if so: it may lead elsewhere next time. A configured
    /// lifetime counts in place of what they say of theirs, but not of by what they vary.
    pub(super) fn refusal(&self, is_configured: bool) -> Option<StorageRefusal> {
        if self.selecting.iter().any(Option::is_none) {
            return Some(StorageRefusal::VaryStar);
        }
        self.refusal.filter(|_| !is_configured)
    }

    /// Shortens the lifetimes of the response that they led to.
    pub(super) fn shorten(&self, head: StoredHead) -> StoredHead {
        self.stored.iter().fold(head, |mut head, redirect| {
            let left_ms = u64::try_from(redirect.fresh_left_ms(self.response_time.as_millis())).unwrap_or_default();
            head.lifetime_ms = head.lifetime_ms.min(left_ms.saturating_add(head.initial_age_ms));
            head.stale_while_revalidate_ms = head.stale_while_revalidate_ms.min(redirect.stale_while_revalidate_ms);
            head.needs_validation |= redirect.needs_validation;
            head.stale_on_error = match (head.stale_on_error, redirect.stale_on_error) {
                (StaleOnErrorRule::Within(one), StaleOnErrorRule::Within(other)) => {
                    StaleOnErrorRule::Within(one.min(other))
                }
                _ => StaleOnErrorRule::Forbidden,
            };
            head
        })
    }

    /// Adds by which request fields they vary to the response that they led to; `None` if they are too many.
    pub(super) fn select(
        &self,
        (mut head, fields): (StoredHead, SelectingFields),
        request: &ApiRequest,
    ) -> Option<(StoredHead, SelectingFields)> {
        if self.selecting.is_empty() {
            return Some((head, fields));
        }
        let all = self.selecting.iter().flatten().try_fold(fields, |fields, others| fields.union(others))?;
        head.selected_by = all.values(&request.headers);
        for (name, value) in &mut head.selected_by {
            *value = request.digest(name, value);
        }
        Some((head, all))
    }
}

/// Target at which a read goes on, if its response is a redirect within the server that is followed. One that sets a
/// cookie is the client's to follow.
pub(super) fn next_target<B>(
    server: &ApiServer,
    request: &ApiRequest,
    target: &str,
    response: &Response<B>,
) -> Option<String> {
    let is_redirect = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let is_followed = server.settings.follow_redirects && request.method == Method::GET && request.body.is_none();
    if !is_redirect || !is_followed || response.headers().contains_key(SET_COOKIE) {
        return None;
    }
    let base = &server.settings.base_path;
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    if has_other_scheme(server, location) {
        return None;
    }
    let next = resolve(&format!("{base}{target}"), server.upstream.client.authority().as_str(), location)?;
    let next = next.strip_prefix(base.as_str()).filter(|next| next.starts_with('/'))?;
    // What is the same for all may not lead to what is not.
    let is_public = |route: &RouteMatch| route.settings().is_some_and(|route| route.public);
    let path = next.split('?').next().unwrap_or_default();
    let stays_public = !is_public(&request.route) || is_public(&server.routes().find(&Method::GET, path));
    stays_public.then(|| next.to_owned())
}

/// Whether an address names another scheme than the server's, so that it is another origin.
fn has_other_scheme(server: &ApiServer, location: &str) -> bool {
    let own = server.settings.origin.scheme_str().unwrap_or_default();
    location
        .split_once("://")
        .is_some_and(|(scheme, _)| !scheme.contains(['/', '?', '#']) && !scheme.eq_ignore_ascii_case(own))
}
