//! Rules that map an app's file paths to the media server's, and back.
//!
//! A rule is a regular expression and a replacement for its first match, with `$1` or `${name}` for captured groups.
//! Matching takes time linear in the path's length. A rule that consists of literal text and simple groups is inverted
//! automatically, so one rule serves both ways.

use std::fmt;

use regex::{Regex, RegexBuilder};

use super::path::{MAX_PATH_BYTES, plain};
use super::reverse_rule::{ReplacementPart, replacement, reverse};

/// Max number of rules in a set.
pub const MAX_RULES: usize = 64;
/// Max length of an expression or a replacement, in bytes.
pub const MAX_RULE_BYTES: usize = 1024;
/// Max memory of a compiled expression in bytes.
const MAX_COMPILED_BYTES: usize = 1024 * 1024;
/// Max nesting of parentheses.
const MAX_NESTING: u32 = 16;

/// One rule as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathRule<'a> {
    /// A regular expression.
    pub from: &'a str,
    /// The replacement.
    pub to: &'a str,
}

/// An invalid rule. Rules are numbered from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMapError {
    /// There are more than [`MAX_RULES`].
    TooMany,
    /// The expression or the replacement is longer than [`MAX_RULE_BYTES`].
    TooLong {
        /// Number of the rule.
        rule: usize,
    },
    /// The expression is empty.
    Empty {
        /// Number of the rule.
        rule: usize,
    },
    /// The expression is not a valid regular expression.
    NoExpression {
        /// Number of the rule.
        rule: usize,
    },
    /// The compiled expression would take too much memory.
    TooLarge {
        /// Number of the rule.
        rule: usize,
    },
    /// The replacement refers to a group that the expression does not have.
    UnknownGroup {
        /// Number of the rule.
        rule: usize,
    },
}

impl PathMapError {
    /// Number of the invalid rule, from 1; `None` if there are too many rules.
    pub fn rule(&self) -> Option<usize> {
        match self {
            Self::TooMany => None,
            Self::TooLong { rule }
            | Self::Empty { rule }
            | Self::NoExpression { rule }
            | Self::TooLarge { rule }
            | Self::UnknownGroup { rule } => Some(*rule),
        }
    }

    /// Name used in the API.
    pub fn word(&self) -> &'static str {
        match self {
            Self::TooMany => "too-many-rules",
            Self::TooLong { .. } => "rule-too-long",
            Self::Empty { .. } => "rule-empty",
            Self::NoExpression { .. } => "rule-no-expression",
            Self::TooLarge { .. } => "rule-too-large",
            Self::UnknownGroup { .. } => "rule-unknown-group",
        }
    }
}

impl fmt::Display for PathMapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rule) = self.rule() {
            write!(f, "rule {rule}: ")?;
        }
        match self {
            Self::TooMany => write!(f, "at most {MAX_RULES} rules are allowed"),
            Self::TooLong { .. } => write!(f, "from and to may each have at most {MAX_RULE_BYTES} bytes"),
            Self::Empty { .. } => write!(f, "from is empty"),
            Self::NoExpression { .. } => {
                write!(f, "from is not a valid regular expression (look-around and back-references are not supported)")
            }
            Self::TooLarge { .. } => write!(f, "from is too large when compiled; use smaller repetition counts"),
            Self::UnknownGroup { .. } => write!(
                f,
                "to names a group that from does not have; write ${{1}} where a letter or digit follows, and $$ for a \
                 dollar sign"
            ),
        }
    }
}

impl std::error::Error for PathMapError {}

/// A set of rules. The first one that matches a path applies.
#[derive(Debug, Clone, Default)]
pub struct PathMaps {
    maps: Vec<PathMap>,
}

#[derive(Debug, Clone)]
struct PathMap {
    forward: Substitution,
    /// `None` if the rule cannot be inverted.
    reverse: Option<Substitution>,
}

#[derive(Debug, Clone)]
struct Substitution {
    from: Regex,
    to: String,
}

impl PathMaps {
    /// Compiles rules.
    ///
    /// # Errors
    /// The number of the first invalid rule and its error; or there are too many rules.
    pub fn new<'a>(rules: impl IntoIterator<Item = PathRule<'a>>) -> Result<Self, PathMapError> {
        let mut maps = Vec::new();
        for (index, rule) in rules.into_iter().enumerate() {
            if index == MAX_RULES {
                return Err(PathMapError::TooMany);
            }
            let forward = Substitution::new(index + 1, rule.from, rule.to)?;
            // A rule that cannot be inverted maps one way only.
            let inverse = reverse(rule).and_then(|(from, to)| Substitution::new(index + 1, &from, &to).ok());
            maps.push(PathMap { forward, reverse: inverse });
        }
        Ok(Self { maps })
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }

    /// Number of rules that map both ways.
    pub fn reversible_count(&self) -> usize {
        self.maps.iter().filter(|map| map.reverse.is_some()).count()
    }

    /// Maps a path by the first rule that matches; `None` if none does.
    pub fn map(&self, path: &str) -> Option<String> {
        self.substitute(path, |map| Some(&map.forward))
    }

    /// Maps a path back by the first rule whose inverse matches; `None` if none does.
    pub fn map_back(&self, path: &str) -> Option<String> {
        self.substitute(path, |map| map.reverse.as_ref())
    }

    fn substitute<'a>(&'a self, path: &str, which: impl Fn(&'a PathMap) -> Option<&'a Substitution>) -> Option<String> {
        if self.maps.is_empty() {
            return None;
        }
        let path = plain(path);
        if path.len() > MAX_PATH_BYTES {
            return None;
        }
        self.maps.iter().filter_map(which).find_map(|substitution| substitution.apply(&path))
    }
}

impl Substitution {
    fn new(rule: usize, from: &str, to: &str) -> Result<Self, PathMapError> {
        if from.len() > MAX_RULE_BYTES || to.len() > MAX_RULE_BYTES {
            return Err(PathMapError::TooLong { rule });
        }
        if from.is_empty() {
            return Err(PathMapError::Empty { rule });
        }
        let from = RegexBuilder::new(from)
            .size_limit(MAX_COMPILED_BYTES)
            .dfa_size_limit(MAX_COMPILED_BYTES)
            .nest_limit(MAX_NESTING)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => PathMapError::TooLarge { rule },
                _ => PathMapError::NoExpression { rule },
            })?;
        let has_group = |piece: &ReplacementPart| match piece {
            ReplacementPart::Text(_) => true,
            ReplacementPart::Group(group) => match group.parse::<usize>() {
                Ok(number) => number < from.captures_len(),
                Err(_) => from.capture_names().flatten().any(|name| name == group),
            },
        };
        let pieces = replacement(to).filter(|pieces| pieces.iter().all(has_group));
        pieces.map(|_| Self { from: from.clone(), to: to.to_owned() }).ok_or(PathMapError::UnknownGroup { rule })
    }

    fn apply(&self, path: &str) -> Option<String> {
        let found = self.from.captures(path)?;
        let whole = found.get(0)?;
        let mut mapped = path[..whole.start()].to_owned();
        found.expand(&self.to, &mut mapped);
        mapped.push_str(&path[whole.end()..]);
        (mapped.len() <= MAX_PATH_BYTES).then_some(mapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps(rules: &[(&str, &str)]) -> PathMaps {
        PathMaps::new(rules.iter().map(|(from, to)| PathRule { from, to })).expect("they are right")
    }

    #[test]
    fn a_rule_maps_a_path_and_maps_it_back() {
        let maps = maps(&[("^/data/(.*)$", "/mnt/media/$1")]);
        assert_eq!(maps.map("/data/A/x.mp4").as_deref(), Some("/mnt/media/A/x.mp4"));
        assert_eq!(maps.map_back("/mnt/media/A/x.mp4").as_deref(), Some("/data/A/x.mp4"));
        assert_eq!(maps.map("/other/A/x.mp4"), None);
        assert_eq!(maps.map("file:///data/A%20b/x.mp4").as_deref(), Some("/mnt/media/A b/x.mp4"));
    }

    #[test]
    fn a_beginning_is_replaced_and_the_first_rule_that_matches_counts() {
        let maps = maps(&[(r"^C:\\Media\\", "/media/"), ("^/data/", "/a/"), ("^/data/b/", "/never/")]);
        assert_eq!(maps.map(r"C:\Media\A\x.mp4").as_deref(), Some(r"/media/A\x.mp4"));
        assert_eq!(maps.map("/data/b/x").as_deref(), Some("/a/b/x"));
        assert_eq!(maps.map_back("/media/A/x.mp4").as_deref(), Some(r"C:\Media\A/x.mp4"));
        assert_eq!(maps.reversible_count(), 3);
    }

    #[test]
    fn groups_may_change_places() {
        let maps = maps(&[(r"(?i)^/tv/([^/]+)/season ([0-9]+)/(.*)$", "/s${2}/$1/$3")]);
        let mapped = maps.map("/TV/Lost/Season 4/x.mkv").expect("it matches");
        assert_eq!(mapped, "/s4/Lost/x.mkv");
        assert_eq!(maps.map_back(&mapped).as_deref(), Some("/tv/Lost/season 4/x.mkv"));
    }

    #[test]
    fn what_cannot_be_turned_around_works_one_way() {
        for from in ["^/data/.*/(.*)$", "^/(a|b)+/", "/d(?:x)/", "^/((x))/", "[/]data/", "a|b"] {
            let maps = maps(&[(from, "/m/")]);
            assert_eq!(maps.reversible_count(), 0, "{from}");
            assert_eq!(maps.map_back("/m/x"), None);
        }
        assert_eq!(maps(&[("^/a/(.*)/(.*)$", "/b/$1")]).reversible_count(), 0, "a group is lost");
        assert_eq!(maps(&[("/a/", "")]).reversible_count(), 0, "nothing to look for");
        assert_eq!(maps(&[("^/a", "")]).map_back("/x").as_deref(), Some("/a/x"));
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_said_with_its_number() {
        let wrong = |from: &str, to: &str| {
            PathMaps::new([PathRule { from: "^/fine", to: "" }, PathRule { from, to }]).expect_err("it is wrong")
        };
        assert_eq!(wrong("(", ""), PathMapError::NoExpression { rule: 2 });
        assert_eq!(wrong("(?=x)", ""), PathMapError::NoExpression { rule: 2 });
        assert_eq!(wrong("", ""), PathMapError::Empty { rule: 2 });
        assert_eq!(wrong("^/(a)", "$2"), PathMapError::UnknownGroup { rule: 2 });
        assert_eq!(wrong("^/(a)", "$1x"), PathMapError::UnknownGroup { rule: 2 });
        assert_eq!(wrong("^/(a)", "${1"), PathMapError::UnknownGroup { rule: 2 });
        assert_eq!(wrong(&"a".repeat(MAX_RULE_BYTES + 1), ""), PathMapError::TooLong { rule: 2 });
        assert_eq!(wrong("(a{1,500}){1,500}", ""), PathMapError::TooLarge { rule: 2 });
        let many = (0..=MAX_RULES).map(|_| PathRule { from: "a", to: "b" });
        assert_eq!(PathMaps::new(many).expect_err("too many"), PathMapError::TooMany);
        assert!(wrong("(", "").to_string().starts_with("rule 2: from is not a valid regular expression"));
    }

    #[test]
    fn a_path_never_grows_beyond_what_a_path_may_be() {
        let maps = maps(&[("^(.*)$", "$1$1")]);
        assert_eq!(maps.map(&"a".repeat(MAX_PATH_BYTES)), None);
        assert!(maps.map(&"a".repeat(MAX_PATH_BYTES / 2)).is_some());
    }

    proptest::proptest! {
        #[test]
        fn back_undoes_there(from in "/[a-z.$ -]{1,8}/", to in "/[A-Z.$ -]{1,8}/", rest in "[^/\r\n]{0,20}") {
            let expression = format!("^{}(.*)$", regex::escape(&from));
            let replacement = format!("{}${{1}}", to.replace('$', "$$"));
            let maps = PathMaps::new([PathRule { from: &expression, to: &replacement }]).expect("it is right");
            let path = format!("{from}{rest}");
            let mapped = maps.map(&path).expect("it matches");
            proptest::prop_assert_eq!(&mapped, &format!("{to}{rest}"));
            proptest::prop_assert_eq!(maps.map_back(&mapped), Some(path));
        }

        #[test]
        fn no_rule_and_no_path_is_too_odd(from in "\\PC{0,20}", to in "\\PC{0,20}", path in "\\PC{0,30}") {
            if let Ok(maps) = PathMaps::new([PathRule { from: &from, to: &to }]) {
                let _ = (maps.map(&path), maps.map_back(&path));
            }
        }
    }
}
