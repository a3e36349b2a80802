//! Python's diskcache in its own process, driven by one command per line.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::measurements::LatencyPercentiles;

/// The process.
pub(crate) struct DiskcacheProcess {
    child: Child,
    output: BufReader<ChildStdout>,
    input: ChildStdin,
}

impl DiskcacheProcess {
    /// Starts it; `None` if its environment is not installed.
    pub(crate) fn start() -> Option<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("../../bench/.venv/bin/python");
        let script = root.join("benches/disk/peer.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .inspect_err(|_| eprintln!("no diskcache to compare with: run bench/prepare.sh"))
            .ok()?;
        let output = BufReader::new(child.stdout.take()?);
        let input = child.stdin.take()?;
        Some(Self { child, output, input })
    }

    fn send_command(&mut self, line: &str) -> Vec<f64> {
        writeln!(self.input, "{line}").expect("it listens");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("it answers");
        let numbers: Vec<f64> = answer.split_whitespace().filter_map(|arg| arg.parse().ok()).collect();
        assert!(!numbers.is_empty(), "it answers with numbers");
        numbers
    }

    /// Sends keys and values.
    pub(crate) fn load(&mut self, pairs: &[(String, Vec<u8>)], dir: &Path) {
        let mut bytes = Vec::new();
        for (key, value) in pairs {
            for length in [key.len(), value.len()] {
                bytes.extend_from_slice(&u32::try_from(length).expect("short").to_le_bytes());
            }
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(value);
        }
        let file = dir.join("pairs");
        std::fs::write(&file, bytes).expect("written");
        self.send_command(&format!("load {}", file.display()));
    }

    /// Sets everything in a new cache; returns µs and CPU µs per item.
    pub(crate) fn fill(&mut self, dir: &Path, count: usize) -> (f64, f64) {
        let numbers = self.send_command(&format!("fill {}", dir.display()));
        (numbers[0] / 1e3 / count as f64, numbers[1] / 1e3 / count as f64)
    }

    /// Gets everything: directly, or as a coroutine must.
    pub(crate) fn get(&mut self, verb: &str, seed: usize) -> LatencyPercentiles {
        let numbers = self.send_command(&format!("{verb} {seed}"));
        LatencyPercentiles { p50_us: numbers[0] / 1e3, p99_us: numbers[1] / 1e3 }
    }
}

impl Drop for DiskcacheProcess {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It may have ended.
        let _ = self.child.wait(); // It was killed.
    }
}
