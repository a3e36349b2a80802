//! A read in a partition that tokens of one account share: what another token loaded is served only to a token with a
//! grant of its own, and what the server denied another token is no answer to this one.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_cache::{
    Cache, CacheDirective, CacheResponse, CacheStatus, Key, LoadError, LoadErrorKind, Loader, Policy,
};
use greenroom_dialect::classification::Read;

use super::image::FailedLoader;
use super::{AuthorizationStatus, check_authorization};
use crate::proxy_request::ProxyRequest;
use crate::sabotage;

/// A read of a token that shares its account's partition.
pub(super) struct SharedRead<'a> {
    pub(super) cache: &'a Cache,
    pub(super) request: &'a ProxyRequest,
    pub(super) read: &'a Arc<Read>,
    pub(super) policy: &'a Policy,
}

impl SharedRead<'_> {
    /// Asks the engine. Where the outcome is only another token's, this token loads for itself, under a key of its own.
    pub(super) async fn consult<L: Loader + Clone>(
        &self,
        key: &Key,
        directive: CacheDirective,
        loader: impl Fn() -> L,
    ) -> Result<CacheResponse<L::Pass>, LoadError> {
        let identity = &self.request.classified.identity;
        if identity.is_path_denied(self.read) {
            return self.load_for_token(loader).await;
        }
        let has_loaded = AtomicBool::new(false);
        let own_loader = || {
            has_loaded.store(true, Ordering::Relaxed);
            loader()
        };
        let outcome = self.cache.get_or_load(key, self.policy, directive, own_loader).await;
        if has_loaded.load(Ordering::Relaxed) {
            if let Err(failure) = &outcome
                && failure.kind == LoadErrorKind::Denied
            {
                self.remember_denial(key, failure).await;
            }
            return outcome;
        }
        if is_for(&outcome, self.authorization()) || sabotage::is_disabled("grant") {
            return outcome;
        }
        self.load_for_token(loader).await
    }

    fn authorization(&self) -> AuthorizationStatus {
        let server = &self.request.server;
        check_authorization(server, &self.request.classified.identity, self.read, server.origin.clock.now())
    }

    /// Loads for this token, or joins its own load: many requests with one token are still one.
    async fn load_for_token<L: Loader + Clone>(
        &self,
        loader: impl Fn() -> L,
    ) -> Result<CacheResponse<L::Pass>, LoadError> {
        let key = self.request.server.token_key_of(&self.request.classified.identity, self.read);
        let policy = Policy { warm: false, ..*self.policy };
        self.cache.get_or_load(&key, &policy, CacheDirective::ReloadStrict, loader).await
    }

    /// The server denied this token the read. The engine remembers a failure under its key, where it would concern the
    /// account's other tokens, so it is moved to the token's own.
    async fn remember_denial(&self, key: &Key, failure: &LoadError) {
        self.cache.forget_failure(key);
        let own_key = self.request.server.token_key_of(&self.request.classified.identity, self.read);
        let policy = Policy { warm: false, ..*self.policy };
        let denied = || FailedLoader::<()> { failure: failure.clone(), pass: PhantomData };
        drop(self.cache.get_or_load(&own_key, &policy, CacheDirective::ReloadStrict, denied).await);
    }
}

/// Whether an outcome that this token did not load is an answer to it.
fn is_for<P>(outcome: &Result<CacheResponse<P>, LoadError>, authorization: AuthorizationStatus) -> bool {
    match (outcome, authorization) {
        // The server's response to another token is none to this one, unless it may have that too.
        (Err(failure), authorization) => {
            failure.kind != LoadErrorKind::Denied
                && (failure.response.is_none() || authorization == AuthorizationStatus::Valid)
        }
        (Ok(_), AuthorizationStatus::Valid) => true,
        // Stale on error is as if its own load had failed.
        (Ok(CacheResponse::Cached { served, .. }), AuthorizationStatus::Expired) => {
            *served == CacheStatus::StaleOnError
        }
        (Ok(_), AuthorizationStatus::Expired | AuthorizationStatus::Missing) => false,
    }
}

#[cfg(test)]
mod tests;
