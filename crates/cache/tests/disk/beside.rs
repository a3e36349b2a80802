//! Two processes that hammer one directory: nothing is lost, and nobody ever hears that it is locked.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::ears::heard_of;
use crate::stage::{draw, open};

/// Set for a child: the directory, and which of the two it is.
const DIR: &str = "GREENROOM_BESIDE_DIR";
const SIDE: &str = "GREENROOM_BESIDE_SIDE";
const WRITES: u64 = 2_500;

fn length(at: u64) -> usize {
    match at % 50 {
        13 => 120_000,
        at => 200 + usize::try_from(at * 90).expect("small"),
    }
}

fn is_invalidated(at: u64) -> bool {
    at % 11 == 4
}

/// One of the two: keeps its own, reads its own and the other's, invalidates some of its own.
#[tokio::test]
#[ignore = "one of the two processes of the test below"]
async fn side() {
    let (Ok(dir), Ok(side)) = (std::env::var(DIR), std::env::var(SIDE)) else { return };
    let stage = open(Path::new(&dir));
    let mut random = side.bytes().map(u64::from).sum();
    for at in 0..WRITES {
        stage.keep(&format!("/{side}/{at}"), length(at)).await;
        let other = draw(&mut random) % (at + 1);
        let whose = ["left", "right"][usize::from(draw(&mut random) % 2 == 0)];
        stage.read(&format!("/{whose}/{other}"), 0, length(other)).await;
        if at >= 20 && is_invalidated(at - 20) {
            stage.invalidate(&format!("/{side}/{}", at - 20)).await;
        }
        if at % 100 == 99 {
            stage.flush().await;
        }
    }
    stage.flush().await;
    let stats = stage.stats();
    assert_eq!((stats.failed, stats.dropped, stats.marks_lost, stats.torn), (0, 0, 0, 0), "{stats:?}");
    let said = heard_of(Path::new(&dir));
    assert!(said.is_empty(), "{said:#?}");
    assert_eq!(stage.cache.close_disk().await, 0);
}

#[tokio::test]
async fn two_processes_on_one_directory_lose_nothing_and_are_never_told_that_it_is_locked() {
    let dir = tempfile::tempdir().expect("a folder");
    let start = |side: &str| {
        Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "beside::side", "--ignored", "--nocapture"])
            .env(DIR, dir.path())
            .env(SIDE, side)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts")
    };
    for child in [start("left"), start("right")] {
        let output = child.wait_with_output().expect("it ends");
        let (said, complained) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complained}");
    }
    let stage = open(dir.path());
    for side in ["left", "right"] {
        for at in 0..WRITES {
            let edition = stage.read(&format!("/{side}/{at}"), 1, length(at)).await;
            let is_gone = is_invalidated(at) && at + 20 < WRITES;
            // The other side may have loaded it again after it was invalidated, or kept it for the first time.
            assert!(edition == 0 || is_gone, "/{side}/{at} was flushed");
        }
    }
    assert_eq!(stage.stats().torn, 0);
}
