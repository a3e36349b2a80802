//! Removes and refreshes cached responses on request.

use greenroom_cache::{Invalidation, Scope};
use greenroom_jobs::warming;

use crate::control::ControlPlane;
use crate::error::Problem;

impl ControlPlane {
    /// Purges one server's cache or all. Loads in progress are discarded too.
    pub fn clear(&self, server_name: Option<&str>) -> Result<(), Problem> {
        self.check_server(server_name)?;
        for server in self.select_servers(server_name) {
            server.invalidate(&Scope::Namespace(server.name().to_owned()), &Invalidation::purge());
        }
        tracing::info!(server = server_name.unwrap_or("all"), "cache cleared");
        Ok(())
    }

    /// Purges entries with a tag, on one server or on all.
    pub fn clear_tag(&self, server_name: Option<&str>, tag: &str) -> Result<(), Problem> {
        self.check_server(server_name)?;
        for server in self.select_servers(server_name) {
            let namespace = server.name().to_owned();
            let scope = Scope::Tag { namespace, partition: None, tag: tag.into() };
            server.invalidate(&scope, &Invalidation::purge());
        }
        tracing::info!(server = server_name.unwrap_or("all"), "part of the cache cleared");
        Ok(())
    }

    /// Refreshes the warm keys of one server or of all. Returns how many responses were requested.
    pub async fn warm(&self, server_name: Option<&str>) -> Result<usize, Problem> {
        self.check_server(server_name)?;
        warming::warm(&self.jobs, &self.cache, server_name).await.ok_or(Problem::ALREADY_WARMING)
    }
}
