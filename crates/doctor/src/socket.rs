//! Finds the program that listens on a port, as far as this user may see it.

use std::fs;
use std::path::Path;

use super::facts::PortHolder;

/// State of a listening socket in the system's table.
const LISTENS: &str = "0A";
/// Process name of this program.
const OUR_NAME: &str = "greenroom";
/// Max processes examined.
const MAX_PROCESSES: usize = 20_000;

/// The program that listens on a port; `None` if that cannot be seen.
pub fn find_holder(port: u16) -> Option<PortHolder> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let inodes: Vec<String> = tables.iter().flat_map(|table| inodes(table, port)).collect();
    let wanted: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let processes = fs::read_dir("/proc").ok()?.take(MAX_PROCESSES).flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.find(|pid| holds(Path::new("/proc").join(pid.to_string()).as_path(), &wanted))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = name.trim().to_owned();
    let is_greenroom = name == OUR_NAME || is_same_program(pid);
    Some(PortHolder { pid, name, is_greenroom })
}

/// Inodes of the sockets that listen on `port`, from the system's table.
fn inodes(table: &str, port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    let listens = |line: &&str| {
        let mut words = line.split_whitespace();
        words.nth(1).is_some_and(|local| local.ends_with(&suffix)) && words.nth(1) == Some(LISTENS)
    };
    let inode = |line: &str| line.split_whitespace().nth(9).map(str::to_owned);
    table.lines().skip(1).filter(listens).filter_map(inode).collect()
}

/// Whether a process runs the same executable as this one, whatever its name.
fn is_same_program(pid: u32) -> bool {
    let theirs = fs::read_link(format!("/proc/{pid}/exe")).ok();
    pid != std::process::id() && theirs.is_some() && theirs == std::env::current_exe().ok()
}

fn holds(process: &Path, wanted: &[String]) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else { return false };
    files.flatten().any(|file| {
        fs::read_link(file.path()).is_ok_and(|link| wanted.iter().any(|one| link.as_os_str() == one.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_that_listen_on_the_port_are_meant() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2206 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1
   1: 0100007F:2206 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 222 1
   2: 0100007F:2207 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1
";
        assert_eq!(inodes(table, 8710), ["111"]);
        assert!(inodes(table, 1).is_empty());
    }
}
