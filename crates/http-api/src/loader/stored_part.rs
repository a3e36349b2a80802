//! The part of a resource that is stored while the whole is not.

use std::sync::Arc;

use greenroom_cache::{Entry, Validity};
use greenroom_http_caching::byte_range::{RequestedRange, SelectedBytes, if_range_matches};
use greenroom_http_caching::partial_body::MissingBytes;
use greenroom_http_caching::stored_head::StoredHead;
use greenroom_http_caching::validation::has_strong_validator;
use http::Method;

use super::LoadTarget;
use crate::api_request::{ApiRequest, part_key};
use crate::api_server::ApiServer;

/// A part of one version, which its entity tag names.
#[derive(Debug)]
pub(super) struct StoredPart {
    pub(super) head: StoredHead,
    pub(super) entry: Arc<Entry>,
    /// The bytes that it lacks of those asked for, if the server should be asked for that alone.
    pub(super) missing: Option<MissingBytes>,
}

/// The part that is in memory, if it can be put together with what the server sends.
pub(super) async fn find(server: &ApiServer, request: &ApiRequest, target: LoadTarget) -> Option<StoredPart> {
    if request.method != Method::GET || request.directives.no_store {
        return None;
    }
    let fields = server.variants.fields(&server.cache, &request.resource).await;
    let key = part_key(&request.variant_key(&fields));
    server.cache.peek(&key)?;
    let known = server.cache.diagnose(&key);
    let entry = known.entry.filter(|_| known.validity != Validity::Purged)?;
    let head = StoredHead::decode(entry.meta()).filter(|head| request.selects(head))?;
    let part = head.part.filter(|_| has_strong_validator(&head.headers))?;
    let missing = match target {
        LoadTarget::Whole => MissingBytes::of_whole(part),
        LoadTarget::Part => {
            let range = RequestedRange::of_request(&request.headers);
            match range.filter(|_| if_range_matches(&request.headers, &head.headers))?.select(part.complete) {
                SelectedBytes::Part(wanted) => MissingBytes::of_range(part, wanted),
                SelectedBytes::Whole | SelectedBytes::Unsatisfiable => None,
            }
        }
    };
    // What would be too long to be stored together is not put together.
    let missing = missing.filter(|missing| missing.joined_length(part) <= server.settings.max_body_bytes);
    Some(StoredPart { head, entry, missing })
}
