//! The configured token of a server, and whether the server accepts it.

use std::sync::atomic::Ordering;

use greenroom_dialect::credential::{Credential, TokenForm};
use greenroom_dialect::request::ServerKind;

use crate::origin::Origin;
use crate::system_event::SystemEvent;

impl Origin {
    /// The configured token as a credential.
    pub fn own_credential(&self) -> Option<Credential> {
        let token = self.settings.token.clone()?;
        Some(Credential { token: Some(token), ..self.bare_credential() })
    }

    /// Greenroom's credential without a token.
    pub fn bare_credential(&self) -> Credential {
        let token_form =
            if self.settings.kind == ServerKind::Plex { TokenForm::PlexHeader } else { TokenForm::Authorization };
        Credential {
            token: None,
            form: token_form,
            product: Some("Greenroom".into()),
            version: Some(env!("CARGO_PKG_VERSION").into()),
            device: Some("Greenroom".into()),
            device_id: Some(self.device_id.clone()),
            ambiguous: false,
        }
    }

    /// Identifies this installation to the server. A server tells the events of one device to one connection only, so it
    /// must be unique to the data directory.
    pub fn device_id(&self) -> &str {
        &self.device_id
    }

    /// Sets the device id.
    pub fn set_device_id(&mut self, device_id: String) {
        self.device_id = device_id;
    }

    /// Records whether the server accepted the configured token.
    pub fn record_own_token(&self, is_accepted: bool) {
        let was_rejected = self.refuses_own_token.swap(!is_accepted, Ordering::Relaxed);
        if !is_accepted && !was_rejected {
            tracing::error!(
                server = self.name(),
                remedy = "get a new token with: greenroom login",
                "the media server rejects the configured token"
            );
        }
        // Only changes are reported: each refusal would push other events out of the queues.
        if was_rejected != is_accepted {
            return;
        }
        let server = self.name().to_owned();
        let event =
            if is_accepted { SystemEvent::TokenAccepted { server } } else { SystemEvent::TokenRejected { server } };
        self.events.notify(&event);
    }

    /// Whether the server refused the configured token at its last use.
    pub fn refuses_own_token(&self) -> bool {
        self.refuses_own_token.load(Ordering::Relaxed)
    }
}
