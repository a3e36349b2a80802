//! The dialect of Jellyfin, 10.10 and later.
//!
//! Modules:
//! - `address`: request paths without their legacy prefixes, in both spellings used for matching.
//! - `routes`: the allow-list of reads, old and new routes alike; `pass_through`: requests that are never
//!   cached.
//! - `query_param`, `param_value`, `query`: known parameters, their canonical values, and the canonical
//!   query.
//! - `read`: canonical key, target and tags of a read; `item_query`: class and tags of item lists; `accept`:
//!   representation and language.
//! - `edit`: writes that replace a document.
//! - `groups`, `list_fields`: kinds of media and fields of metadata, by which tags of lists are narrowed.
//! - `write`, `library_write`, `account`, `playback`: invalidations of each write.
//! - `authorization`, `credential`: tokens and clients.
//! - `inspect`, `rows`: response bodies. `socket`: frames.
//! - `anonymous`: requests before there is a token. `guid`: canonical ids.
//! - `public_info`: the one response field that is rewritten. `error`: error bodies for clients.

mod accept;
mod account;
mod address;
mod anonymous;
mod authorization;
mod credential;
mod edit;
mod error;
mod groups;
pub mod guid;
mod inspect;
mod item_query;
mod library_write;
mod list_fields;
mod param_value;
mod pass_through;
mod playback;
mod public_info;
mod query;
mod query_param;
mod read;
mod routes;
mod rows;
mod socket;
mod write;

use std::sync::Arc;

use http::Method;

pub use public_info::public_info_address;

pub(crate) use anonymous::{anonymous_access, liveness_response};
pub(crate) use credential::{credential, credential_headers, without_legacy_key};
pub(crate) use edit::narrowed as narrowed_edit;
pub(crate) use error::error_body;
pub(crate) use groups::{is_group_of_leaves, is_group_of_sets};
pub(crate) use inspect::inspect;
pub(crate) use playback::playback_invalidations;
pub(crate) use socket::{SCAN_TASK, parse_frame, parse_subscription};

use crate::classification::{Classification, Read, RejectionReason, StreamReason};
use crate::redact;
use crate::request::{BodyUse, RequestView};
use address::JellyfinPath;

/// Classifies a request. `own_user` is the user the credential is proven to belong to.
pub(crate) fn classify(request: &RequestView<'_>, own_user: Option<&str>) -> Classification {
    match JellyfinPath::split(request.target) {
        Ok(address) => {
            let classification = classify_path(request, &address, own_user.map(guid::normalize).as_deref());
            address.restrict(classification)
        }
        Err(refusal) => Classification::Refuse(refusal),
    }
}

/// Use of the body of this write: players' reports name their items, documents the fields that change.
pub(crate) fn body_use(request: &RequestView<'_>) -> BodyUse {
    let Ok(address) = JellyfinPath::split(request.target) else { return BodyUse::Unread };
    let lowercase = address.lowercase_segments();
    if playback::is_report(&lowercase) {
        BodyUse::Read
    } else if edit::is_document(&lowercase) {
        BodyUse::Helpful
    } else {
        BodyUse::Unread
    }
}

/// Every kind of image that an item can have.
pub(crate) fn image_kinds() -> &'static [&'static str] {
    &routes::IMAGE_KINDS
}

/// Restarting, stopping and setup: granted to the local network without authentication.
pub(crate) fn is_local_network_only(target: &str) -> bool {
    // Classification rejects unparsable paths.
    let Ok(address) = JellyfinPath::split(target) else { return false };
    matches!(address.lowercase_segments()[..], ["system", "restart" | "shutdown"] | ["startup", ..])
}

/// The login page's users are fewer for a client outside the network, and the server tells where it sees the client.
pub(crate) fn depends_on_client_address(read: &Read) -> bool {
    matches!(read.target.split('?').next(), Some("/System/Endpoint" | "/Users/Public"))
}

fn classify_path(request: &RequestView<'_>, address: &JellyfinPath<'_>, own_user: Option<&str>) -> Classification {
    let lowercase = address.lowercase_segments();
    if lowercase.first() == Some(&"startup") {
        return Classification::Refuse(RejectionReason::Setup);
    }
    if let Some(reason) = pass_through::socket_reason(request.method, request.headers, &lowercase) {
        return Classification::Stream(reason);
    }
    match *request.method {
        Method::GET | Method::HEAD => match read::classify_read(request, address, own_user) {
            Ok(read) if contains_token(request, &read) => Classification::Stream(StreamReason::Odd),
            Ok(read) => Classification::Read(Arc::new(read)),
            Err(reason) => Classification::Stream(reason),
        },
        Method::OPTIONS | Method::TRACE => Classification::Stream(StreamReason::Moment),
        _ => match pass_through::pass_reason_for_write(&lowercase) {
            Some(reason) => Classification::Stream(reason),
            None => Classification::Write(Box::new(write::classify_write(request, address, own_user))),
        },
    }
}

/// Whether the client's token occurs in the key: as a search term, or pasted into a path.
fn contains_token(request: &RequestView<'_>, read: &Read) -> bool {
    let token = credential(request).token;
    token.is_some_and(|token| redact::contains_token(&read.key, token.expose()))
}
