//! A sync request as received: a JSON object, or a playlist body with its options in the query.

use greenroom_library::matching::MatchPolicy;
use greenroom_library::playlist::{self, Playlist};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::PlaylistApiError;
use greenroom_config::playlist_mode::{PlaylistMode, parse_policy};
use greenroom_control::json_key_error;
use greenroom_sync::playlists::report::PlaylistFailure;
use greenroom_sync::playlists::request::{MAX_SCAN_REPEATS, SyncRequest, SyncSource};

/// A sync request in JSON; if the body is the playlist itself, the options from the query.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlaylistWish)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(super) struct SyncRequestBody {
    #[serde(default)]
    source: Value,
    #[serde(default)]
    hint: String,
    /// Number of the playlist in a file with several, counted from 1.
    part: Option<usize>,
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
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
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
    /// Number of the playlist in a file with several, counted from 1.
    pub(super) part: Option<usize>,
}

impl SyncRequestParams {
    /// True if the query sets no option that a JSON body could set.
    pub(super) fn is_empty(&self) -> bool {
        self.server.is_none()
            && self.name.is_none()
            && self.mode.is_none()
            && self.accounts.is_none()
            && self.hint.is_none()
            && self.part.is_none()
    }

    pub(super) fn into_body(self) -> SyncRequestBody {
        SyncRequestBody {
            source: Value::Null,
            hint: String::new(),
            part: None,
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
    pub(super) fn merge(mut self, params: SyncRequestParams) -> Result<Self, PlaylistApiError> {
        for (own, other) in [(&mut self.library, params.library), (&mut self.policy, params.policy)] {
            match (own.as_ref(), other) {
                (Some(value), Some(sent)) if *value != sent => {
                    let message = "the query contradicts the body; set each option once";
                    return Err(PlaylistFailure::new("bad-wish", message).into());
                }
                (None, Some(sent)) => *own = Some(sent),
                _ => {}
            }
        }
        self.shrink |= params.shrink;
        self.dry_run |= params.dry_run;
        self.wait |= params.wait;
        self.detach |= params.detach;
        self.live = self.live.max(params.live);
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
            repeats: if self.dry_run { 0 } else { MAX_SCAN_REPEATS },
            written_before: Vec::new(),
        })
    }
}

pub(super) fn parse_body(bytes: &[u8]) -> Result<(SyncSource, SyncRequestBody), PlaylistApiError> {
    let mut request: SyncRequestBody = json_key_error::parse(bytes)
        .map_err(|fault| PlaylistFailure::new("bad-wish", format!("invalid sync request: {fault}")))?;
    let server_source = |object: &serde_json::Map<String, Value>| {
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let source =
            SyncSource::Server { server: text("server")?, playlist: text("playlist")?, account: text("account") };
        Some(source)
    };
    let source = match request.source.take() {
        Value::Null => return Err(PlaylistFailure::new("bad-wish", "a sync request needs a source").into()),
        Value::Object(object) if object.get("server").is_some_and(Value::is_string) => {
            let source = server_source(&object);
            source.ok_or_else(|| {
                PlaylistFailure::new("bad-wish", "a source on a server needs \"server\" and \"playlist\"")
            })?
        }
        Value::String(text) => parse_rows(text.as_bytes(), &request.hint, request.part)?,
        other => parse_rows(other.to_string().as_bytes(), "json", request.part)?,
    };
    Ok((source, request))
}

/// Parses a playlist; `part` says which of several, counted from 1.
pub(super) fn parse_rows(bytes: &[u8], hint: &str, part: Option<usize>) -> Result<SyncSource, PlaylistApiError> {
    match playlist::read_all(bytes, hint) {
        Ok(playlists) => choose(playlists, part).map(|playlist| SyncSource::Rows(Box::new(playlist))),
        Err(playlist::PlaylistParseError::TooLong) => Err(too_long().into()),
        Err(error) => Err(PlaylistFailure::new("unreadable", error.to_string()).into()),
    }
}

fn choose(mut playlists: Vec<Playlist>, part: Option<usize>) -> Result<Playlist, PlaylistApiError> {
    let count = playlists.len();
    let at = match part {
        None if count == 1 => 0,
        Some(part) if (1..=count).contains(&part) => part - 1,
        Some(_) => {
            return Err(PlaylistFailure::new("bad-wish", format!("part must be a number from 1 to {count}")).into());
        }
        None => {
            let several = playlist::PlaylistParseError::several(&playlists);
            return Err(PlaylistFailure::new("which-playlist", format!("{several}: part, from 1 to {count}")).into());
        }
    };
    let playlist = playlists.swap_remove(at);
    match playlist.only_bad_rows() {
        Some(error) => Err(PlaylistFailure::new("unreadable", error.to_string()).into()),
        None => Ok(playlist),
    }
}

pub(super) fn too_long() -> PlaylistFailure {
    PlaylistFailure::new("too-long", playlist::PlaylistParseError::TooLong.to_string())
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::{PlaylistApiError, parse_rows};

    #[test]
    fn a_playlist_of_unreadable_rows_is_refused_and_the_one_beside_it_is_not() {
        let file =
            br#"{"playlists":[{"name":"Good","tracks":[{"title":"T","artist":"A"}]},{"name":"Bad","tracks":[7]}]}"#;
        assert!(parse_rows(file, "", Some(1)).is_ok());
        let Err(PlaylistApiError::Failed(status, failure, None)) = parse_rows(file, "", Some(2)) else {
            panic!("it has no row")
        };
        assert_eq!((status, failure.code.as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "unreadable"));
        assert!(failure.message.contains("none of the 1 rows"), "{}", failure.message);
    }
}
