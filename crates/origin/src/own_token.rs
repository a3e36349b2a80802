//! The token that is configured for a server: how it is shown, and whether the server accepts it.

use std::sync::atomic::Ordering;

use greenroom_dialect::ask::Kind;
use greenroom_dialect::credential::{Credential, Form};

use super::Origin;
use super::fact::Fact;

impl Origin {
    /// The configured token, as we show it.
    pub fn own_credential(&self) -> Option<Credential> {
        let token = self.settings.token.clone()?;
        Some(Credential { token: Some(token), ..self.bare_credential() })
    }

    /// What we say of ourselves beside a token.
    pub fn bare_credential(&self) -> Credential {
        let form = if self.settings.kind == Kind::Plex { Form::PlexHeader } else { Form::Authorization };
        Credential {
            token: None,
            form,
            product: Some("Greenroom".into()),
            version: Some(env!("CARGO_PKG_VERSION").into()),
            device: Some("Greenroom".into()),
            device_id: Some(format!("greenroom-{}", self.name())),
            ambiguous: false,
        }
    }

    /// The server said yes or no to the configured token.
    pub fn note_own_token(&self, is_accepted: bool) {
        let was_refused = self.refuses_own_token.swap(!is_accepted, Ordering::Relaxed);
        if !is_accepted && !was_refused {
            tracing::error!(
                server = self.name(),
                remedy = "get a new one with: greenroom login",
                "the server rejects the configured token"
            );
        }
        // Only what changed is told: each refusal would push other facts out of the queues.
        if was_refused != is_accepted {
            return;
        }
        let server = self.name().to_owned();
        let fact = if is_accepted { Fact::TokenAccepted { server } } else { Fact::TokenRejected { server } };
        self.facts.tell(&fact);
    }

    /// Whether the server said no to the configured token when it was last shown.
    pub fn refuses_own_token(&self) -> bool {
        self.refuses_own_token.load(Ordering::Relaxed)
    }
}
