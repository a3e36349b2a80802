//! Settings of the folders of files.

use std::path::PathBuf;
use std::time::Duration;

use super::section::Section;
use super::source::ConfigSource;

/// Max number of folders.
const MAX_FOLDERS: usize = 32;
/// Max number of extensions, ignore patterns and mark names of a folder.
const MAX_WORDS: usize = 64;
/// Keys of a folder.
const KEYS: [&str; 16] = [
    "name",
    "path",
    "extensions",
    "ignore",
    "follow_links",
    "watch",
    "poll_interval_s",
    "compare_interval_s",
    "first_wait_s",
    "scan_threads",
    "max_files",
    "enrich",
    "cover_cache_bytes",
    "marks",
    "compat",
    "marker_dir",
];
/// Extensions of comic archives.
const EXTENSIONS: [&str; 4] = ["cbz", "cbr", "cb7", "cbt"];
/// Marks of the comic library that these lists were first made for.
const MARKS: [&str; 3] = ["processed", "duplicate", "web_modified"];
const MIB: u64 = 1024 * 1024;

/// Means by which changes of a folder are noticed, beside the periodic comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchMode {
    /// By the system's events; on a network file system by polling.
    Auto,
    /// By polling.
    Poll,
    /// Not at all.
    Off,
}

/// Settings of one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSettings {
    /// Its name in URLs and on the page.
    pub name: String,
    /// Its root.
    pub path: PathBuf,
    /// Extensions of its files, in lower case without the dot.
    pub extensions: Vec<String>,
    /// Patterns of paths that are left out, in the syntax of ignore files.
    pub ignore: Vec<String>,
    /// Means by which changes are noticed.
    pub watch: WatchMode,
    /// Interval of polls.
    pub poll_interval: Duration,
    /// Interval of full comparisons of a watched folder.
    pub compare_interval: Duration,
    /// Max wait of a list for the first scan.
    pub first_wait: Duration,
    /// Threads of a scan.
    pub scan_threads: usize,
    /// Max files of the index; further ones are counted and left out.
    pub max_files: usize,
    /// Whether archives are read for page counts and metadata.
    pub enrich: bool,
    /// Max bytes of stored cover thumbnails; 0 turns covers off.
    pub cover_cache_bytes: u64,
    /// Names of its marks; the first is the main one.
    pub marks: Vec<String>,
    /// Whether this folder answers the paths of the comic app.
    pub compat: bool,
    /// Folder of the comic app's marker files, which are followed.
    pub marker_dir: Option<PathBuf>,
}

impl FolderSettings {
    /// Reads all folders.
    pub(super) fn read_all(tree: &mut ConfigSource) -> Vec<Self> {
        let names = tree.names_below("folder", &KEYS);
        if names.len() > MAX_FOLDERS {
            tree.problem(tree.place("folder"), format!("there may be at most {MAX_FOLDERS} folders"));
            return Vec::new();
        }
        let folders: Vec<Self> = names.iter().filter_map(|name| Self::read(tree, name)).collect();
        if folders.iter().filter(|folder| folder.compat).count() > 1 {
            tree.problem(tree.place("folder"), "only one folder may have compat = true".into());
        }
        folders
    }

    /// A folder with default settings, for tests and tools.
    pub fn new(name: &str, path: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            path,
            extensions: EXTENSIONS.map(str::to_owned).to_vec(),
            ignore: Vec::new(),
            watch: WatchMode::Auto,
            poll_interval: Duration::from_secs(60),
            compare_interval: Duration::from_secs(3600),
            first_wait: Duration::from_secs(5),
            scan_threads: 2,
            max_files: 1_000_000,
            enrich: true,
            cover_cache_bytes: 256 * MIB,
            marks: MARKS.map(str::to_owned).to_vec(),
            compat: false,
            marker_dir: None,
        }
    }

    fn read(tree: &mut ConfigSource, name: &str) -> Option<Self> {
        let usual = Self::new(name, PathBuf::new());
        let mut own = Section::new(tree, format!("folder.{name}"));
        drop(own.tree.take(&own.key("name")));
        let place = own.tree.place(&own.key("path"));
        let path = own.tree.take(&own.key("path"));
        if own.flag("follow_links", false) {
            let place = own.tree.place(&own.key("follow_links"));
            own.tree.problem(place, "links are never followed: they could lead out of the folder".into());
        }
        let settings = Self {
            path: path.as_ref().map_or_else(PathBuf::new, |path| PathBuf::from(&path.text)),
            extensions: read_words(&mut own, "extensions", &usual.extensions)
                .into_iter()
                .map(|word| word.trim_start_matches('.').to_lowercase())
                .collect(),
            ignore: read_words(&mut own, "ignore", &usual.ignore),
            watch: read_watch(&mut own),
            poll_interval: own.seconds("poll_interval_s", 1..=86_400, usual.poll_interval),
            compare_interval: own.seconds("compare_interval_s", 10..=31_536_000, usual.compare_interval),
            first_wait: own.seconds("first_wait_s", 0..=60, usual.first_wait),
            scan_threads: own.count("scan_threads", 1..=16, usual.scan_threads),
            max_files: own.count("max_files", 1..=10_000_000, usual.max_files),
            enrich: own.flag("enrich", usual.enrich),
            cover_cache_bytes: own.number("cover_cache_bytes", 0..=1 << 40, usual.cover_cache_bytes),
            marks: read_words(&mut own, "marks", &usual.marks),
            compat: own.flag("compat", usual.compat),
            marker_dir: own.tree.take(&own.key("marker_dir")).map(|leaf| PathBuf::from(leaf.text)),
            name: usual.name,
        };
        settings.problem().map_or_else(
            || Some(settings.clone()),
            |problem| {
                tree.problem(place, format!("folder \"{}\" {problem}", settings.name));
                None
            },
        )
    }

    fn problem(&self) -> Option<String> {
        if !self.path.is_absolute() {
            return Some("needs an absolute path".into());
        }
        if self.extensions.is_empty() || self.extensions.iter().any(|word| word.contains(['/', '.'])) {
            return Some("needs extensions such as [\"cbz\", \"cbr\"]".into());
        }
        let is_too_long = |words: &[String]| words.len() > MAX_WORDS;
        if is_too_long(&self.extensions) || is_too_long(&self.ignore) || self.marks.len() > 32 {
            return Some(format!("has too many extensions, patterns (at most {MAX_WORDS}) or marks (at most 32)"));
        }
        let mut marks = self.marks.iter();
        marks
            .find(|mark| !is_mark_name(mark))
            .map(|mark| format!("has a mark \"{mark}\" that is not a short plain word"))
    }
}

/// Whether a mark may have this name: 1 to 40 lower-case letters, digits, dashes and underscores.
pub fn is_mark_name(name: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=40).contains(&name.len()) && name.bytes().all(is_plain)
}

fn read_words(own: &mut Section<'_>, key: &str, usual: &[String]) -> Vec<String> {
    let path = own.key(key);
    let Some(leaf) = own.tree.take(&path) else { return usual.to_vec() };
    leaf.text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

fn read_watch(own: &mut Section<'_>) -> WatchMode {
    let path = own.key("watch");
    let Some(leaf) = own.tree.take(&path) else { return WatchMode::Auto };
    match leaf.text.as_str() {
        "auto" => WatchMode::Auto,
        "poll" => WatchMode::Poll,
        "off" => WatchMode::Off,
        other => {
            own.tree.problem(leaf.place, format!("{path} must be auto, poll or off, not \"{other}\""));
            WatchMode::Auto
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", text);
        Settings::read(tree).map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn a_folder_needs_only_a_name_and_a_path_and_no_server() {
        let settings = read("[[folder]]\nname = \"comics\"\npath = \"/srv/comics\"\n").expect("valid");
        let [folder] = &settings.folders[..] else { panic!("one") };
        assert_eq!(*folder, FolderSettings::new("comics", "/srv/comics".into()));
        assert!(settings.servers.is_empty());
    }

    #[test]
    fn extensions_are_compared_without_their_case_and_dot() {
        let text = "[[folder]]\nname = \"c\"\npath = \"/c\"\nextensions = [\".CBZ\", \"Pdf\"]\nignore = [\"tmp/\"]\n";
        let settings = read(text).expect("valid");
        assert_eq!(settings.folders[0].extensions, ["cbz", "pdf"]);
        assert_eq!(settings.folders[0].ignore, ["tmp/"]);
    }

    #[test]
    fn what_a_folder_must_not_say_is_told_with_its_place() {
        let with = |more: &str| read(&format!("[[folder]]\nname = \"c\"\n{more}\n")).expect_err("wrong");
        assert!(with("").contains("absolute path"));
        assert!(with("path = \"c\"").starts_with("g.toml:3"));
        assert!(with("path = \"/c\"\nfollow_links = true").contains("never followed"));
        assert!(with("path = \"/c\"\nmarks = [\"Two Words\"]").contains("Two Words"));
        assert!(with("path = \"/c\"\nwatch = \"often\"").contains("auto, poll or off"));
        let two = "[[folder]]\nname = \"a\"\npath = \"/a\"\ncompat = true\n";
        let two = format!("{two}{}", two.replace("\"a\"", "\"b\""));
        assert!(read(&two).expect_err("two").contains("only one folder"));
    }
}
