//! A request as passed to the routes: path, parameters, and caller.

use std::sync::Arc;

use bytes::Bytes;
use http::header::ACCEPT_LANGUAGE;
use http::{HeaderMap, Method};
use parking_lot::Mutex;
use serde_json::Value;

use super::credential::ClientCredential;
use super::error::JellyfinError;
use super::ident::{self, IdNamespace, JellyfinId};
use super::params::JellyfinParams;
use super::response::ResponseMarkers;
use super::response_context::ResponseContext;
use super::server::JellyfinServer;
use super::tokens::TokenGrant;
use crate::serve::SimulatorContext;
use crate::state::{StateView, StateWrite};
use crate::users::UserId;

/// User of changes by an API key, which belong to no user.
pub(crate) const NO_USER: UserId = UserId(0);

/// Caller of a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Its token.
    pub(crate) grant: TokenGrant,
    /// Whether everything is allowed.
    pub(crate) admin: bool,
}

/// A request.
pub(crate) struct JellyfinRequest<'a> {
    /// Common context of all simulated servers.
    pub(crate) context: &'a Arc<SimulatorContext>,
    /// State of this server.
    pub(crate) server: &'a Arc<JellyfinServer>,
    /// The method; `HEAD` is `GET` here.
    pub(crate) method: Method,
    /// Path segments as sent, without prefix and empty segments.
    pub(crate) raw: Vec<String>,
    /// The same in lower case.
    pub(crate) path: Vec<String>,
    /// The query.
    pub(crate) params: JellyfinParams,
    /// The headers.
    pub(crate) headers: &'a HeaderMap,
    /// The body.
    pub(crate) body: &'a Bytes,
    /// The caller, if the token is valid.
    pub(crate) caller: Option<Caller>,
    /// Address of the sender.
    pub(crate) peer: String,
    /// Whether to answer as a server that has not loaded its library yet.
    pub(crate) starting: bool,
    /// Time of arrival, in milliseconds.
    pub(crate) now_ms: u64,
    /// Marks for the response.
    pub(crate) marks: Mutex<ResponseMarkers>,
}

impl JellyfinRequest<'_> {
    /// Path segments for matching.
    pub(crate) fn parts(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// The caller; 401 without a valid token.
    pub(crate) fn caller(&self) -> Result<&Caller, JellyfinError> {
        self.caller.as_ref().ok_or(JellyfinError::Unauthorized)
    }

    /// The user of the caller, which must not be an API key.
    pub(crate) fn own_user(&self) -> Result<UserId, JellyfinError> {
        self.caller()?.grant.user.ok_or_else(|| JellyfinError::invalid("userId"))
    }

    /// 403 unless everything is allowed.
    pub(crate) fn admin(&self) -> Result<(), JellyfinError> {
        if self.caller()?.admin { Ok(()) } else { Err(JellyfinError::Forbidden) }
    }

    /// User whose view the response shows: the named one, which must be the caller unless everything is allowed, or the
    /// caller. `None` for an API key that names none.
    pub(crate) fn user(&self) -> Result<Option<UserId>, JellyfinError> {
        let caller = self.caller()?;
        let Some(text) = self.params.text("userid").filter(|text| !is_zero(text)) else {
            return Ok(caller.grant.user);
        };
        let named = self.user_named(text)?;
        if Some(named) == caller.grant.user || caller.admin { Ok(Some(named)) } else { Err(JellyfinError::Forbidden) }
    }

    /// The same; an error without a user.
    pub(crate) fn some_user(&self) -> Result<UserId, JellyfinError> {
        self.user()?.ok_or_else(|| JellyfinError::invalid("userId"))
    }

    /// The user with this id.
    pub(crate) fn user_named(&self, text: &str) -> Result<UserId, JellyfinError> {
        if !ident::is_well_formed(text) {
            return Err(JellyfinError::invalid("userId"));
        }
        let number =
            JellyfinId::parse(text).and_then(|id| id.within(IdNamespace::User)).ok_or(JellyfinError::NotFound)?;
        let id = UserId(u32::try_from(number).map_err(|_| JellyfinError::NotFound)?);
        self.context.state.user(id).map(|user| user.id).ok_or(JellyfinError::NotFound)
    }

    /// The id in a path segment.
    pub(crate) fn id(text: &str) -> Result<JellyfinId, JellyfinError> {
        if ident::is_well_formed(text) {
            JellyfinId::parse(text).ok_or(JellyfinError::NotFound)
        } else {
            Err(JellyfinError::invalid("id"))
        }
    }

    /// Identification of the client.
    pub(crate) fn client_credential(&self) -> ClientCredential {
        ClientCredential::from_request(self.headers, &self.params, !self.server.switches.reject_legacy_auth)
    }

    /// Preferred language, in lower case: the first of `Accept-Language`.
    pub(crate) fn language(&self) -> String {
        let accepted = self.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        accepted.split([',', ';']).next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Context for a response, which is marked with this moment.
    pub(crate) fn response_context<'b>(&'b self, view: &'b StateView<'b>, user: Option<UserId>) -> ResponseContext<'b> {
        let mut marks = self.marks.lock();
        marks.seq = view.seq();
        if let Some(user) = user {
            let own = self.caller.as_ref().and_then(|caller| caller.grant.user);
            marks.user_seq = view.user_seq(user);
            marks.state_user = view.user(user).filter(|_| own != Some(user)).map(|user| user.name.clone());
        }
        drop(marks);
        self.response_context_without_session(view, user)
    }

    /// The same without marking the response.
    pub(crate) fn response_context_without_session<'b>(
        &'b self,
        view: &'b StateView<'b>,
        user: Option<UserId>,
    ) -> ResponseContext<'b> {
        ResponseContext {
            view,
            user,
            rating_limit: user.and_then(|user| self.context.state.rating_limit(user)),
            now_ms: self.now_ms,
            draw: self.server.next_draw(),
            starting: self.starting,
            server_id: &self.server.server_id,
            images: &self.server.images,
            removed_sections: &self.server.removed_sections,
            switches: &self.server.switches,
        }
    }

    /// Changes the state on behalf of `user` (none for an API key) and creates the response within the change.
    pub(crate) fn write<T>(&self, user: Option<UserId>, change: impl FnOnce(&mut StateWrite<'_>) -> T) -> T {
        self.context.state.write(user.unwrap_or(NO_USER), |write| {
            let made = change(write);
            let view = write.view();
            let mut marks = self.marks.lock();
            marks.seq = view.seq();
            marks.user_seq = user.map_or(marks.user_seq, |user| view.user_seq(user));
            made
        })
    }

    /// The body as JSON; an empty one is an empty object.
    pub(crate) fn json(&self) -> Result<Value, JellyfinError> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(self.body).map_err(|_| JellyfinError::invalid("body"))
    }
}

/// A property of a JSON body, by case-insensitive name.
pub(crate) fn field<'a>(body: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = body.as_object()?;
    fields
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .filter(|value| !value.is_null())
}

/// A text of a JSON body.
pub(crate) fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    field(body, name).and_then(Value::as_str)
}

/// A list of texts of a JSON body.
pub(crate) fn texts<'a>(body: &'a Value, name: &str) -> Option<Vec<&'a str>> {
    field(body, name).and_then(Value::as_array).map(|rows| rows.iter().filter_map(Value::as_str).collect())
}

fn is_zero(text: &str) -> bool {
    text.chars().all(|digit| matches!(digit, '0' | '-'))
}
