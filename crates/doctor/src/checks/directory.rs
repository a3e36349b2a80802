//! Whether state can be stored.

use std::path::Path;

use crate::facts::{DirectoryContents, DirectoryFacts, DirectoryState, MachineFacts};
use crate::finding::{Finding, FindingLevel};
use crate::machine;
use greenroom_config::shell_quote::quoted;

const CHECK: &str = "data directory";
const ELSEWHERE: &str = "or name another with --data-dir or GREENROOM_DATA_DIR";

/// Reports a data directory that cannot be written, with the command that repairs it.
pub fn check(facts: &MachineFacts) -> Vec<Finding> {
    vec![check_directory(&facts.directory, facts.container)]
}

/// Problem of a data directory, found by trying it; `None` if it can be written.
pub fn find_problem(path: &Path) -> Option<Finding> {
    let finding = check_directory(&machine::directory(path), machine::is_container());
    Some(finding).filter(|finding| finding.level == FindingLevel::Problem)
}

fn check_directory(facts: &DirectoryFacts, container: bool) -> Finding {
    let path = facts.path.display();
    let word = facts.path.to_string_lossy();
    let word = quoted(&word);
    let (uid, gid) = facts.own_ids;
    let here = where_to(container);
    if let (DirectoryState::Writable | DirectoryState::CanBeMade, Some(kind)) = (&facts.state, &facts.remote) {
        return Finding::warning(
            CHECK,
            format!("{path} lies on a network file system ({kind}), where locks do not hold"),
            "name a directory on a local disk with --data-dir or GREENROOM_DATA_DIR",
        );
    }
    match &facts.state {
        DirectoryState::Writable => Finding::ok(CHECK, format!("{path} can be written")),
        DirectoryState::CanBeMade => Finding::ok(CHECK, format!("{path} is not there yet, and can be made")),
        DirectoryState::CannotBeMade(nearest) => Finding::problem(
            CHECK,
            format!("{path} cannot be made: user {uid} may not write in {}", nearest.display()),
            format!("{here}sudo install -d -o {uid} -g {gid} -m 0700 {word}; {ELSEWHERE}"),
        ),
        DirectoryState::NotADirectory => Finding::problem(
            CHECK,
            format!("{path} is no directory, or something above it is none"),
            format!("move that file away, {ELSEWHERE}"),
        ),
        DirectoryState::ReadOnly => Finding::problem(
            CHECK,
            format!("{path} is on a file system that is read-only"),
            format!("mount it for writing (a volume without `:ro`), {ELSEWHERE}"),
        ),
        DirectoryState::Denied { uid: owner, user, gid: group, mode, contents } => Finding::problem(
            CHECK,
            format!("{path} belongs to {owner}:{group} with mode {mode:04o}, and user {uid}:{gid} may not write there"),
            denied(facts, (*owner, *group), user.as_deref(), *contents, container),
        ),
        DirectoryState::Full => {
            Finding::problem(CHECK, format!("no space is left at {path}"), format!("make room there, {ELSEWHERE}"))
        }
        DirectoryState::Other(reason) => {
            Finding::problem(CHECK, format!("{path} cannot be used: {reason}"), format!("check it, {ELSEWHERE}"))
        }
    }
}

/// The place where a command is run. In a container the folder is mounted from the host; commands inside it are often
/// not possible.
fn where_to(container: bool) -> &'static str {
    if container { "on the machine, for the folder that is mounted there: " } else { "" }
}

/// Command that makes a directory of another user, or our own, writable.
fn denied(
    facts: &DirectoryFacts,
    (owner, group): (u32, u32),
    user: Option<&str>,
    contents: DirectoryContents,
    container: bool,
) -> String {
    let word = facts.path.to_string_lossy();
    let word = quoted(&word);
    let (uid, gid) = facts.own_ids;
    let here = where_to(container);
    match (owner, contents) {
        (owner, _) if owner == uid => format!("{here}chmod u+rwx {word}; {ELSEWHERE}"),
        (1.., _) if container => {
            format!("run this container as its owner: user: \"{owner}:{group}\"; {ELSEWHERE}")
        }
        (1.., _) => {
            let owner = user.map_or_else(|| format!("#{owner}"), str::to_owned);
            format!("run greenroom as that user: sudo -u {} greenroom …; {ELSEWHERE}", quoted(&owner))
        }
        // Files of others stay theirs: `chown -R` only on a tree that is ours already.
        (0, DirectoryContents::OnlyOwnFiles) => {
            format!("{here}sudo chown -R {uid}:{gid} {word}; {ELSEWHERE}")
        }
        (0, DirectoryContents::ForeignFiles) => {
            let below = facts.path.join("greenroom");
            let below = below.to_string_lossy();
            let below = quoted(&below);
            format!(
                "other files are in it, so use a folder of our own: {here}sudo install -d -o {uid} -g {gid} -m 0700 \
                 {below}; then --data-dir {below}"
            )
        }
        (0, DirectoryContents::Unreadable) => {
            format!("look what is in it: {here}sudo ls -la {word}; {ELSEWHERE}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures::assert_says;

    fn found(state: DirectoryState, container: bool) -> Finding {
        check_directory(&DirectoryFacts { path: "/data".into(), own_ids: (1000, 1001), remote: None, state }, container)
    }

    fn denied(uid: u32, contents: DirectoryContents) -> DirectoryState {
        let user = (uid == 7).then(|| "olga".to_owned());
        DirectoryState::Denied { uid, user, gid: uid, mode: 0o755, contents }
    }

    #[test]
    fn a_directory_of_the_administrator_is_given_to_us_only_if_nothing_of_others_is_in_it() {
        let words = ["belongs to 0:0 with mode 0755", "user 1000:1001", "sudo chown -R 1000:1001 /data"];
        assert_says(found(denied(0, DirectoryContents::OnlyOwnFiles), false), FindingLevel::Problem, &words);
        assert_says(
            found(denied(0, DirectoryContents::OnlyOwnFiles), true),
            FindingLevel::Problem,
            &["on the machine, for the folder that is mounted"],
        );
        for contents in [DirectoryContents::ForeignFiles, DirectoryContents::Unreadable] {
            let remedy = found(denied(0, contents), false).remedy.expect("a remedy");
            assert!(!remedy.contains("chown"), "{remedy}");
        }
        let words = ["sudo install -d -o 1000 -g 1001 -m 0700 /data/greenroom", "--data-dir /data/greenroom"];
        assert_says(found(denied(0, DirectoryContents::ForeignFiles), false), FindingLevel::Problem, &words);
        assert_says(
            found(denied(0, DirectoryContents::Unreadable), false),
            FindingLevel::Problem,
            &["sudo ls -la /data"],
        );
    }

    #[test]
    fn what_belongs_to_another_user_stays_theirs() {
        for contents in
            [DirectoryContents::OnlyOwnFiles, DirectoryContents::ForeignFiles, DirectoryContents::Unreadable]
        {
            for (owner, container, words) in [
                (7, false, "run greenroom as that user: sudo -u olga greenroom"),
                (8, false, "sudo -u '#8' greenroom"),
                (8, true, "run this container as its owner: user: \"8:8\""),
            ] {
                let finding = found(denied(owner, contents), container);
                let remedy = finding.remedy.clone().expect("a remedy");
                assert!(remedy.contains(words) && !remedy.contains("chown"), "{remedy}");
            }
        }
    }

    #[test]
    fn ones_own_directory_is_mended_by_chmod() {
        for contents in [DirectoryContents::OnlyOwnFiles, DirectoryContents::ForeignFiles] {
            assert_says(found(denied(1000, contents), false), FindingLevel::Problem, &["chmod u+rwx /data"]);
        }
    }

    #[test]
    fn a_path_is_one_word_in_every_command() {
        for state in [
            denied(0, DirectoryContents::OnlyOwnFiles),
            denied(0, DirectoryContents::ForeignFiles),
            denied(0, DirectoryContents::Unreadable),
            denied(1000, DirectoryContents::ForeignFiles),
            DirectoryState::CannotBeMade("/".into()),
        ] {
            let facts = DirectoryFacts { path: "/my data;x".into(), own_ids: (1000, 1001), remote: None, state };
            let remedy = check_directory(&facts, false).remedy.expect("a remedy");
            assert!(remedy.contains("'/my data;x"), "{remedy}");
            assert!(!remedy.replace("'/my data;x", "").contains("/my data"), "{remedy}");
        }
    }

    #[test]
    fn a_network_file_system_is_warned_of() {
        let us = (1000, 1001);
        let remote = Some("nfs4".to_owned());
        let facts = DirectoryFacts { path: "/data".into(), own_ids: us, remote, state: DirectoryState::Writable };
        assert_says(check_directory(&facts, false), FindingLevel::Warning, &["nfs4", "--data-dir"]);
        let facts = DirectoryFacts { state: DirectoryState::ReadOnly, ..facts };
        assert_says(check_directory(&facts, false), FindingLevel::Problem, &["read-only"]);
    }

    #[test]
    fn every_other_state_has_its_remedy() {
        for (state, words) in [
            (DirectoryState::CannotBeMade("/var".into()), "sudo install -d -o 1000 -g 1001 -m 0700 /data"),
            (DirectoryState::NotADirectory, "move that file away"),
            (DirectoryState::ReadOnly, "a volume without `:ro`"),
            (DirectoryState::Full, "make room there"),
            (DirectoryState::Other("odd".into()), "odd"),
        ] {
            assert_says(found(state, false), FindingLevel::Problem, &[words]);
        }
        assert_says(found(DirectoryState::Writable, false), FindingLevel::Ok, &["can be written"]);
        assert_says(found(DirectoryState::CanBeMade, false), FindingLevel::Ok, &["can be made"]);
    }
}
