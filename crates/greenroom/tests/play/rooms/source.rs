//! A crate's source for the module tests: without comments, without tests, and with every path from the crate's root.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A file under `src`, without the tests in it.
pub struct SourceFile {
    /// Relative to `src`.
    pub file: PathBuf,
    /// Module of the file; empty for the root of the crate.
    pub module: Vec<String>,
    /// Lines outside of tests.
    pub lines: usize,
    /// Paths in it that lead into this crate.
    pub crate_paths: Vec<CratePath>,
    /// Whether it allows long functions.
    pub allows_long_functions: bool,
}

/// A path that begins at the root of the crate.
pub struct CratePath {
    pub path: Vec<String>,
    /// Name under which the root re-exports it, if this is a `pub use` of the root.
    pub reexported_as: Option<String>,
}

/// All source files of a crate that are not tests, in the order of their names.
pub fn read_crate(src: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    collect(src, &mut files);
    files.sort();
    let (mut sources, mut tests) = (Vec::new(), BTreeSet::new());
    for path in files {
        let file = path.strip_prefix(src).expect("it was found there").to_owned();
        let text = std::fs::read_to_string(&path).expect("a source file can be read");
        let tokens: TokenStream = text.parse().expect("a source file is made of tokens");
        let module = module_of(&file);
        let mut reading = FileScan::default();
        reading.walk(&trees(tokens), &module);
        tests.extend(reading.test_modules);
        sources.push(SourceFile {
            file,
            module,
            lines: text.lines().count() - reading.test_lines,
            crate_paths: reading.mentions,
            allows_long_functions: text.contains("clippy::too_many_lines"),
        });
    }
    let is_test = |source: &SourceFile| (1..=source.module.len()).any(|end| tests.contains(&source.module[..end]));
    sources.retain(|source| !is_test(source));
    sources
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of source can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

fn module_of(file: &Path) -> Vec<String> {
    let names = file.with_extension("");
    let mut module: Vec<String> = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let is_root = module.len() == 1 && ["lib", "main"].contains(&module[0].as_str());
    if is_root || module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    module
}

/// Scan result of one file.
#[derive(Default)]
struct FileScan {
    test_lines: usize,
    test_modules: Vec<Vec<String>>,
    mentions: Vec<CratePath>,
}

impl FileScan {
    fn walk(&mut self, tokens: &[TokenTree], module: &[String]) {
        let mut at = 0;
        while at < tokens.len() {
            at = self.step(tokens, at, module);
        }
    }

    /// Reads the item at `at` and returns the position of the next one.
    fn step(&mut self, tokens: &[TokenTree], at: usize, module: &[String]) -> usize {
        match (&tokens[at], tokens.get(at + 1)) {
            (TokenTree::Punct(mark), Some(TokenTree::Group(attribute)))
                if mark.as_char() == '#' && is_for_tests(attribute) =>
            {
                self.skip_test(tokens, at, module)
            }
            (TokenTree::Ident(word), Some(next)) if *word == "use" && !is_mark(next, '<') => {
                let length = tokens[at..].iter().position(|token| is_mark(token, ';'));
                let end = length.map_or(tokens.len(), |length| at + length);
                let is_shown = module.is_empty() && is_visible(&tokens[..at]);
                self.imports(&tokens[at + 1..end], &mut Vec::new(), module, is_shown);
                end + 1
            }
            (TokenTree::Ident(word), Some(TokenTree::Ident(name))) if *word == "mod" => {
                let inner: Vec<String> = module.iter().cloned().chain([name.to_string()]).collect();
                if let Some(TokenTree::Group(body)) = tokens.get(at + 2) {
                    self.walk(&trees(body.stream()), &inner);
                }
                at + 3
            }
            (TokenTree::Ident(_), Some(next)) if is_mark(next, ':') => {
                let (path, end) = path_at(tokens, at);
                if path.len() > 1 {
                    self.mention(&path, module, None);
                }
                end
            }
            (TokenTree::Group(group), _) => {
                self.walk(&trees(group.stream()), module);
                at + 1
            }
            _ => at + 1,
        }
    }

    /// Skips the item with the attribute at `at`.
    fn skip_test(&mut self, tokens: &[TokenTree], at: usize, module: &[String]) -> usize {
        let mut begin = at;
        while is_mark(&tokens[begin], '#') {
            begin += 2;
        }
        let end = end_of_item(tokens, begin);
        if let Some(name) = tokens[begin..=end].windows(2).find(|pair| is_word(&pair[0], "mod"))
            && is_mark(&tokens[end], ';')
        {
            self.test_modules.push(module.iter().cloned().chain([name[1].to_string()]).collect());
        }
        self.test_lines += tokens[end].span().end().line - tokens[at].span().start().line + 1;
        end + 1
    }

    /// Adds every path of a `use` tree.
    fn imports(&mut self, tree: &[TokenTree], prefix: &mut Vec<String>, module: &[String], is_shown: bool) {
        for branch in tree.split(|token| is_mark(token, ',')).filter(|branch| !branch.is_empty()) {
            let depth = prefix.len();
            let mut alias = None;
            for (at, token) in branch.iter().enumerate() {
                match token {
                    TokenTree::Ident(word) if *word == "as" => {
                        alias = branch.get(at + 1).map(ToString::to_string);
                        break;
                    }
                    TokenTree::Ident(word) => prefix.push(word.to_string()),
                    TokenTree::Group(group) => {
                        self.imports(&trees(group.stream()), prefix, module, is_shown);
                    }
                    _ => {}
                }
            }
            if !matches!(branch.last(), Some(TokenTree::Group(_))) {
                let name = alias.or_else(|| prefix.last().cloned()).filter(|_| is_shown);
                self.mention(prefix, module, name);
            }
            prefix.truncate(depth);
        }
    }

    fn mention(&mut self, path: &[String], module: &[String], shown_as: Option<String>) {
        let ups = path.iter().take_while(|segment| *segment == "super").count();
        let path = match path.first().map(String::as_str) {
            Some("crate") => path[1..].to_vec(),
            Some("self") => [module, &path[1..]].concat(),
            Some("super") => [&module[..module.len().saturating_sub(ups)], &path[ups..]].concat(),
            _ if module.is_empty() => path.to_vec(),
            _ => return,
        };
        self.mentions.push(CratePath { path, reexported_as: shown_as });
    }
}

/// Path `a::b::c` at `at`, and its end.
fn path_at(tokens: &[TokenTree], at: usize) -> (Vec<String>, usize) {
    let mut path = vec![tokens[at].to_string()];
    let mut end = at + 1;
    while let [TokenTree::Punct(one), TokenTree::Punct(two), TokenTree::Ident(name), ..] = &tokens[end..]
        && one.as_char() == ':'
        && two.as_char() == ':'
    {
        path.push(name.to_string());
        end += 3;
    }
    (path, end)
}

/// Whether `pub` or `pub(…)` precedes.
fn is_visible(before: &[TokenTree]) -> bool {
    match before {
        [.., mark, TokenTree::Group(_)] if is_word(mark, "pub") => true,
        [.., mark] => is_word(mark, "pub"),
        [] => false,
    }
}

/// Whether an attribute is `cfg(test)` or `cfg(all(test, …))`.
pub fn is_for_tests(attribute: &Group) -> bool {
    let [TokenTree::Ident(cfg), TokenTree::Group(condition)] = &trees(attribute.stream())[..] else {
        return false;
    };
    *cfg == "cfg"
        && match &trees(condition.stream())[..] {
            [TokenTree::Ident(only)] => *only == "test",
            [TokenTree::Ident(all), TokenTree::Group(parts)] if *all == "all" => {
                trees(parts.stream()).iter().any(|part| is_word(part, "test"))
            }
            _ => false,
        }
}

/// Last token of the item, field or statement that begins at `begin`.
pub fn end_of_item(tokens: &[TokenTree], begin: usize) -> usize {
    let words = tokens[begin..].iter().map_while(|token| match token {
        TokenTree::Ident(word) => Some(word.to_string()),
        TokenTree::Group(scope) if scope.delimiter() == Delimiter::Parenthesis => Some(String::new()),
        _ => None,
    });
    let words: Vec<String> = words.skip_while(|word| word.is_empty() || word == "pub").collect();
    let begins_with = |known: &[&str]| words.first().is_some_and(|word| known.contains(&word.as_str()));
    let is_function = words.iter().any(|word| word == "fn");
    let has_body = is_function
        || begins_with(&["mod", "impl", "struct", "enum", "trait", "unsafe", "macro_rules", "extern", "union"]);
    let is_long = !is_function && begins_with(&["use", "const", "static", "type", "let"]);
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(body) => !is_long && body.delimiter() == Delimiter::Brace,
        token => is_mark(token, ';') || (!has_body && !is_long && is_mark(token, ',')),
    };
    let length = tokens[begin..].iter().position(ends);
    length.map_or(tokens.len() - 1, |length| begin + length)
}

fn trees(stream: TokenStream) -> Vec<TokenTree> {
    stream.into_iter().collect()
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

#[test]
fn test_code_is_left_out_and_paths_are_found_anywhere() {
    let text = "use crate::{a::{B, self as own}, c::*};\n\
        #[cfg(test)]\nmod tests;\n\
        #[cfg(all(test, unix))]\nuse crate::never::{Seen, Heard};\n\
        fn f() { g!(crate::d::e, super::h::i()) }\n\
        #[cfg(test)]\n#[expect(dead_code)]\nmod inline {\n    use crate::unseen;\n}\n\
        mod inner { use super::super::j::K; use self::own; }\n";
    let mut reading = FileScan::default();
    reading.walk(&trees(text.parse().unwrap()), &["x".into(), "y".into()]);
    let found: Vec<String> = reading.mentions.iter().map(|mention| mention.path.join("::")).collect();
    let wanted = ["a::B", "a::self", "c", "d::e", "x::h::i", "x::j::K", "x::y::inner::own"];
    assert_eq!(found, wanted);
    assert_eq!(reading.test_modules, [["x", "y", "tests"]]);
    assert_eq!(reading.test_lines, 2 + 2 + 5);
}
