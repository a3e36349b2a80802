//! Checks of one account's user state: its fingerprint.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use futures_util::future::try_join_all;
use greenroom_dialect::changed_since::ChangeCounter;
use greenroom_dialect::request::ServerKind;

use crate::confirmation::TakenFingerprint;
use crate::confirmation_check::ConfirmableLoad;
use crate::confirmation_check::library;
use crate::confirmation_check::requests::Asker;
use crate::confirmation_check::scope::LibraryScope;
use crate::identity::Identity;
use crate::server::Server;

/// When the user state of an entry was last checked, if it is as it was when the entry was loaded.
pub(super) async fn check(load: ConfirmableLoad<'_>, scope: &LibraryScope, created_ms: Timestamp) -> Option<u64> {
    let ConfirmableLoad { server, identity, credential, .. } = load;
    if heard_since_ms(server, identity).is_some_and(|since_ms| since_ms <= created_ms) {
        return Some(server.origin.clock.now().as_millis());
    }
    let counters = library::current(server, &Asker::owner(server)?, scope).await?;
    let asker = Asker::new(server, credential);
    let recent_ms = library::recent_ms(server, server.origin.clock.now());
    let mut oldest_ms = u64::MAX;
    for counter in counters.iter().filter(|counter| scope.has(&counter.section)) {
        let taken = current(server, identity, &asker, counter, recent_ms).await;
        let (value, partition) = (taken.value?, identity.partition().as_str());
        let records = server.confirmation.fingerprints.lock();
        if !records.vouches(partition, &counter.section, &value, created_ms) {
            return None;
        }
        oldest_ms = oldest_ms.min(taken.taken_ms.as_millis());
    }
    Some(oldest_ms)
}

/// The account's fingerprint in a section, taken at `recent_ms` or later.
pub(super) async fn current(
    server: &Arc<Server>,
    identity: &Arc<Identity>,
    asker: &Asker,
    counter: &ChangeCounter,
    recent_ms: Timestamp,
) -> TakenFingerprint {
    let flight = server.confirmation.fingerprint_flight(identity.partition().as_str());
    let mut flight = flight.lock().await;
    match flight.get(&counter.section) {
        Some(taken) if taken.taken_ms >= recent_ms => taken.clone(),
        _ => {
            let taken = take(server, identity, asker, counter).await;
            flight.insert(counter.section.clone(), taken.clone());
            taken
        }
    }
}

/// Takes a fingerprint. It is recorded if events were heard meanwhile: only then does it vouch for what is loaded later.
async fn take(
    server: &Arc<Server>,
    identity: &Arc<Identity>,
    asker: &Asker,
    counter: &ChangeCounter,
) -> TakenFingerprint {
    let (confirmation, taken_ms) = (&server.confirmation, server.origin.clock.now());
    let whole_since_ms = confirmation.whole_since_ms();
    let value = ask(server, identity, asker, counter).await;
    if let Some(value) = &value
        && whole_since_ms.is_some()
        && confirmation.whole_since_ms() == whole_since_ms
    {
        let (partition, heard_ms) = (identity.partition().as_str(), heard_since_ms(server, identity));
        let mut records = confirmation.fingerprints.lock();
        records.record(partition, &counter.section, value.to_string(), taken_ms, heard_ms);
        confirmation.mark_changed();
    }
    TakenFingerprint { value, taken_ms }
}

async fn ask(
    server: &Arc<Server>,
    identity: &Arc<Identity>,
    asker: &Asker,
    counter: &ChangeCounter,
) -> Option<Arc<str>> {
    let kind = server.origin.settings.kind;
    let targets = kind.fingerprint_targets(identity.account().as_deref(), counter)?;
    if targets.is_empty() {
        return None;
    }
    let ask = async |target: &String| {
        let body = asker.get(target).await.ok_or(())?;
        kind.fingerprint_part(&body).map_err(|_| ())
    };
    let asking = try_join_all(targets.iter().map(ask));
    let parts = server.origin.clock.timeout(library::timeout(server), asking).await.ok()?.ok()?;
    Some(parts.join("\n").into())
}

/// Since when every change of this account's user state is heard; `None` if it is not. Plex does not tell what was
/// marked elsewhere.
pub(super) fn heard_since_ms(server: &Server, identity: &Identity) -> Option<Timestamp> {
    if server.origin.settings.kind != ServerKind::Jellyfin || !server.confirmation.is_feed_whole() {
        return None;
    }
    identity.signal_since_ms().map(|since_ms| since_ms.max(server.origin.clock.last_leap()))
}
