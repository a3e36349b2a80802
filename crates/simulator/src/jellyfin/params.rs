//! Query parameters as Jellyfin parses them: case-insensitive names, lists joined by commas, repeated, or both, and
//! invalid values rejected with 400.

use super::error::JellyfinError;

/// Pairs of a query, in the order sent. Names are in lower case.
#[derive(Debug, Clone, Default)]
pub(crate) struct JellyfinParams(Vec<(String, String)>);

impl JellyfinParams {
    /// Parses a raw query string.
    pub(crate) fn parse(raw: &str) -> Self {
        Self(
            form_urlencoded::parse(raw.as_bytes())
                .map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned()))
                .collect(),
        )
    }

    /// Adds a parameter from the path of a legacy route: it wins over the same name in the query.
    pub(crate) fn put_first(&mut self, name: &str, value: &str) {
        self.0.retain(|(known, _)| known != name);
        self.0.insert(0, (name.to_owned(), value.to_owned()));
    }

    /// The first non-empty value of `name` (lower case).
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    /// All values of a list parameter, comma-joined or repeated.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        self.split(name, ',')
    }

    /// All values of a list of names: those are joined by `|`, since names contain commas. `commas_too` also splits
    /// at commas.
    pub(crate) fn names(&self, name: &str, commas_too: bool) -> Vec<&str> {
        let piped = self.split(name, '|');
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
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn split(&self, name: &str, at: char) -> Vec<&str> {
        self.all(name).flat_map(|value| pieces(value, at)).collect()
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
