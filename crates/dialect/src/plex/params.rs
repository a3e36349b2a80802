//! The parameters of a write, read leniently from query and form body: a write goes through whatever it looks
//! like, so every value counts that the server might take.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode_str;

use crate::ask::Ask;
use crate::plex::route::is_id;

/// More ids than this in one write are treated as unknown ones.
pub(super) const MAX_IDS: usize = 256;

/// Query and, if it is a form, body. Both are read only when a write asks for a name.
#[derive(Debug)]
pub(super) struct Params<'a> {
    query: &'a str,
    ask: &'a Ask<'a>,
}

impl<'a> Params<'a> {
    /// The parameters of `query` and of the body of `ask`.
    pub(super) fn new(ask: &'a Ask<'a>, query: &'a str) -> Self {
        Self { query, ask }
    }

    /// All values of a name, whatever its case.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let body =
            if is_form(self.ask.headers) { std::str::from_utf8(self.ask.body).unwrap_or("") } else { "" };
        let pieces = self.query.split('&').chain(body.split('&')).filter(|piece| !piece.is_empty());
        let pairs = pieces.map(|piece| piece.split_once('=').unwrap_or((piece, "")));
        pairs
            .filter(|(key, _)| decoded(key).eq_ignore_ascii_case(name))
            .map(|(_, value)| decoded(value))
            .collect()
    }

    /// Every item id that one of these parameters names. Empty if none, or if there are too many.
    pub(super) fn items(&self, names: &[&str]) -> Vec<String> {
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

/// Whether the body is a form, whose fields count like parameters of the query.
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
    fn ids_are_found_in_every_form_they_come_in() {
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
