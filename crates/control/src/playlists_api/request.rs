//! A sync request as received: a JSON object, or a playlist body with its options in the query.

use greenroom_library::matching::MatchPolicy;
use greenroom_library::playlist;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::PlaylistApiError;
use greenroom_config::playlist_mode::{PlaylistMode, parse_policy};
use greenroom_sync::playlists::report::PlaylistFailure;
use greenroom_sync::playlists::request::{SyncRequest, SyncSource};

/// A sync request in JSON; if the body is the playlist itself, the options from the query.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlaylistWish)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word somebody may say")]
pub(super) struct SyncRequestBody {
    #[serde(default)]
    source: Value,
    #[serde(default)]
    hint: String,
    pub(super) server: Option<String>,
    library: Option<String>,
    name: Option<String>,
    #[serde(default)]
    mode: PlaylistMode,
    #[serde(default)]
    accounts: AccountNames,
    policy: Option<String>,
    #[serde(default)]
    shrink: bool,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    live: u32,
    #[serde(default)]
    wait: bool,
    /// Respond at once, without waiting for the run.
    #[serde(default)]
    pub(super) detach: bool,
}

/// A list of names, or a comma-separated text.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = AccountNames)]
enum AccountNames {
    #[default]
    None,
    List(Vec<String>),
    Text(String),
}

/// Options in the query: all options of a playlist body; for a JSON body, only those that do not contradict it.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word somebody may say")]
pub(crate) struct SyncRequestParams {
    server: Option<String>,
    library: Option<String>,
    name: Option<String>,
    mode: Option<PlaylistMode>,
    accounts: Option<String>,
    policy: Option<String>,
    shrink: bool,
    dry_run: bool,
    live: u32,
    wait: bool,
    detach: bool,
    pub(super) hint: Option<String>,
}

impl SyncRequestParams {
    /// True if the query sets no option that a JSON body could set.
    pub(super) fn is_empty(&self) -> bool {
        self.server.is_none()
            && self.name.is_none()
            && self.mode.is_none()
            && self.accounts.is_none()
            && self.hint.is_none()
    }

    pub(super) fn into_body(self) -> SyncRequestBody {
        SyncRequestBody {
            source: Value::Null,
            hint: String::new(),
            server: self.server,
            library: self.library,
            name: self.name,
            mode: self.mode.unwrap_or_default(),
            accounts: self.accounts.map_or(AccountNames::None, AccountNames::Text),
            policy: self.policy,
            shrink: self.shrink,
            dry_run: self.dry_run,
            live: self.live,
            wait: self.wait,
            detach: self.detach,
        }
    }
}

impl SyncRequestBody {
    /// Merges the query's options; a dry run in either is a dry run.
    ///
    /// # Errors
    /// If both set an option differently.
    pub(super) fn merge(mut self, said: SyncRequestParams) -> Result<Self, PlaylistApiError> {
        for (here, there) in [(&mut self.library, said.library), (&mut self.policy, said.policy)] {
            match (here.as_ref(), there) {
                (Some(one), Some(other)) if *one != other => {
                    let message = "the query says otherwise than the wish; say it once";
                    return Err(PlaylistFailure::new("bad-wish", message).into());
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

    pub(super) fn into_sync_request(self, source: SyncSource, server: String) -> Result<SyncRequest, PlaylistApiError> {
        let policy = self.policy.as_deref().map_or(Some(MatchPolicy::Strict), parse_policy);
        let policy = policy.ok_or_else(|| {
            PlaylistFailure::new("bad-wish", "policy must be strict, prefer-version-else-any or ids-only")
        })?;
        let accounts = match self.accounts {
            AccountNames::None => Vec::new(),
            AccountNames::List(names) => names,
            AccountNames::Text(text) => {
                text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
            }
        };
        Ok(SyncRequest {
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

pub(super) fn parse_body(bytes: &[u8]) -> Result<(SyncSource, SyncRequestBody), PlaylistApiError> {
    let mut asked: SyncRequestBody = serde_json::from_slice(bytes).map_err(|error| {
        let message = format!(
            "the body is no wish: line {}, column {}; it needs at least a source",
            error.line(),
            error.column()
        );
        PlaylistFailure::new("bad-wish", message)
    })?;
    let from_server = |object: &serde_json::Map<String, Value>| {
        let word = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let source =
            SyncSource::Server { server: word("server")?, playlist: word("playlist")?, account: word("account") };
        Some(source)
    };
    let source = match asked.source.take() {
        Value::Null => return Err(PlaylistFailure::new("bad-wish", "a wish needs a source").into()),
        Value::Object(object) if object.get("server").is_some_and(Value::is_string) => {
            let source = from_server(&object);
            source.ok_or_else(|| {
                PlaylistFailure::new("bad-wish", "a source on a server needs \"server\" and \"playlist\"")
            })?
        }
        Value::String(text) => parse_rows(text.as_bytes(), &asked.hint)?,
        other => parse_rows(other.to_string().as_bytes(), "json")?,
    };
    Ok((source, asked))
}

pub(super) fn parse_rows(bytes: &[u8], hint: &str) -> Result<SyncSource, PlaylistApiError> {
    match playlist::read(bytes, hint) {
        Ok(playlist) => Ok(SyncSource::Rows(Box::new(playlist))),
        Err(playlist::PlaylistParseError::TooLong) => Err(too_long().into()),
        Err(unreadable) => Err(PlaylistFailure::new("unreadable", unreadable.to_string()).into()),
    }
}

pub(super) fn too_long() -> PlaylistFailure {
    PlaylistFailure::new("too-long", playlist::PlaylistParseError::TooLong.to_string())
}
