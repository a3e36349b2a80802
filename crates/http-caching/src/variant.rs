//! The selection among several responses of one resource by a request (`Vary`).

use http::header::{
    ACCEPT, ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, HeaderMap, HeaderName, VARY,
};

use crate::directive_list::split_list;

/// Max request fields by which responses of one resource vary; with more they are not stored.
pub const MAX_SELECTING_FIELDS: usize = 16;

/// Request fields by which the responses of a resource vary, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelectingFields(Vec<HeaderName>);

impl SelectingFields {
    /// The fields that a response names; `None` if it can never be selected (`*`, or something that is no name).
    pub fn of_response(headers: &HeaderMap) -> Option<Self> {
        let mut names = Vec::new();
        for line in headers.get_all(VARY) {
            for name in line.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                names.push(name.parse().ok().filter(|_| name != "*")?);
            }
        }
        if headers.contains_key(CONTENT_ENCODING) {
            // A server that does not say so still chose it by that.
            names.push(ACCEPT_ENCODING);
        }
        Self::sorted(names)
    }

    /// These fields, as far as there may be as many.
    pub fn of_names(mut names: Vec<HeaderName>) -> Self {
        names.truncate(MAX_SELECTING_FIELDS);
        Self::sorted(names).unwrap_or_default()
    }

    /// These fields and those together; `None` if they are too many.
    pub fn union(&self, other: &Self) -> Option<Self> {
        Self::sorted(self.0.iter().chain(&other.0).cloned().collect())
    }

    fn sorted(mut names: Vec<HeaderName>) -> Option<Self> {
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        (names.len() <= MAX_SELECTING_FIELDS).then_some(Self(names))
    }

    /// The fields.
    pub fn names(&self) -> &[HeaderName] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their normalised values in a request.
    pub fn values(&self, request: &HeaderMap) -> Vec<(HeaderName, String)> {
        self.0.iter().map(|name| (name.clone(), normalised(name, request))).collect()
    }

    /// A text that is the same for requests that select the same response, and only for those.
    pub fn key(&self, request: &HeaderMap) -> String {
        let mut key = String::new();
        for (name, value) in self.values(request) {
            // Neither a name nor a value holds a line feed.
            key.push('\n');
            key.push_str(name.as_str());
            key.push(':');
            key.push_str(&value);
        }
        key
    }

    /// As text, for storage.
    pub fn encode(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(HeaderName::as_str).collect();
        names.join(",")
    }

    /// From stored text.
    pub fn decode(text: &str) -> Option<Self> {
        let names = text.split(',').filter(|name| !name.is_empty()).map(|name| name.parse().ok());
        Self::sorted(names.collect::<Option<_>>()?)
    }
}

/// Whether a request selects a response that was selected by values with these digests.
pub fn selects<'a>(
    selected_by: impl IntoIterator<Item = &'a (HeaderName, String)>,
    request: &HeaderMap,
    digest: impl Fn(&HeaderName, &str) -> String,
) -> bool {
    selected_by.into_iter().all(|(name, value)| *value == digest(name, &normalised(name, request)))
}

/// A field's value without what makes no difference: several lines as one, white space between elements, and for
/// preferences their order and case. A missing field differs from an empty one.
fn normalised(name: &HeaderName, request: &HeaderMap) -> String {
    if !request.contains_key(name) {
        return "-".to_owned();
    }
    let is_preference = [ACCEPT, ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE].contains(name);
    let lines: Vec<_> =
        request.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect();
    let mut elements: Vec<String> = lines
        .iter()
        .flat_map(|line| split_list(line))
        .map(|element| {
            if is_preference {
                element.chars().filter(|letter| !letter.is_whitespace()).collect::<String>().to_ascii_lowercase()
            } else {
                element.to_owned()
            }
        })
        .collect();
    if is_preference {
        elements.sort();
    }
    // Bytes that are no text are replaced above, so their field selects nothing that another one does.
    let is_text = !lines.iter().any(|line| line.contains('\u{fffd}'));
    let marks = if is_text { String::new() } else { hex(name, request) };
    format!("={}{marks}", elements.join(","))
}

fn hex(name: &HeaderName, request: &HeaderMap) -> String {
    let bytes = request.get_all(name).iter().flat_map(|line| line.as_bytes().iter().copied().chain([b',']));
    bytes.fold(String::from("#"), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"));
        }
        headers
    }

    fn fields(value: &str) -> Option<SelectingFields> {
        SelectingFields::of_response(&headers(&[("vary", value)]))
    }

    fn is_same(name: &str, one: &[&str], other: &[&str]) -> bool {
        let of = |values: &[&str]| headers(&values.iter().map(|value| (name, *value)).collect::<Vec<_>>());
        let selecting = fields(name).expect("a field");
        assert_eq!(
            selecting.key(&of(one)) == selecting.key(&of(other)),
            selects(&selecting.values(&of(one)), &of(other), |_, value| value.to_owned())
        );
        selecting.key(&of(one)) == selecting.key(&of(other))
    }

    #[test]
    fn a_star_anywhere_selects_nothing() {
        for value in ["*", "*, *", ", *", "foo, *", "*,foo", "a b"] {
            assert_eq!(fields(value), None, "{value}");
        }
        assert_eq!(SelectingFields::of_response(&headers(&[("vary", "foo"), ("vary", "*")])), None);
        assert_eq!(fields("Foo, bar,, foo").expect("fields").encode(), "bar,foo");
    }

    #[test]
    fn lines_and_white_space_make_no_difference() {
        assert!(is_same("foo", &["1, 2"], &["1", "2"]));
        assert!(is_same("foo", &["1,2"], &[" 1, 2 "]));
        assert!(!is_same("foo", &["1, 2"], &["2, 1"]), "of an unknown field the order may count");
        assert!(!is_same("foo", &["a"], &["A"]));
        assert!(!is_same("foo", &[], &[""]));
        assert!(!is_same("foo", &[], &["-"]));
    }

    #[test]
    fn the_order_and_case_of_preferences_make_no_difference() {
        assert!(is_same("accept-language", &["en, de"], &["DE,  eN"]));
        assert!(is_same("accept-encoding", &["gzip;q=0.5, br"], &["br", "gzip; q=0.5"]));
        assert!(!is_same("accept-language", &["en;q=0.5, de"], &["en, de;q=0.5"]));
    }

    #[test]
    fn an_encoded_body_varies_by_what_was_accepted() {
        let selecting = SelectingFields::of_response(&headers(&[("content-encoding", "gzip")])).expect("fields");
        assert_eq!(selecting.names(), [ACCEPT_ENCODING]);
    }

    #[test]
    fn too_many_fields_are_no_selection() {
        let many: Vec<String> = (0..=MAX_SELECTING_FIELDS).map(|number| format!("f{number}")).collect();
        assert_eq!(fields(&many.join(",")), None);
        let half = fields(&many[..9].join(",")).expect("fields");
        assert_eq!(half.union(&fields(&many[9..].join(",")).expect("fields")), None);
    }

    proptest! {
        #[test]
        fn different_values_never_meet(one in "[ -~]{0,8}", other in "[ -~]{0,8}") {
            let plain = |text: &str| -> Vec<String> { split_list(text).map(str::to_owned).collect() };
            prop_assert_eq!(is_same("foo", &[&one], &[&other]), plain(&one).join(",") == plain(&other).join(","));
        }
    }
}
