//! Queries in canonical form: names in one case, lists in one notation, order only where it matters.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::query_param::{ParamShape, known};
use super::{guid, param_value};
use crate::classification::StreamReason::{self, Account, Odd};
use crate::redact;

/// Characters left plain in a canonical query. `~` is not among them: in a key it stands for the client's own
/// user.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b',').remove(b':');

/// Parameters that never change a response, in lower case: cache busters, and the client's device id.
const IGNORED: [&str; 2] = ["_", "deviceid"];

/// Token parameters, in lower case. `credential` reads them; they go no further.
const TOKENS: [&str; 2] = ["api_key", "apikey"];

/// Stands in a key for the client's own user id.
const SELF: &str = "~";

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair<'a> {
    /// The name in lower case, by which pairs are sorted.
    lowercase: Cow<'a, str>,
    /// The server's spelling of the name and the shape of its values, if the parameter is known.
    shape: Option<(&'static str, ParamShape)>,
    /// Its value.
    value: Cow<'a, str>,
    /// Further values of a repeated parameter; most known parameters are reduced to one.
    more: Vec<Cow<'a, str>>,
}

/// A query without credentials, in canonical order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CanonicalQuery<'a> {
    pairs: Vec<Pair<'a>>,
    user: Option<Cow<'a, str>>,
}

/// Meaning of `deviceId` on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeviceIdRole {
    /// It names the client's own device.
    Ignored,
    /// It filters rows.
    Filter,
}

impl<'a> CanonicalQuery<'a> {
    /// Parses a raw query of no particular route. `Err` says why a request with this query is not cacheable.
    pub(super) fn parse(raw: &'a str, devices: DeviceIdRole) -> Result<Self, StreamReason> {
        Self::parse_at("", raw, devices)
    }

    /// Parses a raw query of the route with this canonical path.
    pub(super) fn parse_at(path: &str, raw: &'a str, devices: DeviceIdRole) -> Result<Self, StreamReason> {
        let mut pairs: Vec<Pair<'a>> = Vec::new();
        for piece in raw.split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let lowercase = lowered(decoded(name)?);
            let shape = known(&lowercase, path);
            if shape.is_none() {
                if is_idle(&lowercase, devices) {
                    continue;
                }
                refuse(&lowercase)?;
            }
            let value = decoded(value)?;
            match pairs.iter_mut().find(|pair| pair.lowercase == lowercase) {
                Some(pair) => pair.more.push(value),
                None => pairs.push(Pair { lowercase, shape, value, more: Vec::new() }),
            }
        }
        let mut query = Self { pairs: Vec::with_capacity(pairs.len()), user: None };
        for pair in pairs {
            query.add_pair(pair)?;
        }
        query.pairs.sort_unstable_by(|left, right| left.lowercase.cmp(&right.lowercase));
        Ok(query)
    }

    /// Adds one parameter in canonical form. An empty one counts as absent.
    fn add_pair(&mut self, mut pair: Pair<'a>) -> Result<(), StreamReason> {
        if let Some((_, shape)) = pair.shape {
            (pair.value, pair.more) = param_value::canonical_values(pair.value, pair.more, shape)?;
            if pair.value.is_empty() {
                return Ok(());
            }
            if pair.lowercase == "userid" {
                self.user = Some(pair.value).filter(|user| user != guid::NO_USER);
                return Ok(());
            }
        }
        self.pairs.push(pair);
        Ok(())
    }

    /// The value of a known parameter, by its lower-case name; of a repeated one the first.
    pub(super) fn get(&self, lowercase: &str) -> Option<&str> {
        self.pairs.iter().find(|pair| pair.lowercase == lowercase).map(|pair| &*pair.value)
    }

    /// The names of all parameters in lower case, but for the user's.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|pair| &*pair.lowercase)
    }

    /// Whether a flag is set to `wanted`.
    pub(super) fn flag(&self, lowercase: &str, wanted: bool) -> bool {
        self.get(lowercase) == Some(if wanted { "true" } else { "false" })
    }

    /// The members of a comma-separated list.
    pub(super) fn list(&self, lowercase: &str) -> impl Iterator<Item = &str> {
        self.get(lowercase).unwrap_or_default().split(',').filter(|member| !member.is_empty())
    }

    /// The user the query names.
    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Sets the user from a legacy path; a query that names another one contradicts it.
    pub(super) fn set_user(&mut self, user: &str) -> Result<(), StreamReason> {
        if user.is_empty() || user.trim() != user {
            return Err(Odd);
        }
        if user == guid::NO_USER {
            return Ok(());
        }
        if self.user.as_deref().is_some_and(|named| named != user) {
            return Err(Odd);
        }
        self.user = Some(Cow::Owned(user.to_owned()));
        Ok(())
    }

    /// Removes every parameter, for paths without parameters.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Appends the query to a key and to a target. The client's own user is `~` in the key.
    pub(super) fn append_to(&self, key: &mut String, target: &mut String, own_user: Option<&str>) {
        let mut user = self.user.as_deref().or(own_user);
        let mut separator = '?';
        for pair in &self.pairs {
            if *pair.lowercase > *"userid" {
                append_user(key, target, user.take(), own_user, &mut separator);
            }
            for value in std::iter::once(&pair.value).chain(&pair.more) {
                let at = begin(key, &pair.lowercase, separator);
                let in_key = param_value::value_in_key(value, pair.shape.map(|(_, shape)| shape));
                key.extend(utf8_percent_encode(&in_key, PLAIN));
                begin(target, pair.shape.map_or(&*pair.lowercase, |(spelled, _)| spelled), separator);
                if *in_key == **value {
                    target.push_str(&key[at..]);
                } else {
                    target.extend(utf8_percent_encode(value, PLAIN));
                }
                separator = '&';
            }
        }
        append_user(key, target, user, own_user, &mut separator);
    }
}

fn append_user(
    key: &mut String,
    target: &mut String,
    user: Option<&str>,
    own_user: Option<&str>,
    separator: &mut char,
) {
    let Some(user) = user else { return };
    let at = begin(target, "userId", *separator);
    target.extend(utf8_percent_encode(user, PLAIN));
    begin(key, "userid", *separator);
    key.push_str(if own_user == Some(user) { SELF } else { &target[at..] });
    *separator = '&';
}

/// Begins a parameter and returns the position of its value.
fn begin(text: &mut String, name: &str, separator: char) -> usize {
    text.push(separator);
    text.extend(utf8_percent_encode(name, PLAIN));
    text.push('=');
    text.len()
}

fn is_idle(lowercase: &str, devices: DeviceIdRole) -> bool {
    TOKENS.contains(&lowercase)
        || lowercase.starts_with("x-emby-")
        || lowercase.starts_with("x-mediabrowser-")
        || (IGNORED.contains(&lowercase) && !(lowercase == "deviceid" && devices == DeviceIdRole::Filter))
}

/// Rejects values that no key may hold.
fn refuse(lowercase: &str) -> Result<(), StreamReason> {
    if lowercase.is_empty() {
        Err(Odd)
    } else if redact::is_secret_name(lowercase) {
        Err(Account)
    } else {
        Ok(())
    }
}

/// Decodes a name or a value as the server does: `+` is a space.
fn decoded(raw: &str) -> Result<Cow<'_, str>, StreamReason> {
    let text = if raw.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        let spaced = raw.replace('+', " ");
        Cow::Owned(percent_decode_str(&spaced).decode_utf8().map_err(|_| Odd)?.into_owned())
    } else {
        Cow::Borrowed(raw)
    };
    if text.chars().any(char::is_control) { Err(Odd) } else { Ok(text) }
}

fn lowered(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) { Cow::Owned(name.to_ascii_lowercase()) } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "08ca909f6d1044aa9930be392943948f";

    fn texts(raw: &str, devices: DeviceIdRole, own_user: Option<&str>) -> (String, String) {
        let (mut key, mut target) = (String::new(), String::new());
        CanonicalQuery::parse(raw, devices).unwrap().append_to(&mut key, &mut target, own_user);
        (key, target)
    }

    fn key(raw: &str) -> String {
        texts(raw, DeviceIdRole::Ignored, None).0
    }

    #[test]
    fn a_user_of_the_path_counts_as_one_of_the_query_does() {
        let mut query = CanonicalQuery::parse("limit=1", DeviceIdRole::Ignored).unwrap();
        assert_eq!(query.set_user("u "), Err(Odd));
        assert_eq!(query.set_user(""), Err(Odd));
        query.set_user(guid::NO_USER).unwrap();
        assert_eq!(query.user(), None);
        query.set_user(ID).unwrap();
        assert_eq!(query.user(), Some(ID));
    }

    #[test]
    fn names_meet_in_any_case_and_order() {
        assert_eq!(key("StartIndex=5&LIMIT=10"), key("limit=10&startIndex=5"));
        assert_eq!(key("limit=10&startIndex=5"), "?limit=10&startindex=5");
    }

    #[test]
    fn a_comma_list_and_a_repeated_list_meet() {
        assert_eq!(key("fields=Path,Genres"), key("Fields=Genres&fields=Path"));
        assert_eq!(key("fields=Path,%20Genres,,Path"), key("fields=Genres,Path"));
        assert_eq!(key("genres=Rock|Pop"), key("genres=Pop&genres=Rock"));
        assert_ne!(key("genres=Rock,Pop"), key("genres=Pop&genres=Rock"));
    }

    #[test]
    fn the_order_of_ids_and_of_sorting_matters() {
        assert_ne!(key("ids=1,2"), key("ids=2,1"));
        assert_ne!(key("sortBy=Name,Album"), key("sortBy=Album,Name"));
        assert_ne!(key("sortOrder=Ascending,Descending"), key("sortOrder=Descending,Ascending"));
        assert_eq!(key("sortBy=Name&sortBy=Album"), key("sortBy=Name,Album"));
        assert_eq!(key("artistIds=2,1"), key("artistIds=1&artistIds=2"));
    }

    #[test]
    fn flags_and_ids_have_one_form() {
        assert_eq!(key("recursive=True"), key("recursive=true"));
        assert_eq!(key("parentId=08CA909F-6D10-44AA-9930-BE392943948F"), format!("?parentid={ID}"));
        assert_eq!(key("ids=08CA909F-6D10-44AA-9930-BE392943948F"), format!("?ids={ID}"));
    }

    #[test]
    fn an_empty_parameter_is_absent() {
        assert_eq!(key("searchTerm=&recursive=&fields=,"), "");
        assert_eq!(key("&&"), "");
    }

    #[test]
    fn tokens_devices_and_cache_busters_are_not_in_the_key() {
        let raw = "api_key=s3cret&ApiKey=s3cret&_=123&deviceId=d&X-Emby-Token=s3cret&X-Emby-Client=c&limit=1";
        assert_eq!(key(raw), "?limit=1");
        assert_eq!(texts("deviceId=d", DeviceIdRole::Filter, None).0, "?deviceid=d");
    }

    #[test]
    fn an_unknown_parameter_is_part_of_the_key_and_forwarded() {
        let (key, target) = texts("zZ=2&newThing=1&zZ=1&limit=3", DeviceIdRole::Ignored, None);
        assert_eq!(key, "?limit=3&newthing=1&zz=2&zz=1");
        assert_eq!(target, key);
    }

    #[test]
    fn contradictory_secret_or_broken_queries_are_not_cached() {
        for raw in ["limit=1&Limit=2", "fields=A,B&fields=C", "a=%ff", "a=%0a", "=1", "userId=1&userid=2"] {
            assert_eq!(CanonicalQuery::parse(raw, DeviceIdRole::Ignored), Err(Odd), "{raw}");
        }
        for raw in ["token=x", "Password=x", "access_token=x", "authorization=x"] {
            assert_eq!(CanonicalQuery::parse(raw, DeviceIdRole::Ignored), Err(Account), "{raw}");
        }
        assert_eq!(key("limit=1&Limit=1"), "?limit=1");
    }

    #[test]
    fn only_the_callers_own_user_is_a_tilde() {
        let own = Some(ID);
        let texts = |raw: &str, own| texts(raw, DeviceIdRole::Ignored, own);
        assert_eq!(texts("", own), (String::from("?userid=~"), format!("?userId={ID}")));
        assert_eq!(texts(&format!("UserId={}", ID.to_uppercase()), own), texts("", own));
        assert_eq!(texts("", None), (String::new(), String::new()));
        assert_eq!(texts("userId=other", own).0, "?userid=other");
        assert_eq!(texts("userId=~", own).0, "?userid=%7E");
        assert_eq!(texts("years=1&limit=1", own).0, "?limit=1&userid=~&years=1");
    }

    #[test]
    fn a_path_that_names_another_user_than_the_query_contradicts_it() {
        let mut query = CanonicalQuery::parse("userId=a", DeviceIdRole::Ignored).unwrap();
        assert_eq!(query.set_user("b"), Err(Odd));
        assert_eq!(query.set_user("a"), Ok(()));
    }
}
