//! Rules for the paths of a folder's index.

use std::path::Path;

use greenroom_config::FolderSettings;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Name of the ignore file that is honoured in the root.
pub const IGNORE_FILE: &str = ".ignore";
/// Deepest folder that is read.
pub const MAX_DEPTH: usize = 64;
/// Longest path of a file, in bytes.
pub const MAX_PATH_BYTES: usize = 4_096;

/// Rules for the paths of a folder's index: files with its extensions, not hidden, not ignored.
#[derive(Debug, Clone)]
pub struct ScanRules {
    extensions: Vec<String>,
    patterns: Gitignore,
}

impl ScanRules {
    /// The rules of a folder: its settings, and the ignore file in its root. Patterns that cannot be read are returned
    /// as problems.
    pub fn new(settings: &FolderSettings) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let mut builder = GitignoreBuilder::new("");
        for pattern in &settings.ignore {
            if let Err(error) = builder.add_line(None, pattern) {
                problems.push(format!("the ignore pattern \"{pattern}\" cannot be read: {error}"));
            }
        }
        let file = settings.path.join(IGNORE_FILE);
        if let Ok(text) = std::fs::read_to_string(file) {
            for line in text.lines() {
                if let Err(error) = builder.add_line(None, line) {
                    problems.push(format!("a line of {IGNORE_FILE} cannot be read: {error}"));
                }
            }
        }
        let patterns = builder.build().unwrap_or_else(|error| {
            problems.push(format!("the ignore patterns cannot be used: {error}"));
            Gitignore::empty()
        });
        (Self { extensions: settings.extensions.clone(), patterns }, problems)
    }

    /// Whether a file with this relative path belongs to the index.
    pub fn is_wanted(&self, relative: &str) -> bool {
        relative.len() <= MAX_PATH_BYTES
            && has_extension(relative, &self.extensions)
            && !is_hidden(relative)
            && !self.is_ignored(relative, false)
    }

    /// Whether a folder with this relative path is entered.
    pub fn is_entered(&self, relative: &str) -> bool {
        relative.len() <= MAX_PATH_BYTES
            && !is_hidden(relative)
            && relative.matches('/').count() < MAX_DEPTH
            && !self.is_ignored(relative, true)
    }

    /// Whether a path would belong to the index, were it not too long or too deep.
    pub fn is_beyond(&self, relative: &str, is_directory: bool) -> bool {
        let is_too_deep = is_directory && relative.matches('/').count() >= MAX_DEPTH;
        (is_too_deep || relative.len() > MAX_PATH_BYTES)
            && (is_directory || has_extension(relative, &self.extensions))
            && !is_hidden(relative)
            && !self.is_ignored(relative, is_directory)
    }

    /// Whether a path and all folders above it may be in the index.
    pub fn is_reachable(&self, relative: &str) -> bool {
        relative.match_indices('/').all(|(at, _)| self.is_entered(&relative[..at]))
    }

    fn is_ignored(&self, relative: &str, is_directory: bool) -> bool {
        !self.patterns.is_empty() && self.patterns.matched(Path::new(relative), is_directory).is_ignore()
    }
}

/// Whether a file's name has one of these extensions, in any case.
pub(crate) fn has_extension(relative: &str, extensions: &[String]) -> bool {
    file_name(relative).rsplit_once('.').is_some_and(|(stem, extension)| {
        !stem.is_empty() && extensions.iter().any(|wanted| wanted.eq_ignore_ascii_case(extension))
    })
}

fn file_name(relative: &str) -> &str {
    relative.rsplit_once('/').map_or(relative, |(_, name)| name)
}

fn is_hidden(relative: &str) -> bool {
    file_name(relative).starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_of_any_case_count_and_hidden_and_ignored_paths_do_not() {
        let mut settings = FolderSettings::new("c", "/nowhere".into());
        settings.ignore = vec!["*.part.cbz".into(), "incoming/".into()];
        let (rules, problems) = ScanRules::new(&settings);
        assert_eq!(problems, Vec::<String>::new());
        for wanted in ["a.cbz", "a.CBR", "x/y/z.Cb7", "a.b.cbt"] {
            assert!(rules.is_wanted(wanted), "{wanted}");
        }
        for other in ["a.pdf", "cbz", ".cbz", "x/.hidden.cbz", "a.part.cbz", ""] {
            assert!(!rules.is_wanted(other), "{other}");
        }
        assert!(rules.is_entered("x/y") && !rules.is_entered("incoming") && !rules.is_entered("x/.git"));
        assert!(!rules.is_reachable("incoming/x/a.cbz") && rules.is_reachable("x/a.cbz"));
    }
}
