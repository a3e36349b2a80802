//! `greenroom cache verify|vacuum|clear`: cache maintenance.

use std::io::{IsTerminal, Write};

use clap::Args;
use greenroom_cache::disk::DiskSettings;
use greenroom_cache::{Cache, CacheSettings, Clock, Invalidation, Scope};
use http::Method;
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::super::api_client::{ApiClient, GatewayArgs};
use super::super::modes::with_gateway;
use super::super::{DONE, FAILED, MISUSED, block_on, wait_for};
use super::{CacheDirArgs, DataDirs, ExclusiveLock, FilterArgs, ask_or_run_offline, folders_of, size};
use greenroom_dialect::class::Class;
use greenroom_proxy::read::origin_loader::class_tag;
use greenroom_proxy::shadow::report::format_thousands;
use greenroom_proxy::stored_responses as stored;
use greenroom_proxy::stored_responses::{
    StoredDamage, StoredVacuumResult, StoredVerifyQuery, StoredVerifyResult, open,
};
use greenroom_state::ownership;

/// Damaged entries that are listed; --json lists all of them.
const MAX_NAMED: usize = 20;
/// Width of the progress bar, in characters.
const BAR: u64 = 30;

/// `greenroom cache verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Take out what is damaged: it is asked for again
    #[arg(long)]
    repair: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: CacheDirArgs,
}

/// `greenroom cache vacuum`.
#[derive(Debug, Args)]
pub(super) struct VacuumArgs {
    #[command(flatten)]
    folder: CacheDirArgs,
}

/// `greenroom cache clear`.
#[derive(Debug, Args)]
pub(super) struct ClearStoredArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only answers with this tag, as `show` names them
    #[arg(long, value_name = "TAG", conflicts_with = "class")]
    tag: Option<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn verify(options: &VerifyArgs, now_ms: u64) -> Result<u8, String> {
    let folders = options.folder.folders()?;
    let query = StoredVerifyQuery { repair: options.repair };
    let shows = std::io::stderr().is_terminal() && !options.json;
    let verified: StoredVerifyResult = ask_or_run_offline(&folders, "api/v1/cache/disk/verify", &query, || {
        stored::verify(&folders.cache, &query, false, now_ms, |done, of| {
            if shows {
                eprint!("\r{}", bar(done, of));
                drop(std::io::stderr().flush());
            }
        })
    })?;
    if shows {
        eprint!("\r{:1$}\r", "", usize::try_from(BAR).unwrap_or(0) + 10);
    }
    let code =
        if verified.damage.is_empty() || is_repaired(&verified.damage, verified.repaired) { DONE } else { FAILED };
    if options.json {
        println!("{}", json!(verified));
        return Ok(code);
    }
    for damage in verified.damage.iter().take(MAX_NAMED) {
        println!("{}", damage_text(damage));
    }
    if verified.damage.len() > MAX_NAMED {
        println!("{} more", verified.damage.len() - MAX_NAMED);
    }
    if verified.orphans > 0 {
        println!("{} files belong to no answer; they do no harm and are removed in time", verified.orphans);
    }
    let counted = format!("{} answers of {} checked", format_thousands(verified.answers), size(verified.bytes));
    match (verified.damage.len(), verified.repaired) {
        (0, _) => println!("{counted}: all are what was written"),
        (found, 0) => println!("{counted}: {found} damaged; --repair takes them out"),
        (found, repaired) => println!("{counted}: {found} damaged, {repaired} taken out"),
    }
    Ok(code)
}

/// Whether every damaged entry was removed.
fn is_repaired(damage: &[StoredDamage], repaired: u64) -> bool {
    repaired > 0 && !damage.iter().any(|damage| damage.what == "database")
}

fn damage_text(damage: &StoredDamage) -> String {
    let key = damage.key.as_deref().unwrap_or_default();
    match damage.what.as_str() {
        "torn" => format!("damaged: {key}"),
        "no-body" => format!("its file is gone: {key}"),
        _ => {
            let word = damage.message.as_deref().unwrap_or_default();
            format!(
                "the database is damaged ({word}): the gateway sets it aside and begins anew when it meets that; \
                     to do it now, stop it and remove the folder"
            )
        }
    }
}

fn bar(done: u64, of: u64) -> String {
    let of = of.max(done).max(1);
    let full = usize::try_from(BAR * done / of).unwrap_or(0);
    let rest = usize::try_from(BAR).unwrap_or(0) - full;
    format!("[{}{}] {:3} %", "#".repeat(full), " ".repeat(rest), 100 * done / of)
}

pub(super) fn vacuum(options: &VacuumArgs) -> Result<u8, String> {
    let folders = options.folder.folders()?;
    let room: StoredVacuumResult = ask_or_run_offline(&folders, "api/v1/cache/disk/vacuum", &json!(null), || {
        stored::vacuum(&folders.cache, false)
    })?;
    let freed = room.before_bytes.saturating_sub(room.after_bytes);
    println!("{} given back; {} are left", size(freed), size(room.after_bytes));
    Ok(DONE)
}

pub(super) fn clear(options: &ClearStoredArgs, now_ms: u64) -> Result<u8, String> {
    let FilterArgs { server, class } = &options.filter;
    if let Some(class) = class.as_deref().filter(|class| Class::parse(class).is_none()) {
        let known: Vec<&str> = Class::EVERY.iter().map(|class| class.name()).collect();
        eprintln!("greenroom: {class} is no class; there are: {}", known.join(", "));
        return Ok(MISUSED);
    }
    let folders = folders_of(&options.gateway)?;
    let what = json!({"server": server, "class": class, "tag": options.tag});
    let clear = async |remote: ApiClient| remote.ask(Method::POST, "api/v1/cache/clear", Some(&what)).await;
    if let Some(holder) = ownership::holder(&folders.data) {
        if options.gateway.control.is_some() {
            return Ok(with_gateway(&options.gateway, async |remote| {
                let done = clear(remote).await?;
                println!("{}", done["message"].as_str().unwrap_or("Done."));
                Ok(DONE)
            }));
        }
        let remote = ApiClient::for_lock_holder(&holder, &folders.data)?;
        let done = wait_for(clear(remote)).ok_or_else(String::new)?;
        println!("{}", done["message"].as_str().unwrap_or("Done."));
        return Ok(DONE);
    }
    let mut alone = ExclusiveLock::acquire(&folders)?;
    let servers = store_servers(&open(&folders.cache)?)?;
    // The cache that records the invalidation takes this lock itself.
    alone.cache = None;
    record_invalidation(options, &folders, &servers)?;
    alone.lock_cache(&folders)?;
    let store = open(&folders.cache)?;
    let tag = options.tag.as_deref();
    let removed = store.remove(now_ms, |row| {
        stored::matches(row, server.as_deref(), class.as_deref())
            && tag.is_none_or(|wanted| row.tags.iter().any(|tag| tag.as_str() == wanted))
    })?;
    let room = store.vacuum(false)?;
    let freed = room.before_bytes.saturating_sub(room.after_bytes);
    println!("{} answers forgotten, {} given back", format_thousands(removed), size(freed));
    Ok(DONE)
}

/// Records the purge, so that a process that opens the store at this moment serves nothing purged.
fn record_invalidation(options: &ClearStoredArgs, folders: &DataDirs, servers: &[String]) -> Result<(), String> {
    let tag = options.filter.class.as_deref().and_then(Class::parse).map(class_tag);
    let tag = tag.or_else(|| options.tag.as_deref().map(Into::into));
    let chosen = servers.iter().filter(|name| options.filter.server.as_ref().is_none_or(|server| server == *name));
    let scopes: Vec<Scope> = chosen
        .map(|server| match &tag {
            Some(tag) => Scope::Tag { namespace: server.clone(), partition: None, tag: tag.clone() },
            None => Scope::Namespace(server.clone()),
        })
        .collect();
    let mut outcome = Ok(());
    block_on(async {
        // The gateway decides the size: nothing is evicted here.
        let disk = DiskSettings { max_bytes: u64::MAX, ..DiskSettings::new(&folders.cache) };
        outcome = async {
            let cache = Cache::with_disk(CacheSettings::default(), disk, Clock::system(), TaskTracker::new())?;
            for scope in &scopes {
                cache.invalidate(scope, &Invalidation::purge());
            }
            cache.close_disk().await;
            Ok(())
        }
        .await;
        DONE
    });
    outcome
}

/// Servers with stored entries.
fn store_servers(store: &greenroom_cache::disk::inspect::Inspection) -> Result<Vec<String>, String> {
    let mut servers = std::collections::BTreeSet::new();
    store.for_each_entry(|row| {
        servers.insert(row.key.namespace().to_owned());
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(servers.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills() {
        assert_eq!(bar(0, 10), format!("[{}]   0 %", " ".repeat(30)));
        assert_eq!(bar(5, 10), format!("[{}{}]  50 %", "#".repeat(15), " ".repeat(15)));
        assert_eq!(bar(11, 10), format!("[{}] 100 %", "#".repeat(30)), "rows came meanwhile");
        assert!(bar(0, 0).ends_with("  0 %"));
    }
}
