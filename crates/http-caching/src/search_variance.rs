//! Differences between the queries of two addresses that select another response (`No-Vary-Search`,
//! draft-ietf-httpbis-no-vary-search).

use form_urlencoded::{byte_serialize, parse};
use http::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, InnerList, ListEntry, Parser};

/// The field.
pub const NO_VARY_SEARCH: HeaderName = HeaderName::from_static("no-vary-search");
/// Max parameters that a response may name; with more, every difference counts.
pub const MAX_NAMED_PARAMS: usize = 128;

/// The differences that count. By default all of them do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchVariance {
    ignores_order: bool,
    ignored: IgnoredParams,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum IgnoredParams {
    /// These.
    Only(Vec<String>),
    /// All but these.
    AllBut(Vec<String>),
}

impl Default for SearchVariance {
    fn default() -> Self {
        Self { ignores_order: false, ignored: IgnoredParams::Only(Vec::new()) }
    }
}

impl SearchVariance {
    /// The variance that a response states; the default if it states none, or nothing valid.
    pub fn of_response(headers: &HeaderMap) -> Self {
        let lines: Option<Vec<&str>> = headers.get_all(&NO_VARY_SEARCH).iter().map(|line| line.to_str().ok()).collect();
        lines.map_or_else(Self::default, |lines| Self::decode(&lines.join(",")))
    }

    /// From the text of a field.
    pub fn decode(text: &str) -> Self {
        Parser::new(text).parse::<Dictionary>().ok().and_then(|members| Self::of_members(&members)).unwrap_or_default()
    }

    fn of_members(members: &Dictionary) -> Option<Self> {
        let ignores_order = match members.get("key-order") {
            None => false,
            Some(entry) => boolean(entry)?,
        };
        let ignored = match (members.get("params"), members.get("except")) {
            (Some(ListEntry::InnerList(names)), None) => IgnoredParams::Only(param_names(names)?),
            (Some(entry), None) if boolean(entry)? => IgnoredParams::AllBut(Vec::new()),
            (_, None) => IgnoredParams::Only(Vec::new()),
            (Some(entry), Some(ListEntry::InnerList(names))) if boolean(entry)? => {
                IgnoredParams::AllBut(param_names(names)?)
            }
            // Exceptions from nothing, or no list of them.
            (_, Some(_)) => return None,
        };
        Some(Self { ignores_order, ignored })
    }

    /// Whether every difference counts.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// As text, for storage.
    pub fn encode(&self) -> String {
        let list = |names: &[String]| {
            let quoted: Vec<String> = names
                .iter()
                .map(|name| format!("\"{}\"", byte_serialize(name.as_bytes()).collect::<String>()))
                .collect();
            quoted.join(" ")
        };
        let order = if self.ignores_order { "?1" } else { "?0" };
        match &self.ignored {
            IgnoredParams::Only(names) => format!("key-order={order}, params=({})", list(names)),
            IgnoredParams::AllBut(names) => format!("key-order={order}, params, except=({})", list(names)),
        }
    }

    /// A query that is the same for those that differ in nothing that counts, and only for those.
    pub fn normalised(&self, query: &str) -> String {
        if self.is_default() {
            return query.to_owned();
        }
        let mut pairs: Vec<(String, String)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(decoded_pair)
            .filter(|(name, _)| !self.ignores(name))
            .collect();
        if self.ignores_order {
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let texts: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        texts.join("&")
    }

    fn ignores(&self, name: &str) -> bool {
        match &self.ignored {
            IgnoredParams::Only(names) => names.iter().any(|known| known == name),
            IgnoredParams::AllBut(names) => names.iter().all(|known| known != name),
        }
    }
}

fn boolean(entry: &ListEntry) -> Option<bool> {
    match entry {
        ListEntry::Item(item) => match item.bare_item {
            BareItem::Boolean(value) => Some(value),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    }
}

/// The decoded names of a list; `None` if one is no string, or if they are too many.
fn param_names(list: &InnerList) -> Option<Vec<String>> {
    if list.items.len() > MAX_NAMED_PARAMS {
        return None;
    }
    let name = |item: &sfv::Item| match &item.bare_item {
        // A name may hold what separates parameters in a query.
        BareItem::String(text) => {
            let text = text.as_str().replace('&', "%26").replace('=', "%3D");
            Some(parse(text.as_bytes()).next().unwrap_or_default().0.into_owned())
        }
        _ => None,
    };
    list.items.iter().map(name).collect()
}

/// Name and value of one parameter, decoded. Bytes that are no text are not: what is put in their place could make two
/// values one.
fn decoded_pair(pair: &str) -> (String, String) {
    let (name, value) = parse(pair.as_bytes()).next().unwrap_or_default();
    if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        return (name.to_owned(), format!("{value}\u{fffd}"));
    }
    (name.into_owned(), value.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_same(field: &str, one: &str, other: &str) -> bool {
        let variance = SearchVariance::decode(field);
        variance.normalised(one) == variance.normalised(other)
    }

    #[test]
    fn named_parameters_and_their_order_make_no_difference() {
        for (field, one, other, wanted) in [
            ("params", "a=1&b=2", "", true),
            ("params=?0", "a=1", "a=2", false),
            ("params=(\"utm\")", "utm=1&a=1", "a=1&utm=2", true),
            ("params=(\"utm\")", "utm=1&a=1", "a=2", false),
            ("params=(\"utm\")", "a=1&b=2", "b=2&a=1", false),
            ("params, except=(\"id\")", "id=1&x=1", "y=2&id=1", true),
            ("params, except=(\"id\")", "id=1", "id=2", false),
            ("key-order", "a=1&b=2", "b=2&a=1", true),
            ("key-order", "a=1&a=2", "a=2&a=1", false),
            ("key-order=?0", "a=1&b=2", "b=2&a=1", false),
            ("params=(\"%C3%A9\")", "%c3%a9=1", "", true),
            ("params=(\"a+b\")", "a%20b=1", "", true),
            ("params=(\"a=b\")", "a%3Db=1", "", true),
            ("params=(\"x\")", "a=%41", "a=A", true),
            ("params=(\"x\")", "a=%FF", "a=%FE", false),
            ("params=(\"x\")", "a", "a=", true),
        ] {
            assert_eq!(is_same(field, one, other), wanted, "{field}: {one} and {other}");
        }
    }

    #[test]
    fn with_a_malformed_field_every_difference_counts() {
        for field in [
            "",
            "params=(a)",
            "params=(\"a\" 1)",
            "params=\"a\"",
            "params=1",
            "except=(\"a\")",
            "params=(\"a\"), except=(\"b\")",
            "params=?0, except=(\"a\")",
            "params, except=\"a\"",
            "params, key-order=1",
            "params, &&&",
        ] {
            assert!(SearchVariance::decode(field).is_default(), "{field}");
        }
        assert!(
            !SearchVariance::decode("params, later=\"member\"").is_default(),
            "members that are not known are skipped"
        );
        let many: Vec<String> = (0..=MAX_NAMED_PARAMS).map(|number| format!("\"p{number}\"")).collect();
        assert!(SearchVariance::decode(&format!("params=({})", many.join(" "))).is_default());
    }

    #[test]
    fn lines_are_one_field() {
        let mut headers = HeaderMap::new();
        headers.append(NO_VARY_SEARCH, "key-order".parse().expect("a value"));
        headers.append(NO_VARY_SEARCH, "params=(\"a\")".parse().expect("a value"));
        let variance = SearchVariance::of_response(&headers);
        assert_eq!(variance.normalised("z=1&a=2&b=3"), "b=3&z=1");
        assert!(SearchVariance::of_response(&HeaderMap::new()).is_default());
    }

    proptest! {
        #[test]
        fn a_variance_comes_back_as_it_went_in(
            ignores_order: bool, all_but: bool, names in proptest::collection::vec("\\PC{0,8}", 0..5)
        ) {
            let ignored = if all_but { IgnoredParams::AllBut(names) } else { IgnoredParams::Only(names) };
            let variance = SearchVariance { ignores_order, ignored };
            prop_assert_eq!(SearchVariance::decode(&variance.encode()), variance);
        }

        #[test]
        fn what_counts_is_never_the_same_for_different_values(one in "[a-z&=%+]{0,12}", other in "[a-z&=%+]{0,12}") {
            let variance = SearchVariance::decode("params=(\"none such\")");
            let pairs = |query: &str| -> Vec<_> {
                query.split('&').filter(|pair| !pair.is_empty()).map(decoded_pair).collect()
            };
            prop_assert_eq!(variance.normalised(&one) == variance.normalised(&other), pairs(&one) == pairs(&other));
        }
    }
}
