//! Facts on the remote store.

use greenroom_config::RemoteStoreSettings;
use greenroom_remote_store::probe;

use super::facts::RemoteStoreFacts;

/// The addresses of its nodes, as one text.
pub fn addresses(settings: &RemoteStoreSettings) -> String {
    probe::addresses(settings).join(", ")
}

/// Asks the store.
pub async fn gather(settings: &RemoteStoreSettings) -> RemoteStoreFacts {
    RemoteStoreFacts {
        prefix: settings.prefix.clone(),
        read_timeout: settings.read_timeout,
        answer: probe::probe(settings).await,
    }
}
