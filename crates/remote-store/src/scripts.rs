//! The programs that run in the store, and their arguments. Each touches one slot of a Cluster.

use redis::{FromRedisValue, RedisResult, Script};

use crate::connection::StoreConnection;

/// Lets the scripts of the agreement run in a store that is full: they write little, and free more.
const ALLOW_OOM: &str = "#!lua flags=allow-oom\n";

/// All scripts, for one version of the store.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) hear: Script,
    pub(crate) announce: Script,
    pub(crate) marks: Script,
    pub(crate) put: Script,
    pub(crate) release: Script,
    pub(crate) leave: Script,
    pub(crate) settings: Script,
}

impl Scripts {
    /// The scripts for a store of this major version: flags are known from 7 on.
    pub(crate) fn for_version(major: u32) -> Self {
        let flags = if major >= 7 { ALLOW_OOM } else { "" };
        let flagged = |code: &str| Script::new(&format!("{flags}{code}"));
        Self {
            hear: flagged(include_str!("scripts/hear.lua")),
            announce: flagged(include_str!("scripts/announce.lua")),
            marks: flagged(include_str!("scripts/marks.lua")),
            put: Script::new(include_str!("scripts/put.lua")),
            release: flagged(include_str!("scripts/release.lua")),
            leave: flagged(include_str!("scripts/leave.lua")),
            settings: flagged(include_str!("scripts/settings.lua")),
        }
    }
}

/// Runs a script.
pub(crate) async fn run<T: FromRedisValue>(
    script: &Script,
    connection: &mut StoreConnection,
    keys: &[String],
    arguments: &[impl AsRef<[u8]>],
) -> RedisResult<T> {
    let mut invocation = script.prepare_invoke();
    for key in keys {
        invocation.key(key);
    }
    for argument in arguments {
        invocation.arg(argument.as_ref());
    }
    invocation.invoke_async(connection).await
}
