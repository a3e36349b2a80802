//! A server of any HTTP API with its listener.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::ProcessContext;
use super::server_listener::open_certificate;
use crate::takeover::listening::{address_of, bind};
use crate::takeover::{InheritedListeners, ListenerHandover};
use greenroom_config::Settings;
use greenroom_http_api::ApiServer;
use greenroom_http_server::server_certificate::ServerCertificate;

/// A server of any HTTP API and the listener for its clients.
pub(super) struct ApiListener {
    pub(super) server: Arc<ApiServer>,
    pub(super) address: SocketAddr,
    listener: TcpListener,
    pub(super) certificate: Option<Arc<ServerCertificate>>,
}

impl ProcessContext {
    /// Opens every such server with its listener, in configuration order. No connection is accepted yet.
    pub(super) async fn open_api_listeners(
        &self,
        settings: &Settings,
        sockets: &mut InheritedListeners,
        handover: &mut ListenerHandover,
    ) -> Result<Vec<ApiListener>, String> {
        let mut api_listeners = Vec::new();
        for api in settings.http_apis.iter().cloned() {
            let name = format!("server \"{}\"", api.name);
            let listener = bind(api.listen, &name, sockets, handover).await?;
            let address = address_of(&listener)?;
            let certificate = open_certificate(api.certificate.as_ref(), &name, &self.clock)?;
            let engine = (self.cache.clone(), self.clock.clone());
            let known = (self.secrets.0, Arc::clone(&self.bypasses));
            let server = ApiServer::new(api, engine, self.tasks.clone(), self.stop.clone(), known)?;
            api_listeners.push(ApiListener { server: Arc::new(server), address, listener, certificate });
        }
        Ok(api_listeners)
    }

    /// Accepts clients of a server.
    pub(super) fn serve_api(&self, api_listener: ApiListener) {
        let ApiListener { server, listener, certificate, .. } = api_listener;
        self.tasks.spawn(greenroom_http_api::serve(server, listener, certificate, self.draining.clone()));
    }
}
