//! Query parameters as Jellyfin binds them: case-insensitive names, three kinds of lists, and invalid values rejected
//! with 400.
//!
//! Most lists have a binder that splits a value at commas or bars, but only if the parameter occurs once; of a repeated
//! parameter each value is one member. A few lists have no binder: they are never split.

use super::error::JellyfinError;

/// Pairs of a query, in the order sent. Names are in lower case.
#[derive(Debug, Clone, Default)]
pub(crate) struct JellyfinParams {
    pairs: Vec<(String, String)>,
    /// Fields that the server adds to those requested because of the client's name.
    pub(crate) client_fields: &'static [&'static str],
}

impl JellyfinParams {
    /// Parses a raw query string.
    pub(crate) fn parse(raw: &str) -> Self {
        let pairs = form_urlencoded::parse(raw.as_bytes())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned()))
            .collect();
        Self { pairs, client_fields: &[] }
    }

    /// Adds a parameter from the path of a legacy route: it wins over the same name in the query.
    pub(crate) fn put_first(&mut self, name: &str, value: &str) {
        self.pairs.retain(|(known, _)| known != name);
        self.pairs.insert(0, (name.to_owned(), value.to_owned()));
    }

    /// The first non-empty value of `name` (lower case).
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    /// Members of a list that may be joined by commas or repeated.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        self.delimited(name, ',')
    }

    /// Members of a list that can only be repeated; each of them is one of `known`, whose position is its number.
    ///
    /// A member with commas is refused. Where `joined_are_one` (.NET's own converter of enumerations), the numbers of
    /// its parts are combined bit by bit instead, and it is refused only if the result has no name.
    pub(crate) fn repeated(
        &self,
        name: &str,
        known: &[&'static str],
        joined_are_one: bool,
    ) -> Result<Vec<&'static str>, JellyfinError> {
        let number = |part: &str| known.iter().position(|known| known.eq_ignore_ascii_case(part.trim()));
        let member = |value: &str| {
            let parts: Option<Vec<usize>> = value.split(',').map(number).collect();
            let parts = parts.filter(|parts| parts.len() == 1 || joined_are_one)?;
            known.get(parts.into_iter().fold(0, |one, part| one | part)).copied()
        };
        let values = self.all(name).filter(|value| !value.is_empty());
        values.map(|value| member(value).ok_or_else(|| JellyfinError::invalid(name))).collect()
    }

    /// Members of a list of names: those are joined by `|`, since names contain commas. `commas_too` also splits
    /// at commas.
    pub(crate) fn names(&self, name: &str, commas_too: bool) -> Vec<&str> {
        let piped = self.delimited(name, '|');
        if commas_too { piped.into_iter().flat_map(|part| pieces(part, ',')).collect() } else { piped }
    }

    /// A boolean.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, JellyfinError> {
        self.text(name)
            .map(|value| match value {
                _ if value.eq_ignore_ascii_case("true") => Ok(true),
                _ if value.eq_ignore_ascii_case("false") => Ok(false),
                _ => Err(JellyfinError::invalid(name)),
            })
            .transpose()
    }

    /// An unsigned number.
    pub(crate) fn count(&self, name: &str) -> Result<Option<usize>, JellyfinError> {
        self.text(name).map(|value| value.parse().map_err(|_| JellyfinError::invalid(name))).transpose()
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, JellyfinError> {
        self.text(name).map(|value| value.parse().map_err(|_| JellyfinError::invalid(name))).transpose()
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn delimited(&self, name: &str, at: char) -> Vec<&str> {
        let values: Vec<&str> = self.all(name).collect();
        match values[..] {
            [value] => pieces(value, at).collect(),
            _ => values.into_iter().map(str::trim).filter(|value| !value.is_empty()).collect(),
        }
    }
}

fn pieces(value: &str, at: char) -> impl Iterator<Item = &str> {
    value.split(at).map(str::trim).filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parameters_have_no_case() {
        assert_eq!(JellyfinParams::parse("IncludeItemTypes=Audio").text("includeitemtypes"), Some("Audio"));
    }

    #[test]
    fn repeated_and_comma_joined_lists_are_the_same_list() {
        let joined = JellyfinParams::parse("fields=Path,Genres");
        let repeated = JellyfinParams::parse("Fields=Path&fields=Genres");
        assert_eq!(joined.list("fields"), repeated.list("fields"));
        assert_eq!(joined.list("fields"), ["Path", "Genres"]);
    }

    #[test]
    fn a_repeated_value_is_never_split() {
        assert_eq!(JellyfinParams::parse("fields=Path,Genres&fields=Tags").list("fields"), ["Path,Genres", "Tags"]);
        assert_eq!(JellyfinParams::parse("genres=A%7CB&genres=C").names("genres", false), ["A|B", "C"]);
    }

    #[test]
    fn a_list_without_a_binder_is_only_repeated() {
        let known = ["None", "Left", "Right", "Both"];
        let read = |query: &str, joined| JellyfinParams::parse(query).repeated("side", &known, joined).ok();
        assert_eq!(read("side=left&Side=Right", false), Some(vec!["Left", "Right"]));
        assert_eq!(read("side=Left,Right", false), None);
        assert_eq!(read("side=Left,Right", true), Some(vec!["Both"]));
        assert_eq!(read("side=Up", true), None);
        assert_eq!(read("", false), Some(Vec::new()));
    }

    #[test]
    fn a_genre_may_contain_a_comma_unless_told_otherwise() {
        let params = JellyfinParams::parse("genres=Folk%2C+World%7CRock");
        assert_eq!(params.names("genres", false), ["Folk, World", "Rock"]);
        assert_eq!(params.names("genres", true), ["Folk", "World", "Rock"]);
    }

    #[test]
    fn a_flag_that_is_no_flag_is_refused() {
        assert_eq!(JellyfinParams::parse("recursive=True").flag("recursive").ok(), Some(Some(true)));
        assert!(JellyfinParams::parse("recursive=yes").flag("recursive").is_err());
        assert!(JellyfinParams::parse("limit=ten").count("limit").is_err());
        assert!(JellyfinParams::parse("limit=-1").count("limit").is_err());
    }

    #[test]
    fn the_path_wins_over_the_query() {
        let mut params = JellyfinParams::parse("userId=a&UserId=b");
        params.put_first("userid", "c");
        assert_eq!(params.list("userid"), ["c"]);
    }
}
