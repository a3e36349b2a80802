//! A request as the rooms see it: where it goes, with which parameters, and who sends it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::ACCEPT_LANGUAGE;
use http::{HeaderMap, Method};
use parking_lot::Mutex;
use serde_json::Value;

use super::credential::Credential;
use super::house::House;
use super::ident::{self, Ident, Space};
use super::params::Params;
use super::refusal::Refusal;
use super::reply::Marks;
use super::scene::Scene;
use super::tokens::Grant;
use crate::serve::Ground;
use crate::state::{View, Write};
use crate::users::UserId;

/// On whose behalf an API key changes things that belong to no user.
pub(crate) const NOBODY: UserId = UserId(0);

/// Who sends a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The token.
    pub(crate) grant: Grant,
    /// Whether everything is allowed.
    pub(crate) admin: bool,
}

/// A request.
pub(crate) struct Ask<'a> {
    /// What all servers stand on.
    pub(crate) ground: &'a Arc<Ground>,
    /// What only this one has.
    pub(crate) house: &'a Arc<House>,
    /// The method; `HEAD` is `GET` here.
    pub(crate) method: Method,
    /// The parts of the path as sent, without prefix and empty parts.
    pub(crate) raw: Vec<String>,
    /// The same in lower case.
    pub(crate) path: Vec<String>,
    /// The query.
    pub(crate) params: Params,
    /// The headers.
    pub(crate) headers: &'a HeaderMap,
    /// The body.
    pub(crate) body: &'a Bytes,
    /// Who sends it, if the token is valid.
    pub(crate) caller: Option<Caller>,
    /// Where it comes from.
    pub(crate) peer: String,
    /// Whether to answer as a server that has not loaded its library yet.
    pub(crate) starting: bool,
    /// When it came, in milliseconds.
    pub(crate) now_ms: u64,
    /// What the answer will be marked with.
    pub(crate) marks: Mutex<Marks>,
}

impl Ask<'_> {
    /// The parts of the path to match on.
    pub(crate) fn parts(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// Who sends it; 401 if nobody known.
    pub(crate) fn caller(&self) -> Result<&Caller, Refusal> {
        self.caller.as_ref().ok_or(Refusal::Unauthorized)
    }

    /// The user who sends it, who must be one.
    pub(crate) fn own_user(&self) -> Result<UserId, Refusal> {
        self.caller()?.grant.user.ok_or_else(|| Refusal::invalid("userId"))
    }

    /// 403 unless everything is allowed.
    pub(crate) fn admin(&self) -> Result<(), Refusal> {
        if self.caller()?.admin { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    /// Whose eyes the answer is seen with: the user named, which must be oneself unless everything is allowed, or
    /// oneself. Nobody's for an API key that names none.
    pub(crate) fn user(&self) -> Result<Option<UserId>, Refusal> {
        let caller = self.caller()?;
        let Some(text) = self.params.text("userid").filter(|text| !is_zero(text)) else {
            return Ok(caller.grant.user);
        };
        let named = self.user_named(text)?;
        if Some(named) == caller.grant.user || caller.admin {
            Ok(Some(named))
        } else {
            Err(Refusal::Forbidden)
        }
    }

    /// The same, where there must be one.
    pub(crate) fn some_user(&self) -> Result<UserId, Refusal> {
        self.user()?.ok_or_else(|| Refusal::invalid("userId"))
    }

    /// The user with this id.
    pub(crate) fn user_named(&self, text: &str) -> Result<UserId, Refusal> {
        if !ident::is_well_formed(text) {
            return Err(Refusal::invalid("userId"));
        }
        let number = Ident::read(text).and_then(|id| id.within(Space::User)).ok_or(Refusal::NotFound)?;
        let id = UserId(u32::try_from(number).map_err(|_| Refusal::NotFound)?);
        self.ground.state.users().user(id).map(|user| user.id).ok_or(Refusal::NotFound)
    }

    /// The id in a part of the path.
    pub(crate) fn id(text: &str) -> Result<Ident, Refusal> {
        if ident::is_well_formed(text) {
            Ident::read(text).ok_or(Refusal::NotFound)
        } else {
            Err(Refusal::invalid("id"))
        }
    }

    /// What the client says about itself.
    pub(crate) fn says(&self) -> Credential {
        Credential::of(self.headers, &self.params, !self.house.switches.reject_legacy_auth)
    }

    /// The language the client reads, in lower case: the first of `Accept-Language`.
    pub(crate) fn language(&self) -> String {
        let accepted =
            self.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        accepted.split([',', ';']).next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// What the answer is made from. The answer is marked with this moment.
    pub(crate) fn scene<'b>(&'b self, view: &'b View<'b>, user: Option<UserId>) -> Scene<'b> {
        let mut marks = self.marks.lock();
        marks.seq = view.seq();
        if let Some(user) = user {
            let own = self.caller.as_ref().and_then(|caller| caller.grant.user);
            marks.user_seq = view.user_seq(user);
            marks.shown = view.user(user).filter(|_| own != Some(user)).map(|user| user.name.clone());
        }
        drop(marks);
        self.scene_quietly(view, user)
    }

    /// The same, for a look that is not the answer's.
    pub(crate) fn scene_quietly<'b>(&'b self, view: &'b View<'b>, user: Option<UserId>) -> Scene<'b> {
        Scene {
            view,
            user,
            moment_ms: self.now_ms,
            starting: self.starting,
            server_id: &self.house.server_id,
            art: &self.house.art,
            switches: &self.house.switches,
        }
    }

    /// Changes the state on behalf of `user` (of nobody for an API key) and answers from within the change.
    pub(crate) fn write<T>(&self, user: Option<UserId>, change: impl FnOnce(&mut Write<'_>) -> T) -> T {
        self.ground.state.write(user.unwrap_or(NOBODY), |write| {
            let made = change(write);
            let view = write.view();
            let mut marks = self.marks.lock();
            marks.seq = view.seq();
            marks.user_seq = user.map_or(marks.user_seq, |user| view.user_seq(user));
            made
        })
    }

    /// The body as JSON; an empty one is an empty object.
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(self.body).map_err(|_| Refusal::invalid("body"))
    }
}

/// A property of a JSON body, whatever the case of its name.
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
