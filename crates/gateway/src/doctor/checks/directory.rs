//! Whether state can be kept.

use crate::doctor::facts::{DirectoryFacts, DirectoryState, MachineFacts};
use crate::doctor::finding::Finding;

const CHECK: &str = "data directory";

/// A data directory that cannot be written, and the command that mends it.
pub fn check(facts: &MachineFacts) -> Vec<Finding> {
    vec![judge(&facts.directory, facts.container)]
}

fn judge(facts: &DirectoryFacts, container: bool) -> Finding {
    let path = facts.path.display();
    let (uid, gid) = facts.us;
    let elsewhere = "or name another with --data-dir or GREENROOM_DATA_DIR";
    // In a container the folder is one of the machine's, mounted; commands inside it are often not possible.
    let here = if container { "on the machine, for the folder that is mounted there: " } else { "" };
    match &facts.state {
        DirectoryState::Writable => Finding::ok(CHECK, format!("{path} can be written")),
        DirectoryState::CanBeMade => Finding::ok(CHECK, format!("{path} is not there yet, and can be made")),
        DirectoryState::CannotBeMade(nearest) => Finding::problem(
            CHECK,
            format!("{path} cannot be made: user {uid} may not write in {}", nearest.display()),
            format!("{here}sudo install -d -o {uid} -g {gid} -m 0700 {path}; {elsewhere}"),
        ),
        DirectoryState::NotADirectory => Finding::problem(
            CHECK,
            format!("{path} is no directory, or something above it is none"),
            format!("move that file away, {elsewhere}"),
        ),
        DirectoryState::ReadOnly => Finding::problem(
            CHECK,
            format!("{path} is on a file system that is read-only"),
            format!("mount it for writing (a volume without `:ro`), {elsewhere}"),
        ),
        DirectoryState::Denied { uid: owner, gid: group, mode } => {
            let command = if *owner == uid {
                format!("chmod u+rwx {path}")
            } else {
                format!("sudo chown -R {uid}:{gid} {path}")
            };
            Finding::problem(
                CHECK,
                format!(
                    "{path} belongs to {owner}:{group} with mode {mode:04o}, and user {uid}:{gid} may not write there"
                ),
                format!("{here}{command}; {elsewhere}"),
            )
        }
        DirectoryState::Full => Finding::problem(
            CHECK,
            format!("no space is left at {path}"),
            format!("make room there, {elsewhere}"),
        ),
        DirectoryState::Other(reason) => Finding::problem(
            CHECK,
            format!("{path} cannot be used: {reason}"),
            format!("check it, {elsewhere}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::sample::assert_says;
    use crate::doctor::finding::Level;

    fn found(state: DirectoryState, container: bool) -> Finding {
        judge(&DirectoryFacts { path: "/data".into(), us: (1000, 1001), state }, container)
    }

    #[test]
    fn a_directory_of_somebody_else_is_mended_by_chown() {
        let denied = || DirectoryState::Denied { uid: 0, gid: 0, mode: 0o755 };
        let words = ["belongs to 0:0 with mode 0755", "user 1000:1001", "sudo chown -R 1000:1001 /data"];
        assert_says(found(denied(), false), Level::Problem, &words);
        assert_says(
            found(denied(), true),
            Level::Problem,
            &["on the machine, for the folder that is mounted"],
        );
    }

    #[test]
    fn ones_own_directory_is_mended_by_chmod() {
        let denied = DirectoryState::Denied { uid: 1000, gid: 1001, mode: 0o500 };
        assert_says(found(denied, false), Level::Problem, &["chmod u+rwx /data"]);
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
            assert_says(found(state, false), Level::Problem, &[words]);
        }
        assert_says(found(DirectoryState::Writable, false), Level::Ok, &["can be written"]);
        assert_says(found(DirectoryState::CanBeMade, false), Level::Ok, &["can be made"]);
    }
}
