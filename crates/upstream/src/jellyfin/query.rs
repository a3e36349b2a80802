//! A query in its one canonical form: names in one case, lists in one notation, order only where it matters.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::guid;
use super::parameter::{Shape, known};
use crate::redact;
use crate::verdict::StreamReason::{self, Account, Odd};

/// What stays as it is in a canonical query. `~` does not: in a key it stands for the caller and for nobody else.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b',').remove(b':');

/// Parameters that never change an answer, in lower case: cache busters, and the client's word about its device.
const IDLE: [&str; 2] = ["_", "deviceid"];

/// Where a token may stand, in lower case. It is read by the credential room and never gets further.
const TOKENS: [&str; 2] = ["api_key", "apikey"];

/// What a key says instead of the caller's own user id.
const SELF: &str = "~";

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    /// The name in lower case: what pairs are ordered by.
    low: String,
    /// The name as the server spells it.
    spelled: String,
    /// What it is set to; more than one value only for parameters nobody knows.
    values: Vec<String>,
}

/// A query without credentials, in canonical order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    pairs: Vec<Pair>,
    user: Option<String>,
}

/// Which parameters besides the known ones matter to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Devices {
    /// `deviceId` is the client's word about itself.
    Idle,
    /// `deviceId` chooses rows.
    Chosen,
}

impl Query {
    /// Reads a raw query. `Err` says why a request with this query cannot be kept.
    pub(super) fn read(raw: &str, devices: Devices) -> Result<Self, StreamReason> {
        let mut pairs: Vec<Pair> = Vec::new();
        for piece in raw.split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            let low = name.to_ascii_lowercase();
            if is_idle(&low, devices) {
                continue;
            }
            if redact::is_secret_name(&low) {
                return Err(Account);
            }
            if low.is_empty() {
                return Err(Odd);
            }
            match pairs.iter_mut().find(|pair| pair.low == low) {
                Some(pair) => pair.values.push(value),
                None => pairs.push(Pair { spelled: low.clone(), low, values: vec![value] }),
            }
        }
        let mut query = Self { pairs: Vec::with_capacity(pairs.len()), user: None };
        for pair in pairs {
            query.settle(pair)?;
        }
        query.pairs.sort_unstable_by(|left, right| left.low.cmp(&right.low));
        Ok(query)
    }

    /// Brings one parameter into its canonical form and keeps it.
    fn settle(&mut self, mut pair: Pair) -> Result<(), StreamReason> {
        let Some((spelled, shape)) = known(&pair.low) else {
            self.pairs.push(pair);
            return Ok(());
        };
        let Some(value) = settled(&pair.values, shape)? else { return Ok(()) };
        if pair.low == "userid" {
            self.user = Some(value).filter(|user| user != guid::NOBODY);
        } else {
            spelled.clone_into(&mut pair.spelled);
            pair.values = vec![value];
            self.pairs.push(pair);
        }
        Ok(())
    }

    /// The value of a known parameter, by its lower-case name.
    pub(super) fn get(&self, low: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|pair| pair.low == low)?;
        pair.values.first().map(String::as_str)
    }

    /// Whether a flag is set to `wanted`.
    pub(super) fn flag(&self, low: &str, wanted: bool) -> bool {
        self.get(low) == Some(if wanted { "true" } else { "false" })
    }

    /// The members of a list that is parted by commas.
    pub(super) fn list(&self, low: &str) -> impl Iterator<Item = &str> {
        self.get(low).unwrap_or_default().split(',').filter(|member| !member.is_empty())
    }

    /// The user the query names.
    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Notes the user whom an old path names; a query that names another one contradicts it.
    pub(super) fn name_user(&mut self, user: &str) -> Result<(), StreamReason> {
        if self.user.as_deref().is_some_and(|named| named != user) {
            return Err(Odd);
        }
        self.user = Some(user.to_owned());
        Ok(())
    }

    /// Forgets every parameter: the path takes none.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The query for the key and the query for the server. A user that is the caller's own is `~` in the key.
    pub(super) fn texts(&self, own_user: Option<&str>) -> (String, String) {
        let (mut key, mut target) = (String::new(), String::new());
        let mut user = self.user.as_deref().or(own_user);
        for pair in &self.pairs {
            if pair.low.as_str() > "userid" {
                write_user(&mut key, &mut target, user.take(), own_user);
            }
            for value in &pair.values {
                append(&mut key, &pair.low, &encoded(value));
                append(&mut target, &pair.spelled, &encoded(value));
            }
        }
        write_user(&mut key, &mut target, user, own_user);
        (key, target)
    }
}

fn write_user(key: &mut String, target: &mut String, user: Option<&str>, own_user: Option<&str>) {
    let Some(user) = user else { return };
    let text = encoded(user);
    append(key, "userid", if own_user == Some(user) { SELF } else { &text });
    append(target, "userId", &text);
}

fn append(to: &mut String, name: &str, value: &str) {
    to.push(if to.is_empty() { '?' } else { '&' });
    to.extend(utf8_percent_encode(name, PLAIN));
    to.push('=');
    to.push_str(value);
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

fn is_idle(low: &str, devices: Devices) -> bool {
    TOKENS.contains(&low)
        || low.starts_with("x-emby-")
        || low.starts_with("x-mediabrowser-")
        || (IDLE.contains(&low) && !(low == "deviceid" && devices == Devices::Chosen))
}

/// Decodes a name or a value as the server does: `+` is a space.
fn decoded(raw: &str) -> Result<String, StreamReason> {
    let spaced = raw.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8().map_err(|_| Odd)?;
    if text.chars().any(char::is_control) { Err(Odd) } else { Ok(text.into_owned()) }
}

/// The one text for all values of a known parameter; `None` if it is set to nothing, which is as good as absent.
fn settled(values: &[String], shape: Shape) -> Result<Option<String>, StreamReason> {
    let text = match shape {
        Shape::Text => single(values, str::to_owned)?,
        Shape::Flag => single(values, flag)?,
        Shape::Id => single(values, |value| guid::normal(value.trim()).into_owned())?,
        Shape::Set => join(sorted(members(values, ',')?), ','),
        Shape::IdSet => join(sorted(ids(members(values, ',')?)), ','),
        Shape::Row => join(members(values, ',')?, ','),
        Shape::IdRow => join(ids(members(values, ',')?), ','),
        Shape::BarSet => join(sorted(members(values, '|')?), '|'),
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The value of a parameter that has one. The server would take the first of several: which one a cache in
/// between takes must not matter.
fn single(values: &[String], form: impl Fn(&str) -> String) -> Result<String, StreamReason> {
    let mut forms = values.iter().map(|value| form(value));
    let first = forms.next().unwrap_or_default();
    if forms.all(|other| other == first) { Ok(first) } else { Err(Odd) }
}

fn flag(value: &str) -> String {
    let text = value.trim();
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        text.to_ascii_lowercase()
    } else {
        value.to_owned()
    }
}

/// The members of a list. The server splits a value only if the parameter comes once; a list in both notations
/// at once is read so differently that it is not kept.
fn members(values: &[String], mark: char) -> Result<Vec<String>, StreamReason> {
    let found: Vec<String> = match values {
        [one] => one.split(mark).map(|member| trimmed(member, mark)).collect(),
        several if several.iter().any(|value| value.contains(mark)) => return Err(Odd),
        several => several.iter().map(|member| trimmed(member, mark)).collect(),
    };
    Ok(found.into_iter().filter(|member| !member.is_empty()).collect())
}

/// Spaces around a member mean nothing at commas; texts at bars are taken as they are.
fn trimmed(member: &str, mark: char) -> String {
    if mark == ',' { member.trim().to_owned() } else { member.to_owned() }
}

fn ids(members: Vec<String>) -> Vec<String> {
    members.into_iter().map(|member| guid::normal(&member).into_owned()).collect()
}

fn sorted(mut members: Vec<String>) -> Vec<String> {
    members.sort_unstable();
    members.dedup();
    members
}

fn join(members: Vec<String>, mark: char) -> String {
    members.join(mark.encode_utf8(&mut [0; 4]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "08ca909f6d1044aa9930be392943948f";

    fn key(raw: &str) -> String {
        Query::read(raw, Devices::Idle).unwrap().texts(None).0
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
    fn what_is_set_to_nothing_is_absent() {
        assert_eq!(key("searchTerm=&recursive=&fields=,"), "");
        assert_eq!(key("&&"), "");
    }

    #[test]
    fn tokens_devices_and_cache_busters_are_not_in_the_key() {
        let raw = "api_key=s3cret&ApiKey=s3cret&_=123&deviceId=d&X-Emby-Token=s3cret&X-Emby-Client=c&limit=1";
        assert_eq!(key(raw), "?limit=1");
        let chosen = Query::read("deviceId=d", Devices::Chosen).unwrap();
        assert_eq!(chosen.texts(None).0, "?deviceid=d");
    }

    #[test]
    fn a_parameter_nobody_knows_is_kept_and_sent_on() {
        let (key, target) = Query::read("zZ=2&newThing=1&zZ=1&limit=3", Devices::Idle).unwrap().texts(None);
        assert_eq!(key, "?limit=3&newthing=1&zz=2&zz=1");
        assert_eq!(target, key);
    }

    #[test]
    fn contradictions_secrets_and_broken_text_are_not_kept() {
        for raw in ["limit=1&Limit=2", "fields=A,B&fields=C", "a=%ff", "a=%0a", "=1", "userId=1&userid=2"] {
            assert_eq!(Query::read(raw, Devices::Idle), Err(Odd), "{raw}");
        }
        for raw in ["token=x", "Password=x", "access_token=x", "authorization=x"] {
            assert_eq!(Query::read(raw, Devices::Idle), Err(Account), "{raw}");
        }
        assert_eq!(key("limit=1&Limit=1"), "?limit=1");
    }

    #[test]
    fn only_the_callers_own_user_is_a_tilde() {
        let own = Some(ID);
        let texts = |raw: &str, own| Query::read(raw, Devices::Idle).unwrap().texts(own);
        assert_eq!(texts("", own), (String::from("?userid=~"), format!("?userId={ID}")));
        assert_eq!(texts(&format!("UserId={}", ID.to_uppercase()), own), texts("", own));
        assert_eq!(texts("", None), (String::new(), String::new()));
        assert_eq!(texts("userId=other", own).0, "?userid=other");
        assert_eq!(texts("userId=~", own).0, "?userid=%7E");
        assert_eq!(texts("years=1&limit=1", own).0, "?limit=1&userid=~&years=1");
    }

    #[test]
    fn a_path_that_names_another_user_than_the_query_contradicts_it() {
        let mut query = Query::read("userId=a", Devices::Idle).unwrap();
        assert_eq!(query.name_user("b"), Err(Odd));
        assert_eq!(query.name_user("a"), Ok(()));
    }
}
