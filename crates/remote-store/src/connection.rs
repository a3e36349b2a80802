//! A connection to the store: one node, or a Cluster.

use std::path::Path;
use std::time::Duration;

use greenroom_config::RemoteStoreSettings;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline, ProtocolVersion,
    RedisFuture, TlsCertificates, Value,
};

/// Max wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Max bytes of a certificate file.
const MAX_CERTIFICATE_BYTES: u64 = 1024 * 1024;

/// An open connection. Clones share it.
#[derive(Clone)]
pub(crate) enum StoreConnection {
    /// To one node.
    Single(MultiplexedConnection),
    /// To all nodes of a Cluster.
    Cluster(ClusterConnection),
}

impl std::fmt::Debug for StoreConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

impl StoreConnection {
    /// Opens a connection whose commands take `response_timeout` at most; `None` for ones that block.
    ///
    /// # Errors
    /// What failed, without the address, which may hold a password.
    pub(crate) async fn open(
        settings: &RemoteStoreSettings,
        response_timeout: Option<Duration>,
    ) -> Result<Self, String> {
        let infos: Result<Vec<ConnectionInfo>, String> =
            settings.nodes.iter().map(|node| info(settings, node.expose())).collect();
        let (infos, certificates) = (infos?, read_certificates(settings).await?);
        let connecting = async {
            if let [single] = infos.as_slice() {
                let client = match certificates {
                    Some(certificates) => Client::build_with_tls(single.clone(), certificates),
                    None => Client::open(single.clone()),
                };
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_TIMEOUT))
                    .set_response_timeout(response_timeout);
                let client = client.map_err(explain)?;
                client.get_multiplexed_async_connection_with_config(&config).await.map(Self::Single).map_err(explain)
            } else {
                let builder = ClusterClient::builder(infos)
                    .connection_timeout(CONNECT_TIMEOUT)
                    .response_timeout(response_timeout.unwrap_or(Duration::from_secs(3_600)))
                    .retries(2);
                let builder = if let Some(certificates) = certificates { builder.certs(certificates) } else { builder };
                let client = builder.build().map_err(explain)?;
                client.get_async_connection().await.map(Self::Cluster).map_err(explain)
            }
        };
        tokio::time::timeout(CONNECT_TIMEOUT * 2, connecting).await.unwrap_or_else(|_| Err("no answer".into()))
    }

    /// "single" or "cluster".
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Single(_) => "single",
            Self::Cluster(_) => "cluster",
        }
    }
}

impl ConnectionLike for StoreConnection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

fn info(settings: &RemoteStoreSettings, address: &str) -> Result<ConnectionInfo, String> {
    let info = address.into_connection_info().map_err(explain)?;
    let mut redis = info.redis_settings().clone();
    if let Some(user) = &settings.user {
        redis = redis.set_username(user);
    }
    if let Some(password) = &settings.password {
        redis = redis.set_password(password.expose());
    }
    if let Some(database) = settings.database {
        redis = redis.set_db(i64::from(database));
    }
    redis = redis.set_protocol(if settings.resp3 { ProtocolVersion::RESP3 } else { ProtocolVersion::RESP2 });
    Ok(info.set_redis_settings(redis))
}

async fn read_certificates(settings: &RemoteStoreSettings) -> Result<Option<TlsCertificates>, String> {
    let root_cert = match &settings.ca_file {
        Some(path) => Some(read_file(path).await?),
        None => None,
    };
    let client_tls = match (&settings.client_cert_file, &settings.client_key_file) {
        (Some(certificate), Some(key)) => {
            Some(ClientTlsConfig { client_cert: read_file(certificate).await?, client_key: read_file(key).await? })
        }
        (None, None) => None,
        _ => return Err("client_cert_file and client_key_file belong together".into()),
    };
    let is_given = root_cert.is_some() || client_tls.is_some();
    Ok(is_given.then_some(TlsCertificates { client_tls, root_cert }))
}

async fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let named = path.display().to_string();
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        use std::io::Read as _;
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(MAX_CERTIFICATE_BYTES).read_to_end(&mut bytes).map(|_| bytes)
    });
    match read.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(format!("{named} cannot be read: {error}")),
        Err(_) => Err(format!("{named} cannot be read")),
    }
}

/// A short reason. Redis never repeats a password in an error.
#[expect(clippy::needless_pass_by_value, reason = "used as a function of errors")]
pub(crate) fn explain(error: redis::RedisError) -> String {
    match error.code() {
        Some(code) => format!("{code} {}", error.detail().unwrap_or_default()).trim_end().to_owned(),
        None => error.to_string(),
    }
}
