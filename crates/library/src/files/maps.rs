//! Rules that turn one program's paths into another's, and back.
//!
//! A rule is a regular expression and what its first match is replaced by, with `$1` or `${name}` for what it caught.
//! Matching takes time in proportion to the path, whatever the expression. A rule that is plain text around groups is
//! turned around by itself, so one rule serves both ways.

use std::fmt;

use regex::{Regex, RegexBuilder};

use super::around::{Piece, around, replacement};
use super::path::{MAX_PATH_BYTES, plain};

/// Most rules of one set.
pub const MAX_RULES: usize = 64;
/// Longest expression or replacement.
pub const MAX_RULE_BYTES: usize = 1024;
/// Memory of one compiled expression.
const MAX_COMPILED_BYTES: usize = 1024 * 1024;
/// Parentheses within one another.
const MAX_NESTING: u32 = 16;

/// One rule, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule<'a> {
    /// A regular expression.
    pub from: &'a str,
    /// What stands in its place.
    pub to: &'a str,
}

/// What is wrong with a rule. Rules are counted from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapError {
    /// There are more than [`MAX_RULES`].
    TooMany,
    /// It is longer than [`MAX_RULE_BYTES`].
    TooLong {
        /// Which one.
        rule: usize,
    },
    /// There is nothing to look for.
    Empty {
        /// Which one.
        rule: usize,
    },
    /// It is no regular expression.
    NoExpression {
        /// Which one.
        rule: usize,
    },
    /// Compiled, it would take too much memory.
    TooLarge {
        /// Which one.
        rule: usize,
    },
    /// The replacement names a group that the expression does not have.
    UnknownGroup {
        /// Which one.
        rule: usize,
    },
}

impl MapError {
    /// The rule that is wrong, counted from one; none if they are too many.
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

    /// The word for it.
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

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rule) = self.rule() {
            write!(f, "rule {rule}: ")?;
        }
        match self {
            Self::TooMany => write!(f, "there may be {MAX_RULES} rules at most"),
            Self::TooLong { .. } => write!(f, "from and to may have {MAX_RULE_BYTES} bytes each at most"),
            Self::Empty { .. } => write!(f, "from is empty"),
            Self::NoExpression { .. } => {
                write!(
                    f,
                    "from is no regular expression (look-around and back-references are not among them)"
                )
            }
            Self::TooLarge { .. } => write!(f, "from is too large once it is compiled; count less in it"),
            Self::UnknownGroup { .. } => write!(
                f,
                "to names a group that from does not have; write ${{1}} where a letter or digit follows, and $$ for a \
                 dollar sign"
            ),
        }
    }
}

impl std::error::Error for MapError {}

/// A set of rules. Of several that match a path the first counts.
#[derive(Debug, Clone, Default)]
pub struct PathMaps {
    maps: Vec<Map>,
}

#[derive(Debug, Clone)]
struct Map {
    there: Turn,
    /// `None` if it cannot be turned around.
    back: Option<Turn>,
}

#[derive(Debug, Clone)]
struct Turn {
    from: Regex,
    to: String,
}

impl PathMaps {
    /// Compiles rules.
    ///
    /// # Errors
    /// The first rule that is wrong, and what is.
    pub fn new<'a>(rules: impl IntoIterator<Item = Rule<'a>>) -> Result<Self, MapError> {
        let mut maps = Vec::new();
        for (index, rule) in rules.into_iter().enumerate() {
            if index == MAX_RULES {
                return Err(MapError::TooMany);
            }
            let there = Turn::new(index + 1, rule.from, rule.to)?;
            // What cannot be turned around works one way.
            let back = around(rule).and_then(|(from, to)| Turn::new(index + 1, &from, &to).ok());
            maps.push(Map { there, back });
        }
        Ok(Self { maps })
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }

    /// How many rules work both ways.
    pub fn both_ways(&self) -> usize {
        self.maps.iter().filter(|map| map.back.is_some()).count()
    }

    /// A path as the first rule that matches makes it; `None` if none does.
    pub fn there(&self, path: &str) -> Option<String> {
        self.turn(path, |map| Some(&map.there))
    }

    /// A path as the first rule makes it that, turned around, matches; `None` if none does.
    pub fn back(&self, path: &str) -> Option<String> {
        self.turn(path, |map| map.back.as_ref())
    }

    fn turn<'a>(&'a self, path: &str, which: impl Fn(&'a Map) -> Option<&'a Turn>) -> Option<String> {
        if self.maps.is_empty() {
            return None;
        }
        let path = plain(path);
        if path.len() > MAX_PATH_BYTES {
            return None;
        }
        self.maps.iter().filter_map(which).find_map(|turn| turn.apply(&path))
    }
}

impl Turn {
    fn new(rule: usize, from: &str, to: &str) -> Result<Self, MapError> {
        if from.len() > MAX_RULE_BYTES || to.len() > MAX_RULE_BYTES {
            return Err(MapError::TooLong { rule });
        }
        if from.is_empty() {
            return Err(MapError::Empty { rule });
        }
        let from = RegexBuilder::new(from)
            .size_limit(MAX_COMPILED_BYTES)
            .dfa_size_limit(MAX_COMPILED_BYTES)
            .nest_limit(MAX_NESTING)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => MapError::TooLarge { rule },
                _ => MapError::NoExpression { rule },
            })?;
        let has_group = |piece: &Piece| match piece {
            Piece::Text(_) => true,
            Piece::Group(group) => match group.parse::<usize>() {
                Ok(number) => number < from.captures_len(),
                Err(_) => from.capture_names().flatten().any(|name| name == group),
            },
        };
        let pieces = replacement(to).filter(|pieces| pieces.iter().all(has_group));
        pieces.map(|_| Self { from: from.clone(), to: to.to_owned() }).ok_or(MapError::UnknownGroup { rule })
    }

    fn apply(&self, path: &str) -> Option<String> {
        let found = self.from.captures(path)?;
        let whole = found.get(0)?;
        let mut turned = path[..whole.start()].to_owned();
        found.expand(&self.to, &mut turned);
        turned.push_str(&path[whole.end()..]);
        (turned.len() <= MAX_PATH_BYTES).then_some(turned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps(rules: &[(&str, &str)]) -> PathMaps {
        PathMaps::new(rules.iter().map(|(from, to)| Rule { from, to })).expect("they are right")
    }

    #[test]
    fn a_rule_leads_there_and_back() {
        let maps = maps(&[("^/data/(.*)$", "/mnt/media/$1")]);
        assert_eq!(maps.there("/data/A/x.mp4").as_deref(), Some("/mnt/media/A/x.mp4"));
        assert_eq!(maps.back("/mnt/media/A/x.mp4").as_deref(), Some("/data/A/x.mp4"));
        assert_eq!(maps.there("/other/A/x.mp4"), None);
        assert_eq!(maps.there("file:///data/A%20b/x.mp4").as_deref(), Some("/mnt/media/A b/x.mp4"));
    }

    #[test]
    fn a_beginning_is_replaced_and_the_first_rule_that_matches_counts() {
        let maps = maps(&[(r"^C:\\Media\\", "/media/"), ("^/data/", "/a/"), ("^/data/b/", "/never/")]);
        assert_eq!(maps.there(r"C:\Media\A\x.mp4").as_deref(), Some(r"/media/A\x.mp4"));
        assert_eq!(maps.there("/data/b/x").as_deref(), Some("/a/b/x"));
        assert_eq!(maps.back("/media/A/x.mp4").as_deref(), Some(r"C:\Media\A/x.mp4"));
        assert_eq!(maps.both_ways(), 3);
    }

    #[test]
    fn groups_may_change_places() {
        let maps = maps(&[(r"(?i)^/tv/([^/]+)/season ([0-9]+)/(.*)$", "/s${2}/$1/$3")]);
        let there = maps.there("/TV/Lost/Season 4/x.mkv").expect("it matches");
        assert_eq!(there, "/s4/Lost/x.mkv");
        assert_eq!(maps.back(&there).as_deref(), Some("/tv/Lost/season 4/x.mkv"));
    }

    #[test]
    fn what_cannot_be_turned_around_works_one_way() {
        for from in ["^/data/.*/(.*)$", "^/(a|b)+/", "/d(?:x)/", "^/((x))/", "[/]data/", "a|b"] {
            let maps = maps(&[(from, "/m/")]);
            assert_eq!(maps.both_ways(), 0, "{from}");
            assert_eq!(maps.back("/m/x"), None);
        }
        assert_eq!(maps(&[("^/a/(.*)/(.*)$", "/b/$1")]).both_ways(), 0, "a group is lost");
        assert_eq!(maps(&[("/a/", "")]).both_ways(), 0, "nothing to look for");
        assert_eq!(maps(&[("^/a", "")]).back("/x").as_deref(), Some("/a/x"));
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_said_with_its_number() {
        let wrong = |from: &str, to: &str| {
            PathMaps::new([Rule { from: "^/fine", to: "" }, Rule { from, to }]).expect_err("it is wrong")
        };
        assert_eq!(wrong("(", ""), MapError::NoExpression { rule: 2 });
        assert_eq!(wrong("(?=x)", ""), MapError::NoExpression { rule: 2 });
        assert_eq!(wrong("", ""), MapError::Empty { rule: 2 });
        assert_eq!(wrong("^/(a)", "$2"), MapError::UnknownGroup { rule: 2 });
        assert_eq!(wrong("^/(a)", "$1x"), MapError::UnknownGroup { rule: 2 });
        assert_eq!(wrong("^/(a)", "${1"), MapError::UnknownGroup { rule: 2 });
        assert_eq!(wrong(&"a".repeat(MAX_RULE_BYTES + 1), ""), MapError::TooLong { rule: 2 });
        assert_eq!(wrong("(a{1,500}){1,500}", ""), MapError::TooLarge { rule: 2 });
        let many = (0..=MAX_RULES).map(|_| Rule { from: "a", to: "b" });
        assert_eq!(PathMaps::new(many).expect_err("too many"), MapError::TooMany);
        assert!(wrong("(", "").to_string().starts_with("rule 2: from is no regular expression"));
    }

    #[test]
    fn a_path_never_grows_beyond_what_a_path_may_be() {
        let maps = maps(&[("^(.*)$", "$1$1")]);
        assert_eq!(maps.there(&"a".repeat(MAX_PATH_BYTES)), None);
        assert!(maps.there(&"a".repeat(MAX_PATH_BYTES / 2)).is_some());
    }

    proptest::proptest! {
        #[test]
        fn back_undoes_there(from in "/[a-z.$ -]{1,8}/", to in "/[A-Z.$ -]{1,8}/", rest in "[^/\r\n]{0,20}") {
            let expression = format!("^{}(.*)$", regex::escape(&from));
            let replacement = format!("{}${{1}}", to.replace('$', "$$"));
            let maps = PathMaps::new([Rule { from: &expression, to: &replacement }]).expect("it is right");
            let path = format!("{from}{rest}");
            let there = maps.there(&path).expect("it matches");
            proptest::prop_assert_eq!(&there, &format!("{to}{rest}"));
            proptest::prop_assert_eq!(maps.back(&there), Some(path));
        }

        #[test]
        fn no_rule_and_no_path_is_too_odd(from in "\\PC{0,20}", to in "\\PC{0,20}", path in "\\PC{0,30}") {
            if let Ok(maps) = PathMaps::new([Rule { from: &from, to: &to }]) {
                let _ = (maps.there(&path), maps.back(&path));
            }
        }
    }
}
