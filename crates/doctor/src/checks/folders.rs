//! Whether folders of files can be read, and their changes noticed at once.

use crate::facts::{FolderFacts, MachineFacts};
use crate::finding::Finding;

const CHECK: &str = "folder";

/// Reports each folder that cannot be read, or whose changes are noticed late.
pub fn check(facts: &MachineFacts) -> Vec<Finding> {
    facts.folders.iter().map(check_folder).collect()
}

fn check_folder(folder: &FolderFacts) -> Finding {
    let (name, path) = (&folder.name, folder.path.display());
    match (&folder.entries, &folder.remote, folder.watch_limit) {
        (Err(reason), ..) => Finding::problem(
            CHECK,
            format!("{name}: {path} cannot be read: {reason}"),
            "mount it, correct folder.path, or let the user of Greenroom read it (chmod o+rx, or a group)",
        ),
        (Ok(0), ..) => Finding::warning(
            CHECK,
            format!("{name}: {path} is empty"),
            "mount the disk, if one belongs there; a list that was known before is kept until then",
        ),
        (Ok(_), Some(kind), _) => Finding::warning(
            CHECK,
            format!("{name}: {path} is on a network file system ({kind}), which reports no changes: it is polled"),
            "nothing needs to be done; folder.poll_interval_s says how often",
        ),
        (Ok(_), None, Some(limit)) if folder.directories >= limit => Finding::warning(
            CHECK,
            format!("{name}: {path} has {} folders, and the system allows {limit} watches", folder.directories),
            "sudo sysctl fs.inotify.max_user_watches=1048576, and the same line in /etc/sysctl.d; else it is polled",
        ),
        (Ok(_), None, _) => Finding::ok(CHECK, format!("{name}: {path} can be read and watched")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> FolderFacts {
        FolderFacts {
            name: "comics".into(),
            path: "/srv/comics".into(),
            entries: Ok(3),
            remote: None,
            directories: 10,
            watch_limit: Some(100),
        }
    }

    #[test]
    fn each_problem_of_a_folder_has_its_remedy() {
        let text = |folder: FolderFacts| {
            let finding = check_folder(&folder);
            format!("{:?} {} {}", finding.level, finding.what, finding.remedy.unwrap_or_default())
        };
        assert!(text(folder()).contains("can be read and watched"));
        assert!(text(FolderFacts { entries: Err("denied".into()), ..folder() }).contains("chmod"));
        assert!(text(FolderFacts { entries: Ok(0), ..folder() }).contains("mount the disk"));
        assert!(text(FolderFacts { remote: Some("nfs4".into()), ..folder() }).contains("polled"));
        assert!(text(FolderFacts { directories: 100, ..folder() }).contains("max_user_watches"));
    }
}
