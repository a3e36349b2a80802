//! TTL policies over the API: showing them, overriding them at runtime, and invalidating cache entries.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use greenroom_cache::{Invalidation, Scope};
use greenroom_dialect::class::{Class, Lifetime};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use greenroom_control::class_name::check_class;
use greenroom_control::error::Problem;
use greenroom_control::explain;
use greenroom_control::json_body::{ActionResponse, JsonBody};
use greenroom_control::state::ApiState;
use greenroom_proxy::read::origin_loader::class_tag;
use greenroom_proxy::server::Server;
use greenroom_proxy::ttl_overrides::{MAX_S, TtlOverride};

/// TTL policies by server and request type.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PoliciesResponse {
    items: Vec<ClassPolicy>,
}

/// TTL policy of one request type on one server, in seconds. The windows add up.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClassPolicy {
    server: String,
    class: &'static str,
    #[serde(flatten)]
    windows: PolicyWindows,
    /// The default policy.
    default: PolicyWindows,
    /// True if the configuration sets any of it.
    configured: bool,
    /// True if it was overridden at runtime.
    changed: bool,
    /// True if the bodies carry state of the user.
    user_state: bool,
    /// True if it is kept warm.
    warm: bool,
}

/// The windows of a TTL policy, in seconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lifetime)]
struct PolicyWindows {
    /// Answered without asking the server.
    fresh_s: u32,
    /// The fresh window if a working event stream is proven, or the body has no user state.
    fresh_with_signal_s: u32,
    /// Then served at once, with a background refresh.
    stale_s: u32,
    /// Then served only if the server cannot be asked.
    stale_on_error_s: u32,
}

impl From<Lifetime> for PolicyWindows {
    fn from(lifetime: Lifetime) -> Self {
        let Lifetime { fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s, .. } = lifetime;
        Self { fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s }
    }
}

/// A change: absent fields stay, null removes the override. Without a server it applies to all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyChangeRequest {
    server: Option<String>,
    class: String,
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 31_536_000)]
    fresh_s: PatchValue,
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 31_536_000)]
    fresh_with_signal_s: PatchValue,
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 31_536_000)]
    stale_s: PatchValue,
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 31_536_000)]
    stale_on_error_s: PatchValue,
}

/// The change of one number in a patch.
#[derive(Debug, Clone, Copy, Default)]
enum PatchValue {
    /// Not mentioned: unchanged.
    #[default]
    Absent,
    /// Null: the override is removed.
    Null,
    Value(u32),
}

impl<'de> Deserialize<'de> for PatchValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::deserialize(from).map(|value| value.map_or(Self::Null, Self::Value))
    }
}

impl PatchValue {
    fn apply_to(self, before: Option<u32>) -> Option<u32> {
        match self {
            Self::Absent => before,
            Self::Null => None,
            Self::Value(number) => Some(number),
        }
    }

    fn is_within_bounds(self) -> bool {
        !matches!(self, Self::Value(number) if number > MAX_S)
    }
}

impl PolicyChangeRequest {
    fn apply_to(&self, before: TtlOverride) -> TtlOverride {
        TtlOverride {
            fresh_s: self.fresh_s.apply_to(before.fresh_s),
            fresh_with_signal_s: self.fresh_with_signal_s.apply_to(before.fresh_with_signal_s),
            stale_s: self.stale_s.apply_to(before.stale_s),
            stale_on_error_s: self.stale_on_error_s.apply_to(before.stale_on_error_s),
        }
    }

    fn is_within_bounds(&self) -> bool {
        let all = [self.fresh_s, self.fresh_with_signal_s, self.stale_s, self.stale_on_error_s];
        all.into_iter().all(PatchValue::is_within_bounds)
    }
}

/// Request to reset one request type or all, on one server or all, to the configuration.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyResetRequest {
    server: Option<String>,
    class: Option<String>,
    /// Every request type.
    #[serde(default)]
    all: bool,
}

/// Invalidation request: exactly one of these, on one server or all.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InvalidateRequest {
    server: Option<String>,
    /// A tag, as `why` shows it.
    tag: Option<String>,
    /// A request type.
    class: Option<String>,
    /// A URL or path as an app requests it, with any query, and everything below it.
    path: Option<String>,
    /// Everything.
    #[serde(default)]
    all: bool,
}

/// TTL policies.
#[utoipa::path(get, path = "/api/v1/cache/policies", responses((status = 200, body = PoliciesResponse)))]
pub(super) async fn list(State(state): State<Arc<ApiState>>) -> Json<PoliciesResponse> {
    let class_policies = |server: &Arc<Server>| Class::EVERY.map(|class| policy(server, class));
    Json(PoliciesResponse { items: state.control.select_servers(None).flat_map(class_policies).collect() })
}

fn policy(server: &Server, class: Class) -> ClassPolicy {
    let default = class.lifetime(server.origin.settings.kind);
    ClassPolicy {
        server: server.name().to_owned(),
        class: class.name(),
        windows: server.lifetime(class, default).into(),
        default: default.into(),
        configured: server.origin.settings.lifetimes.contains_key(&class),
        changed: server.ttl_overrides.get(class) != TtlOverride::default(),
        user_state: default.user_state,
        warm: default.warm,
    }
}

/// Overrides the TTL policy of a request type. Shorter windows apply to cached responses at once.
#[utoipa::path(
    put,
    path = "/api/v1/cache/policies",
    request_body = PolicyChangeRequest,
    responses(
        (status = 200, body = ActionResponse),
        (status = 404, description = "No such server or request type"),
        (status = 507, description = "The change cannot be saved; nothing changed"),
    ),
)]
pub(super) async fn change(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<PolicyChangeRequest>,
) -> Result<Json<ActionResponse>, Problem> {
    let change = body.required()?;
    check_class(Some(&change.class))?;
    if !change.is_within_bounds() {
        return Err(Problem::OUT_OF_BOUNDS);
    }
    let class = Class::parse(&change.class);
    let message = format!("Request type {}: TTL changed.", change.class);
    set_overrides(state, change.server.clone(), class, move |before| change.apply_to(before)).await?;
    Ok(Json(ActionResponse::succeeded(message)))
}

/// Removes TTL overrides.
#[utoipa::path(
    delete,
    path = "/api/v1/cache/policies",
    request_body = PolicyResetRequest,
    responses(
        (status = 200, body = ActionResponse),
        (status = 400, description = "Neither a request type nor all is given"),
        (status = 404, description = "No such server or request type"),
        (status = 507, description = "The change cannot be saved; nothing changed"),
    ),
)]
pub(super) async fn reset(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<PolicyResetRequest>,
) -> Result<Json<ActionResponse>, Problem> {
    let request = body.required()?;
    check_class(request.class.as_deref())?;
    if request.class.is_some() == request.all {
        return Err(Problem::RESET_TARGET_REQUIRED);
    }
    let class = request.class.as_deref().and_then(Class::parse);
    set_overrides(state, request.server, class, |_| TtlOverride::default()).await?;
    let subject = request.class.map_or_else(|| "All request types".to_owned(), |class| format!("Request type {class}"));
    Ok(Json(ActionResponse::succeeded(format!("{subject}: TTL reset to the configuration."))))
}

/// Invalidates cached responses: they are loaded again, and the old ones serve only while the server is down.
#[utoipa::path(
    post,
    path = "/api/v1/cache/invalidate",
    request_body = InvalidateRequest,
    responses((status = 200, body = ActionResponse), (status = 404, description = "No such server or request type")),
)]
pub(super) async fn invalidate(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<InvalidateRequest>,
) -> Result<Json<ActionResponse>, Problem> {
    let request = body.required()?;
    let control = &state.control;
    control.check_server(request.server.as_deref())?;
    check_class(request.class.as_deref())?;
    let targets = [request.tag.is_some(), request.class.is_some(), request.path.is_some(), request.all];
    if targets.into_iter().filter(|is_set| *is_set).count() != 1 {
        return Err(Problem::INVALIDATION_TARGET_REQUIRED);
    }
    let server = match &request.path {
        Some(path) => Some(control.server_for_url(path, request.server.as_deref())?.name().to_owned()),
        None => request.server.clone(),
    };
    for server in control.select_servers(server.as_deref()) {
        for scope in scopes(server, &request)? {
            server.invalidate(&scope, &Invalidation::mark_stale());
        }
    }
    control.cache.flush_invalidations().await;
    tracing::info!(server = server.as_deref().unwrap_or("all"), "cached responses invalidated on request");
    Ok(Json(ActionResponse::succeeded("Invalidated these cached responses.".to_owned())))
}

/// Resolves the request to cache scopes of one server.
fn scopes(server: &Server, request: &InvalidateRequest) -> Result<Vec<Scope>, Problem> {
    let namespace = || server.name().to_owned();
    let tag_scope = |tag| Scope::Tag { namespace: namespace(), partition: None, tag };
    if let Some(class) = request.class.as_deref().and_then(Class::parse) {
        return Ok(vec![tag_scope(class_tag(class))]);
    }
    if let Some(tag) = &request.tag {
        return Ok(vec![tag_scope(tag.as_str().into())]);
    }
    let Some(path) = &request.path else { return Ok(vec![Scope::Namespace(namespace())]) };
    let keys = explain::cache_keys(server, path).map_err(|_| Problem::NOT_A_URL)?;
    if keys.is_empty() {
        return Err(Problem::NEVER_CACHED);
    }
    // Matches every representation, language and range: the key holds them all, while a person names none.
    let path_in_key = |key: &String| key.split(['?', ' ']).next().unwrap_or_default().to_owned();
    let paths: BTreeSet<String> = keys.iter().map(path_in_key).collect();
    let prefix_scope = |prefix| Scope::Prefix { namespace: namespace(), partition: None, prefix };
    Ok(paths.into_iter().map(prefix_scope).collect())
}

/// Runs the change in its own task: it must complete even if the caller disconnects, because it is persisted.
async fn set_overrides(
    state: Arc<ApiState>,
    server_name: Option<String>,
    class: Option<Class>,
    change: impl Fn(TtlOverride) -> TtlOverride + Send + Sync + 'static,
) -> Result<(), Problem> {
    let Some(tasks) = state.control.select_servers(None).next().map(|server| server.origin.tasks.clone()) else {
        return Ok(());
    };
    let result = tasks.spawn(async move { state.control.set_overrides(server_name.as_deref(), class, change).await });
    result.await.unwrap_or(Err(Problem::TTL_NOT_SAVED))
}
