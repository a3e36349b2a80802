//! Properties of every command.

use clap::{CommandFactory as _, Parser as _};

use super::Cli;

/// Commands without figures and outcomes: they run on, or print a document of their own.
const WITHOUT_JSON: [&str; 6] = ["serve", "simulate", "config init", "openapi", "completions", "man"];

/// The commands without subcommands, each with the names of its options.
fn leaves(command: &clap::Command, path: &str, inherited: &[String], found: &mut Vec<(String, Vec<String>)>) {
    let own = command.get_arguments().filter_map(|argument| argument.get_long()).map(str::to_owned);
    let options: Vec<String> = own.chain(inherited.iter().cloned()).collect();
    let global = command.get_arguments().filter(|argument| argument.is_global_set());
    let global: Vec<String> = global.filter_map(|argument| argument.get_long()).map(str::to_owned).collect();
    let global = [inherited, &global].concat();
    for subcommand in command.get_subcommands() {
        let path = format!("{path} {}", subcommand.get_name());
        leaves(subcommand, path.trim(), &global, found);
    }
    if !command.is_subcommand_required_set() && !path.is_empty() {
        found.push((path.to_owned(), options));
    }
}

#[test]
fn every_command_with_figures_or_outcomes_prints_json() {
    let mut found = Vec::new();
    leaves(&Cli::command(), "", &[], &mut found);
    assert!(found.len() > 35, "{found:?}");
    for (path, options) in &found {
        let has_json = options.iter().any(|option| option == "json");
        assert_eq!(has_json, !WITHOUT_JSON.contains(&path.as_str()), "{path}: {options:?}");
    }
    for path in WITHOUT_JSON {
        assert!(found.iter().any(|(command, _)| command == path), "there is no {path}");
    }
}

#[test]
fn the_configuration_file_can_be_named_anywhere() {
    let mut found = Vec::new();
    leaves(&Cli::command(), "", &[], &mut found);
    let mut tried = 0;
    for (path, _) in found.iter().filter(|(_, options)| options.iter().any(|option| option == "config")) {
        let words: Vec<&str> = path.split(' ').collect();
        for place in 0..=words.len() {
            let (before, behind) = words.split_at(place);
            let line = [&["greenroom"], before, &["-c", "greenroom.toml"], behind].concat();
            let arguments = super::config_option::move_to_end(line.iter().map(Into::into).collect());
            let refused = Cli::try_parse_from(arguments).err().map(|error| error.kind());
            assert!(refused != Some(clap::error::ErrorKind::UnknownArgument), "{line:?}");
            tried += 1;
        }
    }
    assert!(tried > 70, "{tried}");
    assert!(found.iter().any(|(path, options)| path == "config check" && options.contains(&"config".into())));
}

#[test]
fn where_the_gateway_is_can_be_said_behind_a_subcommand() {
    let lines = [
        "policies set sessions --fresh-s 5 -c greenroom.toml --data-dir data --control http://[::1]:1",
        "policies -c greenroom.toml reset sessions",
        "jobs run crawl --config greenroom.toml",
        "cache vacuum -c greenroom.toml",
        "match tracks.csv -c greenroom.toml",
    ];
    for line in lines {
        let arguments = std::iter::once("greenroom").chain(line.split(' '));
        let parsed = Cli::try_parse_from(arguments);
        assert!(parsed.is_ok(), "{line}: {}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
    }
}

#[test]
fn a_text_that_cannot_be_the_name_of_a_cache_is_refused_with_the_rule_before_anything_is_sent() {
    for line in ["import diskcache store --cache ../../clear", "cache apps remove a?b", "token add worker --cache A"] {
        let parsed = Cli::try_parse_from(std::iter::once("greenroom").chain(line.split(' ')));
        let error = parsed.expect_err(line).to_string();
        assert!(error.contains("it cannot be the name of a cache: use lower-case letters"), "{line}: {error}");
    }
    let named = ["greenroom", "import", "diskcache", "store", "--cache", "work-2"];
    assert!(Cli::try_parse_from(named).is_ok());
}
