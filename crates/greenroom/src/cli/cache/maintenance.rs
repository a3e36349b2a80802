//! `greenroom cache verify|vacuum|clear`: cache maintenance.

use clap::Args;
use greenroom_cache::Timestamp;
use greenroom_cache::disk::DiskSettings;
use greenroom_cache::{Cache, CacheSettings, Clock, Invalidation, Scope};
use http::Method;
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::super::api_client::{ApiClient, GatewayArgs};
use super::super::modes::print_done;
use super::super::modes::with_gateway;
use super::super::output::print_outcome;
use super::super::progress::ProgressLine;
use super::super::{FAILURE, SUCCESS, block_on, usage_error, wait_for};
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
const MAX_LISTED: usize = 20;

/// `greenroom cache verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Remove damaged entries; the server is asked for them again
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
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: CacheDirArgs,
}

/// `greenroom cache clear`.
#[derive(Debug, Args)]
pub(super) struct ClearStoredArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only entries with this tag, as `show` prints it
    #[arg(long, value_name = "TAG", conflicts_with = "class")]
    tag: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn verify(options: &VerifyArgs, now_ms: Timestamp) -> Result<u8, String> {
    let folders = options.folder.folders()?;
    let query = StoredVerifyQuery { repair: options.repair };
    let line = ProgressLine::new();
    let verified: StoredVerifyResult = ask_or_run_offline(&folders, "api/v1/cache/disk/verify", &query, || {
        stored::verify(&folders.cache, &query, false, now_ms, |done, total| {
            line.show_share(done, total, "entries checked");
        })
    })?;
    drop(line);
    let code =
        if verified.damage.is_empty() || is_repaired(&verified.damage, verified.repaired) { SUCCESS } else { FAILURE };
    if options.json {
        println!("{}", json!(verified));
        return Ok(code);
    }
    for damage in verified.damage.iter().take(MAX_LISTED) {
        println!("{}", damage_text(damage));
    }
    if verified.damage.len() > MAX_LISTED {
        println!("{} more", verified.damage.len() - MAX_LISTED);
    }
    if verified.orphans > 0 {
        println!("{} files belong to no entry; they are harmless and will be removed", verified.orphans);
    }
    let summary = format!("{} entries of {} checked", format_thousands(verified.answers), size(verified.bytes));
    match (verified.damage.len(), verified.repaired) {
        (0, _) => println!("{summary}: none is damaged"),
        (found, 0) => println!("{summary}: {found} damaged; --repair removes them"),
        (found, repaired) => println!("{summary}: {found} damaged, {repaired} removed"),
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
        "no-body" => format!("its file is missing: {key}"),
        _ => {
            let message = damage.message.as_deref().unwrap_or_default();
            format!(
                "the database is damaged ({message}): the gateway replaces it when it finds the damage; \
                     to replace it now, stop the gateway and delete the folder"
            )
        }
    }
}

pub(super) fn vacuum(options: &VacuumArgs) -> Result<u8, String> {
    let folders = options.folder.folders()?;
    let sizes: StoredVacuumResult = ask_or_run_offline(&folders, "api/v1/cache/disk/vacuum", &json!(null), || {
        stored::vacuum(&folders.cache, false)
    })?;
    let freed = sizes.before_bytes.saturating_sub(sizes.after_bytes);
    print_outcome(&format!("{} freed, {} remain", size(freed), size(sizes.after_bytes)), &json!(sizes), options.json);
    Ok(SUCCESS)
}

pub(super) fn clear(options: &ClearStoredArgs, now_ms: Timestamp) -> Result<u8, String> {
    let FilterArgs { server, class } = &options.filter;
    if let Some(class) = class.as_deref().filter(|class| Class::parse(class).is_none()) {
        let known: Vec<&str> = Class::EVERY.iter().map(|class| class.name()).collect();
        return Ok(usage_error(&format!("{class} is not a class; the classes are: {}", known.join(", "))));
    }
    let folders = folders_of(&options.gateway)?;
    let body = json!({"server": server, "class": class, "tag": options.tag});
    let clear = async |client: ApiClient| client.send(Method::POST, "api/v1/cache/clear", Some(&body)).await;
    if let Some(holder) = ownership::holder(&folders.data) {
        if options.gateway.control.is_some() {
            return Ok(with_gateway(&options.gateway, async |client| {
                let done = clear(client).await?;
                print_done(&done, options.json);
                Ok(SUCCESS)
            }));
        }
        let client = ApiClient::for_lock_holder(&holder, &folders.data)?;
        let done = wait_for(clear(client)).ok_or_else(String::new)?;
        print_done(&done, options.json);
        return Ok(SUCCESS);
    }
    let mut lock = ExclusiveLock::acquire(&folders)?;
    let servers = store_servers(&open(&folders.cache)?)?;
    // The cache that records the invalidation takes this lock itself.
    lock.cache = None;
    record_invalidation(options, &folders, &servers)?;
    lock.lock_cache(&folders)?;
    let store = open(&folders.cache)?;
    let tag = options.tag.as_deref();
    let removed = store.remove(now_ms, |row| {
        stored::matches(row, server.as_deref(), class.as_deref())
            && tag.is_none_or(|wanted| row.tags.iter().any(|tag| tag.as_str() == wanted))
    })?;
    let sizes = store.vacuum(false)?;
    let freed = sizes.before_bytes.saturating_sub(sizes.after_bytes);
    let text = format!("{} entries deleted, {} freed", format_thousands(removed), size(freed));
    print_outcome(&text, &json!({ "removed": removed, "freed_bytes": freed }), options.json);
    Ok(SUCCESS)
}

/// Records the purge, so that a process that opens the store at this moment serves nothing purged.
fn record_invalidation(options: &ClearStoredArgs, folders: &DataDirs, servers: &[String]) -> Result<(), String> {
    let tag = options.filter.class.as_deref().and_then(Class::parse).map(class_tag);
    let tag = tag.or_else(|| options.tag.as_deref().map(Into::into));
    let selected = servers.iter().filter(|name| options.filter.server.as_ref().is_none_or(|server| server == *name));
    let scopes: Vec<Scope> = selected
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
        SUCCESS
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
