//! Packaging: the image, the compose file and the package name only existing files.

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
            assert!(ignored.lines().any(|kept| kept == format!("!{path}")), "{path} is not sent to the builder");
            copied += 1;
        }
    }
    assert!(copied >= 3, "the image is built in another way now");
    // Cargo requires every member of the workspace, whichever it builds.
    let members = read("Cargo.toml");
    let members = members.lines().find_map(|line| line.strip_prefix("members = ")).expect("a workspace");
    for member in members.split('"').skip(1).step_by(2) {
        let folder = member.trim_end_matches("/*");
        assert!(dockerfile.contains(&format!("\nCOPY {folder} {folder}\n")), "{folder} is not copied");
    }
    let made = |path: &str| dockerfile.contains(&format!(" {path}\n")) || dockerfile.contains(&format!(" {path} "));
    assert!(made("/image/greenroom") && made("/image/data"));
    let rust = read("Cargo.toml");
    let version = rust.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a version");
    assert!(dockerfile.contains(&format!("FROM rust:{version}-alpine")), "the image builds with another version");
}

#[test]
fn the_image_runs_unprivileged_and_reports_its_health() {
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

/// Version of the workspace.
fn version() -> String {
    let workspace = manifest("Cargo.toml");
    workspace["workspace"]["package"]["version"].as_str().expect("a version").to_owned()
}

#[test]
fn the_compose_file_is_the_one_that_the_documents_show() {
    let compose = read("compose.yaml");
    for document in ["README.md", "docs/install.md"] {
        assert!(read(document).contains(&format!("```yaml\n{compose}```")), "{document} shows another compose file");
    }
    for line in
        ["    image: greenroom:", "    restart: unless-stopped", "      - \"8710:8710\"", "      - greenroom:/data"]
    {
        assert!(compose.contains(line), "{line} is missing");
    }
    assert!(compose.contains(&format!("image: greenroom:{}\n", version())), "the image is of another version");
}

#[test]
fn the_install_guide_names_the_artefacts_that_are_made() {
    let (guide, version) = (read("docs/install.md"), version());
    for artefact in [
        format!("greenroom_{version}-1_amd64.deb"),
        format!("greenroom-{version}-x86_64-unknown-linux-musl.tar.gz"),
        format!("greenroom-{version}-amd64-image.tar"),
    ] {
        assert!(guide.contains(&artefact), "{artefact} is not named");
    }
    for part in ["Docker Compose", "NAS", "Ports", "Update", "Backup", "Uninstall"] {
        assert!(guide.contains(&format!("\n## {part}\n")), "{part} is missing");
    }
}

#[test]
fn the_image_without_a_daemon_is_the_last_stage_of_the_dockerfile() {
    let (dockerfile, script) = (read("Dockerfile"), read("packaging/image.sh"));
    assert!(script.contains("sed -n '/^FROM scratch$/,$p' Dockerfile | sed 's|--from=build ||; s|/image/||'"));
    let (_, stage) = dockerfile.split_once("\nFROM scratch\n").expect("a last stage");
    for line in stage.lines().filter(|line| line.starts_with("COPY ")) {
        assert_eq!(line.matches("--from=build ").count(), 1, "{line}");
        assert_eq!(line.matches("/image/").count(), 1, "{line}");
    }
}

#[test]
fn a_release_is_made_by_the_commands_of_the_makefile() {
    let (makefile, workflow) = (read("Makefile"), read(".github/workflows/release.yml"));
    for target in ["package", "static", "image", "try-image", "sbom", "checksums", "release"] {
        assert!(makefile.contains(&format!("\n{target}:")), "{target} is missing");
    }
    assert!(workflow.contains("make release TARGET="));
    for word in ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "untried"] {
        assert!(workflow.contains(word), "{word} is missing");
    }
}

#[test]
fn the_package_holds_what_is_there() {
    let manifest: toml::Table = read("crates/greenroom/Cargo.toml").parse().expect("it is TOML");
    let deb = &manifest["package"]["metadata"]["deb"];
    let folder = root().join("crates/greenroom");
    for asset in deb["assets"].as_array().expect("a list") {
        let path = asset[0].as_str().expect("a path");
        // Created by the build and by what the program prints.
        let is_made = path.starts_with("target/release/") || path.starts_with("../../target/package/");
        let there = path.strip_suffix("*.md").unwrap_or(path);
        assert!(is_made || folder.join(there).exists(), "{path} is not there");
    }
    for script in ["postinst", "postrm"] {
        assert!(read(&format!("packaging/debian/{script}")).contains("#DEBHELPER#"), "{script} starts no unit");
    }
}

#[test]
fn the_package_installs_completions_and_man_pages_where_shells_and_man_look() {
    let (manifest, script) = (read("crates/greenroom/Cargo.toml"), read("packaging/generate.sh"));
    for path in [
        "usr/share/bash-completion/completions/greenroom",
        "usr/share/zsh/vendor-completions/_greenroom",
        "usr/share/fish/vendor_completions.d/greenroom.fish",
        "usr/share/man/man1/",
    ] {
        assert!(manifest.contains(&format!("\"{path}\"")), "{path} is not installed");
    }
    for line in ["for shell in bash zsh fish; do", "completions \"$shell\" >", "\"$program\" man target/package/man"] {
        assert!(script.contains(line), "{line} is missing in the script");
    }
}

#[test]
fn the_packaged_configuration_names_the_directory_of_the_service() {
    let (template, script) = (greenroom_config::template::TEMPLATE, read("packaging/generate.sh"));
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
        "LimitNOFILE=65536",
        "RestartPreventExitStatus=2",
    ] {
        assert!(unit.lines().any(|other| other == line), "{line} is missing");
    }
}

/// Maximum size of an installed program, in bytes.
const MOST_BYTES: u64 = 40 * 1024 * 1024;

fn manifest(path: &str) -> toml::Table {
    read(path).parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Manifests of the workspace and of its members.
fn manifests() -> Vec<String> {
    let mut paths = vec!["Cargo.toml".to_owned(), "bench/Cargo.toml".to_owned()];
    for entry in std::fs::read_dir(root().join("crates")).expect("it can be read") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let path = format!("crates/{name}/Cargo.toml");
        if root().join(&path).exists() {
            paths.push(path);
        }
    }
    paths
}

#[test]
fn every_way_to_install_gives_a_program_without_symbols() {
    let workspace = manifest("Cargo.toml");
    let release = &workspace["profile"]["release"];
    assert_eq!(release["strip"].as_str(), Some("symbols"));
    assert_eq!(release["debug"].as_bool(), Some(false));
    let most = format!("-le {MOST_BYTES}");
    let (image, package) = (read("Dockerfile"), read("packaging/build.sh"));
    for (what, text, program) in [
        ("the image", &image, "install -D target/release/greenroom /image/greenroom"),
        ("the package", &package, "release/greenroom\""),
    ] {
        assert!(text.contains("build --release --locked --package greenroom"), "{what} is no release");
        assert!(text.contains(program) && text.contains(&most), "{what} is not weighed");
    }
    assert!(!read("packaging/deb.sh").contains("--no-strip"), "the package keeps symbols");
    for script in ["deb.sh", "static.sh", "image.sh"] {
        assert!(
            read(&format!("packaging/{script}")).contains("sh packaging/build.sh"),
            "{script} builds in another way"
        );
    }
}

#[test]
fn no_dependency_brings_what_nothing_uses() {
    let mut checked = 0;
    for path in manifests() {
        let manifest = manifest(&path);
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let named = manifest.get(table).and_then(toml::Value::as_table);
            assert!(named.is_none_or(|named| !named.contains_key("libc")), "{path}: rustix does that");
            checked += usize::from(named.is_some());
        }
    }
    assert!(checked >= 4, "manifests are written in another way now");
    let workspace = manifest("Cargo.toml");
    let shared = &workspace["workspace"]["dependencies"];
    assert!(shared.get("libc").is_none(), "rustix does that");
    let features = shared["axum"]["features"].as_array().expect("a list");
    assert!(!features.iter().any(|feature| feature.as_str() == Some("ws")), "sockets are relayed without axum");
    let locked = manifest("Cargo.lock");
    let packages = locked["package"].as_array().expect("a list");
    let sockets = packages.iter().filter(|package| package["name"].as_str() == Some("tungstenite"));
    assert_eq!(sockets.count(), 1, "one implementation of sockets is enough");
}

#[test]
fn the_demo_is_built_by_a_profile_of_its_own() {
    assert!(read("Makefile").contains("run --profile demo --no-default-features --quiet -p greenroom -- demo\n"));
    let workspace = manifest("Cargo.toml");
    let demo = &workspace["profile"]["demo"];
    assert_eq!(demo["inherits"].as_str(), Some("dev"), "a release build takes longer than the demo");
    assert_eq!(demo["debug-assertions"].as_bool(), Some(false));
}
