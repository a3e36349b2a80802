//! Applies what a rejection by the server says about a token's grants.

use std::sync::Arc;

use greenroom_dialect::classification::{ImageSubject, Read, SharingScope};
use http::{HeaderMap, StatusCode};

use crate::identity::{Identity, PathHash};
use crate::server::Server;

/// Revokes a rejected token's grants and purges its entries. Any rejection of the token itself ends all that is its own;
/// other tokens of its account lose nothing. A denial ends the right to its path, and says nothing about other paths: it
/// ends all only if the very path was allowed before, by a response of this process or by one that `was_cached`. Then a
/// right of the account has ended, and its entries are purged too. A denial of what was never allowed (sessions or
/// settings, to other users than the owner) costs nothing of what is.
pub fn apply_refusal(
    server: &Server,
    identity: &Arc<Identity>,
    read: &Read,
    (status, headers): (StatusCode, &HeaderMap),
    was_cached: bool,
) {
    if let SharingScope::Image(subject) = &read.sharing {
        apply_image_refusal(server, identity, subject, status);
    }
    // What another token of the account was allowed says nothing of this one.
    let was_its_own = was_cached && (identity.shared_partition().is_none() || identity.was_accepted(read.class));
    let rejects_token = server.origin.settings.kind.rejects_token(status, headers);
    match (status.as_u16(), &read.sharing) {
        // The server was asked without the token.
        (_, SharingScope::Public) => {}
        (401 | 498, _) if rejects_token => {
            server.record_refused(identity);
            identity.refuse();
            if !identity.is_anonymous() {
                server.forget_token(identity);
            }
        }
        (403, SharingScope::Identity) if identity.deny_path(PathHash::of(read)) || was_its_own => {
            end_right(server, identity);
        }
        // The user may not see this library, but perhaps others of the same path, so the path stays.
        (401, SharingScope::Identity) if was_its_own => end_right(server, identity),
        _ => {}
    }
}

/// A right of the account has ended.
fn end_right(server: &Server, identity: &Arc<Identity>) {
    if !identity.is_anonymous() {
        server.purge_identity(identity);
    }
    identity.refuse();
}

/// An image denied or missing in one size would be so in every other. That an item lacks one kind of image says nothing
/// about its others; that one is denied says that the item is.
fn apply_image_refusal(server: &Server, identity: &Arc<Identity>, subject: &ImageSubject, status: StatusCode) {
    let denied_kinds = match status.as_u16() {
        401 | 403 | 498 => server.origin.settings.kind.image_kinds(),
        404 | 410 => &[],
        _ => return,
    };
    server.identities.refuse_image(identity, subject);
    for kind in denied_kinds.iter().filter(|kind| **kind != subject.kind) {
        server.identities.refuse_image(identity, &ImageSubject::new(&*subject.item, *kind));
    }
}
