//! Predicts likely next requests of a client from the requests it made after earlier responses.
//!
//! A companion app that shows a list then requests the items the list names: the seasons of a show, the
//! episodes of a season, the show of the next episode, the pictures on the screen. The parameters differ by
//! app, and only a request with exactly the same ones meets the app's cache key. So nothing is invented: a
//! [`RequestTemplate`] is a request that this client made, with slots in place of ids, and
//! [`model::PredictionModel`] records after which responses, for which rows, and how far down the list it
//! made such requests. Without such a record nothing is predicted.
//!
//! The values of the slots come from a server's body and are untrusted: they must look like ids, and
//! classification must map the resulting request to the same template. So it is always a read, of a class
//! listed here.
//!
//! Modules: [`template`] (a request with slots), [`mod@row_references`] (ids in a row), `plex` and `jellyfin`
//! (both for each dialect), [`model`] (records and predictions).

mod jellyfin;
pub mod model;
mod plex;
pub mod row_references;
pub mod template;

use http::{HeaderMap, Method};

use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Classification, Read, Representation};
use greenroom_dialect::credential::Credential;
use greenroom_dialect::redact;
use greenroom_dialect::request::{RequestView, ServerKind};
use row_references::RowReferences;
use template::{RequestTemplate, TemplateArgs};

/// Max rows of one response that are used: more do not fit on a screen.
pub const MAX_ROWS: usize = 64;

/// Longest body in bytes that is used.
pub const MAX_BODY_BYTES: usize = 512 * 1024;

/// The client whose request is predicted.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClientContext<'a> {
    /// The user the credential is proven to belong to, if known.
    pub own_user: Option<&'a str>,
    /// The token, which no key may contain.
    pub token: Option<&'a str>,
    /// The name of the product, which is part of some keys of Jellyfin reads.
    pub product: Option<&'a str>,
}

/// Whether reads of this class may be predicted, or followed by predictions.
pub fn is_predictable(class: Class) -> bool {
    shows_rows(class) || class == Class::Images
}

fn shows_rows(class: Class) -> bool {
    matches!(
        class,
        Class::Recent
            | Class::Hubs
            | Class::Resume
            | Class::Lists
            | Class::Item
            | Class::Playlists
            | Class::Collections
    )
}

/// Splits a read into its template and the ids in it, if rows can name those.
pub fn request_template(kind: ServerKind, read: &Read) -> Option<(RequestTemplate, TemplateArgs)> {
    let (subject, args, spans) = match kind {
        ServerKind::Plex => plex::template_args(read),
        ServerKind::Jellyfin => jellyfin::template_args(read),
    }?;
    Some((RequestTemplate::from_read(subject, read, &spans)?, args))
}

/// References in the first rows of the response to a read.
pub fn row_references(kind: ServerKind, read: &Read, body: &[u8]) -> Vec<RowReferences> {
    if !shows_rows(read.class) || body.len() > MAX_BODY_BYTES {
        return Vec::new();
    }
    let mut rows = match (kind, read.representation) {
        (_, Representation::Opaque) => Vec::new(),
        (ServerKind::Plex, Representation::Xml) => plex::rows_in_xml(body),
        (ServerKind::Plex, _) => plex::rows_in_json(body),
        (ServerKind::Jellyfin, _) => jellyfin::rows(body),
    };
    rows.truncate(MAX_ROWS);
    rows
}

/// The read that results from filling the template for this client. `None` if classification gives
/// anything else than the intended read.
pub fn instantiate(
    kind: ServerKind,
    template: &RequestTemplate,
    args: &TemplateArgs,
    client: ClientContext<'_>,
) -> Option<Read> {
    let target = template.fill(args);
    let mut headers: HeaderMap = template.headers().iter().cloned().collect();
    if kind == ServerKind::Jellyfin
        && let Some(product) = client.product
    {
        let named = Credential { product: Some(product.to_owned()), ..Credential::default() };
        headers.extend(kind.credential_headers(&named, true));
    }
    let request = RequestView { method: &Method::GET, target: &target, headers: &headers, body: &[] };
    let Classification::Read(read) = kind.classify(&request, client.own_user) else { return None };
    let is_same = request_template(kind, &read)
        .is_some_and(|(template_again, named)| template_again == *template && named == *args);
    let is_secret = client.token.is_some_and(|token| redact::contains_token(&read.key, token));
    (is_same && !is_secret).then(|| std::sync::Arc::unwrap_or_clone(read))
}
