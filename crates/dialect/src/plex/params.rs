//! The parameters of a write, parsed leniently from query and form body: a write is forwarded whatever it
//! looks like, so every value counts that the server might use.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode_str;

use crate::plex::route::is_id;
use crate::request::{MAX_BODY_READ, RequestView};

/// Max ids of one write; more are treated as unknown ones.
pub(super) const MAX_IDS: usize = 256;

/// Query and, for a form, body. Both are parsed only when needed.
#[derive(Debug)]
pub(super) struct WriteParams<'a> {
    query: &'a str,
    request: &'a RequestView<'a>,
}

impl<'a> WriteParams<'a> {
    /// The parameters of `query` and of the body of `request`.
    pub(super) fn new(request: &'a RequestView<'a>, query: &'a str) -> Self {
        Self { query, request }
    }

    /// The names of all parameters; `None` if there may be more.
    pub(super) fn names(&self) -> Option<Vec<String>> {
        (!self.is_cut()).then(|| self.pairs().map(|(name, _)| decoded(name)).collect())
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_read = is_form(self.request.headers) && !self.is_cut();
        let body = if is_read { std::str::from_utf8(self.request.body).unwrap_or("") } else { "" };
        let pieces = self.query.split('&').chain(body.split('&')).filter(|piece| !piece.is_empty());
        pieces.map(|piece| piece.split_once('=').unwrap_or((piece, "")))
    }

    /// All known values of a name, case-insensitively.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.pairs()
            .filter(|(key, _)| decoded(key).eq_ignore_ascii_case(name))
            .map(|(_, value)| decoded(value))
            .collect()
    }

    /// Whether this is only the beginning of a form. The rest may name anything, and the last value may be
    /// cut in two.
    fn is_cut(&self) -> bool {
        is_form(self.request.headers) && self.request.body.len() >= MAX_BODY_READ
    }

    /// All item ids in these parameters. Empty if there are none, too many, or not all are known.
    pub(super) fn items(&self, names: &[&str]) -> Vec<String> {
        if self.is_cut() {
            return Vec::new();
        }
        let mut ids: Vec<String> = Vec::new();
        for text in names.iter().flat_map(|name| self.all(name)) {
            for id in item_ids(&text) {
                if !ids.contains(&id) {
                    ids.push(id);
                }
                if ids.len() > MAX_IDS {
                    return Vec::new();
                }
            }
        }
        ids
    }
}

/// The ids in `583`, `1,2,3`, `/library/metadata/1,2` or `server://…/library/metadata/1%2C2`.
pub(crate) fn item_ids(text: &str) -> Vec<String> {
    let text = decoded(text);
    let list = text.rsplit_once("/metadata/").map_or(text.as_str(), |(_, after)| after);
    let list = list.split(['/', '?', '&']).next().unwrap_or(list);
    let ids: Vec<&str> = list.split(',').map(str::trim).collect();
    if ids.len() <= MAX_IDS && ids.iter().all(|id| is_id(id)) {
        ids.into_iter().map(str::to_owned).collect()
    } else {
        Vec::new()
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Whether the body is a form, whose fields count like query parameters.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_recognised_in_every_spelling() {
        assert_eq!(item_ids("583"), ["583"]);
        assert_eq!(item_ids("1,2,3"), ["1", "2", "3"]);
        assert_eq!(item_ids("/library/metadata/7"), ["7"]);
        assert_eq!(item_ids("/library/metadata/7/children"), ["7"]);
        assert_eq!(item_ids("server://abc/com.plexapp.plugins.library/library/metadata/1%2C2"), ["1", "2"]);
        assert_eq!(item_ids("library://x/item/%2Flibrary%2Fmetadata%2F42"), ["42"]);
        for none in ["", "abc", "1,b", "plex://movie/5d", &"1,".repeat(300)] {
            assert!(item_ids(none).is_empty(), "{none}");
        }
    }
}
