//! CPU time of a server: all of its processes and threads, user and system time, as the kernel counts it.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

/// CPU time that `process` and its descendants have used so far.
pub(crate) fn process_tree_time(process: u32) -> Duration {
    process_tree(process).into_iter().map(process_time).sum()
}

/// The process and all its descendants.
fn process_tree(process: u32) -> HashSet<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|process| Some((process, parent_of(process)?)))
        .collect();
    let mut family = HashSet::from([process]);
    loop {
        let is_new = |(own, parent): &&(u32, u32)| family.contains(parent) && !family.contains(own);
        match parents.iter().find(is_new) {
            Some((own, _)) => family.insert(*own),
            None => return family,
        };
    }
}

fn parent_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name stands in brackets and may contain anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn process_time(process: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    threads
        .filter_map(|thread| {
            let books = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            books.split(' ').next()?.parse().ok().map(Duration::from_nanos)
        })
        .sum()
}
