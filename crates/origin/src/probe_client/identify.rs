//! Identifies the server at an address, with as many requests as needed.

use greenroom_dialect::login::authenticated_get;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_identity::{
    IdentityProbe, IdentityProbeResponse, ServerIdentity, identify_server, next_probe,
};

use super::{Endpoint, ProbeClient, ProbeError, ProbeResponse};

impl ProbeResponse {
    /// The identity of the server that sent this response to the identity path of any kind.
    pub fn server_identity(&self, expected: ServerKind) -> ServerIdentity {
        identify_server(
            expected,
            &IdentityProbeResponse { status: self.status, headers: &self.headers, body: &self.body },
        )
    }
}

impl ProbeClient {
    /// Identity of the server at `endpoint`.
    ///
    /// # Errors
    /// The first request is not answered.
    pub async fn identify(&self, expected: ServerKind, endpoint: &Endpoint) -> Result<ServerIdentity, ProbeError> {
        let first = self.send(endpoint, authenticated_get(expected, expected.identity_path(), None)).await?;
        Ok(self.identify_after(expected, endpoint, &first).await)
    }

    /// The same, with the response to the first request at hand.
    pub async fn identify_after(
        &self,
        expected: ServerKind,
        endpoint: &Endpoint,
        first: &ProbeResponse,
    ) -> ServerIdentity {
        let mut result = vec![first.server_identity(expected)];
        loop {
            match next_probe(expected, &result) {
                IdentityProbe::Done(identity) => return identity,
                IdentityProbe::Request(path) => {
                    match self.send(endpoint, authenticated_get(expected, path, None)).await {
                        Ok(response) => result.push(response.server_identity(expected)),
                        // If only some requests are answered, the first decides.
                        Err(_) => return result.swap_remove(0),
                    }
                }
            }
        }
    }
}
