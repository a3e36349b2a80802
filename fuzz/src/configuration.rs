//! Properties of any configuration: it is read, or every problem says its place and keeps the secrets.

use greenroom_config::{ConfigSource, Settings};

use super::request::{SECRET, split_once, with_secret};

/// Name of the file in problems.
const FILE: &str = "greenroom.toml";

/// Checks what must hold of a configuration: a file, and after a line `---` variables of the environment.
pub fn check(bytes: &[u8]) {
    let (file, variables) = split_once(bytes, b"\n---\n");
    let file = with_secret(&String::from_utf8_lossy(file));
    let variables: Vec<(String, String)> = String::from_utf8_lossy(variables)
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), with_secret(value)))
        .collect();
    let names: Vec<&String> = variables.iter().map(|(name, _)| name).collect();
    let read = || {
        let mut tree = ConfigSource::default();
        tree.add_toml(FILE, &file);
        tree.add_environment(variables.iter().cloned());
        Settings::read(tree)
    };
    match read() {
        Ok(settings) => {
            assert!(read().is_ok(), "what was read is read again");
            assert!(!settings.servers.is_empty() || !settings.http_apis.is_empty() || !settings.folders.is_empty());
            for server in &settings.servers {
                let is_kept = server.token.as_ref().is_some_and(|token| token.expose() == SECRET);
                assert!(!is_kept || !format!("{:?}", server.token).contains(SECRET), "a token is printed");
                assert!(server.base_path.is_empty() || server.base_path.starts_with('/'));
                assert!(server.origin.authority().is_some() && server.origin.path() == "/");
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal has a reason");
            assert_eq!(read().err(), Some(problems.clone()), "the same problems each time");
            for problem in &problems {
                let is_placed = problem.place == "configuration"
                    || problem.place.starts_with("server.")
                    || problem.place.strip_prefix(FILE).is_some_and(|position| is_position(position, &file))
                    || names.iter().any(|name| name.eq_ignore_ascii_case(&problem.place));
                assert!(is_placed, "this place is in no file: {problem}");
                assert!(!problem.message.is_empty());
            }
        }
    }
}

/// Whether this is `:LINE:COLUMN` of a position that the file has.
fn is_position(text: &str, file: &str) -> bool {
    let Some((line, column)) = text.strip_prefix(':').and_then(|text| text.split_once(':')) else { return false };
    let (Ok(line), Ok(column)) = (line.parse::<usize>(), column.parse::<usize>()) else { return false };
    let text = line.checked_sub(1).map(|before| file.split('\n').nth(before).unwrap_or_default());
    text.is_some_and(|text| (1..=text.chars().count() + 1).contains(&column))
}
