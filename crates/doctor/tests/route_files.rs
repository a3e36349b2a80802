//! The ready-made route files of the documentation are valid, and each of their routes can match.

use std::collections::BTreeMap;
use std::path::PathBuf;

use greenroom_config::{ConfigSource, HttpApiSettings, Settings};
use greenroom_doctor::checks::http_api::hidden_routes;

/// Every file, by name.
fn route_files() -> BTreeMap<String, HttpApiSettings> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/routes");
    let files = std::fs::read_dir(dir).expect("a folder").map(|file| file.expect("a file").path());
    let read = |path: PathBuf| {
        let mut tree = ConfigSource::default();
        tree.add_toml(&path.display().to_string(), &std::fs::read_to_string(&path).expect("a text"));
        let settings = Settings::read(tree).unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()));
        assert_eq!(settings.http_apis.len(), 1, "{}", path.display());
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, settings.http_apis.into_iter().next().expect("one server"))
    };
    files.map(read).collect()
}

#[test]
fn every_route_file_is_valid_and_each_of_its_routes_can_match() {
    let files = route_files();
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["angel-studios", "musicbrainz", "radarr", "sonarr", "tmdb"]);
    for (name, settings) in &files {
        assert!(!settings.routes.is_empty(), "{name} has no route");
        assert_eq!(hidden_routes(&settings.routes), [], "{name}");
    }
}

#[test]
fn musicbrainz_gets_one_request_a_second() {
    assert_eq!(route_files()["musicbrainz"].budget.per_second, 1);
}

#[test]
fn the_graphql_operations_have_the_lifetimes_of_the_add_on() {
    let settings = &route_files()["angel-studios"];
    let graphql = settings.routes[0].graphql.as_ref().expect("a GraphQL route");
    let fresh_s = |name: &str| {
        let operation = graphql.operations.iter().find(|operation| operation.name == name).expect("an operation");
        operation.lifetimes.fresh.expect("a lifetime").as_secs()
    };
    assert_eq!(
        ["Projects", "Project", "Episodes", "ResumeWatching"].map(fresh_s),
        [12 * 3600, 8 * 3600, 72 * 3600, 300]
    );
}
