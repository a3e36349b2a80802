//! Lifetimes over the API: how long answers of each class live, changing that while the process runs, and making what
//! is kept stale.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use greenroom_cache::{Invalidation, Scope};
use greenroom_dialect::class::{Class, Lifetime};
use http::HeaderMap;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::api::{Done, read};
use super::{Control, Plane};
use crate::class_name::check_class;
use crate::error::Problem;
use crate::explain;
use greenroom_proxy::read::origin_loader::class_tag;
use greenroom_proxy::server::Server;
use greenroom_proxy::ttl_overrides::{MAX_S, Said};

/// How long answers live, by server and class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Policies {
    items: Vec<Policy>,
}

/// How long answers of one class of one server live, in seconds. The windows add up.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Policy {
    server: String,
    class: &'static str,
    #[serde(flatten)]
    windows: Windows,
    /// What it would be if nobody had said anything.
    default: Windows,
    /// Whether the configuration says something of it.
    configured: bool,
    /// Whether it was changed while the process runs.
    changed: bool,
    /// Whether the bodies carry state of the user who asked.
    user_state: bool,
    /// Whether it is kept warm.
    warm: bool,
}

/// The windows of a lifetime, in seconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lifetime)]
struct Windows {
    /// Answered without asking the server.
    fresh_s: u32,
    /// The same where a live signal is proven, or the body has no user state.
    fresh_with_signal_s: u32,
    /// Then answered at once while one refresh runs behind.
    stale_s: u32,
    /// Then answered only if the server cannot be asked.
    stale_on_error_s: u32,
}

impl From<Lifetime> for Windows {
    fn from(lifetime: Lifetime) -> Self {
        let Lifetime { fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s, .. } = lifetime;
        Self { fresh_s, fresh_with_signal_s, stale_s, stale_on_error_s }
    }
}

/// A change: what is not named stays, null takes back what was said before. Without a server it is for all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[serde(default)]
    server: Option<String>,
    class: String,
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 31_536_000)]
    fresh_s: Number,
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 31_536_000)]
    fresh_with_signal_s: Number,
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 31_536_000)]
    stale_s: Number,
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 31_536_000)]
    stale_on_error_s: Number,
}

/// What is said of one number.
#[derive(Debug, Clone, Copy, Default)]
enum Number {
    /// Nothing: it stays.
    #[default]
    Unnamed,
    /// Null: what was said before is taken back.
    TakenBack,
    Said(u32),
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::deserialize(from).map(|said| said.map_or(Self::TakenBack, Self::Said))
    }
}

impl Number {
    fn over(self, before: Option<u32>) -> Option<u32> {
        match self {
            Self::Unnamed => before,
            Self::TakenBack => None,
            Self::Said(number) => Some(number),
        }
    }

    fn is_within_bounds(self) -> bool {
        !matches!(self, Self::Said(number) if number > MAX_S)
    }
}

impl Change {
    fn over(&self, before: Said) -> Said {
        Said {
            fresh_s: self.fresh_s.over(before.fresh_s),
            fresh_with_signal_s: self.fresh_with_signal_s.over(before.fresh_with_signal_s),
            stale_s: self.stale_s.over(before.stale_s),
            stale_on_error_s: self.stale_on_error_s.over(before.stale_on_error_s),
        }
    }

    fn is_within_bounds(&self) -> bool {
        let all = [self.fresh_s, self.fresh_with_signal_s, self.stale_s, self.stale_on_error_s];
        all.into_iter().all(Number::is_within_bounds)
    }
}

/// What goes back to what was configured: one class, or all of them; of one server, or of all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    server: Option<String>,
    class: Option<String>,
    /// Every class.
    #[serde(default)]
    all: bool,
}

/// What is made stale: exactly one of these, of one server or of all.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct What {
    server: Option<String>,
    /// A tag, as `why` shows them.
    tag: Option<String>,
    /// A class.
    class: Option<String>,
    /// An address or a path as an app asks for it: whatever its query was, and what lies below it.
    path: Option<String>,
    /// Everything.
    #[serde(default)]
    all: bool,
}

/// How long answers live.
#[utoipa::path(get, path = "/api/v1/cache/policies", responses((status = 200, body = Policies)))]
pub(super) async fn list(State(plane): State<Arc<Plane>>) -> Json<Policies> {
    let of = |server: &Arc<Server>| Class::EVERY.map(|class| policy(server, class));
    Json(Policies { items: plane.control.chosen(None).flat_map(of).collect() })
}

fn policy(server: &Server, class: Class) -> Policy {
    let usual = class.lifetime(server.origin.settings.kind);
    Policy {
        server: server.name().to_owned(),
        class: class.name(),
        windows: server.lifetime(class, usual).into(),
        default: usual.into(),
        configured: server.origin.settings.lifetimes.contains_key(&class),
        changed: server.lifetimes.said(class) != Said::default(),
        user_state: usual.user_state,
        warm: usual.warm,
    }
}

/// Changes how long answers of a class live. What is shorter applies at once, also to what is kept.
#[utoipa::path(
    put,
    path = "/api/v1/cache/policies",
    request_body = Change,
    responses(
        (status = 200, body = Done),
        (status = 404, description = "No such server, or no such class"),
        (status = 507, description = "It cannot be kept; nothing has changed"),
    ),
)]
pub(super) async fn change(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let change: Change = read(&headers, body).await?.ok_or(Problem::BAD_BODY)?;
    check_class(Some(&change.class))?;
    if !change.is_within_bounds() {
        return Err(Problem::OUT_OF_BOUNDS);
    }
    let class = Class::named(&change.class);
    let said = format!("Answers of class {} live as long as you said from now on.", change.class);
    say(plane, change.server.clone(), class, move |before| change.over(before)).await?;
    Ok(Json(Done::said(said)))
}

/// Takes back what was said while the process runs.
#[utoipa::path(
    delete,
    path = "/api/v1/cache/policies",
    request_body = Which,
    responses(
        (status = 200, body = Done),
        (status = 400, description = "Neither a class is said nor all"),
        (status = 404, description = "No such server, or no such class"),
        (status = 507, description = "It cannot be kept; nothing has changed"),
    ),
)]
pub(super) async fn reset(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let which: Which = read(&headers, body).await?.ok_or(Problem::BAD_BODY)?;
    check_class(which.class.as_deref())?;
    if which.class.is_some() == which.all {
        return Err(Problem::WHAT_GOES_BACK);
    }
    let class = which.class.as_deref().and_then(Class::named);
    say(plane, which.server, class, |_| Said::default()).await?;
    let what = which.class.map_or_else(|| "Answers".to_owned(), |class| format!("Answers of class {class}"));
    Ok(Json(Done::said(format!("{what} live as long as is configured again."))))
}

/// Makes what is kept stale: it is asked for anew, and stands in only if the server cannot be asked.
#[utoipa::path(
    post,
    path = "/api/v1/cache/invalidate",
    request_body = What,
    responses((status = 200, body = Done), (status = 404, description = "No such server, or no such class")),
)]
pub(super) async fn invalidate(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let what: What = read(&headers, body).await?.ok_or(Problem::BAD_BODY)?;
    let control = &plane.control;
    control.check_server(what.server.as_deref())?;
    check_class(what.class.as_deref())?;
    let said = [what.tag.is_some(), what.class.is_some(), what.path.is_some(), what.all];
    if said.into_iter().filter(|is_said| *is_said).count() != 1 {
        return Err(Problem::WHAT_IS_STALE);
    }
    let server = match &what.path {
        Some(path) => Some(control.meant(path, what.server.as_deref())?.name().to_owned()),
        None => what.server.clone(),
    };
    for server in control.chosen(server.as_deref()) {
        for scope in scopes(server, &what)? {
            server.invalidate(&scope, &Invalidation::mark());
        }
    }
    control.cache.settled().await;
    tracing::info!(server = server.as_deref().unwrap_or("all"), "somebody made answers stale");
    Ok(Json(Done::said("What was kept of it until now is asked for anew.".to_owned())))
}

/// What of a server is meant.
fn scopes(server: &Server, what: &What) -> Result<Vec<Scope>, Problem> {
    let namespace = || server.name().to_owned();
    let tagged = |tag| Scope::Tag { namespace: namespace(), partition: None, tag };
    if let Some(class) = what.class.as_deref().and_then(Class::named) {
        return Ok(vec![tagged(class_tag(class))]);
    }
    if let Some(tag) = &what.tag {
        return Ok(vec![tagged(tag.as_str().into())]);
    }
    let Some(path) = &what.path else { return Ok(vec![Scope::Namespace(namespace())]) };
    let keys = explain::keys(server, path).map_err(|_| Problem::NO_ADDRESS)?;
    if keys.is_empty() {
        return Err(Problem::NOT_KEPT_AT_ALL);
    }
    // In whatever representation, language and part of it: a key says them all, and a person none.
    let path_of = |key: &String| key.split(['?', ' ']).next().unwrap_or_default().to_owned();
    let paths: BTreeSet<String> = keys.iter().map(path_of).collect();
    let below = |prefix| Scope::Prefix { namespace: namespace(), partition: None, prefix };
    Ok(paths.into_iter().map(below).collect())
}

/// The same in a task of its own: whoever asked may go, and what is written down must hold all the same.
async fn say(
    plane: Arc<Plane>,
    only: Option<String>,
    class: Option<Class>,
    change: impl Fn(Said) -> Said + Send + Sync + 'static,
) -> Result<(), Problem> {
    let Some(tasks) = plane.control.chosen(None).next().map(|server| server.origin.tasks.clone()) else {
        return Ok(());
    };
    let said = tasks.spawn(async move { plane.control.say(only.as_deref(), class, change).await });
    said.await.unwrap_or(Err(Problem::LIFETIME_NOT_KEPT))
}

impl Control {
    /// Changes what is said of a class, or of all; of one server, or of all. What cannot be kept changes nothing.
    async fn say(
        &self,
        only: Option<&str>,
        class: Option<Class>,
        change: impl Fn(Said) -> Said + Send + Sync + 'static,
    ) -> Result<(), Problem> {
        self.check_server(only)?;
        let classes = Class::EVERY.into_iter().filter(|one| class.is_none_or(|class| class == *one));
        let classes: Vec<Class> = classes.collect();
        let servers: Vec<Arc<Server>> = self.chosen(only).cloned().collect();
        let Some(book) = self.lifetimes.clone().filter(|_| !servers.is_empty()) else {
            for (server, class) in
                servers.iter().flat_map(|server| classes.iter().map(move |class| (server, *class)))
            {
                server.lifetimes.say(class, change(server.lifetimes.said(class)));
            }
            return Ok(());
        };
        // One after the other, so that what is written is what holds.
        let turn = Arc::clone(&book.turn);
        let _alone = turn.lock().await;
        let named =
            |server: &Arc<Server>| classes.iter().map(|class| (server.name().to_owned(), *class)).collect();
        let which: Vec<(String, Class)> = servers.iter().flat_map::<Vec<_>, _>(named).collect();
        let lane = book.lane.clone();
        let kept = lane.run(move || book.change(&which, change)).await;
        let kept = kept.unwrap_or_else(|undone| Err(undone.to_string())).map_err(|reason| {
            tracing::warn!(reason, "lifetimes stay as they were: they cannot be written down");
            Problem::LIFETIME_NOT_KEPT
        })?;
        for (name, class, said) in kept {
            if let Some(server) = servers.iter().find(|server| server.name() == name) {
                server.lifetimes.say(class, said);
            }
        }
        Ok(())
    }
}
