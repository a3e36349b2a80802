//! Memory that unauthenticated clients cost: concurrent long writes with an unknown token.

use std::fs;

use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server;

const MIB: usize = 1024 * 1024;
/// Concurrent writes.
const WRITES: usize = 5;
/// Length of each body.
const BODY_BYTES: usize = 64 * MIB;
/// Bytes per send.
const PART_BYTES: usize = 64 * 1024;

/// Starts the program (the one beside this, or `program`), sends [`WRITES`] bodies of [`BODY_BYTES`] all but their last
/// byte, reads its resident memory, then sends the last bytes.
pub(crate) async fn measure(program: Option<&str>) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let origin = server::start_role("origin").await?;
    let greenroom = server::greenroom("Greenroom", program, origin.port, folder.path(), "").await?;
    let before = ProcessMemory::read(greenroom.process())?;
    let writes = try_join_all((0..WRITES).map(|_| UnfinishedWrite::send_most(greenroom.port))).await?;
    let during = ProcessMemory::read(greenroom.process())?;
    let statuses = try_join_all(writes.into_iter().map(UnfinishedWrite::finish)).await?;
    let after = ProcessMemory::read(greenroom.process())?;
    println!("{WRITES} writes of {} MiB with a made-up token, answered {statuses:?}", BODY_BYTES / MIB);
    println!("resident before         {:>8.1} MiB", before.resident());
    println!("resident while they run {:>8.1} MiB", during.resident());
    println!("peak                    {:>8.1} MiB", after.peak());
    println!("growth at the peak      {:>8.1} MiB", after.peak() - before.resident());
    Ok(())
}

/// An unfinished write.
struct UnfinishedWrite(TcpStream);

impl UnfinishedWrite {
    async fn send_most(port: u16) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("a write broke off: {error}");
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(failed)?;
        let head = format!(
            "POST /library/metadata/7/posters HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Plex-Token: nobody-knows-it\r\n\
             Content-Type: image/jpeg\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.map_err(failed)?;
        let part = vec![b'x'; PART_BYTES];
        let mut left = BODY_BYTES - 1;
        while left > 0 {
            let length = left.min(PART_BYTES);
            stream.write_all(&part[..length]).await.map_err(failed)?;
            left -= length;
        }
        Ok(Self(stream))
    }

    /// Sends the last byte. Returns the status.
    async fn finish(mut self) -> Result<u16, String> {
        let failed = |error: std::io::Error| format!("a write was not answered: {error}");
        self.0.write_all(b"x").await.map_err(failed)?;
        let mut said = vec![0; 4096];
        let length = self.0.read(&mut said).await.map_err(failed)?;
        let said = String::from_utf8_lossy(&said[..length]).into_owned();
        said.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(format!("no status: {said}"))
    }
}

/// Memory of a process in KiB, as the kernel counts it.
struct ProcessMemory {
    resident_kib: u32,
    peak_kib: u32,
}

impl ProcessMemory {
    fn read(process: u32) -> Result<Self, String> {
        let path = format!("/proc/{process}/status");
        let said = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let figure = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.ok_or_else(|| format!("{path} has no {name}"))
        };
        Ok(Self { resident_kib: figure("VmRSS")?, peak_kib: figure("VmHWM")? })
    }

    fn resident(&self) -> f64 {
        f64::from(self.resident_kib) / 1024.0
    }

    fn peak(&self) -> f64 {
        f64::from(self.peak_kib) / 1024.0
    }
}
