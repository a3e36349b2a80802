//! Asks the server whether a cached entry is still what it would answer, with a few small requests for all entries
//! together. See [`crate::confirmation`] for what they prove.

mod keeper;
mod library;
mod requests;
mod scope;
mod user_state;

use greenroom_cache::Timestamp;
use std::sync::Arc;

use greenroom_cache::{ConfirmedValue, Entry, LoadReason};
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Read, SharingScope};
use greenroom_dialect::request::ServerKind;
use http::{HeaderName, HeaderValue};

use crate::confirmation_check::requests::Asker;
use crate::confirmation_check::scope::LibraryScope;
use crate::identity::Identity;
use crate::response::parse_head;
use crate::server::Server;
use greenroom_config::CacheMode;

/// A load whose entry may be confirmed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConfirmableLoad<'a> {
    pub(crate) server: &'a Arc<Server>,
    pub(crate) identity: &'a Arc<Identity>,
    /// Headers with the client's credential.
    pub(crate) credential: &'a Arc<Vec<(HeaderName, HeaderValue)>>,
    pub(crate) read: &'a Read,
}

/// Confirms the cached entry of a load, if that may be and the server vouches for it.
pub(crate) async fn confirm(load: ConfirmableLoad<'_>, reason: LoadReason, old: &Entry) -> Option<ConfirmedValue> {
    let may_be_confirmed =
        matches!(reason, LoadReason::Unconfirmed | LoadReason::Expired | LoadReason::Refresh | LoadReason::Warm);
    let ConfirmableLoad { server, read, .. } = load;
    if !may_be_confirmed || !lives_until_changes(server.origin.settings.kind, read) || !is_watched(server) {
        return None;
    }
    // An entry that may no longer be served is no answer to a token whose grant has ended.
    if server.origin.clock.now() >= old.deadlines().error_until_ms || !may_be_vouched_for(load, reason, old) {
        return None;
    }
    let scope =
        LibraryScope::from_texts(server.origin.settings.kind, old.tags().iter().map(greenroom_cache::Tag::as_str));
    if server.origin.settings.kind == ServerKind::Plex && scope == LibraryScope::Whole && read.lifetime.user_state {
        return None;
    }
    let owner = Asker::owner(server)?;
    let sets = server.invalidation.lineage.lock().sets_generation();
    let mut checked_ms = library::check(server, &owner, &scope, old.created_ms()).await?;
    // After a gap also what the user may see may have changed, which shows in the counts of the fingerprint.
    if read.lifetime.user_state || reason == LoadReason::Unconfirmed {
        checked_ms = checked_ms.min(Timestamp::from_millis(user_state::check(load, &scope, old.created_ms()).await?));
    }
    // A gap may have begun meanwhile.
    if !is_watched(server) {
        return None;
    }
    if old.created_ms() < server.origin.started_ms {
        record_items(server, read, old, sets);
    }
    Some(ConfirmedValue { checked_ms })
}

/// Records what a confirmed body tells of its items, as a load of it would: this process has not loaded it.
fn record_items(server: &Server, read: &Read, old: &Entry, sets: u64) {
    let (_, headers) = parse_head(&old.value().meta);
    if let Ok(facts) = server.origin.settings.kind.inspect(read, &headers, &old.value().body)
        && facts.tells_of_items()
    {
        facts.record(&mut server.invalidation.lineage.lock(), sets);
    }
}

/// Whether the checks can show what may have changed in this entry.
fn may_be_vouched_for(load: ConfirmableLoad<'_>, reason: LoadReason, old: &Entry) -> bool {
    let ConfirmableLoad { server, identity, read, .. } = load;
    let has_tag = |is_it: fn(&str) -> bool| old.tags().iter().any(|tag| is_it(tag.as_str()));
    match server.origin.settings.kind {
        // A new playlist moves no section's counter.
        ServerKind::Plex => !has_tag(|tag| matches!(tag, "playlists" | "every-playlist" | "collections")),
        // New members of a collection show in nothing but its events. The tag is that of a folder of unknown contents.
        ServerKind::Jellyfin if reason == LoadReason::Unconfirmed => {
            let is_list = read.key.starts_with("/Items?");
            let may_be_of_collection = is_list && has_tag(|tag| tag.starts_with("section:") && tag.ends_with("~*"));
            !may_be_of_collection && !is_of_another_user(read, identity)
        }
        // A fingerprint does not see one favourite taken for another. So what it vouched for after a gap is loaded when
        // its time ends, and from then on every change must be heard.
        ServerKind::Jellyfin => {
            !read.lifetime.user_state
                || (old.load_reason() != LoadReason::Unconfirmed
                    && user_state::heard_since_ms(server, identity).is_some()
                    && !is_of_another_user(read, identity))
        }
    }
}

/// Whether the response shows the state of another user than the token's: the fingerprint and the events of the token's
/// user do not cover it.
fn is_of_another_user(read: &Read, identity: &Identity) -> bool {
    let query = read.key.split(' ').next().and_then(|key| key.split_once('?')).map_or("", |(_, query)| query);
    // `~` in a key stands for the user of the token.
    let mut users = query.split('&').filter_map(|pair| pair.strip_prefix("userid=")).filter(|user| *user != "~");
    users.any(|user| identity.account().as_deref() != Some(user))
}

/// Confirms all images together after a gap, if they are not yet: their entries are shared, so no account vouches for them.
pub(crate) async fn confirm_images(server: &Arc<Server>) {
    let gap_end_ms = server.confirmation.gap_end_ms(server.origin.started_ms, server.origin.clock.last_leap());
    if server.confirmation.are_images_checked(gap_end_ms) || !is_watched(server) {
        return;
    }
    let Some(owner) = Asker::owner(server) else { return };
    if let Some((from_ms, checked_ms)) = library::check_all(server, &owner).await {
        server.confirmation.confirm_images(from_ms, checked_ms);
    }
}

/// Records that a response was loaded and stored, so that what can vouch for it later is asked for now.
pub(crate) fn record_load(load: ConfirmableLoad<'_>) {
    let ConfirmableLoad { server, identity, credential, read } = load;
    let kind = server.origin.settings.kind;
    if !lives_until_changes(kind, read) || !is_watched(server) || identity.is_anonymous() {
        return;
    }
    if server.confirmation.accounts.start_keeping() {
        server.origin.tasks.spawn(keeper::run(Arc::clone(server)));
    }
    let scope = LibraryScope::from_read(kind, read);
    let now_ms = server.origin.clock.now();
    // Fingerprints of all sections of a Plex cost more than the items whose section is not known here.
    if kind == ServerKind::Plex && scope == LibraryScope::Whole {
        return;
    }
    let section = scope.only_section().unwrap_or_default();
    server.confirmation.accounts.record_load(identity, credential, section, now_ms);
}

/// Whether every change that concerns the server's library is noticed.
fn is_watched(server: &Server) -> bool {
    server.origin.settings.token.is_some()
        && server.mode() == CacheMode::Cache
        && server.origin.breaker.allows_requests()
        && server.confirmation.is_feed_whole()
}

/// Whether a response stays as it is until the library or the user's state changes. The members of collections and, on
/// Plex, of playlists change without a trace in either; what is playing changes all the time.
fn lives_until_changes(kind: ServerKind, read: &Read) -> bool {
    let is_kept_by_identity = read.sharing == SharingScope::Identity;
    is_kept_by_identity
        && match read.class {
            Class::Lists | Class::Item | Class::Search | Class::Recent | Class::Counts => true,
            Class::Playlists => kind == ServerKind::Jellyfin,
            Class::Activities
            | Class::Sessions
            | Class::LiveStatistics
            | Class::Statistics
            | Class::Server
            | Class::Identity
            | Class::Sections
            | Class::History
            | Class::Hubs
            | Class::Resume
            | Class::Collections
            | Class::Users
            | Class::ActivityLog
            | Class::Images
            | Class::Assets => false,
        }
}
