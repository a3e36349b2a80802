//! `greenroom import`: the entries of another cache's store into a cache for apps of the running gateway.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use data_encoding::BASE64;
use greenroom_app_cache_import::report::ImportReport;
use greenroom_app_cache_import::source::SourceEntry;
use greenroom_app_cache_import::store::{StoreKind, StoreReader};
use greenroom_cache::Clock;
use http::Method;
use serde_json::{Value, json};

use super::api_client::{ApiClient, GatewayArgs};
use super::cache::apps::cache_name;
use super::{FAILURE, SUCCESS, block_on, fail};

/// Exit code: entries were skipped that cannot be read or stored.
const PARTLY: u8 = 3;
/// Operations of one batch.
const MAX_BATCH: usize = 500;
/// Bytes of the values of one batch, in base 64; the gateway takes 16 MiB.
const MAX_BATCH_BYTES: usize = 12 << 20;
/// Skipped entries that are printed.
const MAX_PRINTED: usize = 20;

const EXAMPLES: &str = "\
Examples:
  greenroom import diskcache ~/app/cache --cache worker --dry-run     show what can be imported
  greenroom import simplecache simplecache.db --cache menus --prefix projects_
  greenroom import cmdarr data/cmdarr_cache.db --cache cmdarr
  greenroom import stash2plex plugins/Stash2Plex/data --cache worker --json

The store is copied and never written, and nothing in it is executed: entries that hold anything but plain values and dates
are named and skipped. An entry that the cache has already stays as it is.
Exit code 0: success; 1: there is no such store, or the command failed; 2: the command line is wrong; 3: entries were
skipped because they cannot be read or stored.";

/// `greenroom import`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImportArgs {
    /// Whose store it is
    #[arg(value_enum)]
    kind: ImportKind,
    /// Folder of the store, or its file
    path: PathBuf,
    /// Name of the cache for apps
    #[arg(long, value_name = "NAME", value_parser = cache_name)]
    cache: String,
    /// Import only entries whose keys begin with this
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    /// Write nothing, only report
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ImportKind {
    /// Kodi's SimpleCache
    Simplecache,
    /// Python's diskcache
    Diskcache,
    /// Cmdarr
    Cmdarr,
    /// Stash2Plex
    Stash2plex,
}

impl From<ImportKind> for StoreKind {
    fn from(kind: ImportKind) -> Self {
        match kind {
            ImportKind::Simplecache => Self::Simplecache,
            ImportKind::Diskcache => Self::Diskcache,
            ImportKind::Cmdarr => Self::Cmdarr,
            ImportKind::Stash2plex => Self::Stash2plex,
        }
    }
}

pub(super) fn run(options: &ImportArgs) -> u8 {
    let reader = match StoreReader::open(options.kind.into(), &options.path) {
        Ok(reader) => reader,
        Err(reason) => return fail(&format!("not imported: {reason}")),
    };
    let target = match (!options.dry_run).then(|| ApiClient::connect(&options.gateway)).transpose() {
        Ok(client) => client,
        Err(code) => return code,
    };
    let mut import = EntryImport {
        reader,
        prefix: &options.prefix,
        path: format!("api/v1/caches/{}/batch", options.cache),
        target,
        report: ImportReport { dry_run: options.dry_run, ..ImportReport::default() },
        clock: Clock::system(),
    };
    block_on(async {
        if let Err(reason) = import.run().await {
            return if reason.is_empty() { FAILURE } else { fail(&format!("not imported: {reason}")) };
        }
        let report = &import.report;
        let code = if report.has_losses() { PARTLY } else { SUCCESS };
        if options.json {
            println!("{}", json!(report));
        } else {
            println!("{}", summary(report));
        }
        code
    })
}

struct EntryImport<'a> {
    reader: StoreReader,
    prefix: &'a str,
    path: String,
    /// `None` in a dry run.
    target: Option<ApiClient>,
    report: ImportReport,
    clock: Clock,
}

impl EntryImport<'_> {
    /// Reads all entries and sends them in batches. The error is empty if it was printed.
    async fn run(&mut self) -> Result<(), String> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(item) = self.reader.next_item()? {
            let entry = match item {
                Ok(entry) => entry,
                Err(skipped) => {
                    self.report.skip(skipped.name, &skipped.reason.0);
                    continue;
                }
            };
            let now_s = Duration::from_millis(self.clock.now_ms()).as_secs_f64();
            if !entry.key.starts_with(self.prefix) {
                self.report.skip(entry.name, "another prefix");
            } else if entry.expires_s.is_some_and(|expires_s| expires_s <= now_s) {
                self.report.skip(entry.name, "expired");
            } else if entry.value.len().div_ceil(3) * 4 > MAX_BATCH_BYTES {
                self.report.skip(entry.name, "cannot be stored (a value of more than 9 MiB)");
            } else if self.target.is_none() {
                self.report.imported += 1;
            } else {
                let length = entry.value.len().div_ceil(3) * 4;
                if batch.len() >= MAX_BATCH || bytes + length > MAX_BATCH_BYTES {
                    self.send(std::mem::take(&mut batch)).await?;
                    bytes = 0;
                }
                bytes += length;
                let operation = operation(&entry, now_s);
                batch.push((entry.name, operation));
            }
        }
        self.send(batch).await
    }

    async fn send(&mut self, batch: Vec<(String, Value)>) -> Result<(), String> {
        let Some(client) = self.target.as_ref().filter(|_| !batch.is_empty()) else { return Ok(()) };
        let (names, operations): (Vec<String>, Vec<Value>) = batch.into_iter().unzip();
        let request = json!({ "operations": operations });
        let answer = client.send(Method::POST, &self.path, Some(&request)).await.map_err(|_| String::new())?;
        let results = answer["results"].as_array().filter(|results| results.len() == names.len());
        let results =
            results.ok_or("the gateway runs another version of Greenroom; use the program of that version")?;
        for (name, result) in names.into_iter().zip(results) {
            match result["state"].as_str() {
                Some("stored") => self.report.imported += 1,
                Some("present") => self.report.skip(name, "there already"),
                state => {
                    let reason = format!("the cache refused it ({})", state.unwrap_or("unknown"));
                    self.report.skip(name, &reason);
                }
            }
        }
        Ok(())
    }
}

/// Stores the entry if there is no fresh one.
fn operation(entry: &SourceEntry, now_s: f64) -> Value {
    let left = entry.expires_s.and_then(|expires_s| Duration::try_from_secs_f64(expires_s - now_s).ok());
    let ttl_ms = left.map_or(-1, |left| i64::try_from(left.as_millis()).unwrap_or(i64::MAX).max(1));
    json!({
        "op": "add",
        "key": entry.key,
        "value": BASE64.encode(&entry.value),
        "media_type": entry.media_type,
        "ttl_ms": ttl_ms,
        "tags": entry.tag.as_slice(),
    })
}

fn summary(report: &ImportReport) -> String {
    let verb = if report.dry_run { "can be imported" } else { "imported" };
    let skipped: u64 = report.skipped.values().sum();
    let mut lines = vec![format!("{} entries {verb}, {skipped} skipped", report.imported)];
    lines.extend(report.skipped.iter().map(|(reason, count)| format!("  {count} {reason}")));
    let named = report.named.iter().take(MAX_PRINTED);
    lines.extend(named.map(|entry| format!("  skipped {}: {}", entry.key, entry.reason)));
    if report.named.len() > MAX_PRINTED {
        lines.push(format!("  and more; --json names the first {}", report.named.len()));
    }
    lines.join("\n")
}
