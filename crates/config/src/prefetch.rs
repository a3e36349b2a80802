//! Settings of prefetch.

use greenroom_dialect::class::Class;

use super::section::Section;
use super::source::ConfigSource;

/// Request types that can be prefetched.
pub const CLASSES: [Class; 3] = [Class::Item, Class::Lists, Class::Images];

/// Prefetch of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefetchSettings {
    /// Whether it is on.
    pub enabled: bool,
    /// Max loads after one response.
    pub max_per_answer: usize,
    /// Max loads per minute.
    pub budget_per_minute: usize,
    /// Request types to prefetch.
    pub classes: Vec<Class>,
}

impl PrefetchSettings {
    /// Reads the settings of one server.
    pub(super) fn read(tree: &mut ConfigSource, server: &str) -> Self {
        let mut own = Section::new(tree, format!("server.{server}.prefetch"));
        Self {
            enabled: own.flag("enabled", ENABLED),
            max_per_answer: own.count("max_per_answer", 1..=64, 12),
            budget_per_minute: own.count("budget_per_minute", 0..=10_000, 120),
            classes: own.names("classes", &CLASSES, Class::name).unwrap_or_else(|| CLASSES.to_vec()),
        }
    }
}

/// Default of `enabled`.
const ENABLED: bool = false;

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn read(more: &str) -> Result<PrefetchSettings, String> {
        let home = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", &format!("{home}{more}"));
        let settings = Settings::read(tree).map_err(|problems| problems[0].to_string())?;
        Ok(settings.servers[0].prefetch.clone())
    }

    #[test]
    fn every_number_and_class_can_be_set() {
        let usual = read("").expect("valid");
        assert_eq!((usual.enabled, usual.max_per_answer, usual.budget_per_minute), (ENABLED, 12, 120));
        assert_eq!(usual.classes, CLASSES);
        let other = read(
            "[server.prefetch]\nenabled = true\nmax_per_answer = 3\nbudget_per_minute = 7\nclasses = [\"item\"]\n",
        );
        let wanted =
            PrefetchSettings { enabled: true, max_per_answer: 3, budget_per_minute: 7, classes: vec![Class::Item] };
        assert_eq!(other, Ok(wanted));
        assert_eq!(read("[server.prefetch]\nclasses = []\n").map(|some| some.classes), Ok(Vec::new()));
    }

    #[test]
    fn a_class_that_is_never_loaded_ahead_is_a_problem() {
        for word in ["sessions", "pictures"] {
            let problem = read(&format!("[server.prefetch]\nclasses = [\"{word}\"]\n")).expect_err("not valid");
            assert!(problem.contains("item, lists, images"), "{problem}");
        }
    }
}
