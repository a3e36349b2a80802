//! What is packaged is there: the image, the compose file and the package name only what exists.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace").to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_image_copies_what_is_there_and_nothing_is_kept_from_it() {
    let (dockerfile, ignored) = (read("Dockerfile"), read(".dockerignore"));
    let mut copied = 0;
    for line in dockerfile.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from")) {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        for path in &words[..words.len() - 1] {
            assert!(root().join(path).exists(), "{path} is not there");
            assert!(
                ignored.lines().any(|kept| kept == format!("!{path}")),
                "{path} is not sent to the builder"
            );
            copied += 1;
        }
    }
    assert!(copied >= 3, "the image is built in another way now");
    // cargo wants to see every member of the workspace, whichever it builds.
    let members = read("Cargo.toml");
    let members = members.lines().find_map(|line| line.strip_prefix("members = ")).expect("a workspace");
    for member in members.split('"').skip(1).step_by(2) {
        let folder = member.trim_end_matches("/*");
        assert!(dockerfile.contains(&format!("\nCOPY {folder} {folder}\n")), "{folder} is not copied");
    }
    let made =
        |path: &str| dockerfile.contains(&format!(" {path}\n")) || dockerfile.contains(&format!(" {path} "));
    assert!(made("/image/greenroom") && made("/image/data"));
    let rust = read("Cargo.toml");
    let version =
        rust.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a version");
    assert!(
        dockerfile.contains(&format!("FROM rust:{version}-alpine")),
        "the image builds with another version"
    );
}

#[test]
fn the_image_runs_as_nobody_and_says_whether_it_is_alive() {
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains("\nFROM scratch\n") && dockerfile.contains("\nUSER 65532:65532\n"));
    assert!(dockerfile.contains("CMD [\"/greenroom\", \"healthcheck\"]"));
}

/// Every document below a folder that is not built or hidden.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("it can be read") {
        let entry = entry.expect("an entry");
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if entry.file_type().expect("a type").is_dir() {
            if !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str()) {
                documents(&path, found);
            }
        } else if path.extension().is_some_and(|last| last == "md") {
            found.push(path);
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut found = Vec::new();
    documents(&root(), &mut found);
    let mut followed = 0;
    for document in found {
        let text = std::fs::read_to_string(&document).expect("it is text");
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', ' ', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let path = document.parent().expect("a folder").join(target);
            assert!(path.exists(), "{}: {target} is not there", document.display());
            followed += 1;
        }
    }
    assert!(followed > 5, "links are written in another way now");
}

#[test]
fn six_lines_are_enough_for_compose() {
    assert_eq!(read("compose.yaml").lines().count(), 6);
}

#[test]
fn the_package_holds_what_is_there() {
    let manifest: toml::Table = read("crates/gateway/Cargo.toml").parse().expect("it is TOML");
    let deb = &manifest["package"]["metadata"]["deb"];
    let folder = root().join("crates/gateway");
    for asset in deb["assets"].as_array().expect("a list") {
        let path = asset[0].as_str().expect("a path");
        // Two are made when it is built.
        let is_made = path.starts_with("target/release/") || path == "../../target/package/greenroom.toml";
        let there = path.strip_suffix("*.md").unwrap_or(path);
        assert!(is_made || folder.join(there).exists(), "{path} is not there");
    }
    for script in ["postinst", "postrm"] {
        assert!(
            read(&format!("packaging/debian/{script}")).contains("#DEBHELPER#"),
            "{script} starts no unit"
        );
    }
}

#[test]
fn the_packaged_configuration_names_the_directory_of_the_service() {
    let (template, script) = (greenroom::config::template::TEMPLATE, read("packaging/deb.sh"));
    let line = "data_dir = \"/var/lib/greenroom\"";
    assert_eq!(template.lines().filter(|other| other.starts_with("# data_dir = ")).count(), 1);
    assert!(script.contains(&format!("sed 's|^# data_dir = .*|{line}|' > target/package/greenroom.toml")));
    let unit = read("packaging/greenroom.service");
    assert!(unit.contains("Environment=GREENROOM_DATA_DIR=/var/lib/greenroom\n"));
}

#[test]
fn the_service_starts_what_the_package_installs_and_may_do_little() {
    let unit = read("packaging/greenroom.service");
    assert!(unit.contains("ExecStart=/usr/bin/greenroom serve --config /etc/greenroom/greenroom.toml\n"));
    for line in [
        "User=greenroom",
        "StateDirectory=greenroom",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "SystemCallFilter=@system-service",
    ] {
        assert!(unit.lines().any(|other| other == line), "{line} is missing");
    }
}
