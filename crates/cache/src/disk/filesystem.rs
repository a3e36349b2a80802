//! Checks that a directory suits the store. Network file systems do not: their locks are unreliable, and their pauses
//! would become ours.

use std::path::Path;

/// File systems on which SQLite's write-ahead log does not work or is not safe.
const REMOTE: [&str; 18] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ncpfs",
    "ceph",
    "lustre",
    "vboxsf",
    "prl_fs",
    "drvfs",
    "fuse.sshfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.glusterfs",
    "fuse.davfs2",
];

/// The kind of network file system a directory is on, if it is.
pub fn network_file_system(dir: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mut dir = dir.to_owned();
    while !dir.exists() {
        dir = dir.parent()?.to_owned();
    }
    remote_mount(&mounts, &dir.canonicalize().ok()?)
}

/// Reads the mount table: the longest mount point above the directory counts, and of two equal ones the later.
fn remote_mount(mounts: &str, dir: &Path) -> Option<String> {
    let mut nearest: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(mount_point), Some(kind)) = (fields.next(), fields.next()) else { continue };
        let mount_point = unescape(mount_point);
        if dir.starts_with(&mount_point) && nearest.is_none_or(|(length, _)| mount_point.len() >= length) {
            nearest = Some((mount_point.len(), kind));
        }
    }
    nearest.map(|(_, kind)| kind).filter(|kind| REMOTE.contains(kind)).map(str::to_owned)
}

/// Decodes the octal escapes of white space and backslashes in a mount point.
fn unescape(mount_point: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes
        .iter()
        .fold(mount_point.to_owned(), |mount_point, (escape, character)| mount_point.replace(escape, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "/dev/sda1 / ext4 rw 0 0\nnas:/media /mnt/nas nfs4 rw 0 0\n\
        tmpfs /mnt/nas/fast tmpfs rw 0 0\n//pc/share /mnt/my\\040share cifs rw 0 0\n";

    #[test]
    fn the_nearest_mount_point_counts() {
        let kind = |dir: &str| remote_mount(MOUNTS, Path::new(dir));
        assert_eq!(kind("/mnt/nas/greenroom").as_deref(), Some("nfs4"));
        assert_eq!(kind("/mnt/nas/fast/greenroom"), None);
        assert_eq!(kind("/mnt/nasty"), None);
        assert_eq!(kind("/mnt/my share/greenroom").as_deref(), Some("cifs"));
        assert_eq!(kind("/var/lib/greenroom"), None);
        let mounts = "/dev/sda1 / ext4 rw 0 0\nremote: /mnt/cloud fuse.rclone rw 0 0\n";
        assert_eq!(remote_mount(mounts, Path::new("/mnt/cloud/x")).as_deref(), Some("fuse.rclone"));
        assert_eq!(remote_mount("half a line", Path::new("/")), None);
        // A later mount at the same place hides the earlier one.
        let mounts = "nas:/a /data nfs rw 0 0\n/dev/sdb1 /data ext4 rw 0 0\n";
        assert_eq!(remote_mount(mounts, Path::new("/data")), None);
    }

    #[test]
    fn a_local_directory_is_recognised() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(network_file_system(&dir.path().join("not/there/yet")), None);
    }
}
