//! A wish as it is said: a JSON object, or a playlist with the rest in the query.

use greenroom_library::playlist;
use greenroom_library::tracks::Policy;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Refusal;
use greenroom_config::playlist_mode::{Mode, policy_named};
use greenroom_sync::playlists::report::Failure;
use greenroom_sync::playlists::request::{Source, Wish};

/// A wish as it is written in JSON; where the body is the playlist itself, what the query says of it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlaylistWish)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word somebody may say")]
pub(super) struct Asked {
    #[serde(default)]
    source: Value,
    #[serde(default)]
    hint: String,
    #[serde(default)]
    pub(super) server: Option<String>,
    #[serde(default)]
    library: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    accounts: Names,
    #[serde(default)]
    policy: Option<String>,
    #[serde(default)]
    shrink: bool,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    live: u32,
    #[serde(default)]
    wait: bool,
    /// Answer at once.
    #[serde(default)]
    pub(super) detach: bool,
}

/// A list of names, or one text with commas.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = AccountNames)]
enum Names {
    #[default]
    None,
    List(Vec<String>),
    Text(String),
}

/// The query: of a playlist in a body all, of a wish in JSON what does not say otherwise than the wish.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word somebody may say")]
pub(crate) struct Said {
    #[serde(default)]
    server: Option<String>,
    #[serde(default)]
    library: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    mode: Option<Mode>,
    #[serde(default)]
    accounts: Option<String>,
    #[serde(default)]
    policy: Option<String>,
    #[serde(default)]
    shrink: bool,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    live: u32,
    #[serde(default)]
    wait: bool,
    #[serde(default)]
    detach: bool,
    #[serde(default)]
    pub(super) hint: Option<String>,
}

impl Said {
    /// Whether nothing is said that a wish in JSON would say itself.
    pub(super) fn is_empty(&self) -> bool {
        self.server.is_none()
            && self.name.is_none()
            && self.mode.is_none()
            && self.accounts.is_none()
            && self.hint.is_none()
    }

    pub(super) fn into_asked(self) -> Asked {
        Asked {
            source: Value::Null,
            hint: String::new(),
            server: self.server,
            library: self.library,
            name: self.name,
            mode: self.mode.unwrap_or_default(),
            accounts: self.accounts.map_or(Names::None, Names::Text),
            policy: self.policy,
            shrink: self.shrink,
            dry_run: self.dry_run,
            live: self.live,
            wait: self.wait,
            detach: self.detach,
        }
    }
}

impl Asked {
    /// With what the query says beside it: a dry run is one wherever it is said.
    ///
    /// # Errors
    /// If both say something, and not the same.
    pub(super) fn and(mut self, said: Said) -> Result<Self, Refusal> {
        for (here, there) in [(&mut self.library, said.library), (&mut self.policy, said.policy)] {
            match (here.as_ref(), there) {
                (Some(one), Some(other)) if *one != other => {
                    let message = "the query says otherwise than the wish; say it once";
                    return Err(Failure::new("bad-wish", message).into());
                }
                (None, Some(other)) => *here = Some(other),
                _ => {}
            }
        }
        self.shrink |= said.shrink;
        self.dry_run |= said.dry_run;
        self.wait |= said.wait;
        self.detach |= said.detach;
        self.live = self.live.max(said.live);
        Ok(self)
    }

    pub(super) fn wish(self, source: Source, server: String) -> Result<Wish, Refusal> {
        let policy = self.policy.as_deref().map_or(Some(Policy::Strict), policy_named);
        let policy = policy.ok_or_else(|| {
            Failure::new("bad-wish", "policy must be strict, prefer-version-else-any or ids-only")
        })?;
        let accounts = match self.accounts {
            Names::None => Vec::new(),
            Names::List(names) => names,
            Names::Text(text) => {
                text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
            }
        };
        Ok(Wish {
            source,
            server,
            library: self.library,
            name: self.name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
            mode: self.mode,
            accounts,
            policy,
            shrink: self.shrink,
            dry_run: self.dry_run,
            live: self.live,
            wait: self.wait,
        })
    }
}

pub(super) fn wish_of(bytes: &[u8]) -> Result<(Source, Asked), Refusal> {
    let mut asked: Asked = serde_json::from_slice(bytes).map_err(|error| {
        let message = format!(
            "the body is no wish: line {}, column {}; it needs at least a source",
            error.line(),
            error.column()
        );
        Failure::new("bad-wish", message)
    })?;
    let from_server = |object: &serde_json::Map<String, Value>| {
        let word = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let source =
            Source::Server { server: word("server")?, playlist: word("playlist")?, account: word("account") };
        Some(source)
    };
    let source = match asked.source.take() {
        Value::Null => return Err(Failure::new("bad-wish", "a wish needs a source").into()),
        Value::Object(object) if object.get("server").is_some_and(Value::is_string) => {
            let source = from_server(&object);
            source.ok_or_else(|| {
                Failure::new("bad-wish", "a source on a server needs \"server\" and \"playlist\"")
            })?
        }
        Value::String(text) => rows_of(text.as_bytes(), &asked.hint)?,
        other => rows_of(other.to_string().as_bytes(), "json")?,
    };
    Ok((source, asked))
}

pub(super) fn rows_of(bytes: &[u8], hint: &str) -> Result<Source, Refusal> {
    match playlist::read(bytes, hint) {
        Ok(playlist) => Ok(Source::Rows(Box::new(playlist))),
        Err(playlist::Unreadable::TooLong) => Err(too_long().into()),
        Err(unreadable) => Err(Failure::new("unreadable", unreadable.to_string()).into()),
    }
}

pub(super) fn too_long() -> Failure {
    Failure::new("too-long", playlist::Unreadable::TooLong.to_string())
}
