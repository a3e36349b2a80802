//! `-c FILE` anywhere on the command line: also before the command, where clap does not look for a command's options.

use std::ffi::{OsStr, OsString};

/// The arguments with every `-c FILE` at the end, where the command takes it.
pub(super) fn move_to_end(arguments: Vec<OsString>) -> Vec<OsString> {
    let (mut rest, mut moved) = (Vec::with_capacity(arguments.len()), Vec::new());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            // What follows are values.
            return rest.into_iter().chain(moved).chain([argument]).chain(arguments).collect();
        }
        if argument == "-c" || argument == "--config" {
            moved.push(argument);
            moved.extend(arguments.next());
        } else if is_joined(&argument) {
            moved.push(argument);
        } else {
            rest.push(argument);
        }
    }
    rest.into_iter().chain(moved).collect()
}

/// `--config=FILE`, `-c=FILE` or `-cFILE`.
fn is_joined(argument: &OsStr) -> bool {
    argument.to_str().is_some_and(|text| text.starts_with("--config=") || text.starts_with("-c"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_moves_and_all_else_stays() {
        let moved = |line: &str| {
            let words = move_to_end(line.split(' ').map(OsString::from).collect());
            words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(moved("greenroom -c f status --json"), "greenroom status --json -c f");
        assert_eq!(moved("greenroom token --config=f show"), "greenroom token show --config=f");
        assert_eq!(moved("greenroom -cf jobs run x"), "greenroom jobs run x -cf");
        assert_eq!(moved("greenroom -c f match -- -c g"), "greenroom match -c f -- -c g");
        assert_eq!(moved("greenroom status -c"), "greenroom status -c");
        assert_eq!(moved("greenroom --control x status"), "greenroom --control x status");
    }
}
