//! Users whose rights changed on the server: their tokens must be accepted again before anything is served to them.

use greenroom_dialect::tag::{Tag, TagInvalidation};
use greenroom_dialect::user_list::{UserChange, UserList};

use crate::identity::Identity;
use crate::invalidate::{self, InvalidationSource};
use crate::server::Server;

/// Applies the difference between two lists of users. Without an earlier list, the disabled users lose their grants.
pub(super) fn apply(server: &Server, before: Option<&UserList>, now: &UserList, source: &Identity) {
    let Some(before) = before else {
        now.disabled().for_each(|user| end_rights(server, user));
        return;
    };
    let changes = now.changes_since(before);
    if changes.is_empty() {
        return;
    }
    let mut stale = vec![TagInvalidation::everyone(Tag::users())];
    for change in changes {
        match change {
            UserChange::Rights(user) => {
                tracing::info!(server = server.name(), "the rights of a user changed on the server");
                end_rights(server, &user);
            }
            UserChange::Configuration(user) => stale.push(TagInvalidation::user(Tag::all(), &user)),
            UserChange::Added => {}
        }
    }
    invalidate::apply(server, &stale, InvalidationSource::ServerEvent(source));
}

/// Ends the grants of every token that may be this user's, and purges what was loaded for it.
fn end_rights(server: &Server, user: &str) {
    for identity in server.identities.all() {
        if identity.account().is_none_or(|account| *account == *user) {
            // While it is known whose it is.
            server.purge_identity(&identity);
            identity.refuse();
        }
    }
    server.purge(&server.api_key_partition());
}
