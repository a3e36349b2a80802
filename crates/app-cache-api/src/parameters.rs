//! Parameters of URLs. They are parsed here because a tag may be repeated.

use greenroom_cache::clock::millis;
use std::time::Duration;

use greenroom_app_cache::EntryTags;
use greenroom_app_cache::entry::{FreshTime, MAX_VERSION_CHARS};
use greenroom_app_cache::put::PutCondition;
use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use utoipa::IntoParams;

use crate::problem::{BAD_PARAMETER, ProblemText};

/// Max time of an entry; longer ones count as this.
pub(crate) const MAX_TIME: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Parameters of a put.
#[derive(Debug, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PutParams {
    /// Fresh time in milliseconds, or `never`. Default: the cache's.
    #[param(value_type = Option<String>, pattern = "^([0-9]{1,15}|never)$")]
    pub(crate) ttl_ms: FreshTime,
    /// Time after that in which the entry may be served as stale. Default: the cache's.
    #[param(value_type = Option<u64>, maximum = 999_999_999_999_999_u64)]
    pub(crate) stale_ms: Option<Duration>,
    /// A tag; may be repeated.
    #[param(value_type = Vec<String>, required = false)]
    pub(crate) tag: EntryTags,
    /// Version of the value's form: a read that asks for another one finds nothing.
    #[param(value_type = Option<String>, max_length = 1024)]
    pub(crate) version: String,
    /// the answer of `sequence` when the work on the value began: it is not stored if the key or a tag was written or
    /// invalidated since.
    pub(crate) begun: Option<u64>,
    /// Token of the lease under which the value was loaded; ends the lease.
    pub(crate) lease: Option<u64>,
    /// `1`: answer before the value is on disk.
    #[param(value_type = Option<u8>, maximum = 1)]
    pub(crate) defer: bool,
}

/// Parameters of a lookup.
#[derive(Debug, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetParams {
    /// Version of the value's form; an entry of another version is none. Without it an entry of any version is found.
    #[param(max_length = 1024)]
    pub(crate) version: Option<String>,
}

/// A load that may be fenced.
#[derive(Debug, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FenceParams {
    /// Token of the lease, or the answer of `sequence`, when the load began.
    pub(crate) begun: u64,
    /// A tag that the entry will have; may be repeated.
    #[param(value_type = Vec<String>, required = false)]
    pub(crate) tag: EntryTags,
}

/// A lease that ends.
#[derive(Debug, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReleaseParams {
    /// The lease's token.
    pub(crate) token: u64,
    /// Time for which the key is not loaded by another caller, such as after a failure.
    #[param(value_type = Option<u64>, maximum = 3_600_000)]
    pub(crate) pause_ms: Option<u64>,
}

/// A page of keys.
#[derive(Debug, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only keys that begin with this.
    #[param(value_type = Option<String>)]
    pub(crate) prefix: String,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
    /// Max entries of the page. Default 100.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    pub(crate) limit: usize,
}

/// Max entries of a page.
const MAX_LIMIT: usize = 1000;
const USUAL_LIMIT: usize = 100;

/// Max digits of a time.
const MAX_TIME_DIGITS: usize = 15;
/// Max time for which a key is not loaded after its lease ended.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

type Pairs<'a> = Vec<(std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>;

/// The pairs of a query, if it has only these keys, each once but `tag`.
fn pairs<'a>(query: Option<&'a str>, known: &[&str]) -> Result<Pairs<'a>, ProblemText> {
    let pairs: Pairs<'a> = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect();
    let is_valid = pairs.iter().enumerate().all(|(index, (key, _))| {
        known.contains(&&**key) && (key == "tag" || pairs[..index].iter().all(|(other, _)| other != key))
    });
    if is_valid { Ok(pairs) } else { Err(BAD_PARAMETER) }
}

fn number(text: &str) -> Result<u64, ProblemText> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain).ok_or(BAD_PARAMETER)
}

pub(crate) fn time(text: &str) -> Result<Duration, ProblemText> {
    if text.len() > MAX_TIME_DIGITS {
        return Err(BAD_PARAMETER);
    }
    number(text).map(|millis| Duration::from_millis(millis).min(MAX_TIME))
}

fn flag(text: &str) -> Result<bool, ProblemText> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(BAD_PARAMETER),
    }
}

fn fresh_time(text: &str) -> Result<FreshTime, ProblemText> {
    if text == "never" { Ok(FreshTime::Unlimited) } else { time(text).map(FreshTime::Limited) }
}

pub(crate) fn version(text: &str) -> Result<String, ProblemText> {
    if text.chars().count() <= MAX_VERSION_CHARS { Ok(text.to_owned()) } else { Err(BAD_PARAMETER) }
}

pub(crate) fn tags(tags: Vec<String>) -> Result<EntryTags, ProblemText> {
    EntryTags::parse(tags).ok_or(BAD_PARAMETER)
}

impl PutParams {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, ProblemText> {
        let mut parsed = Self::default();
        let mut tag_list = Vec::new();
        let known = ["ttl_ms", "stale_ms", "tag", "version", "begun", "lease", "defer"];
        for (key, value) in pairs(query, &known)? {
            match &*key {
                "ttl_ms" => parsed.ttl_ms = fresh_time(&value)?,
                "stale_ms" => parsed.stale_ms = Some(time(&value)?),
                "tag" => tag_list.push(value.into_owned()),
                "version" => parsed.version = version(&value)?,
                "begun" => parsed.begun = Some(number(&value)?),
                "lease" => parsed.lease = Some(number(&value)?),
                _ => parsed.defer = flag(&value)?,
            }
        }
        parsed.tag = tags(tag_list)?;
        Ok(parsed)
    }
}

impl GetParams {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, ProblemText> {
        let pairs = pairs(query, &["version"])?;
        Ok(Self { version: pairs.first().map(|(_, value)| version(value)).transpose()? })
    }
}

impl FenceParams {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, ProblemText> {
        let (mut begun, mut tag_list) = (None, Vec::new());
        for (key, value) in pairs(query, &["begun", "tag"])? {
            match &*key {
                "begun" => begun = Some(number(&value)?),
                _ => tag_list.push(value.into_owned()),
            }
        }
        Ok(Self { begun: begun.ok_or(BAD_PARAMETER)?, tag: tags(tag_list)? })
    }
}

impl ReleaseParams {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, ProblemText> {
        let (mut token, mut pause_ms) = (None, None);
        for (key, value) in pairs(query, &["token", "pause_ms"])? {
            match &*key {
                "token" => token = Some(number(&value)?),
                _ => pause_ms = Some(number(&value)?),
            }
        }
        if pause_ms.is_some_and(|pause_ms| pause_ms > millis(MAX_PAUSE)) {
            return Err(BAD_PARAMETER);
        }
        Ok(Self { token: token.ok_or(BAD_PARAMETER)?, pause_ms })
    }
}

impl ListParams {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, ProblemText> {
        let mut parsed = Self { prefix: String::new(), cursor: None, limit: USUAL_LIMIT };
        for (key, value) in pairs(query, &["prefix", "cursor", "limit"])? {
            match &*key {
                "prefix" => parsed.prefix = value.into_owned(),
                "cursor" => parsed.cursor = Some(value.into_owned()),
                _ => parsed.limit = usize::try_from(number(&value)?).unwrap_or(usize::MAX),
            }
        }
        if (1..=MAX_LIMIT).contains(&parsed.limit) { Ok(parsed) } else { Err(BAD_PARAMETER) }
    }
}

/// The condition that a put's headers state.
pub(crate) fn condition(headers: &HeaderMap) -> Result<PutCondition, ProblemText> {
    let text = |name: HeaderName| match headers.get(name).map(|value| value.to_str().map(str::trim)) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(BAD_PARAMETER),
    };
    match (text(IF_MATCH)?, text(IF_NONE_MATCH)?) {
        (None, None) => Ok(PutCondition::Always),
        (None, Some("*")) => Ok(PutCondition::Absent),
        (Some("*"), None) => Ok(PutCondition::Present),
        (Some(tag), None) => sequence_of(tag).map(PutCondition::Matches).ok_or(BAD_PARAMETER),
        (_, Some(_)) => Err(BAD_PARAMETER),
    }
}

/// The entity tag of a write's number.
pub(crate) fn entity_tag(sequence: u64) -> String {
    format!("\"{sequence}\"")
}

/// The number of an entity tag.
pub(crate) fn sequence_of(tag: &str) -> Option<u64> {
    number(tag.strip_prefix('"')?.strip_suffix('"')?).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_parameters_of_a_put_are_read_strictly() {
        let parsed = PutParams::parse(Some("ttl_ms=5&stale_ms=7&tag=b&tag=a%26c&version=v&begun=1&lease=2&defer=1"))
            .expect("valid");
        assert_eq!(parsed.ttl_ms, FreshTime::Limited(Duration::from_millis(5)));
        assert_eq!((parsed.stale_ms, parsed.begun, parsed.lease), (Some(Duration::from_millis(7)), Some(1), Some(2)));
        assert_eq!(
            (parsed.tag.as_slice(), parsed.version.as_str(), parsed.defer),
            (&["a&c".into(), "b".into()][..], "v", true)
        );
        assert_eq!(PutParams::parse(Some("ttl_ms=never")).expect("valid").ttl_ms, FreshTime::Unlimited);
        assert_eq!(
            PutParams::parse(Some("ttl_ms=999999999999999")).expect("valid").ttl_ms,
            FreshTime::Limited(MAX_TIME)
        );
        assert_eq!(PutParams::parse(None), Ok(PutParams::default()));
        let many = "tag=x&".repeat(70);
        assert!(PutParams::parse(Some(&many)).is_ok(), "one tag, however often");
        for query in [
            "ttl_ms=",
            "ttl_ms=-1",
            "ttl_ms=9999999999999999",
            "ttl_ms=+1",
            "ttl_ms=1.5",
            "ttl_ms=1&ttl_ms=1",
            "nonsense",
            "tag=",
            "begun=x",
        ] {
            assert_eq!(PutParams::parse(Some(query)), Err(BAD_PARAMETER), "{query}");
        }
        assert!(ListParams::parse(Some("limit=1001")).is_err() && ListParams::parse(Some("limit=0")).is_err());
    }

    #[test]
    fn conditions_are_those_of_http() {
        let of = |name: HeaderName, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            condition(&headers)
        };
        assert_eq!(condition(&HeaderMap::new()), Ok(PutCondition::Always));
        assert_eq!(of(IF_NONE_MATCH, "*"), Ok(PutCondition::Absent));
        assert_eq!(of(IF_MATCH, "*"), Ok(PutCondition::Present));
        assert_eq!(of(IF_MATCH, "\"12\""), Ok(PutCondition::Matches(12)));
        for (name, value) in [(IF_NONE_MATCH, "\"12\""), (IF_MATCH, "12"), (IF_MATCH, "W/\"12\""), (IF_MATCH, "\"x\"")]
        {
            assert_eq!(of(name, value), Err(BAD_PARAMETER), "{value}");
        }
    }
}
